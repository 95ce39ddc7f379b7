mod amf;
mod conf;
mod flv;
mod http_head;
mod reader;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "reader", run: reader::run, seeds: reader::seeds },
    Target { name: "amf0", run: amf::run_amf0, seeds: amf::seeds_amf0 },
    Target { name: "amf3", run: amf::run_amf3, seeds: amf::seeds_amf3 },
    Target { name: "flv", run: flv::run, seeds: flv::seeds },
    Target { name: "conf", run: conf::run, seeds: conf::seeds },
    Target { name: "http_head", run: http_head::run, seeds: http_head::seeds },
];
