mod amf;
mod conf;
mod flv;
mod http_head;
mod mp4;
mod mpd;
mod mpeg_ts;
mod playlist;
mod reader;
mod rtmp;
mod rtp;
mod session;
mod webrtc;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "reader", run: reader::run, seeds: reader::seeds },
    Target { name: "amf0", run: amf::run_amf0, seeds: amf::seeds_amf0 },
    Target { name: "amf3", run: amf::run_amf3, seeds: amf::seeds_amf3 },
    Target { name: "flv", run: flv::run, seeds: flv::seeds },
    Target { name: "mp4", run: mp4::run, seeds: mp4::seeds },
    Target { name: "playlist", run: playlist::run, seeds: playlist::seeds },
    Target { name: "mpd", run: mpd::run, seeds: mpd::seeds },
    Target { name: "mpeg_ts", run: mpeg_ts::run, seeds: mpeg_ts::seeds },
    Target { name: "rtmp_chunks", run: rtmp::run_chunks, seeds: rtmp::seeds_chunks },
    Target { name: "rtmp_handshake", run: rtmp::run_handshake, seeds: rtmp::seeds_handshake },
    Target { name: "rtmp_url", run: rtmp::run_url, seeds: rtmp::seeds_url },
    Target { name: "rtmp_server", run: session::run_server, seeds: session::seeds_server },
    Target { name: "rtmp_client", run: session::run_client, seeds: session::seeds_client },
    Target { name: "rtp", run: rtp::run, seeds: rtp::seeds },
    Target { name: "rtp_order", run: rtp::run_order, seeds: rtp::seeds_order },
    Target { name: "rtcp", run: rtp::run_rtcp, seeds: rtp::seeds_rtcp },
    Target { name: "rtp_h264", run: rtp::run_h264, seeds: rtp::seeds_h264 },
    Target { name: "rtp_hevc", run: rtp::run_hevc, seeds: rtp::seeds_hevc },
    Target { name: "rtp_av1", run: rtp::run_av1, seeds: rtp::seeds_av1 },
    Target { name: "rtp_vp9", run: rtp::run_vp9, seeds: rtp::seeds_vp9 },
    Target { name: "rtp_vp8", run: rtp::run_vp8, seeds: rtp::seeds_vp8 },
    Target { name: "rtp_aac", run: rtp::run_aac, seeds: rtp::seeds_aac },
    Target { name: "rtp_latm", run: rtp::run_latm, seeds: rtp::seeds_latm },
    Target { name: "conf", run: conf::run, seeds: conf::seeds },
    Target { name: "webrtc_offer", run: webrtc::run_offer, seeds: webrtc::seeds_offer },
    Target { name: "webrtc_fragment", run: webrtc::run_fragment, seeds: webrtc::seeds_fragment },
    Target { name: "webrtc_call", run: webrtc::run_call, seeds: webrtc::seeds_call },
    Target { name: "webrtc_stun", run: webrtc::run_stun, seeds: webrtc::seeds_stun },
    Target { name: "webrtc_red", run: webrtc::run_red, seeds: webrtc::seeds_red },
    Target { name: "http_head", run: http_head::run, seeds: http_head::seeds },
];
