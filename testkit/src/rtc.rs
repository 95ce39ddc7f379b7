//! A WebRTC peer in this process: what it sends is what the test says, and every packet it receives is kept.
//!
//! It has a socket of its own and does ICE, DTLS and SRTP as a browser would; nothing is packetized or put together.

use crate::http::Request;
use crate::wait;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// How long the peer sleeps at most before it looks for something to do.
const TURN: Duration = Duration::from_millis(5);

/// How long connecting may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Longest datagram.
const DATAGRAM_MAX: usize = 2000;

/// What a peer asks for.
pub struct Wish<'a> {
    /// The API's address.
    pub server: SocketAddr,
    /// Where the offer is posted, with its query.
    pub path: &'a str,
    /// Sound, pictures.
    pub tracks: (bool, bool),
    /// Chooses codecs.
    pub codecs: fn(RtcConfig) -> RtcConfig,
    /// Changes the offer before it is posted.
    pub offer: &'a dyn Fn(String) -> String,
    /// The only address of the answer that is tried.
    pub only: Option<SocketAddr>,
}

impl<'a> Wish<'a> {
    /// Sound and pictures in the codecs of `codecs`, by an honest offer.
    pub fn new(server: SocketAddr, path: &'a str, codecs: fn(RtcConfig) -> RtcConfig) -> Wish<'a> {
        Wish { server, path, tracks: (true, true), codecs, offer: &|offer| offer, only: None }
    }
}

impl std::fmt::Debug for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wish").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An RTP packet: what is sent, or what was received.
#[derive(Clone, Debug)]
pub struct Rtp {
    /// Pictures, or sound.
    pub video: bool,
    /// Payload type.
    pub kind: u8,
    /// Sequence number, going on past its 16 bits.
    pub sequence: u64,
    /// Timestamp.
    pub timestamp: u32,
    /// Marker.
    pub marker: bool,
    /// Payload.
    pub payload: Vec<u8>,
    /// When it came.
    pub at: Instant,
}

/// What a peer has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// ICE and DTLS are through.
    pub connected: bool,
    /// The session is over.
    pub closed: bool,
    /// RTP, in the order of arrival.
    pub packets: Vec<Rtp>,
    /// Key frames that the server asked for.
    pub key_frames_wanted: usize,
}

/// A running peer. Its thread ends, without goodbye, when it is dropped.
#[derive(Debug)]
pub struct Peer {
    commands: Sender<Command>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
    server: SocketAddr,
    /// The session's URL, as the answer's Location field told it.
    pub location: String,
    /// The answer.
    pub answer: String,
}

#[derive(Debug)]
enum Command {
    Rtp(Rtp),
    /// A datagram as it is, from the peer's own address.
    Raw(Vec<u8>),
    KeyFrame,
    Move,
    Leave,
}

impl Peer {
    /// Receives. The error is the answer's status and reason.
    pub fn play(wish: &Wish<'_>) -> Result<Peer, (u16, String)> {
        Peer::start(wish, Direction::RecvOnly)
    }

    /// Sends.
    pub fn publish(wish: &Wish<'_>) -> Result<Peer, (u16, String)> {
        Peer::start(wish, Direction::SendOnly)
    }

    fn start(wish: &Wish<'_>, direction: Direction) -> Result<Peer, (u16, String)> {
        let now = Instant::now();
        let socket = socket();
        let mut rtc = (wish.codecs)(RtcConfig::new().clear_codecs().set_rtp_mode(true)).build(now);
        rtc.add_local_candidate(candidate(address(&socket)));
        let mut api = rtc.sdp_api();
        let (audio, video) = wish.tracks;
        let audio = audio.then(|| api.add_media(MediaKind::Audio, direction, None, None, None));
        let video = video.then(|| api.add_media(MediaKind::Video, direction, None, None, None));
        let (offer, pending) = api.apply().unwrap_or_else(|| panic!("nothing to offer"));
        let offer = (wish.offer)(offer.to_sdp_string());
        let (location, answer) = post(wish, &offer)?;
        let usable = |line: &&str| match wish.only {
            Some(only) => {
                let place = format!(" {} {} typ", only.ip(), only.port());
                !line.starts_with("a=candidate:") || line.contains(&place)
            }
            None => true,
        };
        let answer: String = answer.lines().filter(usable).flat_map(|line| [line, "\r\n"]).collect();
        let parsed = SdpAnswer::from_sdp_string(&answer).unwrap_or_else(|err| panic!("{err}: {answer}"));
        rtc.sdp_api().accept_answer(pending, parsed).unwrap_or_else(|err| panic!("{err}: {answer}"));
        let seen = Arc::<Mutex<Seen>>::default();
        let (commands, inbox) = channel();
        let work = Work { rtc, socket, seen: seen.clone(), audio, video };
        let thread = Some(thread::spawn(move || work.run(&inbox)));
        Ok(Peer { commands, seen, thread, server: wish.server, location, answer })
    }

    /// Waits until media may flow.
    pub fn connected(self) -> Peer {
        self.wait_for("a connection", LIMIT, |seen| seen.connected.then_some(()));
        self
    }

    /// Waits until something was seen.
    pub fn wait_for<T>(&self, what: &str, limit: Duration, check: impl Fn(&Seen) -> Option<T>) -> T {
        wait::until(what, limit, || check(&self.look()))
    }

    /// What was seen so far, to be looked at.
    pub fn look(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a packet.
    pub fn send(&self, packet: Rtp) {
        self.tell(Command::Rtp(packet));
    }

    /// Sends a datagram as it is, unencrypted, from the session's own address.
    pub fn send_raw(&self, datagram: &[u8]) {
        self.tell(Command::Raw(datagram.to_vec()));
    }

    /// Asks for a key frame.
    pub fn want_key_frame(&self) {
        self.tell(Command::KeyFrame);
    }

    /// Goes on from another address, as a phone that leaves the house: ICE finds the server again by itself.
    pub fn change_address(&self) {
        self.tell(Command::Move);
    }

    /// The payload type that was agreed on for a codec, as `H264/90000`; the first of several.
    pub fn payload_type(&self, codec: &str) -> u8 {
        let find = |line: &str| -> Option<u8> {
            let (number, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            name.trim_end().starts_with(codec).then(|| number.parse().ok()).flatten()
        };
        self.answer.lines().find_map(find).unwrap_or_else(|| panic!("no {codec} in {}", self.answer))
    }

    /// Ends the session by its URL: the answer's status.
    pub fn delete(&self) -> u16 {
        let request = Request::get(self.server, &self.location).method("DELETE").send();
        request.unwrap_or_else(|err| panic!("DELETE {}: {err}", self.location)).status
    }

    fn tell(&self, command: Command) {
        self.commands.send(command).ok(); // a session that is over takes no more
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.tell(Command::Leave);
        self.thread.take().map(JoinHandle::join);
    }
}

fn post(wish: &Wish<'_>, offer: &str) -> Result<(String, String), (u16, String)> {
    let request = Request::get(wish.server, wish.path).method("POST");
    let request = request.header("Content-Type", "application/sdp").body(offer.as_bytes());
    let response = request.send().unwrap_or_else(|err| panic!("POST {}: {err}", wish.path));
    let (status, location) = (response.status, response.header("location").map(str::to_owned));
    let text = response.text().unwrap_or_else(|err| panic!("POST {}: {err}", wish.path));
    match (status, location) {
        (201, Some(location)) => Ok((location, text)),
        _ => Err((status, text)),
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|err| panic!("no socket: {err}"))
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap_or_else(|err| panic!("no address: {err}"))
}

fn candidate(address: SocketAddr) -> Candidate {
    Candidate::host(address, "udp").unwrap_or_else(|err| panic!("{address}: {err}"))
}

/// The peer's own thread.
struct Work {
    rtc: Rtc,
    socket: UdpSocket,
    seen: Arc<Mutex<Seen>>,
    audio: Option<Mid>,
    video: Option<Mid>,
}

impl Work {
    fn run(mut self, inbox: &Receiver<Command>) {
        let mut server = None;
        let mut room = [0; DATAGRAM_MAX];
        loop {
            let due = self.drain(&mut server);
            if !self.rtc.is_alive() {
                self.look().closed = true;
                return;
            }
            if let Ok(command) = inbox.try_recv() {
                match command {
                    Command::Leave => return,
                    command => self.obey(command, server),
                }
                continue;
            }
            self.listen(due, &mut room);
        }
    }

    fn look(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends and notes what the last change made; when the time is to be told.
    fn drain(&mut self, server: &mut Option<SocketAddr>) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => return due,
                Ok(Output::Transmit(transmit)) => {
                    *server = Some(transmit.destination);
                    self.socket.send_to(&transmit.contents, transmit.destination).ok(); // else it is lost
                }
                Ok(Output::Event(event)) => self.note(event),
                Err(_) => self.rtc.disconnect(),
            }
        }
    }

    fn note(&self, event: Event) {
        match event {
            Event::Connected => self.look().connected = true,
            Event::Closed => self.look().closed = true,
            Event::KeyframeRequest(_) => self.look().key_frames_wanted += 1,
            Event::RtpPacket(packet) => {
                let pictures = |mid: Mid| self.rtc.media(mid).is_some_and(|media| media.kind().is_video());
                let video = packet.header.ext_vals.mid.is_some_and(pictures)
                    || self.is_video(*packet.header.payload_type);
                let packet = Rtp {
                    video,
                    kind: *packet.header.payload_type,
                    sequence: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    marker: packet.header.marker,
                    payload: packet.payload.to_vec(),
                    at: packet.timestamp,
                };
                self.look().packets.push(packet);
            }
            _ => {}
        }
    }

    fn is_video(&self, kind: u8) -> bool {
        let params = self.rtc.codec_config().iter().find(|params| *params.pt() == kind);
        params.is_some_and(|params| params.spec().codec.is_video())
    }

    fn obey(&mut self, command: Command, server: Option<SocketAddr>) {
        match command {
            Command::Rtp(packet) => self.send(packet),
            Command::Raw(datagram) => {
                server.map(|server| self.socket.send_to(&datagram, server));
            }
            Command::KeyFrame => {
                let mut api = self.rtc.direct_api();
                if let Some(stream) = self.video.and_then(|mid| api.stream_rx_by_mid(mid, None)) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
            Command::Move => {
                let old = candidate(address(&self.socket));
                self.socket = socket();
                self.rtc.direct_api().invalidate_candidate(&old);
                self.rtc.add_local_candidate(candidate(address(&self.socket)));
            }
            Command::Leave => {}
        }
    }

    fn send(&mut self, packet: Rtp) {
        let Some(mid) = (if packet.video { self.video } else { self.audio }) else { return };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return };
        let Rtp { kind, sequence, timestamp, marker, video, .. } = packet;
        let payload: Arc<[u8]> = packet.payload.into();
        let write = RtpWrite::new(kind.into(), sequence.into(), timestamp, Instant::now(), payload);
        stream.write_rtp(write.marker(marker).nackable(video));
    }

    /// Waits for a datagram or until `due`, and gives it to the state machine.
    fn listen(&mut self, due: Instant, room: &mut [u8]) {
        let patience = due.saturating_duration_since(Instant::now()).min(TURN).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(patience)).ok(); // not zero
        let received = self.socket.recv_from(room);
        let now = Instant::now();
        let input = match received {
            Ok((length, from)) => {
                let bytes = room.get(..length).unwrap_or_default();
                let packet = Receive::new(Protocol::Udp, from, address(&self.socket), bytes);
                packet.map_or(Input::Timeout(now), |packet| Input::Receive(now, packet))
            }
            Err(_) => Input::Timeout(now),
        };
        if self.rtc.handle_input(input).is_err() {
            self.rtc.disconnect();
        }
    }
}

/// The packets' own frames: how many whole ones ended, and the longest time between two of them.
pub fn frames(packets: &[Rtp]) -> (usize, Duration) {
    let ends: Vec<Instant> =
        packets.iter().filter(|packet| packet.video && packet.marker).map(|packet| packet.at).collect();
    let gaps = ends.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
    (ends.len(), gaps.max().unwrap_or(Duration::MAX))
}

/// Share of the pictures' packets that never came, by their numbers.
pub fn missed(packets: &[Rtp]) -> f64 {
    let mut numbers: Vec<u64> =
        packets.iter().filter(|packet| packet.video).map(|packet| packet.sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return 1.0 };
    1.0 - numbers.len() as f64 / (last - first + 1) as f64
}

/// A STUN binding request (RFC 8489) without or with wrong proof, as strangers write it.
pub fn stun(user: &str, transaction: [u8; 12], integrity: Option<[u8; 20]>) -> Vec<u8> {
    let mut attributes = Vec::new();
    let mut put = |kind: u16, value: &[u8]| {
        attributes.extend(kind.to_be_bytes());
        attributes.extend((value.len() as u16).to_be_bytes());
        attributes.extend(value);
        attributes.extend(std::iter::repeat_n(0, value.len().next_multiple_of(4) - value.len()));
    };
    put(0x0006, user.as_bytes());
    put(0x0024, &[0x6e, 0, 0x1e, 0xff]); // PRIORITY
    put(0x802a, &[1; 8]); // ICE-CONTROLLING
    put(0x0025, &[]); // USE-CANDIDATE
    if let Some(integrity) = integrity {
        put(0x0008, &integrity);
    }
    let mut message = vec![0, 1];
    message.extend((attributes.len() as u16).to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.extend(transaction);
    message.extend(attributes);
    message
}
