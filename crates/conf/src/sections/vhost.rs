//! Virtual hosts.

use crate::section::section;
use crate::sections::*;

section! {
    /// Virtual host; exact name match, else `__defaultVhost__`.
    pub struct Vhost named name {
        /// Off: every request for the vhost is refused.
        enabled: bool = UnlessOff, "on", "L for new clients", S.no_env().served();
        /// Low-latency mode: no merged-read, mw_msgs default 0.
        min_latency: Option<bool> = OnlyOn, "", "A", S.served();
        /// Send small packets at once (TCP_NODELAY).
        tcp_nodelay: bool = OnlyOn, "off", "A", S.served();
        /// RTMP chunk size for the vhost; the one of the root if absent.
        chunk_size: Option<u32> = Int("bytes"), "", "C", S.served();
        /// Window for acks this server sends; 0 = follow peer.
        in_ack_size: u32 = Int("bytes"), "0", "C", S.served();
        /// Window Ack Size sent to the peer; 0 = not sent.
        out_ack_size: u32 = Int("bytes"), "2500000", "C", S.served();
    }
    blocks {
        /// Per-vhost SRT.
        srt: VhostSrt = X;
        /// Per-vhost WebRTC.
        rtc: VhostRtc = S.served();
        /// Per-vhost RTSP.
        rtsp: VhostRtsp = X.later();
        /// Edge / origin cluster.
        cluster: Cluster = S.no_env();
        /// RTMP forwarding.
        forward: Forward = S.no_env();
        /// Player side.
        play: Play = S;
        /// Publisher side.
        publish: Publish = S;
        /// Page-URL check, RTMP only.
        refer: Refer = S.no_env().served();
        /// IP rules.
        security: Security = S.no_env().served();
        /// Run programs on publish.
        exec: Exec = S.no_env();
        /// Static files per vhost.
        http_static: HttpStatic = S.formerly(&["vhost.http"]);
        /// Live streams over HTTP: FLV, TS, AAC, MP3.
        http_remux: HttpRemux = S.served();
        /// HTTP callbacks.
        http_hooks: HttpHooks = S;
        /// HLS.
        hls: Hls = S.served();
        /// MPEG-DASH.
        dash: Dash = X.served();
        /// Adobe HDS.
        hds: Hds = D.open().served();
        /// Recording.
        dvr: Dvr = S.served();
        /// FFmpeg ingest. Ids must be unique within a vhost (empty id counts).
        ingests as "ingest": Vec<Ingest> = S.repeated().no_env();
        /// Transcoding by FFmpeg, for the whole vhost, or for `app` or `app/stream` if the block names it.
        transcodes as "transcode": Vec<Transcode> = S.repeated().no_env();
    }
    accepts {
        /// Accepted with any children, never read (removed feature).
        "bandcheck" = Any, "", "-", U.no_env().open();
    }
}
