use super::*;
use bytes::Bytes;
use headwater_media::{Codec, CodecTag};
use proptest::prelude::*;
use proptest::sample::select;

const HOUR: i64 = 3_600_000;

/// A frame of the source: true time, what the source stamps on it, and when it arrives; all in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Sent {
    track: Track,
    at: i64,
    stamp: i64,
    arrival: i64,
}

fn frame(track: Track, kind: Kind, dts: i64, pts: i64) -> Frame {
    let (dts, pts) = (Time::from_millis(dts), Time::from_millis(pts));
    Frame { track, codec: Codec::H264, tag: CodecTag::Legacy, kind, dts, pts, payload: Bytes::new() }
}

impl Timeline {
    fn put(&mut self, mut frame: Frame, arrival: i64) -> (i64, i64) {
        self.place(&mut frame, Time::from_millis(arrival));
        (frame.dts.millis(), frame.pts.millis())
    }

    fn video(&mut self, ms: i64) -> i64 {
        self.put(frame(Track::Video, Kind::Inter, ms, ms), 0).0
    }

    fn audio(&mut self, ms: i64) -> i64 {
        self.put(frame(Track::Audio, Kind::Key, ms, ms), 0).0
    }

    fn counts(&self) -> (u64, u64, u64) {
        let report = self.report();
        (report.leaps, report.steps_back, report.wraps)
    }
}

fn corrected() -> Timeline {
    Timeline::new(Times::Corrected)
}

fn run(timeline: &mut Timeline, sent: &[Sent]) -> Vec<i64> {
    sent.iter().map(|s| timeline.put(frame(s.track, Kind::Inter, s.stamp, s.stamp), s.arrival).0).collect()
}

/// Frames of one track that follow each other by these steps.
fn track(track: Track, start: i64, steps: &[i64]) -> Vec<Sent> {
    let sent = |at: &mut i64, step: &i64| {
        let now = *at;
        *at += step;
        Some(Sent { track, at: now, stamp: now, arrival: now })
    };
    steps.iter().scan(start, sent).collect()
}

/// Both tracks in order of arrival, sound arriving so much later than pictures of the same time.
fn mixed(mut sent: Vec<Sent>, audio: Vec<Sent>, skew: i64) -> Vec<Sent> {
    sent.extend(audio.into_iter().map(|s| Sent { arrival: s.arrival + skew, ..s }));
    sent.sort_by_key(|s| s.arrival);
    sent
}

/// 25 pictures and 46.875 blocks of sound a second.
fn regular(seconds: i64, skew: i64) -> Vec<Sent> {
    let video = track(Track::Video, 0, &vec![40; 25 * seconds as usize]);
    let sound = |n: i64| n * 64 / 3;
    let steps: Vec<i64> = (0..seconds * 46).map(|n| sound(n + 1) - sound(n)).collect();
    mixed(video, track(Track::Audio, 0, &steps), skew)
}

/// From true time `from` on, the source's clock shows so much more.
fn leap(sent: &mut [Sent], from: i64, by: i64) {
    sent.iter_mut().filter(|s| s.at >= from).for_each(|s| s.stamp += by);
}

fn monotonous(sent: &[Sent], placed: &[i64]) -> Result<(), TestCaseError> {
    for track in [Track::Audio, Track::Video] {
        let own = || sent.iter().zip(placed).filter(|(s, _)| s.track == track).map(|(_, at)| *at);
        prop_assert!(own().zip(own().skip(1)).all(|(a, b)| a <= b), "{track:?} goes back");
    }
    Ok(())
}

/// The furthest that a picture's shift is from that of the sound which the source had at that time.
fn apart(sent: &[Sent], placed: &[i64]) -> i64 {
    let shifts = |track| {
        let own = sent.iter().zip(placed).filter(move |(s, _)| s.track == track);
        own.map(|(s, at)| (s.at, at - s.at)).collect::<Vec<_>>()
    };
    let (audio, video) = (shifts(Track::Audio), shifts(Track::Video));
    let beside = |at: i64| audio[audio.partition_point(|a| a.0 < at).min(audio.len() - 1)].1;
    video.iter().map(|(at, shift)| (shift - beside(*at)).abs()).max().unwrap_or(0)
}

fn any_stamp() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -2000i64..2000, 2 => -100 * HOUR..100 * HOUR, 1 => any::<i64>()]
}

proptest! {
    #[test]
    fn decoding_times_never_decrease(
        input in prop::collection::vec((any::<bool>(), any_stamp(), -500i64..500, 0i64..100, any::<u8>()), 0..200),
    ) {
        let mut timeline = corrected();
        let (mut arrival, mut last) = (0, [Time::from_micros(i64::MIN); 2]);
        for (video, stamp, composition, wait, other) in input {
            if other < 8 {
                timeline.begin();
            }
            arrival += wait;
            let track = if video { Track::Video } else { Track::Audio };
            let composition = if video { composition } else { 0 };
            let mut frame = frame(track, Kind::Inter, stamp, stamp.saturating_add(composition));
            timeline.place(&mut frame, Time::from_millis(arrival));
            let last = &mut last[usize::from(video)];
            prop_assert!(frame.dts >= *last, "{:?} after {last:?}", frame.dts);
            *last = frame.dts;
        }
    }

    #[test]
    fn good_clocks_are_left_alone(
        start in select(vec![0, 5000, 24 * HOUR, 49 * 24 * HOUR]),
        pictures in prop::collection::vec(prop_oneof![20 => 8i64..=1000, 1 => 1000i64..10_000], 1..200),
        sound in prop::collection::vec(prop_oneof![50 => 2i64..=64, 1 => 64i64..10_000], 1..200),
        skew in -500i64..500,
        at_once: bool,
    ) {
        let mut sent =
            mixed(track(Track::Video, start, &pictures), track(Track::Audio, start, &sound), skew);
        if at_once {
            sent.iter_mut().for_each(|s| s.arrival = 0);
        }
        let mut timeline = corrected();
        let placed = run(&mut timeline, &sent);
        prop_assert_eq!(placed, sent.iter().map(|s| s.stamp).collect::<Vec<_>>());
        prop_assert_eq!((timeline.counts().0, timeline.counts().1), (0, 0));
        prop_assert_eq!(timeline.report().largest, Time::ZERO);
    }

    #[test]
    fn sound_and_pictures_leap_together(
        leaps in prop::collection::vec((2000i64..6000, 11_000i64..30 * 24 * HOUR, any::<bool>()), 1..6),
        skew in -300i64..300,
        start in 0i64..24 * HOUR,
    ) {
        let mut sent = regular(30, skew);
        sent.iter_mut().for_each(|s| s.stamp += start);
        let mut from = 0;
        for (after, by, back) in &leaps {
            from += after;
            leap(&mut sent, from, if *back { -by } else { *by });
        }
        let mut timeline = corrected();
        let placed = run(&mut timeline, &sent);
        monotonous(&sent, &placed)?;
        prop_assert!(apart(&sent, &placed) <= 3, "{} ms apart", apart(&sent, &placed));
        let made = leaps.iter().scan(0, |at, l| { *at += l.0; Some(*at) }).filter(|at| *at < 29_300).count();
        let (counted, lifted, wraps) = timeline.counts();
        prop_assert!(counted + wraps >= made as u64 && counted + wraps <= leaps.len() as u64);
        prop_assert!(lifted <= leaps.len() as u64, "{lifted} frames lifted"); // by the 1 ms that steps are rounded
    }

    #[test]
    fn frames_that_step_back_are_lifted_and_no_more(jitter in prop::collection::vec(-400i64..=400, 2..200)) {
        let stamps: Vec<i64> = jitter.iter().enumerate().map(|(n, j)| 1000 + n as i64 * 40 + j).collect();
        let mut timeline = corrected();
        let placed: Vec<i64> = stamps.iter().map(|&ms| timeline.video(ms)).collect();
        let mut newest = i64::MIN;
        for (&stamp, &at) in stamps.iter().zip(&placed) {
            let due = if stamp >= newest { stamp } else { newest + 1 };
            prop_assert_eq!(at, due);
            newest = at;
        }
        prop_assert_eq!(timeline.counts().0, 0);
    }

    #[test]
    fn clocks_that_wrap_go_on(bits in select(vec![31u32, 32]), before in 1000i64..5000, skew in -300i64..300) {
        let wrap = 1i64 << bits;
        let mut sent = regular(10, skew);
        sent.iter_mut().for_each(|s| {
            s.at += wrap - before;
            s.stamp = s.at % wrap;
        });
        let mut timeline = corrected();
        let placed = run(&mut timeline, &sent);
        prop_assert_eq!(placed, sent.iter().map(|s| s.at).collect::<Vec<_>>());
        prop_assert_eq!(timeline.counts(), (0, 0, 1));
    }
}

#[test]
fn a_clock_unwrapped_before_counts_its_wraps() {
    let mut timeline = corrected();
    let wrap = 1 << 32;
    let stamps = [wrap - 40, wrap, wrap + 40];
    assert_eq!(stamps.map(|ms| timeline.video(ms)), stamps);
    assert_eq!(timeline.audio(wrap - 20), wrap - 20);
    assert_eq!(timeline.audio(wrap + 1), wrap + 1);
    assert_eq!(timeline.counts(), (0, 0, 1));
}

#[test]
fn a_mpeg_ts_clock_wraps_at_33_bits() {
    let mut timeline = corrected();
    let end = Time::from_ticks(1 << 33, 90_000).millis();
    timeline.video(end - 40);
    timeline.video(end);
    assert!((end + 39..=end + 40).contains(&timeline.video(40)));
    assert_eq!(timeline.counts(), (0, 0, 1));
}

#[test]
fn half_a_minute_without_frames_is_real_when_it_passed() {
    let mut timeline = corrected();
    let still = |ms| frame(Track::Video, Kind::Key, ms, ms);
    assert_eq!(timeline.put(still(0), 0).0, 0);
    assert_eq!(timeline.put(still(30_000), 30_000).0, 30_000);
    assert_eq!(timeline.put(still(60_000), 58_000).0, 60_000);
    assert_eq!(timeline.put(still(90_000), 58_100).0, 60_033, "nobody waited for it");
    assert_eq!(timeline.counts(), (1, 0, 0));
    assert_eq!(timeline.report().largest, Time::from_millis(29_967));
}

#[test]
fn half_a_minute_without_pictures_is_real_when_there_was_sound() {
    let mut timeline = corrected();
    timeline.video(0);
    (0..1500).for_each(|n| assert_eq!(timeline.audio(n * 20), n * 20));
    assert_eq!(timeline.video(30_000), 30_000);
    assert_eq!(timeline.counts(), (0, 0, 0));
}

#[test]
fn one_wild_timestamp_does_not_stay() {
    let mut timeline = corrected();
    let (stamps, due) = ([0, 40, 80, 5 * HOUR, 160, 200], [0, 40, 80, 120, 160, 200]);
    assert_eq!(stamps.map(|ms| timeline.video(ms)), due);
    assert_eq!(timeline.counts().0, 2);

    let mut timeline = corrected();
    timeline.audio(0);
    assert_eq!(stamps.map(|ms| timeline.video(ms)), due, "with sound, too");
    assert_eq!(timeline.audio(21), 21);
}

#[test]
fn a_track_that_leaps_alone_stays_with_the_other() {
    let mut timeline = corrected();
    for n in 0..100 {
        let leapt = if n < 50 { 0 } else { HOUR };
        assert_eq!(timeline.audio(n * 40), n * 40);
        assert_eq!(timeline.video(n * 40 + leapt), n * 40);
    }
    assert_eq!(timeline.counts(), (1, 0, 0));
    assert_eq!(timeline.report().av_offset, Some(Time::ZERO));
}

#[test]
fn tracks_that_ended_apart_start_again_together() {
    let mut timeline = corrected();
    timeline.video(60_000);
    timeline.audio(60_000);
    timeline.audio(60_500); // sound ran ahead by half a second when the encoder started again
    assert_eq!(timeline.video(0), 60_033);
    assert_eq!(timeline.audio(0), 60_501, "not before the last sound");
    assert_eq!(timeline.video(40), 60_541, "and pictures wait for it");
    assert_eq!(timeline.audio(21), 60_522);
    assert_eq!(timeline.counts(), (1, 0, 0));
}

#[test]
fn a_track_with_a_clock_of_its_own_begins_beside_the_other() {
    let mut timeline = corrected();
    assert_eq!(timeline.video(24 * HOUR), 24 * HOUR);
    assert_eq!(timeline.audio(0), 24 * HOUR);
    assert_eq!(timeline.audio(21), 24 * HOUR + 21);
    assert_eq!(timeline.counts(), (1, 0, 0));
}

#[test]
fn pictures_keep_their_order_when_decoding_times_are_lifted() {
    let mut timeline = corrected();
    let mut put = |dts, pts| timeline.put(frame(Track::Video, Kind::Inter, dts, pts), 0);
    assert_eq!(put(1000, 1080), (1000, 1080));
    assert_eq!(put(940, 1160), (1001, 1160));
    assert_eq!(put(980, 1100), (1002, 1100));
    assert_eq!(put(1020, 1020), (1020, 1020));
    assert_eq!(put(1010, 1010), (1021, 1021), "never shown before it is decoded");
    assert_eq!(timeline.counts(), (0, 3, 0));
    assert_eq!(timeline.report().largest, Time::from_millis(61));
}

#[test]
fn configurations_and_scripts_move_no_clock() {
    let mut timeline = corrected();
    let config = |ms| frame(Track::Video, Kind::Config, ms, ms);
    let script = |ms| frame(Track::Script, Kind::Script, ms, ms);
    assert_eq!(timeline.put(script(0), 0).0, 0);
    assert_eq!(timeline.put(config(0), 0).0, 0);
    assert_eq!(timeline.video(24 * HOUR), 24 * HOUR, "a day is no leap at the start");
    assert_eq!(timeline.put(config(0), 0).0, 24 * HOUR);
    assert_eq!(timeline.put(script(0), 0).0, 24 * HOUR);
    assert_eq!(timeline.put(config(24 * HOUR + 40), 0).0, 24 * HOUR + 40);
    assert_eq!(timeline.video(24 * HOUR + 40), 24 * HOUR + 40);
    assert_eq!(timeline.counts(), (0, 0, 0));
}

#[test]
fn the_next_publisher_goes_on() {
    let mut timeline = corrected();
    timeline.video(5000);
    timeline.audio(5010);
    timeline.begin();
    assert_eq!(timeline.put(frame(Track::Video, Kind::Config, 0, 0), 0).0, 5010);
    assert_eq!(timeline.video(900), 5050);
    assert_eq!(timeline.audio(905), 5055);
    assert_eq!(timeline.counts(), (0, 0, 0));
}

#[test]
fn times_can_be_left_as_published() {
    let mut timeline = Timeline::new(Times::AsPublished);
    let stamps = [5000, 5040, HOUR, 5080, 4900];
    assert_eq!(stamps.map(|ms| timeline.video(ms)), stamps);
    timeline.begin();
    assert_eq!(timeline.video(0), HOUR + 40);
    assert_eq!(timeline.audio(HOUR), 2 * HOUR + 40, "both by as much");
    assert_eq!(timeline.counts(), (0, 0, 0));
}

#[test]
fn times_can_begin_at_zero() {
    let mut timeline = Timeline::new(Times::FromZero);
    assert_eq!(timeline.put(frame(Track::Audio, Kind::Config, HOUR, HOUR), 0).0, 0);
    assert_eq!(timeline.video(HOUR), 0);
    assert_eq!(timeline.audio(HOUR - 20), 0, "there is nothing before zero");
    assert_eq!(timeline.audio(HOUR + 1), 1);
    assert_eq!(timeline.video(3 * HOUR), 2 * HOUR);
    assert_eq!(timeline.video(HOUR), 0);
}

#[test]
fn absolute_times_stay_even_for_the_next_publisher() {
    let mut timeline = Timeline::new(Times::Absolute);
    assert_eq!(timeline.video(HOUR), HOUR);
    timeline.begin();
    assert_eq!(timeline.video(HOUR - 500), HOUR - 500);
    assert_eq!(timeline.audio(7), 7);
}

#[test]
fn a_publisher_can_ask_for_absolute_times_before_its_first_media() {
    let mut timeline = corrected();
    timeline.video(HOUR);
    timeline.keep_absolute();
    assert_eq!(timeline.video(0), HOUR + 33, "too late");
    timeline.begin();
    timeline.keep_absolute();
    assert_eq!(timeline.video(7), 7);
    timeline.begin();
    assert_eq!(timeline.video(0), HOUR + 73, "only that publisher's");
}

#[test]
fn the_report_tells_how_the_clocks_stand() {
    let mut timeline = corrected();
    assert_eq!(timeline.report(), TimelineReport::default());
    timeline.put(frame(Track::Video, Kind::Key, 1000, 1000), 50);
    assert_eq!((timeline.report().av_offset, timeline.report().drift), (None, Some(Time::ZERO)));
    timeline.put(frame(Track::Audio, Kind::Key, 900, 900), 60);
    timeline.put(frame(Track::Video, Kind::Inter, 3000, 3000), 1050);
    let report = timeline.report();
    assert_eq!(report.av_offset, Some(Time::from_millis(-2100)));
    assert_eq!(report.drift, Some(Time::from_millis(1000)));
}
