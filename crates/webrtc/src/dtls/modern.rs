//! DTLS with peers that are up to date. The state machine is dimpl's: it wants the time before each change, and a
//! complete drain after it.

use super::{Certificate, Machine, Outcome};
use crate::batch::Batch;
use crate::keys::Keys;
use dimpl::Output;
use std::time::Instant;

/// Room for a record and what it brings.
const ROOM: usize = 2048;

/// Outputs of one drain before the state machine is taken for broken; a flight is a dozen.
const DRAIN_MAX: usize = 1000;

/// A server's side.
pub(super) struct Modern {
    machine: dimpl::Dtls,
    deadline: Option<Instant>,
}

impl Modern {
    /// `None` under a certificate of RSA.
    pub(super) fn new(certificate: &Certificate, now: Instant) -> Option<Modern> {
        let config = certificate.modern.clone()?;
        Some(Modern { machine: dimpl::Dtls::new_12(config, certificate.own().clone(), now), deadline: None })
    }

    fn drain(&mut self, out: &mut Batch) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        let mut room = [0; ROOM];
        for _ in 0..DRAIN_MAX {
            match self.machine.poll_output(&mut room) {
                Output::Timeout(deadline) => {
                    self.deadline = Some(deadline);
                    return Ok(outcome);
                }
                Output::Packet(packet) => out.push(packet),
                Output::PeerCert(certificate) => outcome.certificate = Some(certificate.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    outcome.keys = Some(Keys { profile, material, active: false });
                }
                Output::Connected => {}
                Output::CloseNotify => outcome.closed = true,
                Output::ApplicationData(_) => {} // there are no data channels here
                other => return Err(format!("the DTLS state machine came to {other:?}")),
            }
        }
        Err("the DTLS state machine does not come to rest".to_owned())
    }
}

impl Machine for Modern {
    fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut Batch) -> Result<Outcome, String> {
        let taken = self.machine.handle_timeout(now).and_then(|()| self.machine.handle_packet(datagram));
        let outcome = self.drain(out)?; // whatever it made of it
        taken.map(|()| outcome).map_err(|error| failed(&error))
    }

    fn tick(&mut self, now: Instant, out: &mut Batch) -> Result<Outcome, String> {
        self.machine.handle_timeout(now).map_err(|error| failed(&error))?;
        self.drain(out)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn close(&mut self, out: &mut Batch) {
        if self.machine.close().is_ok() {
            self.drain(out).ok(); // it is over either way
        }
    }
}

fn failed(error: &dimpl::Error) -> String {
    format!("the DTLS handshake failed: {error}")
}
