//! Playing: what a viewer gets, and when.

use crate::agreement::Section;
use crate::batch::Batch;
use crate::keys::Keys;
use crate::lane::{Accepted, Lane, codec, name};
use crate::meter::Rates;
use crate::pace::Pace;
use crate::packetlog::Burst;
use crate::pictureids::Ids;
use crate::red;
use crate::sender::{Placed, Sender, TrackTerms};
use crate::source::{Source, clock_rate};
use crate::status::{Facts, Phase};
use crate::thinning::Wish;
use crate::view::{Pass, View};
use headwater_hub::{Attached, Session, Stream};
use headwater_media::Track;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;
use str0m::format::PayloadParams;

/// Share of lost packets from which on sound is sent twice.
const LOSSY: f32 = 0.01;

/// A viewer's side of a stream.
pub(crate) struct Egress {
    stream: Arc<Stream>,
    source: Option<Arc<Source>>,
    session: Arc<Session>,
    attached: Option<Attached>,
    video: Option<Lane>,
    audio: Option<Lane>,
    view: View,
    /// Once DTLS is through.
    sender: Option<Box<Sender>>,
    /// Its position in the log of packets, once it has one.
    next: Option<u64>,
    /// How many packets of the picture there have left.
    part: usize,
    /// Sound before this position has left: on a narrow path it does not wait for pictures.
    heard: u64,
    pace: Pace,
    /// Whether packets get lost on the way, so that sound is sent twice.
    lossy: bool,
}

/// What remains after a batch was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing of what was offered.
    Nothing,
    /// The batch is full; there is more.
    More,
    /// The pace allows no more before this moment.
    Until(Instant),
    /// What was offered comes later than its position.
    Gap,
}

impl Egress {
    /// `wish`: the simulcast layer that the viewer named.
    pub(crate) fn new(stream: Arc<Stream>, session: Arc<Session>, wish: Option<Wish>) -> Egress {
        Egress {
            stream,
            source: None,
            session,
            attached: None,
            video: None,
            audio: None,
            view: View::new(wish),
            sender: None,
            next: None,
            part: 0,
            heard: 0,
            pace: Pace::default(),
            lossy: false,
        }
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Counts the viewer; the stream it watches.
    pub(crate) fn attach(&mut self) -> Arc<Stream> {
        self.attached.get_or_insert_with(|| self.stream.attach(&self.session));
        self.stream.clone()
    }

    /// Takes a media section that was agreed on.
    pub(crate) fn media(&mut self, section: Section) {
        let Some((ssrc, rtx)) = section.own else { return };
        let audio = section.kind.is_audio();
        let terms = TrackTerms {
            ssrc,
            rtx,
            mid: section.mid,
            clock_rate: 0,
            extensions: section.extensions,
            resend: !audio && section.accepted.iter().any(PayloadParams::fb_nack),
        };
        let lane = if audio { &mut self.audio } else { &mut self.video };
        let lane = lane.get_or_insert_with(|| Lane::new(terms));
        for params in &section.accepted {
            if let Some(codec) = codec(params) {
                let resend_type = params.resend().map(|pt| *pt);
                lane.accepted.push(Accepted { codec, payload_type: *params.pt(), resend_type });
            }
            if *params.pt() == red::OPUS {
                lane.redundant = params.red().map(|pt| *pt);
            }
        }
    }

    /// Whether nothing was agreed on.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.video, &self.audio].into_iter().flatten().all(|lane| lane.accepted.is_empty())
    }

    /// DTLS is through: from here on packets can be sealed. Fails for a profile of SRTP that is not ours.
    pub(crate) fn connect(&mut self, keys: &Keys, now: Instant) -> Result<(), String> {
        let cname = self.session.id().to_string();
        let mut sender = Sender::new(keys, &cname, now)
            .ok_or_else(|| format!("SRTP profile {:?} is not served", keys.profile))?;
        for lane in [&mut self.audio, &mut self.video].into_iter().flatten() {
            // Sender reports count in the clock of what is sent first; browsers offer one rate a section but for G.711.
            lane.terms.clock_rate = lane.accepted.first().map_or(90_000, |first| clock_rate(first.codec));
            lane.track = sender.track(now, lane.terms.clone());
        }
        self.sender = Some(Box::new(sender));
        Ok(())
    }

    /// Takes RTCP from the viewer; what it asks for again goes into `out`. Whether it needs a key frame.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut Batch) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        let key_frame = sender.receive(now, datagram, out);
        self.lossy = sender.loss() >= LOSSY;
        key_frame
    }

    /// Begins at a position of the log of `source`.
    pub(crate) fn begin(&mut self, at: u64, source: Arc<Source>) {
        self.source = Some(source);
        (self.next, self.heard) = (Some(at), at);
    }

    /// Its position in the log, once it can be sent anything.
    pub(crate) fn position(&self) -> Option<u64> {
        self.sender.as_ref().and(self.next)
    }

    /// Goes on at a later position than its own, because the log does not go back that far any more.
    pub(crate) fn jump(&mut self, at: u64) {
        self.next = Some(at);
        if std::mem::take(&mut self.part) > 0 {
            self.video.iter_mut().for_each(Lane::break_off);
        }
        self.view.shut();
    }

    /// Looks what the way to the viewer carries of a stream with these rates. The layer of which a key frame is needed,
    /// if one is to be asked for.
    pub(crate) fn look(&mut self, now: Instant, rates: &Rates) -> Option<u8> {
        if !self.view.is_due(now) {
            return None;
        }
        let estimate = self.sender.as_ref().and_then(|sender| sender.estimate());
        let before = (self.view.layer(), self.view.level());
        let wanted = self.view.look(now, estimate, rates);
        let drains = self.sender.as_ref().is_some_and(|sender| sender.drains(now));
        self.pace.follow(estimate.filter(|_| self.view.is_narrow()), drains);
        let (layer, level) = (self.view.layer(), self.view.level());
        if (layer, level) != before {
            tracing::debug!(cid = %self.session.id(), layer, ?level, estimate, "what a webrtc viewer gets changes");
        }
        wanted
    }

    /// The simulcast layer that it is to get.
    pub(crate) fn layer(&self) -> u8 {
        self.view.layer()
    }

    /// Puts those of `bursts`, the first of which stands at `from` in the log, into `out` that it has not had, as the
    /// pace allows.
    pub(crate) fn fill(&mut self, now: Instant, from: u64, bursts: &[Arc<Burst>], out: &mut Batch) -> Rest {
        let (Some(next), Some(mut sender)) = (self.next, self.sender.take()) else { return Rest::Nothing };
        if self.pace.is_narrow() {
            self.view.note(from, bursts);
        }
        let rest = if next < from {
            self.sound_first(&mut sender, now, (from, bursts), out);
            Rest::Gap
        } else {
            self.fill_from(&mut sender, now, (from, bursts), out)
        };
        sender.report(now, out);
        self.sender = Some(sender);
        rest
    }

    fn fill_from(
        &mut self,
        sender: &mut Sender,
        now: Instant,
        (from, bursts): (u64, &[Arc<Burst>]),
        out: &mut Batch,
    ) -> Rest {
        let mut sound: SmallVec<[&Arc<Burst>; 16]> = SmallVec::new();
        let rest = loop {
            let next = self.next.unwrap_or(from);
            let Some(burst) = bursts.get((next - from) as usize) else { break Rest::Nothing }; // far below the range's end
            if out.is_large() {
                break Rest::More;
            }
            let heard = burst.track == Track::Audio && next < self.heard;
            if !heard && let Some(moment) = self.pace.too_early(now) {
                break Rest::Until(moment);
            }
            match burst.track {
                Track::Audio if !heard => sound.push(burst),
                Track::Video if !self.picture(sender, now, burst, out) => continue,
                _ => {}
            }
            self.next = Some(next + 1);
            self.heard = self.heard.max(next + 1);
        };
        // Behind the pictures, sound leaves in the same system call.
        sound.into_iter().for_each(|burst| self.sound(sender, now, burst, out));
        if let (Rest::Until(_), Some(next)) = (rest, self.next) {
            let left = bursts.get((next - from) as usize..).unwrap_or_default(); // far below the range's end
            self.sound_first(sender, now, (next, left), out);
        }
        rest
    }

    /// On a narrow path, sends what was not heard of the sound of `bursts`, the first of which stands at `from`.
    fn sound_first(
        &mut self,
        sender: &mut Sender,
        now: Instant,
        (from, bursts): (u64, &[Arc<Burst>]),
        out: &mut Batch,
    ) {
        if !self.pace.is_narrow() || self.heard < from {
            return; // what lies between comes first
        }
        for (at, burst) in (from..).zip(bursts) {
            if at < self.heard {
                continue;
            }
            if out.is_large() {
                return;
            }
            if burst.track == Track::Audio {
                self.sound(sender, now, burst, out);
            }
            self.heard = at + 1;
        }
    }

    /// It had all there is.
    pub(crate) fn caught_up(&mut self) {
        self.pace.caught_up();
    }

    /// Sends a picture, or as much of it as the pace allows; whether that was all.
    fn picture(&mut self, sender: &mut Sender, now: Instant, burst: &Arc<Burst>, out: &mut Batch) -> bool {
        let Some(lane) = &mut self.video else { return true };
        let Some(Accepted { payload_type, resend_type, .. }) = lane.accepts(burst.codec) else {
            if lane.refused.replace(burst.codec) != Some(burst.codec) {
                let (codec, stream) = (name(burst.codec), self.stream.name());
                tracing::warn!(cid = %self.session.id(), %stream, codec, "a webrtc viewer sees no pictures: it does not take the stream's codec");
            }
            return true;
        };
        lane.refused = None;
        let begun = std::mem::take(&mut self.part);
        if begun == 0 {
            match self.view.pass(burst) {
                Pass::Yes => {}
                Pass::Anew => lane.skip_to(burst),
                Pass::LeftOut => {
                    lane.leave_out(burst);
                    return true;
                }
                Pass::No => return true,
            }
        }
        lane.codec = Some(burst.codec);
        let time = lane.time(burst);
        let ids = if begun == 0 { lane.pictures.next(burst) } else { lane.pictures.told() };
        for (index, packet) in burst.packets.iter().enumerate().skip(begun) {
            if index > begun && self.pace.is_spent() {
                self.part = index;
                return false;
            }
            let number = lane.number(packet.sequence);
            let packet = Placed { burst, index, time, payload_type, resend_type, number, ids };
            let before = out.bytes();
            sender.send(now, lane.track, packet, out);
            self.pace.spend(out.bytes() - before);
        }
        true
    }

    fn sound(&mut self, sender: &mut Sender, now: Instant, burst: &Arc<Burst>, out: &mut Batch) {
        let Some(lane) = &mut self.audio else { return };
        let Some(Accepted { payload_type, resend_type, .. }) = lane.accepts(burst.codec) else {
            let wish = lane.wish().filter(|_| burst.instead_of.is_none());
            if let Some((source, codec)) = self.source.as_ref().zip(wish) {
                source.want_sound(codec);
            }
            return;
        };
        let other = |own| lane.accepts(own).is_some() || lane.wish() != Some(burst.codec);
        if burst.instead_of.is_some_and(other) {
            return;
        }
        lane.codec = Some(burst.codec);
        let (time, ids, before) = (lane.time(burst), Ids::default(), out.bytes());
        let redundant = lane.redundant.filter(|_| self.lossy).zip(burst.redundant.as_ref());
        if let Some((payload_type, payload)) = redundant {
            let number = burst.packets.first().map_or(0, |packet| lane.number(packet.sequence));
            let packet = Placed { burst, index: 0, time, payload_type, resend_type, number, ids };
            sender.send_once(now, lane.track, packet, payload, out);
        } else {
            for (index, packet) in burst.packets.iter().enumerate() {
                let number = lane.number(packet.sequence);
                let packet = Placed { burst, index, time, payload_type, resend_type, number, ids };
                sender.send(now, lane.track, packet, out);
            }
        }
        self.pace.spend(out.bytes() - before);
    }

    /// Says that nothing more comes.
    pub(crate) fn bye(&mut self, out: &mut Batch) {
        if let Some(sender) = &mut self.sender {
            sender.bye(out);
        }
    }

    /// What the API shows.
    pub(crate) fn tell(&self, now: Instant, facts: &mut Facts) {
        let Some(sender) = &self.sender else { return };
        facts.rtt_ms = sender.rtt().map(|rtt| rtt.as_secs_f64() * 1e3).or(facts.rtt_ms);
        facts.estimate_bps = sender.estimate();
        facts.level = self.video.is_some().then(|| self.view.level());
        facts.layer = self.view.name().map(|rid| rid.to_string());
        if facts.phase == Phase::Connected {
            let refused = self.video.as_ref().and_then(|lane| lane.refused).map(name);
            let black =
                |codec| format!("its player does not take {codec}, the codec of the stream's pictures");
            facts.reason = refused.map(black);
        }
        for lane in [&self.audio, &self.video].into_iter().flatten() {
            let counts = sender.counts(lane.track);
            let track = facts.track(lane.terms.mid.clone(), None);
            if let Some(codec) = lane.codec {
                track.codec = name(codec).to_owned();
            }
            track.clock_rate = lane.terms.clock_rate;
            track.counted(now, counts.packets, counts.bytes);
            track.lost = counts.missing;
            track.repaired = counts.resent;
            track.loss = counts.lost.map(|lost| f32::from(lost) / 256.0);
            track.nacks = counts.nacks;
            track.plis = counts.plis;
            track.firs = counts.firs;
            track.jitter = counts.jitter;
        }
    }
}

#[cfg(test)]
mod narrow;
