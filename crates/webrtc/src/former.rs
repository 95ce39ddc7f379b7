//! The ICE session before a restart: its checks are answered for a while, so that the peer keeps its old path until the
//! new session has one (RFC 8445 9; consent: RFC 7675).

use crate::keys;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::IceCreds;
use str0m::ice::StunMessage;

/// How long: after it a peer has given up a path that did not answer (RFC 7675 5.1).
const LASTING: Duration = Duration::from_secs(30);

/// Room for an answer to a check; one over IPv6 has 76 bytes.
const ANSWER_MAX: usize = 128;

/// Credentials of ours that a restart replaced.
#[derive(Debug)]
pub(crate) struct Former {
    credentials: IceCreds,
    until: Instant,
}

impl Former {
    pub(crate) fn new(credentials: IceCreds, now: Instant) -> Former {
        Former { credentials, until: now + LASTING }
    }

    /// The answer to a check from `from`, if it is one of the former session's.
    pub(crate) fn answer(&self, now: Instant, check: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let IceCreds { ufrag, pass } = &self.credentials;
        let hmac = keys::provider().sha1_hmac_provider;
        let sign = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
        let message = StunMessage::parse(check).ok()?;
        let own = message.is_binding_request() && message.split_username()?.0 == ufrag;
        if now > self.until || !own || !message.verify(pass.as_bytes(), sign) {
            return None;
        }
        let mut room = [0; ANSWER_MAX];
        let reply = StunMessage::binding_reply(message.trans_id(), from);
        let length = reply.to_bytes(Some(pass.as_bytes()), &mut room, sign).ok()?;
        room.get(..length).map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::ice::TransId;

    #[test]
    fn the_former_session_is_answered_for_a_while() {
        let now = Instant::now();
        let own = IceCreds { ufrag: "ours".into(), pass: "0123456789abcdefghijkl".into() };
        let former = Former::new(own.clone(), now);
        let from: SocketAddr = "192.0.2.9:5000".parse().unwrap();
        let hmac = keys::provider().sha1_hmac_provider;
        let check = |user: &str, password: &str| {
            let mut room = [0; 256];
            let message = StunMessage::binding_request(user, TransId::new(), true, 7, 9, true);
            let sign = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
            let length = message.to_bytes(Some(password.as_bytes()), &mut room, sign).unwrap();
            room[..length].to_vec()
        };
        let good = check("ours:them", &own.pass);
        let answer = former.answer(now, &good, from).unwrap();
        let answer = StunMessage::parse(&answer).unwrap();
        assert!(answer.is_successful_binding_response());
        assert_eq!(answer.mapped_address(), Some(from));
        assert!(answer.verify(own.pass.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts)));
        assert!(former.answer(now + LASTING * 2, &good, from).is_none());
        assert!(former.answer(now, &check("other:them", &own.pass), from).is_none());
        assert!(former.answer(now, &check("ours:them", "lkjihgfedcba9876543210"), from).is_none());
        assert!(former.answer(now, b"hello", from).is_none());
    }
}
