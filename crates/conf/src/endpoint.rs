//! Where a listener binds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A numeric address and a port: `1935`, `127.0.0.1:1935` or `[::1]:1935`.
///
/// A port alone means every IPv4 address; [`Endpoint::is_any`] lets a host that has only IPv6 bind `::`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Address to bind.
    pub ip: IpAddr,
    /// Port, never 0 in a loaded configuration.
    pub port: u16,
}

impl Endpoint {
    /// Every IPv4 address.
    pub const fn any(port: u16) -> Endpoint {
        Endpoint { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port }
    }

    /// Reads `port`, `ip:port` or `[v6]:port`; `None` if the host is not numeric or the port not in 1..=65535.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Some(Endpoint::any(port_of(text)?));
        };
        Some(Endpoint { ip: host_of(host)?, port: port_of(port)? })
    }

    /// Whether it names no particular address.
    pub fn is_any(&self) -> bool {
        self.ip.is_unspecified()
    }
}

fn port_of(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn host_of(text: &str) -> Option<IpAddr> {
    if text.is_empty() {
        return Some(Ipv4Addr::UNSPECIFIED.into());
    }
    if let Some(inner) = text.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse().ok()
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.ip, endpoint.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}
