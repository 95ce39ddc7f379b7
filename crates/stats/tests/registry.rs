//! Statistics against a real hub: who is counted, when entries come and go, and what flows.
#![allow(clippy::unwrap_used, reason = "a world that cannot be set up fails its test")]

use headwater_hub::{Attached, Hub, Options, Publisher, Session, SessionId, SessionInfo, Stream, StreamName};
use headwater_stats::{
    ClientFilter, Identity, Page, Rate, Stats, StreamFilter, StreamStat, Traffic, VHOSTS_MAX,
};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ALL: Page = Page { start: 0, count: 1000 };

struct World {
    hub: Arc<Hub>,
    stats: Arc<Stats>,
}

impl World {
    fn new() -> World {
        let hub = Hub::new(|_| Options::default());
        let stats = Arc::new(Stats::new(Identity::generate(), headwater_stats::Options::default()));
        assert!(hub.observe(vec![stats.clone()]));
        World { hub, stats }
    }

    fn stream(&self, vhost: &str, stream: &str) -> Arc<Stream> {
        self.hub.stream(&StreamName::new(vhost, "live", stream).unwrap())
    }

    fn publish(&self, vhost: &str, stream: &str) -> Publisher {
        let stream = self.stream(vhost, stream);
        stream.publish(&session(stream.name(), "fmle-publish", true)).unwrap()
    }

    fn play(&self, vhost: &str, stream: &str) -> Attached {
        let stream = self.stream(vhost, stream);
        stream.attach(&session(stream.name(), "flv-play", false))
    }

    fn streams(&self) -> Vec<StreamStat> {
        self.stats.streams(&StreamFilter::default(), ALL).0
    }

    fn clients(&self, filter: ClientFilter) -> usize {
        let (items, total) = self.stats.clients(&filter, ALL);
        assert_eq!(items.len(), total);
        total
    }
}

fn session(name: &StreamName, kind: &'static str, publish: bool) -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind,
        publish,
        name: name.clone(),
        shown_name: name.stream().into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: format!("rtmp://h/{}", name.app()).into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

#[test]
fn a_stream_is_listed_while_somebody_is_there() {
    let world = World::new();
    let publisher = world.publish("v", "a");
    let player = world.play("v", "a");
    let stat = world.streams().remove(0);
    assert_eq!((stat.clients, stat.active), (2, true));
    assert_eq!(stat.publisher, Some(publisher.session().id()));
    assert_eq!(stat.publisher_kind, "fmle-publish");
    assert_eq!(&*stat.tc_url, "rtmp://h/live");
    assert_eq!(stat.snapshot().unwrap().players, 1);

    drop(publisher);
    let later = world.streams().remove(0);
    assert_eq!((&later.id, later.clients, later.active), (&stat.id, 1, false));
    assert_eq!(later.publisher, stat.publisher, "the latest publisher stays named");

    drop(player);
    assert!(world.streams().is_empty());
    assert!(world.stats.stream(&stat.id).is_none());
}

#[test]
fn a_vhost_appears_with_its_first_use_and_stays() {
    let world = World::new();
    assert!(world.stats.vhosts().is_empty());
    let player = world.play("v", "a");
    let other = world.play("v", "b");
    let vhost = world.stats.vhosts().remove(0);
    assert_eq!((&*vhost.name, vhost.clients, vhost.streams), ("v", 2, 2));
    drop((player, other));
    let vhost = world.stats.vhost(&vhost.id).unwrap();
    assert_eq!((vhost.clients, vhost.streams), (0, 0));
}

#[test]
fn traffic_of_those_who_left_still_counts() {
    let world = World::new();
    let publisher = world.publish("v", "a");
    publisher.session().received.add(1000);
    let player = world.play("v", "a");
    player.session().sent.add(700);
    player.session().received.add(3);
    let before = Traffic { received: 1003, sent: 700 };
    assert_eq!(world.streams()[0].traffic, before);
    drop(player);
    assert_eq!(world.streams()[0].traffic, before);
    drop(publisher);
    assert_eq!(world.stats.vhosts()[0].traffic, before);
    assert_eq!(world.stats.totals().traffic, before);
    assert_eq!(world.stats.totals().clients_total, 2);
    assert_eq!(world.stats.totals().clients, 0);
}

#[test]
fn rates_are_sampled_every_three_seconds() {
    let world = World::new();
    let start = Instant::now();
    world.stats.tick(start);
    let publisher = world.publish("v", "a");
    publisher.session().received.add(3_750_000); // 10 Mbit/s over 3 s
    world.stats.tick(start + Duration::from_secs(1));
    assert_eq!(world.streams()[0].rate, Rate::default(), "not due yet");
    world.stats.tick(start + Duration::from_secs(3));
    let client = world.stats.client(publisher.session().id().as_str()).unwrap();
    for rate in [world.streams()[0].rate, world.stats.vhosts()[0].rate, client.rate] {
        assert!((9_990..=10_100).contains(&rate.received_kbps), "{rate:?}");
        assert_eq!(rate.sent_kbps, 0);
    }
}

#[test]
fn pages_and_filters() {
    let world = World::new();
    let players: Vec<Attached> = (0..25).map(|n| world.play("v", &format!("s{}", n % 5))).collect();
    let publisher = world.publish("w", "s1");
    let page = |start, count| world.stats.clients(&ClientFilter::default(), Page { start, count });
    assert_eq!((page(0, 10).0.len(), page(0, 10).1), (10, 26));
    assert_eq!((page(20, 10).0.len(), page(30, 10).0.len()), (6, 0));
    let ids: Vec<SessionId> =
        world.stats.clients(&ClientFilter::default(), ALL).0.iter().map(|c| c.session.id()).collect();
    assert!(ids.is_sorted());

    let stream = |vhost: Option<&str>, stream: Option<&str>| StreamFilter {
        vhost: vhost.map(str::to_owned),
        app: Some("live".into()),
        stream: stream.map(str::to_owned),
    };
    let filter = |stream, kind: Option<&str>| ClientFilter { stream, kind: kind.map(str::to_owned) };
    assert_eq!(world.clients(filter(stream(None, Some("s1")), None)), 6);
    assert_eq!(world.clients(filter(stream(Some("w"), None), None)), 1);
    assert_eq!(world.clients(filter(StreamFilter::default(), Some("fmle-publish"))), 1);
    let id = world.stats.stream_id(publisher.stream().name()).unwrap();
    assert_eq!(world.clients(filter(stream(None, Some(&id)), None)), 1, "a stream may be named by its id");
    assert_eq!(world.stats.streams(&stream(Some("w"), None), ALL).1, 1);
    assert_eq!(world.stats.streams(&StreamFilter { app: Some("x".into()), ..Default::default() }, ALL).1, 0);
    assert_eq!(world.stats.client_count(publisher.stream().name()), 1);
    drop(players);
    assert_eq!(world.stats.totals().clients, 1);
}

#[test]
fn another_session_of_the_same_id_takes_its_place() {
    let world = World::new();
    let stream = world.stream("v", "a");
    let first = session(stream.name(), "hls-play", false);
    let second = Arc::new(Session::new(first.info().clone()));
    let one = stream.attach(&first);
    let two = stream.attach(&second);
    assert_eq!(world.stats.totals().clients, 1);
    drop(one);
    assert_eq!(world.stats.totals().clients, 1, "the one who left was no longer counted");
    drop(two);
    assert_eq!(world.stats.totals().clients, 0);
    assert!(world.streams().is_empty());
}

#[derive(Clone, Debug)]
enum Op {
    Play { vhost: u8, stream: u8 },
    Send { who: usize, bytes: u32 },
    Leave { who: usize },
    Tick,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0u8..2, 0u8..3).prop_map(|(vhost, stream)| Op::Play { vhost, stream }),
        4 => (0usize..20, any::<u32>()).prop_map(|(who, bytes)| Op::Send { who, bytes }),
        2 => (0usize..20).prop_map(|who| Op::Leave { who }),
        1 => Just(Op::Tick),
    ]
}

proptest! {
    /// Whatever comes and goes: streams are those with clients, and no byte is lost or counted twice.
    #[test]
    fn the_sums_agree(ops in prop::collection::vec(op(), 1..80)) {
        let world = World::new();
        let mut players: Vec<Attached> = Vec::new();
        let mut sent: HashMap<String, u64> = HashMap::new();
        let mut now = Instant::now();
        for op in ops {
            match op {
                Op::Play { vhost, stream } => players.push(world.play(&format!("v{vhost}"), &format!("s{stream}"))),
                Op::Send { who, bytes } if who < players.len() => {
                    let player = &players[who];
                    player.session().sent.add(bytes.into());
                    *sent.entry(player.stream().name().vhost().into()).or_default() += u64::from(bytes);
                }
                Op::Leave { who } if who < players.len() => drop(players.swap_remove(who)),
                Op::Tick => {
                    now += Duration::from_secs(3);
                    world.stats.tick(now);
                }
                Op::Send { .. } | Op::Leave { .. } => {}
            }
        }
        let mut names: Vec<StreamName> = players.iter().map(|p| p.stream().name().clone()).collect();
        names.sort();
        names.dedup();
        let mut listed: Vec<StreamName> = world.streams().into_iter().map(|s| s.name).collect();
        listed.sort();
        prop_assert_eq!(listed, names);
        prop_assert_eq!(world.streams().iter().map(|s| s.clients).sum::<usize>(), players.len());
        let vhosts = world.stats.vhosts();
        prop_assert_eq!(vhosts.iter().map(|v| v.clients).sum::<usize>(), players.len());
        prop_assert_eq!(vhosts.iter().map(|v| v.streams).sum::<usize>(), world.streams().len());
        for vhost in &vhosts {
            prop_assert_eq!(vhost.traffic.sent, sent.get(&*vhost.name).copied().unwrap_or_default());
        }
        prop_assert_eq!(world.stats.totals().traffic.sent, sent.values().sum::<u64>());
    }
}

#[test]
fn vhosts_are_bounded() {
    let world = World::new();
    let _player = world.play("kept", "a");
    (0..VHOSTS_MAX + 10).for_each(|n| drop(world.play(&format!("v{n}"), "a")));
    let vhosts = world.stats.vhosts();
    assert_eq!(vhosts.len(), VHOSTS_MAX);
    assert!(vhosts.iter().any(|vhost| &*vhost.name == "kept"), "one in use never goes");
}

#[test]
fn statistics_do_not_keep_idle_streams_in_the_hub() {
    let world = World::new();
    let publisher = world.publish("v", "a");
    let known = Arc::downgrade(publisher.stream());
    drop(publisher);
    assert_eq!(known.strong_count(), 1, "only the hub holds it");
}

#[test]
fn the_machine_is_sampled_when_asked_for() {
    let world = World::new();
    assert!(!world.stats.machine().ok);
    world.stats.tick(Instant::now());
    assert!(world.stats.machine().ok);
    let options = headwater_stats::Options { machine: false, disks: Vec::new() };
    let quiet = Stats::new(Identity::generate(), options);
    quiet.tick(Instant::now());
    assert!(!quiet.machine().ok);
}
