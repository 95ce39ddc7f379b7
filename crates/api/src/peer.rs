use http::HeaderMap;
use std::net::SocketAddr;

/// The other end of a request's connection; the server puts it into the request's extensions.
///
/// It is the socket's address, never what a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Headers by which a proxy says that it speaks for somebody else.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Peer {
    /// Whether the request was made on this machine. A request that a proxy on this machine passes on was not; one
    /// of unknown origin neither.
    pub(crate) fn is_local(peer: Option<&Peer>, headers: &HeaderMap) -> bool {
        let loopback = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        loopback && FORWARDED.iter().all(|name| !headers.contains_key(*name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_local(addr: &str, header: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(name) = header {
            headers.insert(name, http::HeaderValue::from_static("127.0.0.1"));
        }
        Peer::is_local(Some(&Peer(addr.parse().unwrap())), &headers)
    }

    #[test]
    fn only_this_machine_is_local() {
        for addr in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_local(addr, None), "{addr}");
        }
        for addr in ["198.51.100.7:1", "10.0.0.1:1", "[2001:db8::1]:1", "0.0.0.0:1"] {
            assert!(!is_local(addr, None), "{addr}");
        }
        assert!(!Peer::is_local(None, &HeaderMap::new()));
    }

    #[test]
    fn a_forwarding_header_makes_nobody_local_and_unmakes_a_proxy() {
        assert!(!is_local("198.51.100.7:1", Some("x-forwarded-for")));
        assert!(!is_local("127.0.0.1:1", Some("x-forwarded-for")));
        assert!(!is_local("127.0.0.1:1", Some("forwarded")));
    }
}
