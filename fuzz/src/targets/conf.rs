//! Configuration: what was parsed prints to a text that parses to the same; loading never panics.

use headwater_conf::{Conf, Env, Source, parse, print};
use std::io;
use std::path::Path;

pub(super) fn run(data: &[u8]) {
    let no_files = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let Ok(statements) = parse("fuzz.conf", data, &no_files) else { return };
    let text = print(&statements);
    match parse("fuzz.conf", text.as_bytes(), &no_files) {
        Ok(again) => assert_eq!(print(&again), text, "printed and parsed again, it is another configuration"),
        Err(err) => assert!(data.len() > 4096, "printed, it no longer parses: {err}\n{text}"), // limits may be passed
    }
    if !text.contains("include") {
        // An include would read files of this machine.
        let _ = Conf::load(Source::Text { name: "fuzz.conf".to_owned(), text }, &Env::empty());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "listen 1935;\nmax_connections 1000;\nvhost __defaultVhost__ {\n}\n",
        "# comment\nlisten 1935 127.0.0.1:1936 [::1]:1937;\ndaemon off;\nsrs_log_tank console;\nhttp_api { enabled on; listen 1985; \
         auth { enabled on; username \"a b\"; password 'c;d'; } }\nhttp_server { enabled on; listen 8080; dir ./html; }\n",
        "listen 1935; vhost a.example { security { enabled on; allow play all; deny publish 10.0.0.0/8; } \
         refer { enabled on; all github.io; } play { gop_cache on; queue_length 10; mw_latency 350; } \
         hls { enabled on; hls_fragment 2.5; hls_window 60; hls_ts_file [app]/[stream]-[seq].ts; } }",
        "listen 1935; vhost b { transcode { enabled on; ffmpeg ./ffmpeg; engine x { enabled on; vfilter { v quiet; } \
         vcodec libx264; vparams { t 100; \"profile:v\" main; } output rtmp://127.0.0.1:[port]/[app]/[stream]; } } }",
        "listen\t1935;\r\nhttp_stream { enabled on; listen 8080; }\r\nvhost c { http { enabled on; mount [vhost]/; } }\r\n",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
