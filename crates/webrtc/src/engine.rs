//! One peer's WebRTC state machine, and the contract by which it is driven.
//!
//! str0m asks for one change, then a complete drain, then the next change; two changes in a row lose packets without
//! a word. [`Engine`] is the only code that touches it, so the contract cannot be broken anywhere else.

use crate::keys::{self, Keys};
use std::net::SocketAddr;
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::error::RtcError;
use str0m::net::{DatagramSend, Protocol, Receive};
use str0m::{Event, IceCreds, Input, Output, Rtc};

/// Outputs of one drain before the state machine is taken for broken; a burst is a few hundred.
const DRAIN_MAX: usize = 100_000;

/// What a change made: filled by [`Engine`], emptied by whoever owns the sockets. Kept, so that its room is used again.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// In the order in which they are to be sent.
    pub(crate) datagrams: Vec<Datagram>,
    /// In the order in which they happened.
    pub(crate) events: Vec<Event>,
}

/// One datagram, ready for the network.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) protocol: Protocol,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: DatagramSend,
}

/// A peer's ICE, DTLS, SRTP and RTCP.
#[derive(Debug)]
pub(crate) struct Engine {
    rtc: Rtc,
    /// When it wants to be told the time again.
    deadline: Instant,
    keys: Option<Keys>,
}

impl Engine {
    pub(crate) fn new(rtc: Rtc, now: Instant) -> Engine {
        Engine { rtc, deadline: now, keys: None }
    }

    /// When [`Engine::tick`] is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Whether a datagram is this peer's: by its address, or for STUN by user name and message integrity.
    pub(crate) fn accepts(&self, now: Instant, received: Receive<'_>) -> bool {
        self.rtc.accepts(&Input::Receive(now, received))
    }

    /// Takes a datagram.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        received: Receive<'_>,
        out: &mut Outbox,
    ) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Receive(now, received))?;
        self.drain(out)
    }

    /// Tells the time.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(out)
    }

    /// Makes one change.
    pub(crate) fn change<T>(
        &mut self,
        out: &mut Outbox,
        change: impl FnOnce(&mut Rtc) -> T,
    ) -> Result<T, RtcError> {
        let made = change(&mut self.rtc);
        self.drain(out)?;
        Ok(made)
    }

    /// Answers an offer: the first one, or one that restarts ICE.
    pub(crate) fn answer(&mut self, offer: SdpOffer, out: &mut Outbox) -> Result<SdpAnswer, RtcError> {
        self.change(out, |rtc| rtc.sdp_api().accept_offer(offer))?
    }

    /// Our ICE user name and password.
    pub(crate) fn credentials(&mut self) -> IceCreds {
        self.rtc.direct_api().local_ice_credentials()
    }

    /// What SRTP's keys are made of, once after DTLS is through.
    pub(crate) fn take_keys(&mut self) -> Option<Keys> {
        self.keys.take()
    }

    /// Looks without changing anything.
    pub(crate) fn peek(&self) -> &Rtc {
        &self.rtc
    }

    fn drain(&mut self, out: &mut Outbox) -> Result<(), RtcError> {
        let drained = self.poll(out);
        self.keys = keys::take().or_else(|| self.keys.take());
        drained
    }

    fn poll(&mut self, out: &mut Outbox) -> Result<(), RtcError> {
        for _ in 0..DRAIN_MAX {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
                Output::Transmit(transmit) => out.datagrams.push(Datagram {
                    protocol: transmit.proto,
                    to: transmit.destination,
                    bytes: transmit.contents,
                }),
                Output::Event(event) => out.events.push(event),
            }
        }
        tracing::error!("a WebRTC state machine does not come to rest; its session is ended");
        self.rtc.disconnect();
        Ok(())
    }
}
