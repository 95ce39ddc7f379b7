//! SRT.

use std::time::Duration;

use crate::section::section;

section! {
    /// SRT listener (MPEG-TS payload).
    pub struct SrtServer {
        /// Enable SRT.
        enabled: bool = OnlyOn, "off", "R", X;
        /// UDP port (any address).
        listen: u16 = Port, "10080", "R", X;
        /// Most bandwidth for sending (SRTO_MAXBW); -1 unlimited, 0 derived from the input.
        maxbw: i64 = Int("B/s"), "-1", "R", X;
        /// Largest packet with its headers (SRTO_MSS).
        mss: u32 = Int("bytes"), "1500", "R", X;
        /// Limit of the handshake (SRTO_CONNTIMEO).
        connect_timeout: Duration = Millis, "3000", "R", X;
        /// A peer silent for so long is gone (SRTO_PEERIDLETIMEO).
        peer_idle_timeout: Duration = Millis, "10000", "R", X;
        /// App used when the stream id has no `/`.
        default_app: String = Text("str"), "live", "C", X;
        /// Least latency asked of the receiver (SRTO_PEERLATENCY).
        peerlatency: Duration = Millis, "0", "R", X;
        /// Latency when receiving (SRTO_RCVLATENCY).
        recvlatency: Duration = Millis, "120", "R", X;
        /// Sets the two above at once, before they are applied (SRTO_LATENCY).
        latency: Duration = Millis, "120", "R", X;
        /// Deliver packets at their time (SRTO_TSBPDMODE).
        tsbpdmode: bool = UnlessOff, "on", "R", X;
        /// Drop packets that come too late (SRTO_TLPKTDROP).
        tlpktdrop: bool = UnlessOff, "on", "R", X.formerly(&["srt_server.tlpkdrop"]);
        /// Send buffer (SRTO_SNDBUF).
        sendbuf: u32 = Int("bytes"), "12058624", "R", X;
        /// Receive buffer (SRTO_RCVBUF).
        recvbuf: u32 = Int("bytes"), "12058624", "R", X;
        /// Largest payload of a packet (SRTO_PAYLOADSIZE).
        payloadsize: u32 = Int("bytes"), "1316", "R", X;
        /// Encryption passphrase, 10 to 79 characters; empty for no encryption (SRTO_PASSPHRASE).
        passphrase: String = Text("str"), "", "R", X;
        /// Key length: 0, 16, 24 or 32; applied only with a passphrase (SRTO_PBKEYLEN).
        pbkeylen: u32 = Int(""), "0", "R", X;
        /// What a stream id without `#!::` asks for.
        default_mode: String = Choice(&["publish", "request"]), "request", "C", X.later();
        /// Stream id of a client that sends none.
        default_streamid: String = Text("stream id"), "#!::r=live/livestream,m=request", "C", X.later();
    }
    accepts {
        /// Accepted, never used.
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
