//! Configurations of the kinds people run, and what they mean.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use headwater_conf::{
    Action, Conf, Endpoint, Env, Loaded, LogTank, Rule, Source, Threshold, TimeJitter, Who,
};

fn load_with(text: &str, env: &[(&str, &str)]) -> Loaded {
    let source = Source::Text { name: "test.conf".to_owned(), text: text.to_owned() };
    let env: Env = env.iter().copied().collect();
    match Conf::load(source, &env) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

fn load(text: &str) -> Conf {
    load_with(text, &[]).conf
}

fn warnings(text: &str) -> Vec<String> {
    load_with(text, &[]).warnings.iter().map(ToString::to_string).collect()
}

/// Loads, and nothing about it deserves a warning.
fn load_quietly(text: &str) -> Conf {
    let loaded = load_with(text, &[]);
    assert_eq!(loaded.warnings, [], "{text}");
    loaded.conf
}

#[test]
fn a_minimal_configuration_has_the_defaults_of_the_baseline() {
    let conf = load("listen 1935; vhost __defaultVhost__ { }");
    assert_eq!(conf.listen, [Endpoint::any(1935)]);
    assert_eq!((conf.chunk_size, conf.max_connections, conf.workers), (60000, 1000, 0));
    assert_eq!((conf.log.tank, conf.log.threshold()), (LogTank::File, Threshold::Info));
    assert_eq!(conf.pid, PathBuf::from("./objs/srs.pid"));
    assert_eq!(
        (conf.http_api.enabled, conf.http_server.enabled, conf.console.enabled),
        (false, false, false)
    );
    assert_eq!((conf.http_api.listen.port, conf.http_api.https.listen.port), (1985, 1990));
    assert_eq!((conf.http_server.listen.port, conf.http_server.https.listen.port), (8080, 8088));
    assert_eq!((conf.rtmps.listen.port, conf.console.https.listen.port), (1443, 2443));
    let vhost = conf.vhost("any.example").unwrap();
    assert!(
        vhost.play.gop_cache && vhost.publish.parse_sps && !vhost.hls.enabled && !vhost.http_remux.enabled
    );
    assert_eq!(vhost.play.mw_latency, None);
    assert_eq!(vhost.play.queue_length, Duration::from_secs(30));
    assert_eq!(vhost.publish.firstpkt_timeout, Duration::from_secs(20));
    assert_eq!(vhost.publish.normal_timeout, Duration::from_secs(5));
    assert_eq!((vhost.in_ack_size, vhost.out_ack_size, vhost.chunk_size), (0, 2_500_000, None));
    assert_eq!(vhost.hls.hls_path, None);
    assert_eq!(
        (vhost.hls.hls_fragment, vhost.hls.hls_window),
        (Duration::from_secs(10), Duration::from_secs(60))
    );
}

#[test]
fn the_embedded_configuration_serves_everything_quietly() {
    let loaded = Conf::load(Source::Embedded, &Env::empty()).unwrap();
    assert_eq!(loaded.warnings, []);
    let conf = loaded.conf;
    assert_eq!(conf.listen, [Endpoint::any(1935)]);
    assert!(conf.http_api.enabled && conf.http_server.enabled && conf.console.enabled && !conf.daemon);
    assert_eq!((conf.console.listen.port, conf.log.tank), (2022, LogTank::Console));
    let vhost = conf.vhost("anything").unwrap();
    assert!(vhost.http_remux.enabled && vhost.hls.enabled && vhost.hls.hls_path.is_none());
    assert_eq!((vhost.hls.hls_fragment.as_secs(), vhost.hls.hls_window.as_secs()), (2, 12));
    assert_eq!(Conf::embedded(), conf);
}

#[test]
fn variables_override_the_embedded_configuration() {
    let env = [
        ("SRS_LISTEN", "1936 [::1]:1937"),
        ("SRS_HTTP_API_LISTEN", "127.0.0.1:1999"),
        ("SRS_VHOST_HLS_ENABLED", "off"),
    ];
    let conf = Conf::load(Source::Embedded, &env.into_iter().collect()).unwrap().conf;
    assert_eq!(conf.listen, [Endpoint::any(1936), Endpoint { ip: Ipv6Addr::LOCALHOST.into(), port: 1937 }]);
    assert_eq!(conf.http_api.listen, Endpoint { ip: Ipv4Addr::LOCALHOST.into(), port: 1999 });
    assert!(!conf.vhost("x").unwrap().hls.enabled);
}

#[test]
fn realtime() {
    let conf = load_quietly(
        "listen 1935; max_connections 1000; daemon off; srs_log_tank console;
         vhost __defaultVhost__ {
             tcp_nodelay on;
             min_latency on;
             play { gop_cache off; queue_length 10; mw_latency 100; }
         }",
    );
    let vhost = conf.vhost("").unwrap();
    assert!(vhost.tcp_nodelay && vhost.min_latency == Some(true) && !vhost.play.gop_cache);
    assert_eq!(vhost.play.mw_latency, Some(Duration::from_millis(100)));
    assert_eq!(vhost.play.queue_length, Duration::from_secs(10));
}

#[test]
fn http_flv_and_hls() {
    let conf = load_quietly(
        "listen 1935; daemon off;
         http_server { enabled on; listen 8080; dir ./www; }
         vhost __defaultVhost__ {
             http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
             hls { enabled on; hls_fragment 0.5; hls_window 6; hls_path ./www; hls_cleanup off; }
         }",
    );
    assert_eq!(conf.http_server.dir, PathBuf::from("./www"));
    let hls = &conf.vhost("").unwrap().hls;
    assert_eq!((hls.hls_fragment, hls.hls_cleanup), (Duration::from_millis(500), false));
    assert_eq!(hls.hls_path, Some(PathBuf::from("./www")));
}

#[test]
fn https_and_rtmps() {
    let conf = load_quietly(
        "rtmp { listen 1935; chunk_size 4096; } daemon off;
         rtmps { enabled on; listen 1443; key ./k.pem; cert ./c.pem; }
         http_api { enabled on; listen 1985; https { enabled on; listen 1990; key ./k.pem; cert ./c.pem; } }
         http_server { enabled on; listen 8080; https { enabled on; listen 8088; } }
         vhost __defaultVhost__ { }",
    );
    assert_eq!((conf.listen.clone(), conf.chunk_size), (vec![Endpoint::any(1935)], 4096));
    assert_eq!((conf.rtmps.enabled, conf.rtmps.key.clone()), (true, PathBuf::from("./k.pem")));
    assert_eq!(conf.http_server.https.key, PathBuf::from("./conf/server.key"));
}

#[test]
fn an_api_on_the_port_of_the_http_server_shares_its_https_too() {
    let conf = load(
        "listen 1935; http_api { enabled on; listen 8080; }
         http_server { enabled on; listen 8080; https { enabled on; listen 8443; } }",
    );
    assert!(conf.api_shares_http_port());
    assert_eq!(conf.http_api.https.listen, Endpoint::any(8443));
}

#[test]
fn the_api_with_a_password() {
    let conf = load_quietly(
        "listen 1935; daemon off;
         http_api { enabled on; auth { enabled on; username admin; password 'a b;c'; } raw_api { enabled on; allow_reload on; } }",
    );
    assert_eq!((&*conf.http_api.auth.username, &*conf.http_api.auth.password), ("admin", "a b;c"));
    assert!(conf.http_api.auth.enabled && conf.http_api.raw_api.allow_reload);
}

#[test]
fn security_rules_keep_their_order_and_match_networks() {
    let conf = load_quietly(
        "listen 1935; daemon off; vhost __defaultVhost__ { security {
             enabled on; deny publish 10.1.2.3; allow play all; allow publish 10.0.0.0/8; deny play ::1;
         } }",
    );
    let rules = &conf.vhost("").unwrap().security.rules;
    let cidr = Who::Cidr(Ipv4Addr::new(10, 0, 0, 0), 8);
    assert_eq!(
        *rules,
        [
            Rule { deny: true, action: Action::Publish, who: Who::Ip(Ipv4Addr::new(10, 1, 2, 3).into()) },
            Rule { deny: false, action: Action::Play, who: Who::All },
            Rule { deny: false, action: Action::Publish, who: cidr },
            Rule { deny: true, action: Action::Play, who: Who::Ip(Ipv6Addr::LOCALHOST.into()) },
        ]
    );
    assert!(cidr.matches(IpAddr::from([10, 200, 1, 1])));
    assert!(cidr.matches(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().into()));
    assert!(!cidr.matches(IpAddr::from([11, 0, 0, 1])));
    assert!(Who::Cidr(Ipv4Addr::UNSPECIFIED, 0).matches(IpAddr::from([1, 2, 3, 4])));
}

#[test]
fn recording_plans() {
    let conf = load_quietly(
        "listen 1935; daemon off; vhost v { dvr {
             enabled on; dvr_apply live/a live/b; dvr_plan segment; dvr_duration 60; time_jitter zero;
         } }",
    );
    let dvr = &conf.vhost("v").unwrap().dvr;
    assert_eq!(
        (dvr.enabled, dvr.dvr_apply.len(), &*dvr.dvr_plan, dvr.dvr_duration.as_secs()),
        (true, 2, "segment", 60)
    );
}

#[test]
fn refer_lists() {
    let conf = load_quietly(
        "listen 1935; daemon off; vhost x { refer { enabled on; all a.com b.com; publish c.com; play d.com; } }",
    );
    let refer = &conf.vhost("x").unwrap().refer;
    assert_eq!((refer.enabled, refer.all.len(), &*refer.play), (true, 2, ["d.com".to_owned()].as_slice()));
    assert!(conf.vhost("y").is_none());
}

#[test]
fn dash_and_hds() {
    let conf = load_quietly(
        "listen 1935; daemon off; vhost x { dash { enabled on; dash_fragment 30; dash_update_period 150; dash_path ./objs; } hds { enabled on; hds_fragment 4; } }",
    );
    let (dash, hds) = (&conf.vhost("x").unwrap().dash, &conf.vhost("x").unwrap().hds);
    assert_eq!((dash.enabled, dash.dash_window_size, dash.dash_fragment.as_secs()), (true, 5, 30));
    assert_eq!(dash.dash_path.as_deref(), Some(std::path::Path::new("./objs")));
    assert_eq!((hds.enabled, hds.hds_fragment.as_secs(), hds.hds_window.as_secs()), (true, 4, 60));
}

/// What is not served yet loads, keeps its values, and says so once for the block.
#[test]
fn what_is_not_served_yet_loads_with_one_warning_for_its_block() {
    let cases = [
        (
            "vhost v { cluster { mode remote; origin 10.0.0.1:1935 10.0.0.2; protocol flv; } }",
            "vhost.cluster",
        ),
        ("vhost v { cluster { origin_cluster on; coworkers 127.0.0.1:9090; } }", "vhost.cluster"),
        ("vhost v { forward { enabled on; destination 127.0.0.1:19350; } }", "vhost.forward"),
        ("vhost v { http_hooks { enabled on; on_publish http://a/1 http://b/2; } }", "vhost.http_hooks"),
        (
            "vhost v { exec { enabled on; publish ffmpeg -i [url] -c copy out.flv; publish echo; } }",
            "vhost.exec",
        ),
        ("vhost v { srt { enabled on; srt_to_rtmp on; } }", "vhost.srt"),
        ("vhost v { rtsp { enabled on; rtmp_to_rtsp on; } }", "vhost.rtsp"),
        ("vhost v { http_static { enabled on; mount [vhost]/hls; dir ./www; } }", "vhost.http_static"),
        ("srt_server { enabled on; listen 10080; latency 20; default_mode publish; }", "srt_server"),
        (
            "stream_caster { enabled on; caster gb28181; output rtmp://127.0.0.1/live/[stream]; listen 9000; sip { enabled on; } }",
            "stream_caster",
        ),
        ("heartbeat { enabled on; interval 9.9; url http://127.0.0.1/; }", "heartbeat"),
        ("circuit_breaker { enabled on; high_threshold 90; }", "circuit_breaker"),
    ];
    for (text, block) in cases {
        let warnings = warnings(&format!("listen 1935;daemon off;{text}"));
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        let warning = warnings.first().unwrap();
        assert!(
            warning.starts_with("test.conf:1:") && warning.contains(&format!("'{block}' is not served")),
            "{warning}"
        );
    }
}

#[test]
fn a_block_that_is_off_needs_no_warning() {
    load_quietly(
        "listen 1935; daemon off; rtc_server { enabled off; listen 8000; } vhost v { dvr { dvr_plan session; } }",
    );
}

#[test]
fn ingest_and_transcode_keep_their_ffmpeg_options() {
    let conf = load(
        "listen 1935;
         vhost v {
             ingest camera {
                 enabled on; input { type stream; url rtsp://camera/1; } ffmpeg /usr/bin/ffmpeg;
                 engine { enabled off; perfile { rtsp_transport tcp; re; } output rtmp://127.0.0.1/live/c; }
             }
             transcode live {
                 enabled on; ffmpeg /usr/bin/ffmpeg;
                 engine hd { enabled on; vcodec libx264; vbitrate 1200; vfps 25; vfilter { -vf 'scale=640:-1'; } aparams { profile:a aac_low; } }
                 engine sd { enabled on; }
             }
         }",
    );
    let vhost = conf.vhost("v").unwrap();
    let ingest = vhost.ingests.first().unwrap();
    assert_eq!(
        (&*ingest.id, &*ingest.input.kind, &*ingest.input.url),
        ("camera", "stream", "rtsp://camera/1")
    );
    assert_eq!(ingest.engines.first().unwrap().perfile.0, ["-rtsp_transport", "tcp", "-re"]);
    let transcode = vhost.transcodes.first().unwrap();
    let [hd, sd] = transcode.engines.as_slice() else { panic!("two engines") };
    assert_eq!((&*transcode.scope, &*hd.name, hd.vbitrate, &*sd.name), ("live", "hd", 1200, "sd"));
    assert_eq!(hd.vfilter.0, ["-vf", "scale=640:-1"]);
    assert_eq!(hd.aparams.0, ["-profile:a", "aac_low"]);
}

#[test]
fn containers_are_configured_by_variables_alone() {
    let env: Env =
        [("SRS_LISTEN", "1935"), ("SRS_HTTP_API_ENABLED", "on"), ("SRS_VHOST_PLAY_MW_LATENCY", "50")]
            .into_iter()
            .collect();
    let loaded = Conf::load(Source::EnvOnly, &env).unwrap();
    assert_eq!(loaded.warnings, []);
    assert!(!loaded.conf.daemon && loaded.conf.http_api.enabled && loaded.conf.log.tank == LogTank::Console);
    assert_eq!(loaded.conf.vhost("a").unwrap().play.mw_latency, Some(Duration::from_millis(50)));
    let without = Conf::load(Source::EnvOnly, &Env::empty()).unwrap();
    assert!(without.conf.listen.is_empty());
    let set: Env = [("SRS_DAEMON", "on"), ("SRS_LOG_TANK", "file")].into_iter().collect();
    assert!(Conf::load(Source::EnvOnly, &set).unwrap().conf.daemon);
}

#[test]
fn the_first_variable_of_a_directive_that_is_set_wins_and_an_empty_one_is_none() {
    let text = "listen 1935; srs_log_level error;";
    assert_eq!(load_with(text, &[("SRS_SRS_LOG_LEVEL", "")]).conf.log.level, "error");
    assert_eq!(load_with(text, &[("SRS_LOG_LEVEL", "warn")]).conf.log.level, "warn");
    assert_eq!(
        load_with(text, &[("SRS_LOG_LEVEL", "warn"), ("SRS_SRS_LOG_LEVEL", "info")]).conf.log.level,
        "info"
    );
}

#[test]
fn the_chunk_size_variable_of_vhosts_overrides_the_root_too() {
    let conf = load_with(
        "listen 1; chunk_size 128; vhost a { chunk_size 256; }",
        &[("SRS_VHOST_CHUNK_SIZE", "512")],
    )
    .conf;
    assert_eq!((conf.chunk_size, conf.vhost("a").unwrap().chunk_size), (512, Some(512)));
    let conf =
        load_with("listen 1; chunk_size 128; vhost a { chunk_size 256; }", &[("SRS_CHUNK_SIZE", "512")]).conf;
    assert_eq!((conf.chunk_size, conf.vhost("a").unwrap().chunk_size), (512, Some(256)));
}

#[test]
fn candidates_may_name_variables() {
    let candidate = |text: &str, env: &[(&str, &str)]| {
        load_with(&format!("listen 1; rtc_server {{ candidate {text}; }}"), env).conf.rtc_server.candidate
    };
    assert_eq!(candidate("$CANDIDATE", &[("CANDIDATE", "1.2.3.4")]), "1.2.3.4");
    assert_eq!(candidate("$CANDIDATE", &[]), "*");
    assert_eq!(candidate("my.host", &[("MY_HOST", "5.6.7.8")]), "5.6.7.8");
    assert_eq!(candidate("192.168.1.1", &[]), "192.168.1.1");
    assert_eq!(candidate("*", &[("SRS_RTC_SERVER_CANDIDATE", "$EIP"), ("EIP", "9.9.9.9")]), "9.9.9.9");
}

#[test]
fn forms_of_releases_2_and_3_mean_what_their_modern_forms_mean() {
    let old = load(
        "listen 1935;
         http_stream { enabled on; listen 8081; }
         srt_server { tlpkdrop off; }
         stream_caster { host 1.2.3.4; tcp_enable on; sip { serial 34; realm 3402; } }
         vhost v {
             http { enabled on; dir ./www; }
             http_remux { enabled on; hstrs on; }
             refer a.com b.com; refer_play c.com; refer_publish d.com;
             mr { enabled on; latency 100; }
             publish_1stpkt_timeout 1000; publish_normal_timeout 2000;
             time_jitter zero; mix_correct on; atc on; atc_auto on; mw_latency 200; gop_cache off;
             gop_cache_max_frames 100; queue_length 5; send_min_interval 1.5; reduce_sequence_header on;
             forward h1 h2;
             mode remote; origin o1 o2; token_traverse on; vhost same; debug_srs_upnode off;
             nack { enabled off; no_copy off; } twcc { enabled off; }
             rtc { aac transcode; bframe keep; }
         }",
    );
    let new = load(
        "listen 1935;
         http_server { enabled on; listen 8081; }
         srt_server { tlpktdrop off; }
         stream_caster { sip { candidate 1.2.3.4; } }
         vhost v {
             http_static { enabled on; dir ./www; }
             http_remux { enabled on; }
             refer { enabled on; all a.com b.com; play c.com; publish d.com; }
             publish { mr on; mr_latency 100; firstpkt_timeout 1000; normal_timeout 2000; }
             play { time_jitter zero; mix_correct on; atc on; atc_auto on; mw_latency 200; gop_cache off;
                 gop_cache_max_frames 100; queue_length 5; send_min_interval 1.5; reduce_sequence_header on; }
             forward { enabled on; destination h1 h2; }
             cluster { mode remote; origin o1 o2; token_traverse on; vhost same; debug_srs_upnode off; }
             rtc { nack off; nack_no_copy off; twcc off; rtmp_to_rtc on; keep_bframe on; }
         }",
    );
    assert_eq!(old, new);
    let play = &old.vhost("v").unwrap().play;
    assert_eq!((play.time_jitter, play.send_min_interval), (TimeJitter::Zero, Duration::from_micros(1500)));
}

#[test]
fn an_older_form_is_named_with_the_form_of_today() {
    let warnings = warnings("listen 1935;\ndaemon off;\nvhost v {\n    gop_cache off;\n}");
    assert_eq!(warnings, ["test.conf:4:5: 'gop_cache' is an older form: write vhost.play.gop_cache"]);
}

#[test]
fn a_disabled_vhost_is_not_replaced_by_the_default_one() {
    let conf = load("listen 1; vhost a { enabled off; } vhost __defaultVhost__ { } vhost a { }");
    assert!(conf.vhost("a").is_none());
    assert_eq!(conf.vhost("b").unwrap().name, "__defaultVhost__");
    assert_eq!(conf.vhosts().len(), 3);
}

#[test]
fn odd_values_load_as_ever_with_a_warning_that_shows_what_is_used() {
    let cases = [
        ("hls { enabled on; hls_fragment abc; }", "'hls_fragment abc' is not a number: 0 is used"),
        ("hls { enabled on; hls_window 60s; }", "'hls_window 60s' is not a number: 60 is used"),
        ("hls { enabled yes; }", "'enabled yes' is neither on nor off: off is used"),
        ("play { gop_cache no; }", "'gop_cache no' is neither on nor off: on is used"),
        ("play { queue_length -3; }", "'queue_length -3' is negative: 0 is used"),
        (
            "hls { hls_on_error stop; }",
            "'hls_on_error stop' is none of continue, ignore, disconnect: disconnect is used",
        ),
        ("out_ack_size -1;", "'out_ack_size -1' is out of range: 0 is used"),
        ("chunk_size 100;", "chunk_size 100 is outside 128 to 65536"),
        (
            "play { gop_cache on; gop_cache off; }",
            "a second 'gop_cache' in the same block is ignored; the first is at test.conf:1:41",
        ),
        ("security { enabled on; deny publish somebody; }", "that rule matches nobody"),
    ];
    for (inner, expected) in cases {
        let warnings = warnings(&format!("listen 1;daemon off;vhost v {{    {inner} }}"));
        assert!(
            warnings.len() == 1 && warnings.iter().any(|warning| warning.contains(expected)),
            "{inner}: {warnings:?}"
        );
    }
}

#[test]
fn durations_have_the_unit_of_their_directive() {
    let conf = load(
        "listen 1; heartbeat { interval 9.9; } grace_start_wait 50; first_wait_for_qlv 3;
         vhost v { play { send_min_interval 0.5; } publish { kickoff_for_idle 0.25; } rtc { pli_for_rtmp 31; opus_bitrate 9000; } }",
    );
    assert_eq!(conf.heartbeat.interval, Duration::from_secs(9));
    assert_eq!(
        (conf.grace_start_wait, conf.first_wait_for_qlv),
        (Duration::from_millis(50), Duration::from_secs(3))
    );
    let vhost = conf.vhost("v").unwrap();
    assert_eq!(vhost.play.send_min_interval, Duration::from_micros(500));
    assert_eq!(vhost.publish.kickoff_for_idle, Duration::from_millis(250));
    assert_eq!((vhost.rtc.pli_for_rtmp, vhost.rtc.opus_bitrate), (Duration::from_secs(6), 9000));
}

#[test]
fn log_levels_of_both_kinds() {
    let threshold = |text: &str| load(&format!("listen 1; {text}")).log.threshold();
    assert_eq!(threshold("srs_log_level verbose;"), Threshold::Trace);
    assert_eq!(threshold("srs_log_level info;"), Threshold::Debug);
    assert_eq!(threshold("srs_log_level_v2 info;"), Threshold::Info);
    assert_eq!(threshold("srs_log_level error; srs_log_level_v2 trace;"), Threshold::Trace);
    assert_eq!(threshold("srs_log_level nonsense;"), Threshold::Off);
}

#[test]
fn the_foreground_is_explained() {
    let warnings = warnings("listen 1935; vhost v { }");
    assert!(
        warnings.len() == 1 && warnings.iter().any(|warning| warning.contains("stays in the foreground")),
        "{warnings:?}"
    );
}

#[test]
fn a_misspelt_variable_is_noticed_and_a_foreign_one_is_not() {
    let warnings = |name: &str| load_with("listen 1; daemon off;", &[(name, "on")]).warnings;
    let near = warnings("SRS_VHOST_HLS_ENABLE");
    assert!(
        near.len() == 1 && near.iter().any(|warning| warning.what.contains("SRS_VHOST_HLS_ENABLED")),
        "{near:?}"
    );
    assert_eq!(warnings("SRS_PORT_1935_TCP_ADDR"), []);
    assert_eq!(warnings("SRS_DEVICE_IP"), []);
    assert_eq!(warnings("SRS_CIRCUIT_BREAKER_ENABLED").len(), 1);
}

#[test]
fn a_directive_without_effect_is_mentioned_if_it_asks_for_something_else() {
    load_quietly("listen 1; daemon off; http_api { enabled on; crossdomain on; }");
    let warnings = warnings("listen 1; daemon off; http_api { enabled on; crossdomain off; }");
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("'http_api.crossdomain' is accepted for compatibility")),
        "{warnings:?}"
    );
}

#[test]
fn of_two_blocks_of_one_name_the_first_is_used() {
    let text = "listen 1; daemon off; vhost v { play { gop_cache off; } play { gop_cache on; } } vhost v { enabled off; }";
    assert!(!load(text).vhost("v").unwrap().play.gop_cache);
    let warnings = warnings(text);
    assert!(
        warnings.len() == 2 && warnings.iter().all(|warning| warning.contains("is ignored")),
        "{warnings:?}"
    );
}
