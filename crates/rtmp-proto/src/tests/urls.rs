use crate::{NAME_MAX, RtmpUrl, UrlError};

/// URL, then vhost, app, stream, param.
const TABLE: [(&str, [&str; 4]); 15] = [
    ("rtmp://h/live/s", ["h", "live", "s", ""]),
    ("rtmp://h/live/s?k=v", ["h", "live", "s", "?k=v"]),
    ("rtmp://h/live/s?vhost=v.com&k=v", ["v.com", "live", "s", "?vhost=v.com&k=v"]),
    ("rtmp://h/live?vhost=v.com/s", ["v.com", "live", "s", "?vhost=v.com"]),
    ("rtmp://h/live...vhost...v.com/s", ["v.com", "live", "s", "?vhost=v.com"]),
    ("rtmp://h/live/s?domain=d.com", ["d.com", "live", "s", "?domain=d.com"]),
    ("rtmp://h/live/s?vhost=__defaultVhost__", ["__defaultVhost__", "live", "s", ""]),
    ("rtmp://h/live/sub/s", ["h", "live/sub", "s", ""]),
    ("rtmp://h/live/_definst_/s", ["h", "live", "s", ""]),
    ("rtmp://h/live/livestream/", ["h", "live", "livestream", ""]),
    ("rtmp://h/live/s?url=http://a/b", ["h", "live/s", "b", "?url=http://a"]),
    ("rtmp://h/live#k=v/s?a=b", ["h", "live", "s", "?a=b&k=v"]),
    ("rtmp://h//s", ["h", "__defaultApp__", "s", ""]),
    ("rtmp://h/ live /s \r\n", ["h", "live", "s", ""]),
    ("rtmp://h/a/b/c/", ["h", "a", "b/c", ""]),
];

#[test]
fn the_table_of_shapes() {
    for (url, expected) in TABLE {
        let (tc_url, stream) = url.rsplit_once('/').unwrap_or((url, ""));
        let parsed = RtmpUrl::parse(tc_url, stream).map(|u| [u.vhost, u.app, u.stream, u.param]);
        assert_eq!(parsed, Ok(expected.map(str::to_owned)), "{url}");
    }
}

#[test]
fn ports() {
    for (url, host, port) in [
        ("rtmp://h:19350/live", "h", 19350),
        ("rtmp://h/live", "h", 1935),
        ("rtmp://[::1]:1936/live", "[::1]", 1936),
        ("rtmp://[::1]/live", "[::1]", 1935),
        ("rtmp://h:x/live", "h", 1935),
    ] {
        let parsed = RtmpUrl::parse(url, "s").map(|u| (u.host, u.port));
        assert_eq!(parsed, Ok((host.to_owned(), port)), "{url}");
    }
}

#[test]
fn no_name_and_names_too_long_are_refused() {
    assert_eq!(RtmpUrl::parse("rtmp://h/live", ""), Err(UrlError::NoStream));
    let long = "x".repeat(NAME_MAX + 1);
    let fault = UrlError::TooLong { what: "stream name", bytes: NAME_MAX + 1, limit: NAME_MAX };
    assert_eq!(RtmpUrl::parse("rtmp://h/live", &long), Err(fault));
    assert!(RtmpUrl::parse("rtmp://h/live", &"x".repeat(1 << 20)).is_err());
}
