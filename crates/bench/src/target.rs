//! Where load goes: URLs of the protocols that the generator speaks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use thiserror::Error;

/// Stands for a stream's number in a URL pattern.
const NUMBER: &str = "{}";
/// Connections that one source address is used for: the kernel's default range of local ports holds 28,232.
const PER_SOURCE: usize = 20_000;

/// How a player fetches a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Rtmp,
    /// FLV as one endless HTTP response.
    Flv,
    /// FLV in WebSocket messages.
    WsFlv,
    /// MPEG-TS as one endless HTTP response.
    Ts,
    Hls,
    /// RTP to a player (draft-ietf-wish-whep).
    Whep,
    /// RTP from a publisher (RFC 9725).
    Whip,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Rtmp => "RTMP",
            Protocol::Flv => "HTTP-FLV",
            Protocol::WsFlv => "WS-FLV",
            Protocol::Ts => "HTTP-TS",
            Protocol::Hls => "HLS",
            Protocol::Whep => "WHEP",
            Protocol::Whip => "WHIP",
        }
    }
}

#[derive(Debug, Error)]
pub(crate) enum TargetError {
    #[error(
        "{url}: expected rtmp://host/app/stream, http://host/….flv, http://host/….ts, ws://host/….flv, \
         http://host/….m3u8, http://host/rtc/v1/whep/?app=…&stream=… or http://host/rtc/v1/whip/?app=…&stream=…"
    )]
    Form { url: String },
    #[error("{url}: the port is not a number from 1 to 65535")]
    Port { url: String },
    #[error("looking up {host}: {source}")]
    Lookup { host: String, source: std::io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("{host} is {address}, not this machine; load stays on loopback unless --allow-remote is given")]
    Remote { host: String, address: IpAddr },
}

/// A URL or URL pattern; `{}` in it stands for the stream's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    /// The server's name or address, as written.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Everything from the slash after the host on.
    pub(crate) path: String,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Form { url: url.into() };
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let (authority, path) = rest.split_once('/').ok_or_else(malformed)?;
        let protocol = protocol(scheme, path).ok_or_else(malformed)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|&port| port != 0)),
            None => (authority, Some(if protocol == Protocol::Rtmp { 1935 } else { 80 })),
        };
        let port = port.ok_or_else(|| TargetError::Port { url: url.into() })?;
        if host.is_empty() || path.is_empty() {
            return Err(malformed());
        }
        Ok(Target { protocol, host: host.into(), port, path: format!("/{path}") })
    }
}

fn protocol(scheme: &str, path: &str) -> Option<Protocol> {
    let file = path.split('?').next().unwrap_or(path);
    match scheme {
        "rtmp" => Some(Protocol::Rtmp),
        "http" if file.ends_with(".m3u8") => Some(Protocol::Hls),
        "http" if file.ends_with(".flv") => Some(Protocol::Flv),
        "http" if file.ends_with(".ts") => Some(Protocol::Ts),
        "http" if file.trim_end_matches('/').ends_with("whep") => Some(Protocol::Whep),
        "http" if file.trim_end_matches('/').ends_with("whip") => Some(Protocol::Whip),
        "ws" if file.ends_with(".flv") => Some(Protocol::WsFlv),
        _ => None,
    }
}

impl Target {
    /// The target of stream `number`.
    pub(crate) fn numbered(&self, number: usize) -> Target {
        Target { path: self.path.replace(NUMBER, &number.to_string()), ..self.clone() }
    }

    /// Looks the host up. Refuses an address that is not loopback, unless `allow_remote`.
    pub(crate) fn resolve(&self, allow_remote: bool) -> Result<SocketAddr, TargetError> {
        let host = || self.host.clone();
        let address = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|source| TargetError::Lookup { host: host(), source })?
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| TargetError::NoAddress { host: host() })?;
        if !allow_remote && !address.ip().is_loopback() {
            return Err(TargetError::Remote { host: host(), address: address.ip() });
        }
        Ok(address)
    }

    /// What a request's Host field says.
    pub(crate) fn host_field(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The whole URL.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.protocol {
            Protocol::Rtmp => "rtmp",
            Protocol::WsFlv => "ws",
            Protocol::Flv | Protocol::Ts | Protocol::Hls | Protocol::Whep | Protocol::Whip => "http",
        };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// The local address that connection `index` to `server` comes from, when one address has too few ports for all.
pub(crate) fn source(server: SocketAddr, index: usize) -> Option<SocketAddr> {
    let further = u8::try_from(index / PER_SOURCE).unwrap_or(u8::MAX).min(250);
    let local = server.is_ipv4() && server.ip().is_loopback() && further > 0;
    local.then(|| SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + further), 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, TargetError> {
        url.parse()
    }

    #[test]
    fn the_protocol_follows_from_scheme_and_ending() {
        for (url, protocol, port) in [
            ("rtmp://127.0.0.1/live/a", Protocol::Rtmp, 1935),
            ("http://127.0.0.1:8080/live/a.flv?token=x", Protocol::Flv, 8080),
            ("ws://127.0.0.1/live/a.flv", Protocol::WsFlv, 80),
            ("http://127.0.0.1/live/a.ts", Protocol::Ts, 80),
            ("http://127.0.0.1/live/a.m3u8", Protocol::Hls, 80),
            ("http://127.0.0.1:1985/rtc/v1/whep/?app=live&stream=a", Protocol::Whep, 1985),
            ("http://127.0.0.1/rtc/v1/whip?app=live&stream=a", Protocol::Whip, 80),
        ] {
            let target = parse(url).unwrap();
            assert_eq!((target.protocol, target.port), (protocol, port), "{url}");
        }
    }

    #[test]
    fn what_is_not_a_target_says_what_would_be() {
        for url in ["", "rtmp://", "rtmp://host", "ftp://host/a.flv", "http://host/a.mp4", "rtmp:///live/a"] {
            assert!(matches!(parse(url), Err(TargetError::Form { .. })), "{url}");
        }
        assert!(matches!(parse("rtmp://host:99999/live/a"), Err(TargetError::Port { .. })));
    }

    #[test]
    fn a_pattern_gives_each_stream_its_url() {
        let target = parse("http://127.0.0.1:80/live/s{}.flv").unwrap();
        assert_eq!(target.numbered(12).url(), "http://127.0.0.1:80/live/s12.flv");
    }

    #[test]
    fn load_stays_on_this_machine() {
        let remote = parse("rtmp://192.0.2.1/live/a").unwrap();
        assert!(matches!(remote.resolve(false), Err(TargetError::Remote { .. })));
        assert!(remote.resolve(true).is_ok());
        assert!(parse("rtmp://127.0.0.9/live/a").unwrap().resolve(false).is_ok());
    }

    #[test]
    fn many_connections_come_from_several_addresses() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1935));
        assert_eq!(source(server, 19_999), None);
        assert_eq!(source(server, 20_000), Some(SocketAddr::from(([127, 0, 0, 2], 0))));
        assert_eq!(source(SocketAddr::from(([192, 0, 2, 1], 1935)), 50_000), None);
    }
}
