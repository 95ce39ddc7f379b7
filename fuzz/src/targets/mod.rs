mod amf;
mod conf;
mod flv;
mod http_head;
mod mp4;
mod mpeg_ts;
mod reader;
mod rtmp;
mod session;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "reader", run: reader::run, seeds: reader::seeds },
    Target { name: "amf0", run: amf::run_amf0, seeds: amf::seeds_amf0 },
    Target { name: "amf3", run: amf::run_amf3, seeds: amf::seeds_amf3 },
    Target { name: "flv", run: flv::run, seeds: flv::seeds },
    Target { name: "mp4", run: mp4::run, seeds: mp4::seeds },
    Target { name: "mpeg_ts", run: mpeg_ts::run, seeds: mpeg_ts::seeds },
    Target { name: "rtmp_chunks", run: rtmp::run_chunks, seeds: rtmp::seeds_chunks },
    Target { name: "rtmp_handshake", run: rtmp::run_handshake, seeds: rtmp::seeds_handshake },
    Target { name: "rtmp_url", run: rtmp::run_url, seeds: rtmp::seeds_url },
    Target { name: "rtmp_server", run: session::run_server, seeds: session::seeds_server },
    Target { name: "rtmp_client", run: session::run_client, seeds: session::seeds_client },
    Target { name: "conf", run: conf::run, seeds: conf::seeds },
    Target { name: "http_head", run: http_head::run, seeds: http_head::seeds },
];
