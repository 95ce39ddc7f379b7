mod reader;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[Target { name: "reader", run: reader::run, seeds: reader::seeds }];
