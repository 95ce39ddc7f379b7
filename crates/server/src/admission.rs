use headwater_conf::{Action as RuleAction, Conf, Refer, Security, Vhost};
use headwater_hub::{Action, Admission, Answer, Grant, Refusal, Request, StreamName};
use std::net::IpAddr;
use std::sync::Arc;

/// SRS's error numbers of the refusals made here (srs-interfaces 3.12).
mod code {
    pub(super) const NO_VHOST: u32 = 2014;
    pub(super) const BAD_NAME: u32 = 2051;
    pub(super) const REFER: u32 = 2015;
    pub(super) const DENIED: u32 = 1053;
    pub(super) const NOT_ALLOWED: u32 = 1054;
}

/// Today's policy: the vhost exists and is enabled, names are valid, `security` and `refer` let the client pass.
#[derive(Debug)]
pub struct Policy {
    conf: Arc<Conf>,
}

impl Policy {
    /// Decides by `conf`.
    pub fn new(conf: Arc<Conf>) -> Policy {
        Policy { conf }
    }

    fn decide(&self, request: &Request) -> Result<Grant, Refusal> {
        let vhost = self.conf.vhost(&request.vhost).ok_or_else(|| no_vhost(&request.vhost))?;
        let name = StreamName::new(&vhost.name, &request.app, &request.stream)
            .map_err(|e| Refusal { code: code::BAD_NAME, reason: e.to_string() })?;
        check_security(&vhost.security, request.action, request.peer)?;
        check_refer(vhost, request)?;
        Ok(Grant { name })
    }
}

impl Admission for Policy {
    fn ask<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(std::future::ready(self.decide(request)))
    }
}

fn no_vhost(asked: &str) -> Refusal {
    let shown: String = asked.chars().filter(|c| !c.is_control()).take(64).collect();
    let reason =
        format!("no vhost serves {shown:?}; add `vhost __defaultVhost__ {{ }}` or a vhost of that name");
    Refusal { code: code::NO_VHOST, reason }
}

/// Deny rules first, then allow rules; only rules about this action count. With allow rules and no match, or no rule at
/// all, the client is refused.
fn check_security(security: &Security, action: Action, peer: IpAddr) -> Result<(), Refusal> {
    if !security.enabled {
        return Ok(());
    }
    let applies = |a: RuleAction| match action {
        Action::Publish => a == RuleAction::Publish,
        Action::Play => a == RuleAction::Play,
    };
    let mut rules = security.rules.iter().filter(|r| applies(r.action));
    if rules.clone().any(|r| r.deny && r.who.matches(peer)) {
        return Err(Refusal {
            code: code::DENIED,
            reason: format!("address {peer} is denied by `security`"),
        });
    }
    let allowed = rules.any(|r| !r.deny && r.who.matches(peer));
    let has_allow = security.rules.iter().any(|r| !r.deny && applies(r.action));
    if allowed || (!has_allow && !security.rules.is_empty()) {
        return Ok(());
    }
    Err(Refusal { code: code::NOT_ALLOWED, reason: format!("address {peer} is not allowed by `security`") })
}

/// The referring page's host must be one of the configured domains or below one. Only RTMP clients tell their page.
fn check_refer(vhost: &Vhost, request: &Request) -> Result<(), Refusal> {
    let Refer { enabled, all, publish, play } = &vhost.refer;
    let tells_page =
        matches!(request.kind, "rtmp-play" | "fmle-publish" | "flash-publish" | "haivision-publish");
    if !enabled || !tells_page {
        return Ok(());
    }
    let by_action = match request.action {
        Action::Publish => publish,
        Action::Play => play,
    };
    let host = page_host(&request.page_url);
    let passes = |domains: &[String]| domains.is_empty() || domains.iter().any(|d| is_within(host, d));
    if passes(all) && passes(by_action) {
        return Ok(());
    }
    let reason = "the page that embeds the player is not allowed by `refer`".to_owned();
    Err(Refusal { code: code::REFER, reason })
}

fn page_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

/// A whole-label suffix: `evilgithub.com` is not within `github.com`.
fn is_within(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.');
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_conf::{Env, Source};
    use headwater_hub::SessionId;

    fn policy(vhost: &str) -> Policy {
        let text = format!(
            "listen 1935; max_connections 100; vhost __defaultVhost__ {{ {vhost} }} vhost off.com {{ enabled off; }}"
        );
        let loaded = Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap();
        Policy::new(Arc::new(loaded.conf))
    }

    fn request(action: Action, vhost: &str, stream: &str, peer: &str) -> Request {
        Request {
            action,
            kind: "rtmp-play",
            session: SessionId::random(),
            peer: peer.parse().unwrap(),
            vhost: vhost.into(),
            app: "live".into(),
            stream: stream.into(),
            param: String::new(),
            tc_url: "rtmp://h/live".into(),
            page_url: String::new(),
            swf_url: String::new(),
        }
    }

    fn code_of(policy: &Policy, request: &Request) -> u32 {
        policy.decide(request).err().map_or(0, |r| r.code)
    }

    #[test]
    fn unknown_hosts_fall_back_and_disabled_ones_do_not() {
        let policy = policy("");
        let granted = policy.decide(&request(Action::Play, "any.com", "a", "10.0.0.1")).unwrap();
        assert_eq!(granted.name.url(), "/live/a");
        assert_eq!(code_of(&policy, &request(Action::Play, "off.com", "a", "10.0.0.1")), 2014);
        assert_eq!(code_of(&policy, &request(Action::Play, "any.com", "..", "10.0.0.1")), 2051);
    }

    #[test]
    fn security_rules_of_one_action_leave_the_other_alone() {
        let policy = policy(
            "security { enabled on; deny publish 10.0.0.9; allow publish 10.0.0.0/8; allow play all; }",
        );
        assert_eq!(code_of(&policy, &request(Action::Publish, "h", "a", "10.1.2.3")), 0);
        assert_eq!(code_of(&policy, &request(Action::Publish, "h", "a", "10.0.0.9")), 1053);
        assert_eq!(code_of(&policy, &request(Action::Publish, "h", "a", "11.0.0.1")), 1054);
        assert_eq!(code_of(&policy, &request(Action::Publish, "h", "a", "::ffff:10.1.2.3")), 0);
        assert_eq!(code_of(&policy, &request(Action::Play, "h", "a", "11.0.0.1")), 0);
    }

    #[test]
    fn security_without_rules_denies() {
        let policy = policy("security { enabled on; }");
        assert_eq!(code_of(&policy, &request(Action::Play, "h", "a", "10.0.0.1")), 1054);
    }

    #[test]
    fn refer_wants_a_whole_label() {
        let policy = policy("refer { enabled on; all github.com; }");
        let with_page = |page: &str| {
            let mut r = request(Action::Play, "h", "a", "10.0.0.1");
            r.page_url = page.into();
            code_of(&policy, &r)
        };
        assert_eq!(with_page("http://www.github.com/x"), 0);
        assert_eq!(with_page("http://github.com:80"), 0);
        assert_eq!(with_page("http://evilgithub.com/"), 2015);
        assert_eq!(with_page("http://evil.com/github.com"), 2015);
        assert_eq!(with_page("http://github.com@evil.com/"), 2015);
        assert_eq!(with_page(""), 2015);
    }
}
