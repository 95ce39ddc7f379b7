//! Which addresses an answer names (srs-interfaces 5.7).

use headwater_conf::RtcServer;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Addresses of one resolved name that are used.
const RESOLVED_MAX: usize = 4;

/// How long a name may take to resolve. Clients choose the name (`Host`); an answer does without it.
const RESOLVE_WAIT: Duration = Duration::from_secs(2);

/// Names that are resolved at once, each on a thread of its own; who comes beyond gets an answer without.
static RESOLVING: Semaphore = Semaphore::const_new(16);

/// An address, or a name that the client resolves, with a port when another than ours is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Place {
    /// `host`, `host:port`, `[v6]:port` or a bare IPv6 address. `None` for what is neither an address nor a host name.
    pub(crate) fn parse(text: &str) -> Option<Place> {
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Place { host: ip.to_string(), port: None });
        }
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Some(Place { host: addr.ip().to_string(), port: Some(addr.port()) });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let good = !host.is_empty() && host.len() <= 253 && host.chars().all(named);
        good.then(|| Place { host: host.to_owned(), port })
    }
}

/// What the request tells: `eip` or `candidate` of its query, and the host it was sent to, without port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) external: Option<&'a str>,
    pub(crate) host: &'a str,
}

/// The places an answer names, sorted, each once.
pub(crate) async fn places(conf: &RtcServer, asked: Asked<'_>) -> Vec<Place> {
    let mut places = BTreeSet::new();
    places.extend(asked.external.and_then(Place::parse));
    if conf.api_as_candidates {
        places.extend(by_host(conf, asked.host).await);
    }
    match conf.candidate.as_str() {
        "*" | "0.0.0.0" | "::" | "" => {
            if conf.use_auto_detect_network_ip {
                places.extend(own(&conf.ip_family).into_iter().map(plain));
            }
        }
        fixed => places.extend(Place::parse(fixed)),
    }
    if places.is_empty() {
        places.extend(own("ipv4").into_iter().next().or_else(|| own("all").into_iter().next()).map(plain));
    }
    if places.is_empty() {
        places.insert(Place { host: "127.0.0.1".to_owned(), port: None });
    }
    places.into_iter().collect()
}

fn plain(ip: IpAddr) -> Place {
    Place { host: ip.to_string(), port: None }
}

/// The host that the API was asked under, unless it means "this machine" to anybody.
async fn by_host(conf: &RtcServer, host: &str) -> Vec<Place> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let useless = ip.is_loopback() || ip.is_unspecified();
        return if useless { Vec::new() } else { vec![plain(ip)] };
    }
    let Some(place) = Place::parse(bare).filter(|place| place.host != "localhost") else { return Vec::new() };
    let mut places = Vec::new();
    if conf.resolve_api_domain {
        places.extend(resolve(&place.host).await.map(plain));
    }
    if conf.keep_api_domain || !conf.resolve_api_domain {
        places.push(place);
    }
    places
}

/// The addresses of a name that others can reach.
async fn resolve(name: &str) -> impl Iterator<Item = IpAddr> {
    let found = match RESOLVING.try_acquire() {
        Ok(_place) => tokio::time::timeout(RESOLVE_WAIT, tokio::net::lookup_host((name, 0))).await,
        Err(_) => Ok(Err(std::io::ErrorKind::WouldBlock.into())),
    };
    let found: Vec<SocketAddr> = found.ok().and_then(Result::ok).map(Iterator::collect).unwrap_or_default();
    let public = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified();
    found.into_iter().map(|addr| addr.ip()).filter(public).take(RESOLVED_MAX)
}

/// Addresses of interfaces that are up, IPv4 first; loopback only when there is nothing else.
fn own(family: &str) -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let mut found: Vec<(bool, IpAddr)> = interfaces
        .filter(|i| i.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING))
        .filter(|i| !i.flags.contains(InterfaceFlags::IFF_POINTOPOINT))
        .filter_map(|i| {
            let address = i.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            let ip = v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))?;
            Some((i.flags.contains(InterfaceFlags::IFF_LOOPBACK), ip))
        })
        .filter(|(_, ip)| match family {
            "ipv4" => ip.is_ipv4(),
            "ipv6" => ip.is_ipv6(),
            _ => true,
        })
        .filter(|(_, ip)| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()))
        .collect();
    if found.iter().any(|(loopback, _)| !loopback) {
        found.retain(|(loopback, _)| !loopback);
    }
    found.sort_by_key(|(_, ip)| ip.is_ipv6());
    found.into_iter().map(|(_, ip)| ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_conf::{Conf, Env, Source};

    fn conf(lines: &str) -> RtcServer {
        let text = format!(
            "listen 1935; max_connections 100; rtc_server {{ enabled on; {lines} }} vhost __defaultVhost__ {{ }}"
        );
        Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf.rtc_server
    }

    fn place(host: &str, port: Option<u16>) -> Place {
        Place { host: host.into(), port }
    }

    #[test]
    fn places_are_addresses_or_names() {
        let good = [
            ("192.0.2.7", place("192.0.2.7", None)),
            ("192.0.2.7:18000", place("192.0.2.7", Some(18000))),
            ("[2001:db8::7]:18000", place("2001:db8::7", Some(18000))),
            ("2001:db8::7", place("2001:db8::7", None)),
            ("edge-1.example.com:1", place("edge-1.example.com", Some(1))),
        ];
        good.into_iter()
            .for_each(|(text, expected)| assert_eq!(Place::parse(text), Some(expected), "{text}"));
        for bad in ["", "a b", "x\r\na=evil", "host:port", "host:99999", "<script>"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_configured_candidate_replaces_the_network_cards() {
        let asked = Asked { external: Some("198.51.100.9:30000"), host: "192.0.2.80" };
        let places = places(&conf("candidate 203.0.113.5;"), asked).await;
        let expected =
            [place("192.0.2.80", None), place("198.51.100.9", Some(30000)), place("203.0.113.5", None)];
        assert_eq!(places, expected);
    }

    #[tokio::test]
    async fn there_is_always_one() {
        let asked = Asked { external: None, host: "localhost" };
        let places = places(&conf("use_auto_detect_network_ip off;"), asked).await;
        assert_eq!(places.len(), 1);
    }
}
