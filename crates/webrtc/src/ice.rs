//! ICE-lite (RFC 8445 2.5): checks are answered where they come from, and none are sent.
//!
//! After a restart the checks of the session before are answered for a while, so that the peer keeps its old path until
//! the new session has one (RFC 8445 9; consent: RFC 7675).

use crate::registry::IceNames;
use aws_lc_rs::hmac;
use rand::RngExt;
use rand::distr::Alphanumeric;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::ice::StunMessage;

/// How long a session before a restart is answered: after it a peer has given up a path that is silent (RFC 7675 5.1).
const LASTING: Duration = Duration::from_secs(30);

/// Room for an answer to a check; one over IPv6 has 76 bytes.
const ANSWER_MAX: usize = 128;

/// Lengths of our user name and password: 47 and 142 bits of chance; RFC 8445 5.3 wants 24 and 128.
const UFRAG: usize = 8;
const PASSWORD: usize = 24;

/// A user name with its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: Box<str>,
    pub(crate) password: Box<str>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

impl Credentials {
    pub(crate) fn random() -> Credentials {
        let text =
            |length| rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect::<String>();
        Credentials { ufrag: text(UFRAG).into(), password: text(PASSWORD).into() }
    }

    /// Whether a check knows the password.
    fn prove(&self, check: &StunMessage<'_>) -> bool {
        check.verify(self.password.as_bytes(), sign)
    }
}

/// Our side of a session's ICE.
#[derive(Debug)]
pub(crate) struct Ice {
    ours: Credentials,
    /// The peer's user name.
    remote: Box<str>,
    /// What a restart replaced, and until when it is answered.
    former: Option<(Credentials, Instant)>,
}

/// The answer to a check.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: SmallVec<[u8; ANSWER_MAX]>,
    /// Whether the check is one of the present session, so that its way is a way to the peer.
    pub(crate) present: bool,
    /// The peer chose this way (USE-CANDIDATE).
    pub(crate) chosen: bool,
}

impl Ice {
    pub(crate) fn new(ours: Credentials, remote: &str) -> Ice {
        Ice { ours, remote: remote.into(), former: None }
    }

    /// Our user name.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ours.ufrag
    }

    /// Both sides' user names.
    pub(crate) fn names(&self) -> IceNames {
        IceNames { local: self.ours.ufrag.clone(), remote: self.remote.clone() }
    }

    /// Begins anew; what we are called from now on.
    pub(crate) fn restart(&mut self, now: Instant, remote: &str) -> Credentials {
        let before = std::mem::replace(&mut self.ours, Credentials::random());
        self.former = Some((before, now + LASTING));
        self.remote = remote.into();
        self.ours.clone()
    }

    /// Whether a check is of the present session.
    pub(crate) fn is_proven(&self, check: &[u8]) -> bool {
        StunMessage::parse(check).is_ok_and(|check| self.is_present(&check))
    }

    fn is_present(&self, check: &StunMessage<'_>) -> bool {
        let named = check.split_username() == Some((&self.ours.ufrag, &self.remote));
        check.is_binding_request() && named && self.ours.prove(check)
    }

    /// The answer to a check from `from`; `None` for what is no check of this session's.
    pub(crate) fn answer(&self, now: Instant, check: &[u8], from: SocketAddr) -> Option<Answer> {
        let check = StunMessage::parse(check).ok()?;
        if self.is_present(&check) {
            return self.ours.answer(&check, from, true);
        }
        let (before, _) = self.former.as_ref().filter(|(_, until)| now <= *until)?;
        let own = check.is_binding_request() && check.split_username()?.0 == &*before.ufrag;
        if own && before.prove(&check) { before.answer(&check, from, false) } else { None }
    }
}

impl Credentials {
    fn answer(&self, check: &StunMessage<'_>, from: SocketAddr, present: bool) -> Option<Answer> {
        // We are controlled for good (RFC 8445 6.1.1): a peer that thinks it is as well has to change its mind.
        let conflict = check.ice_controlled().is_some();
        let reply = match conflict {
            true => StunMessage::binding_role_conflict_reply(check.trans_id()),
            false => StunMessage::binding_reply(check.trans_id(), from),
        };
        let mut bytes = SmallVec::from([0; ANSWER_MAX]);
        let length = reply.to_bytes(Some(self.password.as_bytes()), &mut bytes, sign).ok()?;
        bytes.truncate(length);
        Some(Answer {
            bytes,
            present: present && !conflict,
            chosen: present && !conflict && check.use_candidate(),
        })
    }
}

/// HMAC-SHA1 (RFC 8489 14.5).
fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().first_chunk().copied().unwrap_or_default() // SHA-1 has 20 bytes
}

/// Our user name in a binding request; `None` for everything else.
pub(crate) fn user(bytes: &[u8]) -> Option<String> {
    if !is_stun(bytes) {
        return None;
    }
    let message = StunMessage::parse(bytes).ok()?;
    message.is_binding_request().then_some(())?;
    message.split_username().map(|(local, _)| local.to_owned())
}

/// Whether a datagram is STUN (RFC 7983 7).
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|&first| first < 2) && bytes.len() >= 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::ice::TransId;

    fn from() -> SocketAddr {
        "192.0.2.9:5000".parse().unwrap()
    }

    fn check(user: &str, password: &str, controlling: bool) -> Vec<u8> {
        let mut room = [0; 256];
        let message = StunMessage::binding_request(user, TransId::new(), controlling, 7, 9, true);
        let length = message.to_bytes(Some(password.as_bytes()), &mut room, sign).unwrap();
        room[..length].to_vec()
    }

    fn own() -> Credentials {
        Credentials { ufrag: "ours".into(), password: "0123456789abcdefghijkl".into() }
    }

    #[test]
    fn checks_are_answered_by_who_knows_the_password() {
        let (now, ice) = (Instant::now(), Ice::new(own(), "them"));
        let good = check("ours:them", &own().password, true);
        assert!(ice.is_proven(&good));
        let answer = ice.answer(now, &good, from()).unwrap();
        assert!(answer.present && answer.chosen);
        let read = StunMessage::parse(&answer.bytes).unwrap();
        assert!(read.is_successful_binding_response() && own().prove(&read));
        assert_eq!(read.mapped_address(), Some(from()));
        let others = [
            check("ours:other", &own().password, true),
            check("other:them", &own().password, true),
            check("ours:them", "lkjihgfedcba9876543210", true),
            b"hello".to_vec(),
        ];
        for other in others {
            assert!(!ice.is_proven(&other) && ice.answer(now, &other, from()).is_none());
        }
    }

    #[test]
    fn a_peer_that_is_controlled_has_to_change_its_mind() {
        let ice = Ice::new(own(), "them");
        let answer = ice.answer(Instant::now(), &check("ours:them", &own().password, false), from()).unwrap();
        assert!(!answer.present && !answer.chosen);
        assert_eq!(StunMessage::parse(&answer.bytes).unwrap().error_code().unwrap().0, 487);
    }

    #[test]
    fn the_former_session_is_answered_for_a_while() {
        let (now, mut ice) = (Instant::now(), Ice::new(own(), "them"));
        let new = ice.restart(now, "again");
        let (old, fresh) = (
            check("ours:them", &own().password, true),
            check(&format!("{}:again", new.ufrag), &new.password, true),
        );
        let answer = ice.answer(now, &old, from()).unwrap();
        assert!(!answer.present && !answer.chosen && !ice.is_proven(&old));
        assert!(own().prove(&StunMessage::parse(&answer.bytes).unwrap()));
        assert!(ice.answer(now, &fresh, from()).unwrap().present);
        assert!(ice.answer(now + LASTING * 2, &old, from()).is_none());
        assert!(ice.answer(now + LASTING * 2, &fresh, from()).is_some());
    }

    #[test]
    fn names_are_as_ice_wants_them() {
        let (one, other) = (Credentials::random(), Credentials::random());
        assert!(crate::offer::is_ufrag(&one.ufrag) && crate::offer::is_password(&one.password));
        assert!(one.ufrag != other.ufrag && one.password != other.password);
        assert_eq!(user(&check("ours:them", "x", true)).as_deref(), Some("ours"));
        assert_eq!(user(b"hello"), None);
    }
}
