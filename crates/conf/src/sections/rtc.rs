//! WebRTC and RTSP.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::section::section;

section! {
    /// WebRTC server.
    pub struct RtcServer {
        /// Enable WebRTC.
        enabled: bool = OnlyOn, "off", "UDP socket R, API check L", S;
        /// UDP port; also the port written into candidates.
        listen: u16 = Port, "8000", "socket R, SDP port C", S;
        /// Which candidates go into the answer; any other text behaves like all. Not cross-checked with
        /// tcp.enabled.
        protocol: String = Choice(&["udp", "tcp", "all"]), "udp", "C", S;
        /// Exposed address: `*`/`0.0.0.0` = auto, `$NAME` = env var (falls back to `*`), else literal
        /// IP/host.
        candidate: String = Candidate, "*", "C", S;
        /// For `*`, add NIC addresses.
        use_auto_detect_network_ip: bool = UnlessOff, "on", "C", S;
        /// Filter for auto-detected addresses.
        ip_family: String = Choice(&["ipv4", "ipv6", "all"]), "ipv4", "C", S;
        /// Add the request host as candidate.
        api_as_candidates: bool = UnlessOff, "on", "C", S;
        /// Resolve that host name to an IP.
        resolve_api_domain: bool = UnlessOff, "on", "C", S;
        /// Also keep the unresolved name.
        keep_api_domain: bool = OnlyOn, "off", "C", S;
        /// DTLS certificate of ECDSA (P-256); off for one of RSA (2,048 bits).
        ecdsa: bool = UnlessOff, "on", "R", S;
        /// SRTP on play. Media are always encrypted (RFC 8827 6.5): off gets a warning at start, and a player that
        /// asks for `encrypt=false` is refused.
        encrypt: bool = UnlessOff, "on", "C", S;
        /// Number of SO_REUSEPORT UDP listeners. There is one for each worker, whatever this says.
        reuseport: u32 = Int(""), "1", "R", S;
        /// Merge NALUs into one RTP payload (RTMP to RTC). Small ones always share a packet as RFC 6184 has it
        /// (STAP-A), whatever this says.
        merge_nalus: bool = OnlyOn, "off", "C", S;
    }
    blocks {
        /// ICE-TCP.
        tcp: RtcTcp = X.open();
        /// Plaintext copy for debugging.
        black_hole: BlackHole = S.open().not_yet();
    }
    accepts {
        /// Belongs to an older release.
        "perf_stat" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "queue_length" = Any, "", "-", U.older();
        /// Accepted, never read.
        "dir" = Any, "", "-", U.no_env();
    }
}

section! {
    /// ICE-TCP.
    pub struct RtcTcp {
        /// Listen for WebRTC over TCP. If the port text equals http_server.listen or its https listen, the
        /// port is shared by peeking at the first bytes.
        enabled: bool = OnlyOn, "off", "R", X;
        /// TCP port.
        listen: u16 = Port, "8000", "socket R, SDP port C", X;
    }
}

section! {
    /// Plaintext copy for debugging.
    pub struct BlackHole {
        /// Copy decrypted packets.
        enabled: bool = OnlyOn, "off", "R", S;
        /// UDP destination.
        addr: String = Text("host:port"), "", "R", S;
    }
}

section! {
    /// Per-vhost WebRTC.
    pub struct VhostRtc {
        /// Allow WebRTC on the vhost.
        enabled: bool = OnlyOn, "off", "C", S;
        /// Ask for lost packets again, and answer such requests (NACK, with RTX).
        nack: bool = UnlessOff, "on", "C", S.formerly(&["vhost.nack.enabled"]);
        /// Share packet buffers in the NACK ring. They are always shared, whatever this says.
        nack_no_copy: bool = UnlessOff, "on", "C", S.formerly(&["vhost.nack.no_copy"]);
        /// Transport-wide congestion feedback.
        twcc: bool = UnlessOff, "on", "C", S.formerly(&["vhost.twcc.enabled"]);
        /// Session dies after this long without packets.
        stun_timeout: Duration = Seconds, "30", "C", S;
        /// Strict STUN validation. Requests are always checked by RFC 8445 7.3, whatever this says.
        stun_strict_check: bool = OnlyOn, "off", "C", S;
        /// Role when the offer is actpass.
        dtls_role: String = Choice(&["passive", "active"]), "passive", "C", S;
        /// DTLS version. All of them are DTLS 1.2; dtls1.0, which RFC 8996 forbids, gets a warning at start.
        dtls_version: String = Choice(&["auto", "dtls1.0", "dtls1.2"]), "auto", "C", S;
        /// Drop received RTP with this payload type; 0 none.
        drop_for_pt: u32 = Int(""), "0", "C", S;
        /// Bridge RTMP to RTC (AAC to Opus). Off + RTMP-only stream = play refused.
        rtmp_to_rtc: bool = OnlyOn, "off", "C", S;
        /// Keep B-frames when bridging.
        keep_bframe: bool = OnlyOn, "off", "C", S;
        /// Keep H.264 SEI NALUs.
        keep_avc_nalu_sei: bool = UnlessOff, "on", "C", S;
        /// Opus bitrate; outside 8000..320000 resets to default.
        opus_bitrate: u32 = Int("bit/s"), "48000", "C", S.range(8000.0, 320_000.0);
        /// Bridge RTC to RTMP (Opus to AAC).
        rtc_to_rtmp: bool = OnlyOn, "off", "C", X;
        /// PLI interval while bridging; outside 0.5..30 resets to 6.0.
        pli_for_rtmp: Duration = FloatSeconds, "6.0", "C", X.range(0.5, 30.0);
        /// AAC bitrate; same range rule.
        aac_bitrate: u32 = Int("bit/s"), "48000", "C", X.range(8000.0, 320_000.0);
        /// Keep the SSRC of the publisher towards players.
        keep_original_ssrc: bool = OnlyOn, "off", "C", X.later().not_yet();
        /// Begin to bridge by the clock rates of the offer, before sender reports come. That is always so, whatever
        /// this says.
        init_rate_from_sdp: bool = OnlyOn, "off", "C", X.later();
    }
    accepts {
        /// Legacy; rewritten to keep_bframe (`keep` to on, else off).
        "bframe" = Choice(&["keep", "discard"]), "", "-", D.no_env();
        /// Legacy; rewritten to rtmp_to_rtc (`transcode` to on, else off).
        "aac" = Choice(&["transcode", "discard"]), "", "-", D.no_env();
    }
}

section! {
    /// RTSP listener, for players.
    pub struct RtspServer {
        /// Start the listener.
        enabled: bool = OnlyOn, "off", "R", X;
        /// Endpoint.
        listen: Endpoint = Address, "8554", "R", X;
    }
}

section! {
    /// Per-vhost RTSP.
    pub struct VhostRtsp {
        /// Allow RTSP on the vhost.
        enabled: bool = OnlyOn, "off", "C", X;
        /// Let RTSP players have streams published by RTMP.
        rtmp_to_rtsp: bool = OnlyOn, "off", "C", X;
    }
}
