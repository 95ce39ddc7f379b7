//! Segments and recordings: HLS, DASH, HDS, DVR.

use std::path::PathBuf;
use std::time::Duration;

use crate::section::section;
use crate::sections::TimeJitter;
use crate::value::choice;

section! {
    /// HLS: playlists and segments. Served from memory; written to disk only if `hls_path` is set.
    pub struct Hls {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// Segment length.
        hls_fragment: Duration = FloatSeconds, "10", "A", S;
        /// Segment cut and initial TARGETDURATION = fragment × ratio.
        hls_td_ratio: f64 = Float(""), "1.0", "A", S;
        /// A segment without a keyframe to cut at is cut at fragment × ratio.
        hls_aof_ratio: f64 = Float(""), "2.1", "A", S;
        /// Playlist length.
        hls_window: Duration = FloatSeconds, "60", "A", S;
        /// Mux error policy; any other text = disconnect.
        hls_on_error: HlsOnError = Choice(HlsOnError::NAMES), "continue", "L", S;
        /// Directory the files are written to.
        hls_path: Option<PathBuf> = Path, "", "A", S;
        /// Playlist path under hls_path; with `[vhost]`, `[app]`, `[stream]` replaced.
        hls_m3u8_file: String = Text("template"), "[app]/[stream].m3u8", "A", S;
        /// Path of the segments; variables as `[app]`, `[stream]`, `[seq]`, `[timestamp]` and date parts are replaced.
        hls_ts_file: String = Text("template"), "[app]/[stream]-[seq].ts", "A", S;
        /// Base URL put before segment names.
        hls_entry_prefix: String = Text("str"), "", "A", S;
        /// `an` leaves the sound out; otherwise the stream's own codec is used.
        hls_acodec: String = Choice(&["aac", "mp3", "an"]), "aac", "A", S;
        /// `vn` leaves the pictures out; otherwise the stream's own codec is used.
        hls_vcodec: String = Choice(&["h264", "h265", "vn"]), "h264", "A", S;
        /// Delete expired segments.
        hls_cleanup: bool = UnlessOff, "on", "A", S;
        /// Delete all files after this idle time; 0 never.
        hls_dispose: Duration = Seconds, "120", "L", S;
        /// Cut only at keyframes.
        hls_wait_keyframe: bool = UnlessOff, "on", "A", S;
        /// `[timestamp]` = floor(unix time / fragment), one step per segment.
        hls_ts_floor: bool = OnlyOn, "off", "A", S;
        /// Bytes to read from an on_hls_notify reply.
        hls_nb_notify: u32 = Int("bytes"), "64", "L", S.not_yet();
        /// Per-viewer HLS session.
        hls_ctx: bool = UnlessOff, "on", "L", S;
        /// Add hls_ctx to each TS URI.
        hls_ts_ctx: bool = UnlessOff, "on", "L", S;
        /// AES-128 encryption; when present any value but `off` enables.
        hls_keys: bool = UnlessOff, "off", "A", S;
        /// Segments per key.
        hls_fragments_per_key: u32 = Int(""), "5", "A", S;
        /// Path of the key files.
        hls_key_file: String = Text("template"), "[app]/[stream]-[seq].key", "A", S;
        /// Directory the keys are written to.
        hls_key_file_path: Option<PathBuf> = Path, "", "A", S;
        /// Text put before the key path in EXT-X-KEY, without a separator.
        hls_key_url: String = Text("str"), "", "A", S;
        /// Audio DTS in TS: on = FLV timestamp, off = derived from counted AAC samples.
        hls_dts_directly: bool = UnlessOff, "on", "A", S;
        /// fMP4 segments instead of TS.
        hls_use_fmp4: bool = OnlyOn, "off", "A", X.later();
        /// Path of fMP4 segments.
        hls_fmp4_file: String = Text("template"), "[app]/[stream]-[seq].m4s", "A", X.later();
        /// Path of the fMP4 initialization section.
        hls_init_file: String = Text("template"), "[app]/[stream]/init.mp4", "A", X.later();
        /// Go on with the playlist when the stream is published again.
        hls_recover: bool = UnlessOff, "on", "A", X.later();
        /// Relative paths in the master playlist, for reverse proxies that move it.
        hls_master_m3u8_path_relative: bool = OnlyOn, "off", "L", X.later();
        /// Low-latency HLS beside the plain playlist, from memory.
        hls_ll: bool = UnlessOff, "on", "A", S.headwater();
        /// Path of the low-latency multivariant playlist; its media playlists, segments and parts are beside it.
        hls_ll_m3u8_file: String = Text("template"), "[app]/[stream]/ll.m3u8", "A", S.headwater();
        /// Low-latency segments end at the next key frame from here on.
        hls_ll_fragment: Duration = FloatSeconds, "2", "A", S.headwater();
        /// Longest part of a low-latency segment.
        hls_part: Duration = FloatSeconds, "0.365", "A", S.headwater();
        /// Suffixes: a live stream named as this one and a suffix is a variant of it in its multivariant playlists.
        hls_variants: Vec<String> = List("suffix"), "", "A", S.headwater();
    }
    accepts {
        /// Storage of releases before 3.0.
        "hls_storage" = Any, "", "-", U.no_env();
        /// Mount of releases before 3.0.
        "hls_mount" = Any, "", "-", U.no_env();
    }
}

section! {
    /// MPEG-DASH. Served from memory; written to disk only if `dash_path` is set.
    pub struct Dash {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", X;
        /// Segment length.
        dash_fragment: Duration = FloatSeconds, "10", "A", X;
        /// How often players look for a new MPD (`minimumUpdatePeriod`), at most half of what is kept.
        dash_update_period: Duration = FloatSeconds, "5", "A", X;
        /// Directory the files are written to.
        dash_path: Option<PathBuf> = Path, "", "A", X;
        /// MPD path; with `[vhost]`, `[app]`, `[stream]` replaced. Segments are in a folder `[stream]` beside it.
        dash_mpd_file: String = Text("template"), "[app]/[stream].mpd", "A", X;
        /// Segments listed in the MPD.
        dash_window_size: u32 = Int("segments"), "5", "A", X;
        /// Delete expired segments.
        dash_cleanup: bool = UnlessOff, "on", "A", X;
        /// Delete all files after this idle time; 0 never.
        dash_dispose: Duration = Seconds, "120", "L", X;
    }
    accepts {
        /// No effect, as in SRS: the MPD's timeShiftBufferDepth is what `dash_window_size` segments last.
        "dash_timeshift" = FloatSeconds, "300", "A", U;
    }
}

section! {
    /// Adobe HDS, for old players. Served from memory; written to disk only if `hds_path` is set.
    pub struct Hds {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", D;
        /// Fragment length.
        hds_fragment: Duration = FloatSeconds, "10", "A", D;
        /// Length of the window.
        hds_window: Duration = FloatSeconds, "60", "A", D;
        /// Directory the files are written to.
        hds_path: Option<PathBuf> = Path, "", "A", D;
    }
}

section! {
    /// Recording to files.
    pub struct Dvr {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// Which streams; exact `app/stream` match.
        dvr_apply: Vec<String> = List("all or app/stream"), "all", "A", S.no_env();
        /// One file per publish, or one per dvr_duration.
        dvr_plan: String = Choice(&["session", "segment"]), "session", "A", S;
        /// Path; no .flv/.mp4 suffix = directory, `/[stream].[timestamp].flv` (or `.mp4`) appended.
        dvr_path: String = Text("template"), "./objs/nginx/html/[app]/[stream].[timestamp].flv", "A", S;
        /// Format of the files: by the suffix of `dvr_path`, or `fmp4` for MP4 that stays fragmented.
        dvr_format: DvrFormat = Choice(DvrFormat::NAMES), "auto", "A", S.headwater();
        /// Segment plan length.
        dvr_duration: Duration = Seconds, "30", "A", S;
        /// Begin files, and cut those of the segment plan, at keyframes.
        dvr_wait_keyframe: bool = UnlessOff, "on", "A", S;
        /// Timestamp correction.
        time_jitter: TimeJitter = Choice(TimeJitter::NAMES), "full", "A", S;
    }
}

choice! {
    /// What happens to a publisher whose stream cannot be muxed.
    pub enum HlsOnError else Disconnect {
        /// Start the muxer again and go on.
        Continue = "continue",
        /// Stop HLS for this stream.
        Ignore = "ignore",
        /// Disconnect the publisher.
        Disconnect = "disconnect",
    }
}

choice! {
    /// How recordings are laid out.
    pub enum DvrFormat else Auto {
        /// As the suffix of `dvr_path` says; FLV without one.
        Auto = "auto",
        /// FLV.
        Flv = "flv",
        /// MP4 with one index.
        Mp4 = "mp4",
        /// Fragmented MP4.
        Fmp4 = "fmp4",
    }
}
