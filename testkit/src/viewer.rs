//! A WHEP viewer that keeps what comes, packet by packet, with the times that sender reports give it.

use crate::http::Request;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};
use str0m::change::SdpAnswer;
use str0m::config::DtlsVersion;
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// One packet.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its number, extended beyond 16 bits.
    pub number: u64,
    /// Its RTP time.
    pub time: u32,
    /// What it is of.
    pub codec: Codec,
    /// Whether its frame ends with it.
    pub marker: bool,
    /// When it came.
    pub at: Instant,
    /// Coded media, as RTP carries it.
    pub payload: Vec<u8>,
}

impl Heard {
    /// Whether it has H.264 parameter sets, or begins an IDR picture.
    pub fn begins_key(&self) -> bool {
        let unit = |byte: &u8| byte & 0x1f;
        match self.payload.first().map(unit) {
            Some(5 | 7) => true,
            Some(24) => self.payload.get(3).map(unit) == Some(7), // the first of an aggregate
            Some(28) => self.payload.get(1).is_some_and(|head| head & 0x9f == 0x85),
            _ => false,
        }
    }
}

/// What came of one track.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Packets, in the order in which they came.
    pub packets: Vec<Heard>,
    /// Sender reports: the sender's wall clock, and the RTP time of the same moment.
    pub reports: Vec<(SystemTime, u32)>,
}

impl Kept {
    /// The sender's moment of an RTP time by the newest report, in seconds since the Unix epoch.
    pub fn moment(&self, time: u32, rate: u32) -> Option<f64> {
        let (wall, at) = self.reports.last()?;
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs_f64() + f64::from(time.wrapping_sub(*at) as i32) / f64::from(rate))
    }
}

/// A viewer over UDP.
#[derive(Debug)]
pub struct Viewer {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    video_mid: Mid,
    server: SocketAddr,
    /// Where the session is ended.
    location: String,
    /// When ICE and DTLS were through.
    pub connected: Option<Instant>,
    /// Pictures.
    pub video: Kept,
    /// Sound.
    pub audio: Kept,
}

impl Viewer {
    /// Asks `server` for what `path` is the WHEP address of, in any codec.
    pub fn start(server: SocketAddr, path: &str) -> Viewer {
        Viewer::start_with(server, path, |config| config)
    }

    /// Asks for it in the codecs of `codecs`.
    pub fn start_with(server: SocketAddr, path: &str, codecs: fn(RtcConfig) -> RtcConfig) -> Viewer {
        let now = Instant::now();
        // Browsers offer DTLS 1.3 as well.
        let config = Rtc::builder().set_dtls_version(DtlsVersion::Auto).set_rtp_mode(true);
        let mut rtc = codecs(config).build(now);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap_or_else(|err| panic!("no socket: {err}"));
        let local = socket.local_addr().unwrap_or_else(|err| panic!("no address: {err}"));
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap_or_else(|err| panic!("{local}: {err}")));
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video_mid = changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap_or_else(|| panic!("nothing is offered"));
        let request = Request::get(server, path).method("POST").header("Content-Type", "application/sdp");
        let answer = request.body(offer.to_sdp_string().as_bytes()).send();
        let answer = answer.unwrap_or_else(|err| panic!("POST {path}: {err}"));
        let status = answer.status;
        let location = answer.header("location").unwrap_or_default().to_owned();
        let text = answer.text().unwrap_or_default();
        assert_eq!(status, 201, "{text}");
        let answer = SdpAnswer::from_sdp_string(&text).unwrap_or_else(|err| panic!("{err}: {text}"));
        rtc.sdp_api().accept_answer(pending, answer).unwrap_or_else(|err| panic!("{err}: {text}"));
        let (video, audio) = (Kept::default(), Kept::default());
        Viewer { rtc, socket, local, video_mid, server, location, connected: None, video, audio }
    }

    /// Watches until `enough`; panics after `limit`.
    pub fn watch(&mut self, what: &str, limit: Duration, mut enough: impl FnMut(&Viewer) -> bool) {
        let end = Instant::now() + limit;
        while !enough(self) {
            assert!(
                Instant::now() < end,
                "no {what}: {} packets of pictures, {} of sound",
                self.video.packets.len(),
                self.audio.packets.len()
            );
            self.turn();
        }
    }

    /// Watches for so long.
    pub fn watch_for(&mut self, period: Duration) {
        let end = Instant::now() + period;
        while Instant::now() < end {
            self.turn();
        }
    }

    /// Says goodbye.
    pub fn leave(self) {
        let answer = Request::get(self.server, &self.location).method("DELETE").send();
        let status = answer.map(|answer| answer.status);
        assert!(matches!(status, Ok(200)), "DELETE {}: {status:?}", self.location);
    }

    /// Asks for a key frame.
    pub fn ask_for_key_frame(&mut self) {
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(self.video_mid, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// One wait and what comes of it.
    fn turn(&mut self) {
        let deadline = self.drain();
        let wait = deadline.saturating_duration_since(Instant::now());
        let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(50));
        self.socket.set_read_timeout(Some(wait)).unwrap_or_else(|err| panic!("{err}"));
        let mut room = [0; 2000];
        let taken = match self.socket.recv_from(&mut room) {
            Ok((n, source)) => {
                let packet = Receive::new(Protocol::Udp, source, self.local, &room[..n]);
                packet.map_or(Ok(()), |packet| self.rtc.handle_input(Input::Receive(Instant::now(), packet)))
            }
            Err(_) => self.rtc.handle_input(Input::Timeout(Instant::now())),
        };
        taken.unwrap_or_else(|err| panic!("the server broke the protocol: {err}"));
    }

    fn drain(&mut self) -> Instant {
        loop {
            let output = self.rtc.poll_output().unwrap_or_else(|err| panic!("the viewer failed: {err}"));
            match output {
                Output::Timeout(deadline) => return deadline,
                Output::Transmit(sent) => {
                    let _ = self.socket.send_to(&sent.contents, sent.destination); // lost, as packets may be
                }
                Output::Event(event) => self.happened(event),
            }
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = Some(Instant::now()),
            Event::RtpPacket(packet) => {
                let params = self.rtc.codec_config().iter();
                let mut known = params.filter(|params| params.pt() == packet.header.payload_type);
                let Some(codec) = known.next().map(|params| params.spec().codec) else { return };
                let heard = Heard {
                    number: *packet.seq_no,
                    time: packet.header.timestamp,
                    codec,
                    marker: packet.header.marker,
                    at: Instant::now(),
                    payload: packet.payload.to_vec(),
                };
                if codec.is_video() { &mut self.video } else { &mut self.audio }.packets.push(heard);
            }
            Event::SenderFeedback(report) => {
                let kept = if report.mid == self.video_mid { &mut self.video } else { &mut self.audio };
                let info = report.sender_info;
                kept.reports.push((info.ntp_time, info.rtp_time.numer() as u32));
            }
            _ => {}
        }
    }
}
