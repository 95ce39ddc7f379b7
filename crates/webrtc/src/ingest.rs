//! Publishing: a peer's packets to frames of a stream, and the packets themselves to viewers of the same kind.

mod lanes;
mod relay;

use crate::agreement;
use crate::batch::Batch;
use crate::keys::Keys;
use crate::lane::{codec, name};
use crate::layers::{Layers, Take};
use crate::packetlog::{Burst, Packet};
use crate::receiver::{Heard, Receiver, Section};
use crate::source::{Ask, Finder, Own, Source, clock_rate, format, shifted};
use crate::status::Facts;
use headwater_conf::VhostRtc;
use headwater_hub::{Publisher, Session, Stream, Tracks};
use headwater_media::codec::describe_video;
use headwater_media::{Codec, Frame, Kind, Time, Track};
use headwater_rtp::{Clock, Event as Unpacked, Format, Incoming, Ordered, Unit};
use lanes::{Arrived, Lane, Lanes};
use relay::Relay;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::Rid;

/// Packets of one frame that are kept for viewers; a frame with more goes to them incomplete.
const BURST_MAX: usize = 4096;

/// A publisher's side of a session.
pub(crate) struct Ingest {
    stream: Arc<Stream>,
    publisher: Option<Publisher>,
    relay: Relay,
    /// What was agreed on, until DTLS is through.
    sections: Vec<Section>,
    receiver: Option<Box<Receiver>>,
    /// Payload types with their formats.
    formats: Vec<(u8, Format)>,
    /// Payload types of redundant sound, with the format inside.
    redundant: Vec<(u8, Format)>,
    lanes: Lanes,
    clock: Clock,
    began: Option<Instant>,
    /// `pli_for_rtmp`, when frames go to outputs that need regular key frames.
    refresh: Option<Duration>,
    /// `drop_for_pt`.
    ignored: Option<u8>,
    layers: Layers,
    /// A picture as viewers were given it: RTP time and moment. Other layers' RTP times follow it.
    lead: Option<(usize, u32, Time)>,
    /// When the last picture went to the stream.
    shown: Option<Time>,
    /// What the receiver and the depacketizer made; their room is used again.
    heard: Vec<Heard>,
    events: Vec<Unpacked>,
}

impl Ingest {
    pub(crate) fn new(stream: Arc<Stream>, settings: &VhostRtc) -> Ingest {
        let ignored = u8::try_from(settings.drop_for_pt).ok().filter(|&pt| pt > 0);
        Ingest {
            stream,
            publisher: None,
            relay: Relay::default(),
            sections: Vec::new(),
            receiver: None,
            formats: Vec::new(),
            redundant: Vec::new(),
            lanes: Lanes::default(),
            clock: Clock::new(),
            began: None,
            refresh: settings.rtc_to_rtmp.then_some(settings.pli_for_rtmp),
            ignored,
            layers: Layers::default(),
            lead: None,
            shown: None,
            heard: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Takes a media section that was agreed on.
    pub(crate) fn media(&mut self, section: agreement::Section) {
        for params in &section.accepted {
            let Some(format) = codec(params).and_then(format) else { continue };
            self.formats.push((*params.pt(), format));
            self.redundant.extend(params.red().map(|pt| (*pt, format)));
        }
        self.sections.push(Section::of(&section));
    }

    /// DTLS is through: from here on packets can be opened. Fails for a profile of SRTP that is not ours.
    pub(crate) fn connect(&mut self, keys: &Keys, session: &Session, now: Instant) -> Result<(), String> {
        let sections = std::mem::take(&mut self.sections);
        let receiver = Receiver::new(keys, sections, &session.id().to_string(), now);
        let receiver = receiver.ok_or_else(|| format!("SRTP profile {:?} is not served", keys.profile))?;
        self.receiver = Some(Box::new(receiver));
        Ok(())
    }

    /// When [`Ingest::report`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.receiver.as_ref().and_then(|receiver| receiver.due())
    }

    /// Puts what the publisher is to be told into `out`, if it is due.
    pub(crate) fn report(&mut self, now: Instant, out: &mut Batch) {
        if let Some(receiver) = &mut self.receiver {
            receiver.report(now, out);
        }
    }

    /// Whether nothing was agreed on.
    pub(crate) fn is_empty(&self) -> bool {
        self.formats.is_empty()
    }

    /// Takes possession of the stream. Its packets go as they are to the source that `finder` finds while somebody
    /// watches, which asks for key frames by `ask`.
    pub(crate) fn publish(&mut self, session: &Arc<Session>, finder: Finder, ask: Ask) -> Result<(), String> {
        let publisher = self.stream.publish(session).map_err(|busy| busy.to_string())?;
        publisher.announce(Tracks { audio: self.has(Track::Audio), video: self.has(Track::Video) });
        self.publisher = Some(publisher);
        self.relay = Relay { finder: Some(finder), ask: Some(ask), ..Relay::default() };
        self.relay.find(&self.stream); // who waits already gets the first key frame's own packets
        Ok(())
    }

    fn has(&self, track: Track) -> bool {
        self.formats.iter().any(|(_, format)| track_of(format.codec()) == track)
    }

    /// A viewer needs a key frame of a layer.
    pub(crate) fn want_key_frame(&mut self, layer: u8) {
        let meant = |lane: &&mut Lane| lane.is_video() && lane.layer == layer;
        self.lanes.iter_mut().map(|(_, lane)| lane).filter(meant).for_each(|lane| lane.wanted = true);
    }

    /// What the API shows.
    pub(crate) fn tell(&self, now: Instant, facts: &mut Facts) {
        let Some(receiver) = &self.receiver else { return };
        let rtt = receiver.sources().iter().filter_map(|source| source.rtt()).min();
        facts.rtt_ms = rtt.map(|rtt| rtt.as_secs_f64() * 1e3).or(facts.rtt_ms);
        for (place, lane) in self.lanes.iter() {
            let Some(source) = receiver.source(place) else { continue };
            let Some(section) = receiver.section(source) else { continue };
            let track = facts.track(section.mid.to_string(), lane.rid.map(|rid| rid.to_string()));
            track.kind = if lane.is_video() { "video" } else { "audio" };
            track.codec = name(lane.format.codec()).to_owned();
            track.clock_rate = clock_rate(lane.format.codec());
            (track.lost, track.repaired) = (lane.lost, lane.late);
            let counts = source.counts();
            track.counted(now, counts.packets, counts.bytes);
            track.loss = counts.lost.map(|lost| f32::from(lost) / 256.0);
            track.nacks = counts.nacks;
            track.plis = counts.plis;
            track.firs = counts.firs;
            track.jitter = counts.jitter;
        }
        // A section with layers has no packets of its own.
        let layered = self.lanes.iter().filter(|(_, lane)| lane.rid.is_some());
        let mids: Vec<&str> = layered
            .filter_map(|(place, _)| receiver.section(receiver.source(place)?))
            .map(|section| &*section.mid)
            .collect();
        facts.tracks.retain(|track| track.rid.is_some() || !mids.contains(&&*track.mid));
        let mut lanes = self.lanes.iter().map(|(_, lane)| lane);
        let current = lanes.find(|lane| lane.is_video() && self.layers.current() == Some(lane.layer));
        facts.layer = current.and_then(|lane| lane.rid).map(|rid| rid.to_string());
    }

    /// Takes a datagram of RTP or RTCP.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        let Some(receiver) = &mut self.receiver else { return };
        let mut heard = std::mem::take(&mut self.heard);
        receiver.receive(now, datagram, &mut heard);
        for heard in heard.drain(..) {
            match heard {
                Heard::Packet { source, payload_type, sequence, timestamp, marker, payload, .. } => {
                    let arrived = Arrived { timestamp, marker, payload };
                    self.packet(now, source, payload_type, sequence, arrived);
                }
                Heard::Report { source, clock } => {
                    if let Some(lane) = self.lanes.get_mut(source) {
                        let synced = self.clock.report(lane.clock, clock.ntp, clock.timestamp);
                        tracing::debug!(stream = %self.stream.name(), codec = ?lane.format.codec(), ?synced, "a sender report");
                    }
                }
            }
        }
        self.heard = heard;
    }

    fn packet(&mut self, now: Instant, source: usize, payload_type: u8, sequence: u16, arrived: Arrived) {
        if self.publisher.is_none() || self.ignored == Some(payload_type) {
            return;
        }
        if self.lanes.get_mut(source).is_none() {
            let Some(lane) = self.make_lane(source, payload_type) else { return };
            self.lanes.insert(source, lane);
        }
        let arrival = Time::from(now.duration_since(*self.began.get_or_insert(now)));
        let redundant = self.redundant.iter().any(|(agreed, _)| *agreed == payload_type);
        let Some(lane) = self.lanes.get_mut(source) else { return };
        lane.push(arrival, sequence, arrived, redundant);
        self.release(source, arrival, now);
        if let Some(layer) = self.layers.wanted(arrival) {
            self.want_key_frame(layer);
        }
        self.ask(now);
    }

    /// A source that was not heard before. `None` for one that nothing was agreed on for.
    fn make_lane(&mut self, source: usize, payload_type: u8) -> Option<Lane> {
        let mut agreed = self.formats.iter().chain(&self.redundant);
        let (_, format) = *agreed.find(|(agreed, _)| *agreed == payload_type)?;
        let receiver = self.receiver.as_ref()?;
        let heard = receiver.source(source)?;
        let rid = receiver.rid(heard).map(Rid::from);
        let video = track_of(format.codec()) == Track::Video;
        let Some(layer) = (if video { self.layers.number(rid) } else { Some(0) }) else {
            tracing::debug!(stream = %self.stream.name(), ?rid, "a simulcast layer too many is left");
            return None;
        };
        let clock = self.clock.add(clock_rate(format.codec()));
        if let Some(told) = heard.clock() {
            self.clock.report(clock, told.ntp, told.timestamp);
        }
        Some(Lane::new(format, rid, layer, clock))
    }

    /// Gives on what has its turn.
    fn release(&mut self, source: usize, arrival: Time, now: Instant) {
        loop {
            let Some(lane) = self.lanes.get_mut(source) else { return };
            let (sequence, packet) = match lane.reorder.pop(arrival) {
                Some(Ordered::Packet(sequence, packet)) => (sequence, packet),
                Some(Ordered::Lost(_, count)) => {
                    lane.lost += count;
                    continue;
                }
                None => return,
            };
            let Arrived { timestamp, marker, payload } = packet;
            if self.relay.watched && lane.packets.len() < BURST_MAX && !payload.is_empty() {
                lane.packets.push(Packet { payload: payload.clone(), marker, sequence });
            }
            let mut events = std::mem::take(&mut self.events);
            lane.depacketizer.push(&Incoming { sequence, timestamp, marker, payload }, &mut events);
            for event in events.drain(..) {
                self.unpacked(source, event, arrival, now);
            }
            self.events = events; // its room is used again
        }
    }

    fn unpacked(&mut self, source: usize, event: Unpacked, arrival: Time, now: Instant) {
        match event {
            Unpacked::Unit(unit) => self.unit(source, unit, arrival, now),
            Unpacked::Dropped { why, .. } => {
                tracing::debug!(stream = %self.stream.name(), %why, "a frame from WebRTC was not whole");
                if let Some(lane) = self.lanes.get_mut(source) {
                    lane.wanted = true;
                    lane.packets.clear();
                }
            }
            Unpacked::Lost { packets } => {
                tracing::debug!(stream = %self.stream.name(), packets, "packets from WebRTC are lost");
            }
        }
    }

    fn unit(&mut self, source: usize, unit: Unit, arrival: Time, now: Instant) {
        let Some(lane) = self.lanes.get_mut(source) else { return };
        let codec = lane.format.codec();
        let time = self.clock.time(lane.clock, unit.timestamp, arrival);
        let frame = unit.clone().into_frame(codec, time);
        if lane.is_video() {
            self.describe(source, &frame);
        }
        // The moment on the publisher's timeline, so that sound and pictures of viewers are in step.
        let wallclock = shifted(now, time - arrival);
        if unit.kind != Kind::Config {
            self.relay(source, &unit, time, wallclock);
        }
        match frame.track {
            Track::Video => self.picture(source, frame, arrival),
            _ => {
                let pts = self.publish_frame(frame);
                let begun = self.relay.source.upgrade().filter(|_| self.relay.begun);
                if let (Some(source), Some(pts), Some(publisher)) = (begun, pts, &self.publisher) {
                    let publisher = publisher.session().id();
                    source.heard(Own { codec, pts, moment: wallclock, publisher });
                }
            }
        }
    }

    /// Learns what a layer is from its configuration or a key frame.
    fn describe(&mut self, source: usize, frame: &Frame) {
        let Some(lane) = self.lanes.get_mut(source) else { return };
        if frame.kind == Kind::Config {
            lane.config = Some(frame.payload.clone());
        }
        let Some(info) = describe_video(frame).filter(|info| info.width > 0) else { return };
        if self.layers.is_of_size(lane.layer, (info.width, info.height))
            && let Some(source) = self.relay.source.upgrade().filter(|_| self.relay.begun)
        {
            source.log.set_layers(self.layers.order());
        }
    }

    /// Where a frame's packets go as they are: nowhere while nobody watches, and from a key frame on.
    fn relayed_to(&mut self, key: bool) -> Option<Arc<Source>> {
        let (source, new) = self.relay.find(&self.stream)?;
        if new {
            self.lanes.iter_mut().for_each(|(_, lane)| lane.wanted = true);
            return None; // of this frame, nothing was kept
        }
        if !self.relay.begun && (key || !self.has(Track::Video)) {
            self.relay.begun = true;
            source.log.set_layers(self.layers.order());
        }
        self.relay.begun.then_some(source)
    }

    /// Gives the packets of a frame to viewers as they are.
    fn relay(&mut self, source: usize, unit: &Unit, time: Time, wallclock: Instant) {
        let Some(lane) = self.lanes.get_mut(source) else { return };
        let (codec, layer) = (lane.format.codec(), lane.layer);
        let track = track_of(codec);
        let key = track == Track::Video && unit.kind == Kind::Key;
        let to = self.relayed_to(key);
        let Some(lane) = self.lanes.get_mut(source) else { return };
        let Some((to, publisher)) = to.zip(self.publisher.as_ref()) else { return lane.packets.clear() };
        if track == Track::Video {
            let (lead, led, moment) = *self.lead.get_or_insert((source, unit.timestamp, time));
            if lead == source {
                self.lead = Some((source, unit.timestamp, time));
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
        to.relay(publisher.session().id(), burst);
    }

    /// Gives a picture to the stream, if it is of the layer that is the stream.
    fn picture(&mut self, source: usize, frame: Frame, arrival: Time) {
        let Some(lane) = self.lanes.get_mut(source) else { return };
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
    fn ask(&mut self, now: Instant) {
        let (current, refresh) = (self.layers.current(), self.refresh);
        let Some(receiver) = &mut self.receiver else { return };
        for (place, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.is_video()) {
            let own = refresh.filter(|_| current.is_none_or(|current| current == lane.layer));
            if lane.asks(now, own) {
                (lane.asked, lane.wanted) = (Some(now), false);
                receiver.ask_key_frame(place);
            }
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let left = self.receiver.as_ref().map_or(0, |receiver| receiver.left());
        if left > 0 {
            tracing::debug!(stream = %self.stream.name(), left, "packets of sources that nobody agreed on were left");
        }
        // It still has the stream, so nobody else can have told how to be asked.
        if let Some(source) = self.relay.source.upgrade().filter(|_| self.publisher.is_some()) {
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
