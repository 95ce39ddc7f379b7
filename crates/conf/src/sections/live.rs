//! Live streams and files over HTTP, and HTTP callbacks.

use std::path::PathBuf;
use std::time::Duration;

use crate::section::section;

section! {
    /// Static files per vhost.
    pub struct HttpStatic {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "R (mounted live for newly added vhosts)", S;
        /// URL mount; `[vhost]` variable; a trailing `/` is added.
        mount: String = Text("str"), "[vhost]/", "R", S;
        /// Directory; `[vhost]` variable.
        dir: PathBuf = Path, "./objs/nginx/html", "R", S;
    }
}

section! {
    /// Live streams over HTTP: FLV, TS, AAC, MP3.
    pub struct HttpRemux {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Audio burst cache for aac/mp3.
        fast_cache: Duration = FloatSeconds, "0", "C", S;
        /// FLV: drop A or V absent from the header flags.
        drop_if_not_match: bool = UnlessOff, "on", "C", S;
        /// Default audio flag (FLV header, TS PMT).
        has_audio: bool = UnlessOff, "on", "C", S;
        /// Default video flag.
        has_video: bool = UnlessOff, "on", "C", S;
        /// Guess flags from cached headers/frames.
        guess_has_av: bool = UnlessOff, "on", "C", S;
        /// URL template; its extension's container is waited for, the others are served while the stream is live.
        mount: String = Text("str"), "[vhost]/[app]/[stream].flv", "R", S;
    }
    accepts {
        /// Belongs to an older release.
        "hstrs" = Any, "", "-", U.older();
    }
}

section! {
    /// HTTP callbacks.
    pub struct HttpHooks {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "L", S;
        /// A client connected; RTMP and SRT only.
        on_connect: Vec<String> = List("url"), "", "L", S;
        /// A client connected; RTMP and SRT only.
        on_close: Vec<String> = List("url"), "", "L", S;
        /// Publish started.
        on_publish: Vec<String> = List("url"), "", "L", S;
        /// Publish ended.
        on_unpublish: Vec<String> = List("url"), "", "L", S;
        /// Play started.
        on_play: Vec<String> = List("url"), "", "L", S;
        /// Play ended.
        on_stop: Vec<String> = List("url"), "", "L", S;
        /// DVR file finished.
        on_dvr: Vec<String> = List("url"), "", "L", S;
        /// TS segment finished.
        on_hls: Vec<String> = List("url"), "", "L", S;
        /// GET per TS segment.
        on_hls_notify: Vec<String> = List("url template"), "", "L", S;
    }
}
