//! What is refused: where it is said to be wrong, what is said, and the exit status.

use headwater_conf::{Conf, ConfError, Env, Host, Source};

fn refuse_with(source: Source, env: &[(&str, &str)]) -> (String, u8) {
    let env: Env = env.iter().copied().collect();
    match Conf::load(source, &env) {
        Ok(_) => panic!("this must be refused"),
        Err(error) => (error.to_string(), error.exit_status()),
    }
}

fn text(text: &str) -> Source {
    Source::Text { name: "test.conf".to_owned(), text: text.to_owned() }
}

/// Asserts that the text is refused with exit status 255 and a message that starts and goes on like this.
fn refused(config: &str, place: &str, what: &str) {
    let (message, status) = refuse_with(text(config), &[]);
    assert!(message.starts_with(place) && message.contains(what), "{config}\n{message}");
    assert_eq!(status, 255, "{message}");
}

#[test]
fn rule_1_an_empty_configuration() {
    refused("# nothing\n", "test.conf: ", "the configuration is empty");
}

#[test]
fn rule_2_an_unknown_root_directive() {
    refused(
        "listen 1935;\n  max_conections 5;",
        "test.conf:2:3: ",
        "unknown directive 'max_conections' in the root: did you mean 'max_connections'?",
    );
    refused("listen 1; pithy_print { }", "test.conf:1:11: ", "unknown directive 'pithy_print'");
    refused("listen 1; hls_fragment 5;", "test.conf:1:11: ", "'vhost.hls.hls_fragment' has that name");
}

#[test]
fn rule_3_an_unknown_child_of_a_block_whose_names_are_checked() {
    let root = [
        "http_api",
        "http_server",
        "srt_server",
        "heartbeat",
        "stats",
        "rtc_server",
        "exporter",
        "stream_caster",
        "rtmp",
        "rtmps",
        "console",
    ];
    for block in root {
        refused(
            &format!("listen 1; {block} {{ nonsense on; }}"),
            "test.conf:1:",
            &format!("unknown directive 'nonsense' in '{block}'"),
        );
    }
    for (block, path) in [
        ("http_api { raw_api", "http_api.raw_api"),
        ("http_api { auth", "http_api.auth"),
        ("stream_caster { sip", "stream_caster.sip"),
    ] {
        refused(&format!("listen 1; {block} {{ nonsense on; }} }}"), "test.conf:1:", &format!("in '{path}'"));
    }
    let vhost = [
        "dvr",
        "refer",
        "exec",
        "play",
        "cluster",
        "publish",
        "ingest",
        "http_static",
        "http_remux",
        "dash",
        "hls",
        "http_hooks",
        "forward",
        "security",
        "transcode",
        "rtc",
        "srt",
    ];
    for block in vhost {
        refused(
            &format!("listen 1; vhost v {{ {block} {{ nonsense on; }} }}"),
            "test.conf:1:",
            &format!("in 'vhost.{block}'"),
        );
    }
    refused("listen 1; vhost v { nonsense on; }", "test.conf:1:21", "in 'vhost'");
    refused(
        "listen 1; vhost v { transcode { engine e { nonsense on; } } }",
        "test.conf:1:",
        "in 'vhost.transcode.engine'",
    );
}

#[test]
fn blocks_whose_names_are_not_checked_take_any_with_a_warning() {
    let blocks = [
        "http_api { https { nonsense on; } }",
        "http_server { https { nonsense on; } }",
        "rtc_server { tcp { nonsense on; } }",
        "rtc_server { black_hole { nonsense on; } }",
        "threads { nonsense on; }",
        "circuit_breaker { nonsense on; }",
        "tencentcloud_cls { nonsense on; }",
        "tencentcloud_apm { nonsense on; }",
        "vhost v { ingest { input { nonsense on; } } }",
        "vhost v { ingest { engine { nonsense on; } } }",
        "vhost v { hds { nonsense on; } }",
    ];
    for block in blocks {
        let loaded = Conf::load(text(&format!("listen 1; {block}")), &Env::empty()).unwrap();
        let ignored =
            |what: &str| what.contains("unknown directive 'nonsense'") && what.contains("it is ignored");
        assert!(
            loaded.warnings.iter().any(|warning| ignored(&warning.what)),
            "{block}: {:?}",
            loaded.warnings
        );
    }
    for block in [
        "vhost v { bandcheck { nonsense on; } }",
        "vhost v { transcode { engine { vparams { nonsense on; } } } }",
    ] {
        Conf::load(text(&format!("listen 1; {block}")), &Env::empty()).unwrap();
    }
}

#[test]
fn rule_4_no_listener_or_one_that_cannot_be() {
    refused("vhost v { }", "test.conf: ", "no 'listen': write 'listen 1935;'");
    for word in ["0", "-1", "65536", "abc", "localhost:1935", "1.2.3.4:0", "[::1]", "1.2.3.4:"] {
        refused(
            &format!("listen 1936 {word};"),
            "test.conf:1:13: ",
            &format!("listen '{word}': write a port"),
        );
    }
    refused("rtmp {\n listen x;\n}", "test.conf:2:9: ", "listen 'x'");
    refused(
        "listen 1; http_api {\n enabled on; listen here; }",
        "test.conf:2:14: ",
        "http_api.listen: write a port",
    );
    let (message, _) = refuse_with(text("listen 1935;"), &[("SRS_LISTEN", "x")]);
    assert!(message.contains("no 'listen'"), "{message}");
}

#[test]
fn rule_5_a_heartbeat_faster_than_a_second() {
    refused(
        "listen 1; heartbeat { interval 0.5; }",
        "test.conf:1:23: ",
        "heartbeat.interval is shorter than a second",
    );
}

#[test]
fn rule_6_statistics_of_an_address_that_is_not_there() {
    refused("listen 1; stats { network -1; }", "test.conf:1:19: ", "cannot be negative");
    let conf = Conf::load(text("listen 1; stats { network 2; }"), &Env::empty()).unwrap().conf;
    let host = |count| Host { local_addresses: Some(count), open_files: None };
    assert!(conf.check_host(&host(3)).is_ok());
    let error = conf.check_host(&host(2)).unwrap_err();
    assert!(error.to_string().contains("this machine has 2") && error.exit_status() == 255, "{error}");
}

#[test]
fn rule_7_ports_that_are_shared_by_halves() {
    refused(
        "listen 1; http_api { listen 8080; https { listen 1; } } http_server { listen 8080; https { listen 2; } }",
        "test.conf:1:",
        "http_api and http_server share a port",
    );
    refused(
        "listen 1; http_api { https { listen 8088; } }",
        "test.conf:1:30: ",
        "http_api.https and http_server.https share a port",
    );
}

#[test]
fn rule_8_https_without_http() {
    refused("listen 1; http_api { https { enabled on; } }", "test.conf:1:30: ", "http_api.https needs");
    refused("listen 1; http_server { https { enabled on; } }", "test.conf:1:33: ", "http_server.https needs");
}

/// The language has no way to write an empty file name: an empty word is no word, so the default is used.
#[test]
fn rule_9_the_log_file_is_never_empty() {
    let conf = Conf::load(text("listen 1; srs_log_file \"\";"), &Env::empty()).unwrap().conf;
    assert_eq!(conf.log.file.as_os_str(), "./objs/srs.log");
}

#[test]
fn rule_10_two_http_remux_in_a_vhost() {
    refused(
        "listen 1; vhost v { http_remux { }\n http_remux { } }",
        "test.conf:2:2: ",
        "more than one http_remux",
    );
}

#[test]
fn rule_11_hls_beside_http_ts() {
    let config =
        |remux: &str| format!("listen 1; vhost v {{ hls {{ enabled on; }}\nhttp_remux {{ {remux} }} }}");
    refused(&config("enabled on; mount [vhost]/[app]/[stream].ts;"), "test.conf:2:26: ", "turn hls off");
    refused(&config("mount [vhost]/[app]/[stream].ts; enabled on;"), "test.conf:2:14: ", "turn hls off");
    Conf::load(text(&config("mount [vhost]/[app]/[stream].ts;")), &Env::empty()).unwrap();
}

#[test]
fn rule_12_forwarding_an_idle_stream() {
    refused(
        "listen 1; vhost v { publish { kickoff_for_idle 3; }\nforward { enabled on; destination h; } }",
        "test.conf:2:1: ",
        "kickoff_for_idle must be 0",
    );
}

#[test]
fn rule_13_two_ingests_of_one_id() {
    refused(
        "listen 1; vhost v { ingest a { } ingest b { }\ningest a { } }",
        "test.conf:2:1: ",
        "two ingests of the id 'a'",
    );
    refused("listen 1; vhost v { ingest { }\ningest { } }", "test.conf:2:1: ", "two ingests of the id ''");
}

#[test]
fn rule_14_a_child_process_that_goes_to_the_background() {
    refused("listen 1; asprocess on;", "test.conf:1:11: ", "asprocess needs 'daemon off;'");
    Conf::load(text("listen 1; asprocess on; daemon off;"), &Env::empty()).unwrap();
}

#[test]
fn rule_15_more_connections_than_open_files() {
    refused("listen 1; max_connections 0;", "test.conf:1:11: ", "must be at least 1");
    refused("listen 1; max_connections -5;", "test.conf:1:11: ", "must be at least 1");
    let conf = Conf::load(text("listen 1;"), &Env::empty()).unwrap().conf;
    let host = |limit| Host { open_files: Some(limit), local_addresses: None };
    let error = conf.check_host(&host(1024)).unwrap_err().to_string();
    assert!(
        error.contains("the limit is 1024")
            && error.contains("'max_connections 895;'")
            && error.contains("'ulimit -n 1129'"),
        "{error}"
    );
    assert!(conf.check_host(&host(1128)).is_err());
    assert!(conf.check_host(&host(1129)).is_ok());
    assert!(conf.check_host(&Host::default()).is_ok());
}

#[test]
fn rule_16_a_list_of_every_directive() {
    refused("listen 1;\nis_full on;", "test.conf", "remove is_full");
}

#[test]
fn rule_17_a_file_that_is_not_there() {
    let (message, status) = refuse_with(Source::File("/nonexistent/srs.conf".into()), &[]);
    assert!(message.contains("/nonexistent/srs.conf") && message.contains("-c"), "{message}");
    assert_eq!(status, 255);
    let (message, _) =
        refuse_with(Source::File("x.conf".into()), &[("SRS_CONFIG_FILE", "/nonexistent/other.conf")]);
    assert!(message.contains("/nonexistent/other.conf"), "{message}");
}

#[test]
fn an_included_file_that_is_not_there_has_its_own_exit_status() {
    let (message, status) = refuse_with(text("listen 1;\ninclude /nonexistent/a.conf;"), &[]);
    assert!(
        message.starts_with("test.conf:2:9: cannot read the included file /nonexistent/a.conf"),
        "{message}"
    );
    assert_eq!(status, 18);
}

#[test]
fn files_and_includes_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (main, part) = (dir.path().join("main.conf"), dir.path().join("part.conf"));
    std::fs::write(&part, "gop_cache off;").unwrap();
    std::fs::write(
        &main,
        format!("listen 1935;\r\nvhost v {{\r\n  play {{ include {}; }}\r\n}}\r\n", part.display()),
    )
    .unwrap();
    let conf = Conf::load(Source::File(main), &Env::empty()).unwrap().conf;
    assert!(!conf.vhost("v").unwrap().play.gop_cache);
    assert!(conf.to_text().contains("gop_cache off;") && !conf.to_text().contains("include"));
    assert!(!format!("{conf:?}").contains("gop_cache off;"));
}

#[test]
fn codes_are_those_of_the_baseline() {
    let error = Conf::load(text("x"), &Env::empty()).unwrap_err();
    assert!(matches!(error, ConfError::Syntax { .. }));
    assert_eq!((error.code(), error.exit_status()), (1023, 255));
}

#[test]
fn recordings_by_an_unknown_plan_or_in_an_unfit_format() {
    let config = |dvr: &str| format!("listen 1; vhost v {{\ndvr {{ {dvr} }} }}");
    refused(&config("enabled on; dvr_plan append;"), "test.conf:2:1: ", "write 'session' or 'segment'");
    refused(&config("enabled on; dvr_plan hourly;"), "test.conf:2:1: ", "3083");
    refused(&config("enabled on; dvr_format fmp4; dvr_path a.flv;"), "test.conf:2:1: ", "ends with '.flv'");
    refused(&config("enabled on; dvr_format flv; dvr_path a.mp4;"), "test.conf:2:1: ", "change one of them");
    Conf::load(text(&config("dvr_plan append;")), &Env::empty()).unwrap();
    Conf::load(text(&config("enabled on; dvr_format fmp4; dvr_path rec;")), &Env::empty()).unwrap();
}
