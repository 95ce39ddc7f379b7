//! One file a payload format: both directions.

pub(crate) mod aac;
pub(crate) mod av1;
pub(crate) mod av1c;
pub(crate) mod bits;
pub(crate) mod latm;
pub(crate) mod nal;
pub(crate) mod sound;
pub(crate) mod vp8;
pub(crate) mod vp9;
