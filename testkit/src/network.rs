//! A bad network: a UDP proxy before the server's port that loses, repeats, swaps, delays and throttles datagrams.
//!
//! Peers send to [`Network::address`] (named in answers by `eip`). Each address that sends has a socket of its own
//! towards the server, as behind a NAT; [`Network::rebind`] gives it another one. What happens to the n-th datagram of
//! a direction depends on the seed alone, not on the clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a silent socket looks whether the network still is.
const LOOK: Duration = Duration::from_millis(50);

/// How much later a swapped datagram leaves than its turn.
const SWAPPED: Duration = Duration::from_millis(15);

/// Longest datagram.
const DATAGRAM_MAX: usize = 65_535;

/// One direction's weather. The default is a perfect wire.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// Share of datagrams that are lost, 0 to 1.
    pub loss: f64,
    /// Share of those that leave [a little later](SWAPPED) than their turn, so that others overtake them.
    pub swapped: f64,
    /// Share of those that leave twice.
    pub doubled: f64,
    /// How long all of them take.
    pub delay: Duration,
    /// By how much `delay` varies, up and down. Order is kept, as in a queue.
    pub jitter: Duration,
    /// Bits a second, and the bytes that may wait for their turn; what comes beyond is lost.
    pub limit: Option<(u64, usize)>,
    /// Nothing passes.
    pub dark: bool,
}

/// Where datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the peer to the server.
    Up,
    /// From the server to the peer.
    Down,
}

/// What became of one direction's datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that came in.
    pub taken: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that were lost, whatever for.
    pub lost: u64,
    /// Those that left late.
    pub swapped: u64,
    /// Those that left twice.
    pub doubled: u64,
}

/// The network. It ends when dropped.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    front: UdpSocket,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    up: Line,
    down: Line,
    /// The NAT's table: who is which socket towards the server.
    links: HashMap<SocketAddr, Arc<UdpSocket>>,
    /// Whose address new links have.
    outside: Ipv4Addr,
    held: BinaryHeap<Reverse<Held>>,
    count: u64,
    over: bool,
}

/// One direction.
#[derive(Debug)]
struct Line {
    weather: Weather,
    random: Random,
    counts: Counts,
    /// When the datagram before leaves, and when the wire is free again.
    last: Instant,
    free: Instant,
}

/// A datagram under way, by when it leaves.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    at: Instant,
    nth: u64,
    up: bool,
    peer: SocketAddr,
    bytes: Vec<u8>,
}

impl Network {
    /// A perfect wire to the server's UDP port, for now. `seed` decides what will be lost.
    pub fn to(port: u16, seed: u64) -> Network {
        let front =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|err| panic!("no socket: {err}"));
        let address = front.local_addr().unwrap_or_else(|err| panic!("no address: {err}"));
        let line = |seed| Line {
            weather: Weather::default(),
            random: Random(seed),
            counts: Counts::default(),
            last: Instant::now(),
            free: Instant::now(),
        };
        let state = State {
            up: line(seed.wrapping_mul(2).wrapping_add(1)),
            down: line(seed.wrapping_mul(2).wrapping_add(2)),
            links: HashMap::new(),
            outside: Ipv4Addr::LOCALHOST,
            held: BinaryHeap::new(),
            count: 0,
            over: false,
        };
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let shared = Arc::new(Shared { server, front, state: Mutex::new(state), changed: Condvar::new() });
        let (reader, sender) = (shared.clone(), shared.clone());
        thread::spawn(move || reader.listen());
        thread::spawn(move || sender.pass_on());
        Network { shared, address }
    }

    /// Where peers are to send.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather of both directions.
    pub fn set(&self, weather: Weather) {
        self.set_way(Way::Up, weather);
        self.set_way(Way::Down, weather);
    }

    /// Changes the weather of one direction. What is under way already arrives as it would have.
    pub fn set_way(&self, way: Way, weather: Weather) {
        self.shared.lock().line(way).weather = weather;
    }

    /// Peers have another address from now on, `outside` with other ports, as after a NAT lost its table or a phone
    /// changed networks. What the server sends to the old ones reaches nobody.
    pub fn rebind(&self, outside: Ipv4Addr) {
        let mut state = self.shared.lock();
        state.outside = outside;
        let peers: Vec<SocketAddr> = state.links.drain().map(|(peer, _)| peer).collect();
        for peer in peers {
            self.shared.link(&mut state, peer).unwrap_or_else(|err| panic!("no link from {outside}: {err}"));
        }
    }

    /// What became of the datagrams of one direction.
    pub fn counts(&self, way: Way) -> Counts {
        self.shared.lock().line(way).counts
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what peers send.
    fn listen(self: Arc<Shared>) {
        let mut room = vec![0; DATAGRAM_MAX];
        while let Some(received) = self.receive(&self.front, &mut room) {
            let Ok((length, peer)) = received else { continue };
            let mut state = self.lock();
            if !state.links.contains_key(&peer) && self.link(&mut state, peer).is_err() {
                continue;
            }
            state.take(Way::Up, peer, &room[..length]);
            self.changed.notify_all();
        }
    }

    /// A socket towards the server for `peer`, and somebody who reads from it.
    fn link(self: &Arc<Shared>, state: &mut State, peer: SocketAddr) -> io::Result<()> {
        let socket = UdpSocket::bind((state.outside, 0))?;
        socket.connect(self.server)?;
        let socket = Arc::new(socket);
        state.links.insert(peer, socket.clone());
        let shared = self.clone();
        thread::spawn(move || shared.answer(&socket, peer));
        Ok(())
    }

    /// Takes what the server sends to `peer`, for as long as `socket` is its link.
    fn answer(&self, socket: &Arc<UdpSocket>, peer: SocketAddr) {
        let mut room = vec![0; DATAGRAM_MAX];
        while let Some(received) = self.receive(socket, &mut room) {
            let mut state = self.lock();
            if !state.links.get(&peer).is_some_and(|link| Arc::ptr_eq(link, socket)) {
                return;
            }
            let Ok((length, _)) = received else { continue };
            state.take(Way::Down, peer, &room[..length]);
            self.changed.notify_all();
        }
    }

    /// The next datagram, an error for a while without one; `None` when all is over.
    fn receive(&self, socket: &UdpSocket, room: &mut [u8]) -> Option<io::Result<(usize, SocketAddr)>> {
        if self.lock().over || socket.set_read_timeout(Some(LOOK)).is_err() {
            return None;
        }
        Some(socket.recv_from(room))
    }

    /// Sends what has its turn.
    fn pass_on(&self) {
        let mut state = self.lock();
        while !state.over {
            let now = Instant::now();
            let next = state.held.peek().map(|Reverse(held)| held.at);
            if next.is_none_or(|at| at > now) {
                let patience = next.map_or(LOOK, |at| at - now);
                state = self
                    .changed
                    .wait_timeout(state, patience)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
                continue;
            }
            let Some(Reverse(held)) = state.held.pop() else { continue };
            // What cannot be sent is lost, as networks do.
            match held.up {
                true => _ = state.links.get(&held.peer).map(|link| link.send(&held.bytes)),
                false => _ = self.front.send_to(&held.bytes, held.peer),
            }
        }
    }
}

impl State {
    fn line(&mut self, way: Way) -> &mut Line {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn take(&mut self, way: Way, peer: SocketAddr, bytes: &[u8]) {
        let (first, again) = self.line(way).departures(Instant::now(), bytes.len());
        for at in [first, again].into_iter().flatten() {
            self.count += 1;
            let held = Held { at, nth: self.count, up: way == Way::Up, peer, bytes: bytes.to_vec() };
            self.held.push(Reverse(held));
        }
    }
}

impl Line {
    /// When a datagram of that length leaves, and when its double does.
    fn departures(&mut self, now: Instant, length: usize) -> (Option<Instant>, Option<Instant>) {
        let Weather { loss, swapped, doubled, delay, jitter, limit, dark } = self.weather;
        // Always as many numbers, so that the fate of the next one does not depend on this one's.
        let [lost, late, twice, shake] = std::array::from_fn(|_| self.random.share());
        self.counts.taken += 1;
        self.counts.bytes += length as u64;
        let Some(through) = self.through(now, length, limit).filter(|_| !dark && lost >= loss) else {
            self.counts.lost += 1;
            return (None, None);
        };
        let turn = (through + delay + jitter.mul_f64(2.0 * shake)).max(now + jitter) - jitter;
        let mut at = turn.max(self.last);
        if late < swapped {
            self.counts.swapped += 1;
            at += SWAPPED;
        } else {
            self.last = at;
        }
        let again = (twice < doubled).then_some(at);
        self.counts.doubled += u64::from(again.is_some());
        (Some(at), again)
    }

    /// When the wire has carried it; `None` when too much waits for it.
    fn through(&mut self, now: Instant, length: usize, limit: Option<(u64, usize)>) -> Option<Instant> {
        let Some((rate, queue)) = limit else { return Some(now) };
        let carry = |bytes: usize| Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(1) as f64);
        if self.free.saturating_duration_since(now) > carry(queue) {
            return None;
        }
        self.free = self.free.max(now) + carry(length);
        Some(self.free)
    }
}

/// Repeatable numbers: SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 40) as f64 / (1u64 << 24) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn line(weather: Weather) -> Line {
        let now = Instant::now();
        Line { weather, random: Random(7), counts: Counts::default(), last: now, free: now }
    }

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    #[test]
    fn as_much_is_lost_as_was_asked_for() {
        let mut line = line(Weather { loss: 0.1, doubled: 0.05, swapped: 0.05, ..Weather::default() });
        let now = Instant::now();
        (0..10_000).for_each(|_| _ = line.departures(now, 100));
        let Counts { taken, bytes, lost, swapped, doubled } = line.counts;
        assert_eq!((taken, bytes), (10_000, 1_000_000));
        assert!((900..1100).contains(&lost), "{lost}");
        assert!((380..520).contains(&swapped) && (380..520).contains(&doubled), "{swapped} {doubled}");
    }

    #[test]
    fn jitter_keeps_order_and_bounds() {
        let (delay, jitter) = (Duration::from_millis(100), Duration::from_millis(30));
        let mut line = line(Weather { delay, jitter, ..Weather::default() });
        let start = Instant::now();
        let turns = (0..1000).map(|n| start + Duration::from_millis(10 * n));
        let at: Vec<(Instant, Instant)> =
            turns.filter_map(|now| Some((line.departures(now, 100).0?, now))).collect();
        assert!(at.is_sorted());
        let taken = at.iter().map(|(at, now)| at.duration_since(*now));
        let (least, most) = (taken.clone().min().unwrap(), taken.max().unwrap());
        let within = least >= delay - jitter && least < delay && most > delay && most <= delay + jitter;
        assert!(within, "{least:?} {most:?}");
    }

    #[test]
    fn a_thin_wire_carries_what_it_can() {
        let mut line = line(Weather { limit: Some((80_000, 5_000)), ..Weather::default() });
        let now = Instant::now();
        // Half a second of it at once: 10 kB/s, and 5 kB may wait.
        let passed: Vec<_> = (0..100).filter_map(|_| line.departures(now, 100).0).collect();
        assert!((50..=52).contains(&passed.len()), "{}", passed.len());
        assert!(passed[49].duration_since(now) >= Duration::from_millis(490));
    }

    #[test]
    fn datagrams_go_both_ways_and_addresses_change() {
        let server = socket();
        let network = Network::to(server.local_addr().unwrap().port(), 1);
        let (peer, mut room) = (socket(), [0; 100]);
        peer.connect(network.address()).unwrap();
        let ask = |text: &[u8], room: &mut [u8; 100]| {
            peer.send(text).unwrap();
            let (length, from) = server.recv_from(room).unwrap();
            assert_eq!(&room[..length], text);
            server.send_to(b"yes", from).unwrap();
            assert_eq!(peer.recv(room).unwrap(), 3);
            from
        };
        let first = ask(b"one", &mut room);
        assert_eq!(ask(b"two", &mut room), first);
        network.rebind(Ipv4Addr::new(127, 0, 0, 2));
        let moved = ask(b"three", &mut room);
        assert_eq!(moved.ip(), IpAddr::from([127, 0, 0, 2]));
        network.set(Weather { dark: true, ..Weather::default() });
        peer.send(b"four").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(server.recv(&mut room).is_err());
        assert_eq!((network.counts(Way::Up).lost, network.counts(Way::Down).taken), (1, 3));
    }
}
