//! What differs between two configurations.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use headwater_conf::{Conf, Env, Source};

fn load(text: &str) -> Conf {
    let source = Source::Text { name: "test.conf".to_owned(), text: text.to_owned() };
    Conf::load(source, &Env::empty()).unwrap().conf
}

fn changes(before: &str, after: &str) -> Vec<String> {
    load(before).changes(&load(after)).into_iter().map(|change| change.name).collect()
}

#[test]
fn every_directive_that_is_written_differently_is_named_once() {
    let before =
        "listen 1935; max_connections 500; vhost __defaultVhost__ { hls { enabled on; hls_fragment 5; } }
                  vhost a.com { dvr { enabled on; } }";
    let after =
        "listen 1935 1936; max_connections 500; vhost __defaultVhost__ { hls { enabled on; } gop_cache off; }
                 vhost a.com { dvr { enabled on; dvr_apply live/a live/b; } }";
    let names =
        ["listen", "vhost __defaultVhost__ hls.hls_fragment", "vhost __defaultVhost__ play.gop_cache"];
    assert_eq!(changes(before, after), [&names[..], &["vhost a.com dvr.dvr_apply"]].concat());
    let paths = load(before).changes(&load(after));
    assert_eq!(paths.last().unwrap().path, "vhost.dvr.dvr_apply");
}

#[test]
fn another_way_to_write_the_same_is_no_change() {
    let plain = "listen 1935; vhost __defaultVhost__ { }";
    assert_eq!(changes(plain, "# a comment\nvhost __defaultVhost__ {} listen 1935;"), [""; 0]);
    let with_default = "listen 1935; max_connections 1000; utc_time on; vhost __defaultVhost__ { }";
    assert_eq!(changes(plain, with_default), ["utc_time"]);
}

#[test]
fn a_block_that_comes_or_goes_is_one_change() {
    let plain = "listen 1935; vhost __defaultVhost__ { }";
    let more = "listen 1935; vhost __defaultVhost__ { } vhost a.com { hls { enabled on; hls_fragment 3; } }";
    assert_eq!(changes(plain, more), ["vhost a.com"]);
    assert_eq!(changes(more, plain), ["vhost a.com"]);
}
