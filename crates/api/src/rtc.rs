use crate::shapes::RtcSession;
use std::fmt;

/// WebRTC sessions; told by the server.
pub trait RtcSessions: fmt::Debug + Send + Sync {
    /// Those that are.
    fn live(&self) -> Vec<RtcSession>;

    /// Those that failed lately, oldest first; a few dozen at most.
    fn failed(&self) -> Vec<RtcSession>;
}
