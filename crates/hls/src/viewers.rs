//! Viewers' sessions (`hls_ctx`): who watches what, seen by their requests alone.
//!
//! A session begins when admission has let a viewer in and ends when nothing was asked for in a while, when it is
//! kicked, or with its stream's segments. A token that this table did not give out, or gave out for another stream,
//! is unknown: nothing is ever adopted from a client.

use crate::token::Token;
use headwater_hub::{Attached, StreamName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Most sessions of one stream. The next viewer is turned away until one ends: those who watch are not disturbed.
pub const STREAM_VIEWERS_MAX: usize = 32_768;

/// Most sessions of one IPv4 address or IPv6 /64, over all streams; wide enough for a proxy in front.
pub const ADDRESS_VIEWERS_MAX: usize = 8192;

/// All sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    table: Mutex<Table>,
}

/// What a claimed token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A session of this stream; its time starts anew.
    Watching,
    /// It was one, until it was kicked.
    Kicked,
    /// Nothing.
    Unknown,
}

/// There is no room for one more viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("this stream has {STREAM_VIEWERS_MAX} HLS viewers, which is the most; try again later")]
    Stream,
    #[error("your address has {ADDRESS_VIEWERS_MAX} HLS sessions, which is the most; try again later")]
    Address,
}

#[derive(Debug, Default)]
struct Table {
    viewers: HashMap<Token, Viewer>,
    by_stream: HashMap<StreamName, usize>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Viewer {
    name: StreamName,
    address: IpAddr,
    /// `None` when kicked: it is remembered so that it is told.
    attached: Option<Attached>,
    seen: Instant,
    timeout: Duration,
}

impl Viewers {
    /// Gives `token` to a viewer of `name` at `peer`. `attach` begins the session, if there is room for it.
    pub(crate) fn join(
        &self,
        token: Token,
        (name, peer): (&StreamName, IpAddr),
        timeout: Duration,
        attach: impl FnOnce() -> Attached,
    ) -> Result<(), Full> {
        let mut table = self.table.lock();
        let address = network(peer);
        table.check_room(name, address)?;
        *table.by_stream.entry(name.clone()).or_default() += 1;
        *table.by_address.entry(address).or_default() += 1;
        let attached = Some(attach()); // tells observers, who return at once
        let viewer = Viewer { name: name.clone(), address, attached, seen: Instant::now(), timeout };
        table.viewers.insert(token, viewer);
        Ok(())
    }

    /// A request of whoever holds `token`, for the stream `name`, answered with `sent` bytes of media.
    pub(crate) fn visit(&self, token: &Token, name: &StreamName, sent: u64) -> Standing {
        let mut table = self.table.lock();
        let Some(viewer) = table.viewers.get_mut(token).filter(|v| v.name == *name) else {
            return Standing::Unknown;
        };
        match viewer.attached.as_ref().filter(|attached| !is_kicked(attached)) {
            Some(attached) => {
                viewer.seen = Instant::now();
                attached.session().sent.add(sent);
                attached.stream().count_sent(sent);
                Standing::Watching
            }
            None => Standing::Kicked,
        }
    }

    /// Ends one session.
    pub(crate) fn leave(&self, token: &Token) {
        let ended = self.table.lock().remove(token);
        drop(ended); // observers are told without the lock
    }

    /// Ends all sessions of a stream.
    pub(crate) fn end_stream(&self, name: &StreamName) {
        self.end(|viewer| viewer.name == *name);
    }

    /// Ends kicked sessions and those that asked for nothing in their time.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let kicked: Vec<Attached> = {
            let mut table = self.table.lock();
            let viewers = table.viewers.values_mut();
            viewers.filter_map(|v| v.attached.take_if(|attached| is_kicked(attached))).collect()
        };
        drop(kicked); // observers are told without the lock
        self.end(|viewer| now.duration_since(viewer.seen) >= viewer.timeout);
    }

    fn end(&self, which: impl Fn(&Viewer) -> bool) {
        let mut table = self.table.lock();
        let tokens: Vec<Token> = table
            .viewers
            .iter()
            .filter(|(_, viewer)| which(viewer))
            .map(|(token, _)| token.clone())
            .collect();
        let ended: Vec<Viewer> = tokens.iter().filter_map(|token| table.remove(token)).collect();
        drop(table);
        drop(ended); // observers are told without the lock
    }
}

impl Table {
    fn check_room(&self, name: &StreamName, address: IpAddr) -> Result<(), Full> {
        if self.by_stream.get(name).is_some_and(|&n| n >= STREAM_VIEWERS_MAX) {
            return Err(Full::Stream);
        }
        match self.by_address.get(&address) {
            Some(&n) if n >= ADDRESS_VIEWERS_MAX => Err(Full::Address),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, token: &Token) -> Option<Viewer> {
        let viewer = self.viewers.remove(token)?;
        count_down(&mut self.by_stream, &viewer.name);
        count_down(&mut self.by_address, &viewer.address);
        Some(viewer)
    }
}

fn count_down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn is_kicked(attached: &Attached) -> bool {
    attached.session().poll_kicked(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// What counts as one address: an IPv6 network is a single household's.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_hub::{Hub, Options, Session, SessionId, SessionInfo};
    use std::sync::Arc;

    fn name(stream: &str) -> StreamName {
        StreamName::new("v", "live", stream).unwrap()
    }

    fn attach(hub: &Hub, name: &StreamName, id: SessionId) -> Attached {
        let session = Session::new(SessionInfo {
            id,
            kind: "hls-play",
            publish: false,
            name: name.clone(),
            shown_name: "a.m3u8".into(),
            ip: IpAddr::from([127, 0, 0, 1]),
            tc_url: "".into(),
            page_url: "".into(),
            swf_url: "".into(),
            param: "".into(),
        });
        hub.stream(name).attach(&Arc::new(session))
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_are_bounded_by_address_and_free_again() {
        let (hub, viewers) = (Hub::new(|_| Options::default()), Viewers::default());
        let join = |stream: &str, peer: &str| {
            let (id, name) = (SessionId::random(), name(stream));
            let who = (&name, peer.parse().unwrap());
            viewers.join(Token::new(id), who, Duration::from_secs(4), || attach(&hub, &name, id))
        };
        // Two /64 apart, the same /64, and a mapped IPv4 address.
        for i in 0..ADDRESS_VIEWERS_MAX {
            assert_eq!(join("a", &format!("2001:db8::{i:x}")), Ok(()));
        }
        assert_eq!(join("b", "2001:db8::ffff:1"), Err(Full::Address));
        assert_eq!(join("b", "2001:db8:0:1::1"), Ok(()));
        assert_eq!(join("b", "::ffff:1.2.3.4"), Ok(()));
        assert_eq!(hub.stream(&name("a")).players(), ADDRESS_VIEWERS_MAX);
        tokio::time::advance(Duration::from_secs(4)).await;
        viewers.sweep();
        assert_eq!(hub.stream(&name("a")).players(), 0);
        let table = viewers.table.lock();
        assert!(table.viewers.is_empty() && table.by_stream.is_empty() && table.by_address.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_full_for_the_next_one() {
        let (hub, viewers) = (Hub::new(|_| Options::default()), Viewers::default());
        let name = name("a");
        let join = |i: usize| {
            let id = SessionId::random();
            let peer = IpAddr::from([10, 0, (i >> 8) as u8, i as u8]);
            viewers.join(Token::new(id), (&name, peer), Duration::from_secs(4), || attach(&hub, &name, id))
        };
        assert!((0..STREAM_VIEWERS_MAX).all(|i| join(i).is_ok()));
        assert_eq!(join(0), Err(Full::Stream));
        viewers.end_stream(&name);
        assert_eq!(join(0), Ok(()));
    }
}
