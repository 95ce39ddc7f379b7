//! Which session an address leads to: what STUN has validated, and nothing else.

use std::collections::HashMap;
use std::net::SocketAddr;
use str0m::net::Protocol;

/// Addresses of other workers' sessions that a worker knows. Beyond it all of them are forgotten; each comes back with
/// its peer's next STUN request.
const ELSEWHERE_MAX: usize = 4096;

/// Where packets come from.
pub(crate) type Address = (Protocol, SocketAddr);

/// One worker's addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    own: HashMap<Address, usize>,
    /// Those of sessions that live on another worker: which, and the key there. The kernel brings a peer's packets here
    /// when its address has changed.
    elsewhere: HashMap<Address, (usize, usize)>,
}

impl Addresses {
    /// The session of this worker that an address leads to.
    pub(crate) fn key(&self, address: &Address) -> Option<usize> {
        self.own.get(address).copied()
    }

    /// The worker and its session that an address leads to.
    pub(crate) fn elsewhere(&self, address: &Address) -> Option<(usize, usize)> {
        self.elsewhere.get(address).copied()
    }

    /// An address leads to this worker's session `key` from now on.
    pub(crate) fn learn(&mut self, address: Address, key: usize) {
        self.elsewhere.remove(&address);
        self.own.insert(address, key);
    }

    /// An address leads to another worker's session from now on.
    pub(crate) fn learn_elsewhere(&mut self, address: Address, worker: usize, key: usize) {
        self.own.remove(&address);
        if self.elsewhere.len() >= ELSEWHERE_MAX {
            self.elsewhere.clear();
        }
        self.elsewhere.insert(address, (worker, key));
    }

    /// Forgets an address of the session `key`, unless it leads to another one meanwhile.
    pub(crate) fn forget(&mut self, address: &Address, key: usize) {
        if self.own.get(address) == Some(&key) {
            self.own.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        (Protocol::Udp, SocketAddr::from(([192, 0, 2, 1], port)))
    }

    #[test]
    fn the_newest_session_of_an_address_keeps_it() {
        let mut addresses = Addresses::default();
        addresses.learn(address(1), 7);
        addresses.learn(address(1), 8);
        addresses.forget(&address(1), 7);
        assert_eq!(addresses.key(&address(1)), Some(8));
        addresses.learn_elsewhere(address(1), 1, 3);
        assert_eq!((addresses.key(&address(1)), addresses.elsewhere(&address(1))), (None, Some((1, 3))));
        addresses.learn(address(1), 9);
        assert_eq!((addresses.key(&address(1)), addresses.elsewhere(&address(1))), (Some(9), None));
    }

    #[test]
    fn what_is_known_of_others_is_bounded() {
        let mut addresses = Addresses::default();
        (0..20_000).for_each(|port| addresses.learn_elsewhere(address(port), 1, 0));
        assert!(addresses.elsewhere.len() <= ELSEWHERE_MAX);
    }
}
