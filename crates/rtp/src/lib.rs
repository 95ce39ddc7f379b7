//! RTP (RFC 3550): frames to packets and back, for WebRTC, RTSP and GB28181.
//!
//! | piece | what it does |
//! | --- | --- |
//! | [`Packet`], [`Head`], [`Header`] | one packet: parse, write, header extensions (RFC 8285) |
//! | [`Packetizer`] | frames to payloads of at most the MTU, for every codec |
//! | [`Reorder`] | packets back in order, within a bound; says what is missing |
//! | [`Depacketizer`] | payloads to frames; a frame with a hole is dropped and said so |
//! | [`Clock`], [`Stamper`] | RTP timestamps of several sources to one timeline, and back |
//! | [`Reception`] | what a receiver reports |
//! | [`rtcp`] | sender and receiver reports, SDES, BYE, NACK, PLI, FIR, transport feedback |
//!
//! There is no encryption here (SRTP), no retransmission buffer, no congestion control and no SDP. Nothing opens a
//! socket, reads a clock or draws a random number: sequence numbers, timestamps and sources start where the caller
//! says.
//!
//! Payloads of a frame are pieces of the frame itself with a few bytes before them, kept in a buffer that is used
//! again ([`Payloads`]): no allocation a packet.

mod clock;
mod codec;
mod depacketize;
mod packet;
mod packetize;
mod payloads;
mod reception;
mod reorder;
pub mod rtcp;
mod sequence;
#[cfg(test)]
mod tests;

pub use clock::{Clock, Source, Stamper, Synced, ntp_from_micros};
pub use depacketize::{Damage, Depacketizer, Event, FRAME_MAX, Incoming, Unit};
pub use packet::{Extension, Head, Header, Packet, PacketError, is_rtcp};
pub use packetize::{Format, MTU_MIN, PacketizeError, Packetizer};
pub use payloads::{Payload, Payloads};
pub use reception::Reception;
pub use reorder::{Limits, Ordered, Pushed, Reorder};
pub use sequence::Sequence;
