//! Playing: a viewer's numbers, and the channel that brings a stream's packets to a worker's viewers.

use crate::WebRtc;
use crate::engine::{Engine, Outbox};
use crate::packetlog::{Burst, PacketReader};
use crate::port::Port;
use crate::red;
use crate::source::Source;
use headwater_hub::{Attached, Session, Stream};
use headwater_media::{Codec, Track};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::format::{Codec as RtcCodec, PayloadParams};
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::RtpWrite;
use tokio::task::{JoinHandle, spawn_local};

/// How old a state machine's clock may be when it writes.
const CLOCK_AGE_MAX: Duration = Duration::from_millis(5);

/// A viewer's side of a stream.
pub(crate) struct Egress {
    stream: Arc<Stream>,
    session: Arc<Session>,
    attached: Option<Attached>,
    video: Option<Lane>,
    audio: Option<Lane>,
    clock: Option<Instant>,
    /// Whether packets get lost on the way, so that sound is sent twice.
    lossy: bool,
}

/// One track on its way to one viewer.
struct Lane {
    mid: Mid,
    /// What the viewer takes, best first.
    accepted: Vec<(Codec, Pt)>,
    /// Payload type of redundant sound, if the viewer takes it.
    redundant: Option<Pt>,
    /// Number of the packet before the next.
    sequence: u64,
    /// Place in the stream's track of the packet sent last.
    last: Option<u64>,
    /// Whether pictures are left out until a key frame.
    wait_key: bool,
}

impl Lane {
    fn new(mid: Mid) -> Lane {
        // Half the range: the first wrap is far, and numbers can't go below zero.
        let sequence = u64::from(rand::random::<u16>() / 2);
        Lane { mid, accepted: Vec::new(), redundant: None, sequence, last: None, wait_key: true }
    }

    fn payload_type(&self, codec: Codec) -> Option<Pt> {
        self.accepted.iter().find(|(accepted, _)| *accepted == codec).map(|(_, pt)| *pt)
    }

    /// The viewer's number of the packet at `place`: a hole in the stream is a hole for the viewer.
    fn number(&mut self, place: u64) -> u64 {
        let step = self.last.map_or(1, |last| place.saturating_sub(last).clamp(1, 1000));
        self.last = Some(place);
        self.sequence += step;
        self.sequence
    }

    /// Goes on at another place without a hole: what lies between was left out on purpose.
    fn skip_to(&mut self, place: u64) {
        self.last = Some(place.saturating_sub(1));
    }
}

impl Egress {
    pub(crate) fn new(stream: Arc<Stream>, session: Arc<Session>) -> Egress {
        Egress { stream, session, attached: None, video: None, audio: None, clock: None, lossy: false }
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Counts the viewer; the stream it watches.
    pub(crate) fn attach(&mut self) -> Arc<Stream> {
        self.attached.get_or_insert_with(|| self.stream.attach(&self.session));
        self.stream.clone()
    }

    /// Takes a media section of the answer. `params` are what both sides know, in the viewer's order.
    pub(crate) fn media<'a>(
        &mut self,
        mid: Mid,
        kind: MediaKind,
        params: impl Iterator<Item = &'a PayloadParams>,
    ) {
        let lane = if kind.is_audio() { &mut self.audio } else { &mut self.video };
        let lane = lane.get_or_insert_with(|| Lane::new(mid));
        for params in params {
            if let Some(codec) = codec(params) {
                lane.accepted.push((codec, params.pt()));
            }
            if *params.pt() == red::OPUS {
                lane.redundant = params.red();
            }
        }
    }

    /// Learns which share of packets is lost on the way; from 1 % on sound is sent twice.
    pub(crate) fn loses(&mut self, share: f32) {
        self.lossy = share >= 0.01;
    }

    /// Whether nothing was agreed on.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.video, &self.audio].into_iter().flatten().all(|lane| lane.accepted.is_empty())
    }

    /// Sends frames.
    pub(crate) fn write(
        &mut self,
        engine: &mut Engine,
        out: &mut Outbox,
        now: Instant,
        bursts: &[Arc<Burst>],
    ) -> Result<(), String> {
        if self.clock.is_none_or(|clock| now.duration_since(clock) > CLOCK_AGE_MAX) {
            engine.tick(now, out).map_err(|error| error.to_string())?;
            self.clock = Some(now);
        }
        for burst in bursts {
            let lane = match burst.track {
                Track::Video => &mut self.video,
                Track::Audio => &mut self.audio,
                Track::Script => continue,
            };
            let Some(lane) = lane else { continue };
            let Some(pt) = lane.payload_type(burst.codec) else { continue };
            let video = burst.track == Track::Video;
            if video && lane.wait_key {
                if !burst.key {
                    continue;
                }
                lane.wait_key = false;
                if let Some(first) = burst.packets.first() {
                    lane.skip_to(first.sequence);
                }
            }
            let redundant = lane.redundant.filter(|_| self.lossy).zip(burst.redundant.clone());
            match redundant {
                Some((pt, payload)) => {
                    let number = burst.packets.first().map_or(0, |packet| lane.number(packet.sequence));
                    write_packet(lane.mid, write(pt, number, burst, payload), engine, out)?;
                }
                None => write_burst(lane, pt, video, burst, engine, out)?,
            }
        }
        Ok(())
    }
}

fn write_burst(
    lane: &mut Lane,
    pt: Pt,
    video: bool,
    burst: &Burst,
    engine: &mut Engine,
    out: &mut Outbox,
) -> Result<(), String> {
    for packet in &burst.packets {
        let number = lane.number(packet.sequence);
        let write = write(pt, number, burst, packet.payload.clone()).marker(packet.marker).nackable(video);
        write_packet(lane.mid, write, engine, out)?;
    }
    Ok(())
}

fn write(pt: Pt, number: u64, burst: &Burst, payload: Arc<[u8]>) -> RtpWrite {
    RtpWrite::new(pt, number.into(), burst.time, burst.wallclock, payload)
}

fn write_packet(mid: Mid, write: RtpWrite, engine: &mut Engine, out: &mut Outbox) -> Result<(), String> {
    let written = engine.change(out, |rtc| {
        if let Some(track) = rtc.direct_api().stream_tx_by_mid(mid, None) {
            track.write_rtp(write);
        }
    });
    written.map_err(|error| error.to_string())
}

/// Our name of a negotiated codec; `None` for what is not sent, as H.264 without fragments.
pub(crate) fn codec(params: &PayloadParams) -> Option<Codec> {
    let spec = params.spec();
    match spec.codec {
        RtcCodec::H264 if spec.format.packetization_mode == Some(1) => Some(Codec::H264),
        RtcCodec::H265 => Some(Codec::Hevc),
        RtcCodec::Av1 => Some(Codec::Av1),
        RtcCodec::Vp9 => Some(Codec::Vp9),
        RtcCodec::Vp8 => Some(Codec::Vp8),
        RtcCodec::Opus => Some(Codec::Opus),
        RtcCodec::PCMA => Some(Codec::G711A),
        RtcCodec::PCMU => Some(Codec::G711U),
        _ => None,
    }
}

/// A stream's packets on their way to one worker's viewers.
pub(crate) struct Channel {
    /// Keys of the viewers' sessions.
    pub(crate) viewers: Vec<usize>,
    source: Arc<Source>,
    reader: Rc<RefCell<PacketReader>>,
    task: JoinHandle<()>,
}

impl Channel {
    /// Begins to read `stream` for the worker of `port`.
    pub(crate) fn open(gateway: &Arc<WebRtc>, stream: &Arc<Stream>, port: Weak<RefCell<Port>>) -> Channel {
        let source = gateway.source(stream);
        let reader = Rc::new(RefCell::new(source.log.reader()));
        let task = spawn_local(carry(reader.clone(), stream.clone(), port));
        Channel { viewers: Vec::new(), source, reader, task }
    }

    /// What a newcomer begins with.
    pub(crate) fn backlog(&self) -> Vec<Arc<Burst>> {
        self.reader.borrow().backlog()
    }

    /// Asks the publisher for a key frame, if it is one that can be asked.
    pub(crate) fn want_key_frame(&self) {
        self.source.want_key_frame(None);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(reader: Rc<RefCell<PacketReader>>, stream: Arc<Stream>, port: Weak<RefCell<Port>>) {
    loop {
        let bursts = std::future::poll_fn(|cx| reader.borrow_mut().poll_next(cx)).await;
        let Some(port) = port.upgrade() else { return };
        port.borrow_mut().fan_out(stream.name(), Instant::now(), &bursts);
    }
}
