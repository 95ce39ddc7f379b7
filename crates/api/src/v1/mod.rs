//! One file a noun, in the order of the index. Each handler stands below its own documentation.

pub(crate) mod about;
pub(crate) mod clients;
pub(crate) mod clusters;
pub(crate) mod console;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod raw;
pub(crate) mod rtc;
pub(crate) mod streams;
pub(crate) mod tests;
pub(crate) mod vhosts;
