//! SRT.

use std::time::Duration;

use crate::directive::section;

section! {
    /// SRT listener (MPEG-TS payload).
    pub struct SrtServer {
        /// Enable SRT.
        enabled: bool = OnlyOn, "off", "R", X;
        /// UDP port (any address).
        listen: u16 = Port, "10080", "R", X;
        /// SRTO_MAXBW; -1 unlimited, 0 derived from input bandwidth.
        maxbw: i64 = Int("B/s"), "-1", "R", X;
        /// SRTO_MSS.
        mss: u32 = Int("bytes"), "1500", "R", X;
        /// SRTO_CONNTIMEO.
        connect_timeout: Duration = Millis, "3000", "R", X;
        /// SRTO_PEERIDLETIMEO.
        peer_idle_timeout: Duration = Millis, "10000", "R", X;
        /// App used when the stream id has no `/`.
        default_app: String = Text("str"), "live", "C", X;
        /// SRTO_PEERLATENCY.
        peerlatency: Duration = Millis, "0", "R", X;
        /// SRTO_RCVLATENCY.
        recvlatency: Duration = Millis, "120", "R", X;
        /// SRTO_LATENCY (set before the two above).
        latency: Duration = Millis, "120", "R", X;
        /// SRTO_TSBPDMODE.
        tsbpdmode: bool = UnlessOff, "on", "R", X;
        /// SRTO_TLPKTDROP (legacy spelling tlpkdrop).
        tlpktdrop: bool = UnlessOff, "on", "R", X.formerly(&["srt_server.tlpkdrop"]);
        /// SRTO_SNDBUF.
        sendbuf: u32 = Int("bytes"), "12058624", "R", X;
        /// SRTO_RCVBUF.
        recvbuf: u32 = Int("bytes"), "12058624", "R", X;
        /// SRTO_PAYLOADSIZE.
        payloadsize: u32 = Int("bytes"), "1316", "R", X;
        /// SRTO_PASSPHRASE, 10..79 chars.
        passphrase: String = Text("str"), "", "R", X;
        /// SRTO_PBKEYLEN: 0, 16, 24, 32; applied only with a passphrase.
        pbkeylen: u32 = Int(""), "0", "R", X;
        /// What a stream id without `#!::` asks for.
        default_mode: String = Choice(&["publish", "request"]), "request", "C", X.later();
        /// Stream id of a client that sends none.
        default_streamid: String = Text("stream id"), "#!::r=live/livestream,m=request", "C", X.later();
    }
    accepts {
        /// Accepted; getter exists, nothing uses it.
        "sei_filter" = UnlessOff, "on", "-", U;
        /// Accepted, never read.
        "mix_correct" = Any, "", "-", U.no_env();
    }
}

section! {
    /// Per-vhost SRT.
    pub struct VhostSrt {
        /// Allow SRT on the vhost.
        enabled: bool = OnlyOn, "off", "C", X;
        /// Bridge SRT publish to RTMP (and on to RTC). When the directive is present only `on` enables it.
        srt_to_rtmp: bool = OnlyOn, "on", "C", X.env(&["SRS_VHOST_SRT_SRT_TO_RTMP", "SRS_VHOST_SRT_TO_RTMP"]);
    }
}
