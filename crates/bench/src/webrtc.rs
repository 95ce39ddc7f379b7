//! WebRTC peers by the hundred: viewers by WHEP, publishers by WHIP.
//!
//! Every peer is a whole one: ICE as the controlling side, DTLS, SRTP by AES-GCM, receiver reports and transport-wide
//! feedback, on a UDP socket of its own. All of them live in one thread ([`crowd`]); what arrives is decrypted and
//! counted, and nothing is put together.

mod call;
pub(crate) mod cost;
mod crowd;
pub(crate) mod link;
pub(crate) mod packets;
pub(crate) mod play;
pub(crate) mod publish;
mod sender;
mod viewer;
