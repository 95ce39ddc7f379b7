//! Publishing: a peer's packets to frames of a stream, and the packets themselves to viewers of the same kind.

use crate::engine::{Engine, Outbox};
use crate::lane::codec;
use crate::layers::{Layers, Take};
use crate::ntp;
use crate::packetlog::{Burst, Packet};
use crate::red;
use crate::references::References;
use crate::source::{Before, Source, clock_rate, format};
use crate::status::Facts;
use bytes::Bytes;
use headwater_conf::VhostRtc;
use headwater_hub::{Publisher, Session, Stream, Tracks};
use headwater_media::codec::describe_video;
use headwater_media::{Codec, Frame, Kind, Time, Track};
use headwater_rtp::{
    Clock, Depacketizer, Event as Unpacked, Format, Incoming, Limits, Ordered, Reorder,
    Source as ClockSource, Unit,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::Event;
use str0m::format::PayloadParams;
use str0m::media::{KeyframeRequestKind, MediaKind, Mid, Pt, Rid};
use str0m::rtp::{RtpPacket, Ssrc};

/// How long a lost packet is waited for: two round trips of a bad path, in which it is asked for again.
const WAIT: Time = Time::from_millis(400);

/// Packets held back behind a lost one.
const HELD_MAX: usize = 2048;

/// How long a publisher is left alone after it was asked for a key frame: requests of many viewers become one.
const KEY_FRAME_REST: Duration = Duration::from_millis(500);

/// Packets of one frame that are kept for viewers; a frame with more goes to them incomplete.
const BURST_MAX: usize = 4096;

/// A publisher's side of a session.
pub(crate) struct Ingest {
    stream: Arc<Stream>,
    publisher: Option<Publisher>,
    source: Option<Arc<Source>>,
    /// What was agreed on: payload types with their formats.
    formats: Vec<(Mid, Pt, Format)>,
    /// Payload types of redundant sound, with the format inside.
    redundant: Vec<(Pt, Format)>,
    lanes: HashMap<Ssrc, Lane>,
    clock: Clock,
    began: Option<Instant>,
    /// `pli_for_rtmp`, when frames go to outputs that need regular key frames.
    refresh: Option<Duration>,
    /// `drop_for_pt`.
    ignored: Option<Pt>,
    layers: Layers,
    /// A picture as viewers were given it: RTP time and moment. Other layers' RTP times follow it.
    lead: Option<(Ssrc, u32, Time)>,
    /// When the last picture went to the stream.
    shown: Option<Time>,
    events: Vec<Unpacked>,
}

/// One source of packets.
struct Lane {
    mid: Mid,
    rid: Option<Rid>,
    /// Number of the simulcast layer; 0 where there are none.
    layer: u8,
    format: Format,
    reorder: Reorder<Arrived>,
    depacketizer: Depacketizer,
    clock: ClockSource,
    /// Packets of the frame that is being put together.
    packets: Vec<Packet>,
    before: Before,
    references: References,
    /// What the stream's decoders need when it changes to this layer.
    config: Option<Bytes>,
    /// Added to RTP times, so that all layers have the same.
    shift: u32,
    /// A key frame is needed, and when one was asked for.
    wanted: bool,
    asked: Option<Instant>,
    /// Packets that never came, and those that came after later ones.
    lost: u64,
    late: u64,
    newest: Option<u16>,
}

/// A packet, without what it no longer needs.
#[derive(Debug)]
struct Arrived {
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

impl Lane {
    fn is_video(&self) -> bool {
        track_of(self.format.codec()) == Track::Video
    }

    /// Whether a key frame is to be asked for now.
    fn asks(&self, now: Instant, refresh: Option<Duration>) -> bool {
        let since = self.asked.map_or(Duration::MAX, |asked| now.duration_since(asked));
        let due = refresh.is_some_and(|refresh| since >= refresh);
        (self.wanted || due) && since >= KEY_FRAME_REST
    }

    /// Counts a packet that came after a later one.
    fn count(&mut self, sequence: u16) {
        let newest = self.newest.unwrap_or(sequence);
        if (sequence.wrapping_sub(newest) as i16) < 0 {
            self.late += 1;
        } else {
            self.newest = Some(sequence);
        }
    }

    /// Takes a packet; of a redundant one, what it brings along fills gaps.
    fn push(&mut self, arrival: Time, packet: &RtpPacket, redundant: bool) {
        let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
        let marker = packet.header.marker;
        let payload = Bytes::from_owner(packet.payload.clone());
        self.count(sequence);
        if !redundant {
            self.reorder.push(arrival, sequence, Arrived { timestamp, marker, payload });
            return;
        }
        for block in red::split(&payload).into_iter().flatten() {
            let arrived = Arrived {
                timestamp: timestamp.wrapping_sub(block.offset),
                marker: marker && block.age == 0,
                payload: block.payload,
            };
            self.reorder.push(arrival, sequence.wrapping_sub(block.age), arrived);
        }
    }
}

impl Ingest {
    pub(crate) fn new(stream: Arc<Stream>, settings: &VhostRtc) -> Ingest {
        let ignored = u8::try_from(settings.drop_for_pt).ok().filter(|&pt| pt > 0);
        Ingest {
            stream,
            publisher: None,
            source: None,
            formats: Vec::new(),
            redundant: Vec::new(),
            lanes: HashMap::new(),
            clock: Clock::new(),
            began: None,
            refresh: settings.rtc_to_rtmp.then_some(settings.pli_for_rtmp),
            ignored: ignored.map(Pt::from),
            layers: Layers::default(),
            lead: None,
            shown: None,
            events: Vec::new(),
        }
    }

    /// Takes a media section of the answer.
    pub(crate) fn media(&mut self, mid: Mid, _kind: MediaKind, params: &[PayloadParams]) {
        let formats = params.iter().filter_map(|params| Some((mid, params.pt(), format(codec(params)?)?)));
        self.formats.extend(formats);
        let redundant = params.iter().filter_map(|params| Some((params.red()?, format(codec(params)?)?)));
        self.redundant.extend(redundant);
    }

    /// Whether nothing was agreed on.
    pub(crate) fn is_empty(&self) -> bool {
        self.formats.is_empty()
    }

    /// Takes possession of the stream; its packets go to `source` as they are.
    pub(crate) fn publish(&mut self, session: &Arc<Session>, source: Arc<Source>) -> Result<(), String> {
        let publisher = self.stream.publish(session).map_err(|busy| busy.to_string())?;
        let has = |track| self.formats.iter().any(|(_, _, format)| track_of(format.codec()) == track);
        publisher.announce(Tracks { audio: has(Track::Audio), video: has(Track::Video) });
        self.publisher = Some(publisher);
        self.source = Some(source);
        Ok(())
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// A viewer needs a key frame of a layer.
    pub(crate) fn want_key_frame(&mut self, layer: u8) {
        let meant = |lane: &&mut Lane| lane.is_video() && lane.layer == layer;
        self.lanes.values_mut().filter(meant).for_each(|lane| lane.wanted = true);
    }

    /// What the API shows beside what the state machine counts.
    pub(crate) fn tell(&self, facts: &mut Facts) {
        for lane in self.lanes.values() {
            let track = facts.track(lane.mid.to_string(), lane.rid.map(|rid| rid.to_string()));
            track.kind = if lane.is_video() { "video" } else { "audio" };
            track.codec = format!("{:?}", lane.format.codec());
            track.clock_rate = clock_rate(lane.format.codec());
            (track.lost, track.repaired) = (lane.lost, lane.late);
        }
        // A section with layers has no packets of its own.
        let layered: Vec<Mid> =
            self.lanes.values().filter(|lane| lane.rid.is_some()).map(|lane| lane.mid).collect();
        facts.tracks.retain(|track| track.rid.is_some() || !layered.iter().any(|mid| **mid == *track.mid));
        let current =
            self.lanes.values().find(|lane| lane.is_video() && self.layers.current() == Some(lane.layer));
        facts.layer = current.and_then(|lane| lane.rid).map(|rid| rid.to_string());
    }

    /// Takes an event of the state machine.
    pub(crate) fn take(
        &mut self,
        engine: &mut Engine,
        out: &mut Outbox,
        now: Instant,
        event: Event,
    ) -> Result<(), String> {
        match event {
            Event::RtpPacket(packet) => self.packet(engine, out, now, packet),
            Event::SenderFeedback(report) => {
                let info = &report.sender_info;
                if let Some(lane) = self.lanes.get(&info.ssrc) {
                    self.clock.report(lane.clock, ntp::at(info.ntp_time), info.rtp_time.numer() as u32);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn packet(
        &mut self,
        engine: &mut Engine,
        out: &mut Outbox,
        now: Instant,
        packet: RtpPacket,
    ) -> Result<(), String> {
        let (ssrc, pt) = (packet.header.ssrc, packet.header.payload_type);
        if self.publisher.is_none() || self.ignored == Some(pt) {
            return Ok(());
        }
        if !self.lanes.contains_key(&ssrc) && !self.add_lane(engine, out, ssrc, pt)? {
            return Ok(());
        }
        let arrival = Time::from(now.duration_since(*self.began.get_or_insert(now)));
        let redundant = self.redundant.iter().any(|(agreed, _)| *agreed == pt);
        if let Some(lane) = self.lanes.get_mut(&ssrc) {
            lane.push(arrival, &packet, redundant);
        }
        self.release(ssrc, arrival, now);
        if let Some(layer) = self.layers.wanted(arrival) {
            self.want_key_frame(layer);
        }
        self.ask(engine, out, now)
    }

    /// A source that was not heard before. False for one that nothing was agreed on for.
    fn add_lane(
        &mut self,
        engine: &mut Engine,
        out: &mut Outbox,
        ssrc: Ssrc,
        pt: Pt,
    ) -> Result<bool, String> {
        let plain = self.formats.iter().map(|(_, agreed, format)| (*agreed, *format));
        let Some((_, format)) = plain.chain(self.redundant.iter().copied()).find(|(agreed, _)| *agreed == pt)
        else {
            return Ok(false);
        };
        let place = |rtc: &mut str0m::Rtc| {
            rtc.direct_api().stream_rx(&ssrc).map(|stream| (stream.mid(), stream.rid()))
        };
        let Some((mid, rid)) = engine.change(out, place).map_err(|error| error.to_string())? else {
            return Ok(false);
        };
        let video = track_of(format.codec()) == Track::Video;
        let Some(layer) = (if video { self.layers.number(rid) } else { Some(0) }) else {
            tracing::debug!(stream = %self.stream.name(), ?rid, "a simulcast layer too many is left");
            return Ok(false);
        };
        let lane = Lane {
            mid,
            rid,
            layer,
            format,
            reorder: Reorder::new(Limits { packets: HELD_MAX, wait: WAIT }),
            depacketizer: Depacketizer::new(format),
            clock: self.clock.add(clock_rate(format.codec())),
            packets: Vec::new(),
            before: Before::default(),
            references: References::default(),
            config: None,
            shift: 0,
            wanted: true,
            asked: None,
            lost: 0,
            late: 0,
            newest: None,
        };
        self.lanes.insert(ssrc, lane);
        Ok(true)
    }

    /// Gives on what has its turn.
    fn release(&mut self, ssrc: Ssrc, arrival: Time, now: Instant) {
        loop {
            let Some(lane) = self.lanes.get_mut(&ssrc) else { return };
            let (sequence, packet) = match lane.reorder.pop(arrival) {
                Some(Ordered::Packet(sequence, packet)) => (sequence, packet),
                Some(Ordered::Lost(_, count)) => {
                    lane.lost += count;
                    continue;
                }
                None => return,
            };
            let Arrived { timestamp, marker, payload } = packet;
            if lane.packets.len() < BURST_MAX && !payload.is_empty() {
                lane.packets.push(Packet { payload: payload.clone(), marker, sequence });
            }
            let mut events = std::mem::take(&mut self.events);
            lane.depacketizer.push(&Incoming { sequence, timestamp, marker, payload }, &mut events);
            for event in events.drain(..) {
                self.unpacked(ssrc, event, arrival, now);
            }
            self.events = events; // its room is used again
        }
    }

    fn unpacked(&mut self, ssrc: Ssrc, event: Unpacked, arrival: Time, now: Instant) {
        match event {
            Unpacked::Unit(unit) => self.unit(ssrc, unit, arrival, now),
            Unpacked::Dropped { why, .. } => {
                tracing::debug!(stream = %self.stream.name(), %why, "a frame from WebRTC was not whole");
                if let Some(lane) = self.lanes.get_mut(&ssrc) {
                    lane.wanted = true;
                    lane.packets.clear();
                }
            }
            Unpacked::Lost { packets } => {
                tracing::debug!(stream = %self.stream.name(), packets, "packets from WebRTC are lost");
            }
        }
    }

    fn unit(&mut self, ssrc: Ssrc, unit: Unit, arrival: Time, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&ssrc) else { return };
        let codec = lane.format.codec();
        let time = self.clock.time(lane.clock, unit.timestamp, arrival);
        let frame = unit.clone().into_frame(codec, time);
        if lane.is_video() {
            self.describe(ssrc, &frame);
        }
        // The moment on the publisher's timeline, so that sound and pictures of viewers are in step.
        let early = (arrival - time).duration();
        let wallclock = now.checked_sub(early).unwrap_or(now);
        if unit.kind != Kind::Config {
            self.relay(ssrc, &unit, time, wallclock);
        }
        match frame.track {
            Track::Video => self.picture(ssrc, frame, arrival),
            _ => {
                let pts = self.publish_frame(frame);
                if let (Some(source), Some(pts)) = (&self.source, pts) {
                    source.heard(codec, pts, wallclock);
                }
            }
        }
    }

    /// Learns what a layer is from its configuration or a key frame.
    fn describe(&mut self, ssrc: Ssrc, frame: &Frame) {
        let Some(lane) = self.lanes.get_mut(&ssrc) else { return };
        if frame.kind == Kind::Config {
            lane.config = Some(frame.payload.clone());
        }
        let Some(info) = describe_video(frame).filter(|info| info.width > 0) else { return };
        if self.layers.is_of_size(lane.layer, (info.width, info.height))
            && let Some(source) = &self.source
        {
            source.log.set_layers(self.layers.order());
        }
    }

    /// Gives the packets of a frame to viewers as they are.
    fn relay(&mut self, ssrc: Ssrc, unit: &Unit, time: Time, wallclock: Instant) {
        let Some(lane) = self.lanes.get_mut(&ssrc) else { return };
        let (codec, layer) = (lane.format.codec(), lane.layer);
        let track = track_of(codec);
        let key = track == Track::Video && unit.kind == Kind::Key;
        if track == Track::Video {
            let (lead, led, moment) = *self.lead.get_or_insert((ssrc, unit.timestamp, time));
            if lead == ssrc {
                self.lead = Some((ssrc, unit.timestamp, time));
            } else if key {
                let ahead = (time - moment).ticks(clock_rate(codec)) as u32; // modulo 2^32, as RTP times are
                lane.shift = led.wrapping_add(ahead).wrapping_sub(unit.timestamp);
            }
        }
        let packets = std::mem::take(&mut lane.packets);
        let disposable = lane.references.disposable(codec, packets.iter().map(|packet| &*packet.payload));
        let redundant = lane.before.redundant(codec, unit.timestamp, &packets);
        let time = unit.timestamp.wrapping_add(lane.shift);
        let burst = Burst {
            track,
            codec,
            layer,
            key,
            disposable,
            redundant,
            instead_of: None,
            time,
            wallclock,
            packets,
        };
        if let (Some(source), Some(publisher)) = (&self.source, &self.publisher) {
            source.relay(publisher.session().id(), burst);
        }
    }

    /// Gives a picture to the stream, if it is of the layer that is the stream.
    fn picture(&mut self, ssrc: Ssrc, frame: Frame, arrival: Time) {
        let Some(lane) = self.lanes.get(&ssrc) else { return };
        let (layer, config) = (lane.layer, lane.config.clone());
        if frame.kind == Kind::Config {
            if self.layers.current() == Some(layer) {
                self.publish_frame(frame);
            }
            return;
        }
        let taken = self.layers.take(layer, frame.kind == Kind::Key, arrival);
        if taken == Take::No {
            return;
        }
        // Layers are in step to a few milliseconds; the stream's times go up all the same.
        let pts = self
            .shown
            .filter(|_| taken == Take::Switch)
            .map_or(frame.pts, |shown| frame.pts.max(shown + Time::from_millis(1)));
        self.shown = Some(self.shown.map_or(pts, |shown| shown.max(pts)));
        let frame = Frame { pts, dts: pts, ..frame };
        if taken == Take::Switch {
            tracing::debug!(stream = %self.stream.name(), layer, "the stream is of this layer now");
            if let Some(payload) = config {
                self.publish_frame(Frame { kind: Kind::Config, payload, ..frame.clone() });
            }
        }
        self.publish_frame(frame);
    }

    /// Gives a frame to the stream; its presentation time there.
    fn publish_frame(&self, frame: Frame) -> Option<Time> {
        self.publisher.as_ref().map(|publisher| publisher.push_at(frame))
    }

    /// Asks for key frames where somebody needs one, not too often.
    fn ask(&mut self, engine: &mut Engine, out: &mut Outbox, now: Instant) -> Result<(), String> {
        let (current, refresh) = (self.layers.current(), self.refresh);
        for lane in self.lanes.values_mut().filter(|lane| lane.is_video()) {
            let own = refresh.filter(|_| current.is_none_or(|current| current == lane.layer));
            if !lane.asks(now, own) {
                continue;
            }
            (lane.asked, lane.wanted) = (Some(now), false);
            let (mid, rid) = (lane.mid, lane.rid);
            let request = |rtc: &mut str0m::Rtc| {
                if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, rid) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            };
            engine.change(out, request).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        // It still has the stream, so nobody else can have told how to be asked.
        if let (Some(source), Some(_)) = (&self.source, &self.publisher) {
            source.set_ask(None);
        }
    }
}

fn track_of(codec: Codec) -> Track {
    match codec {
        Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9 | Codec::Vp8 => Track::Video,
        _ => Track::Audio,
    }
}
