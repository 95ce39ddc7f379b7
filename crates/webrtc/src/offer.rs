//! What an offer's lines tell before anything is made of it: whether it can be answered, and which of them count.
//!
//! Everything here is one pass over at most [`OFFER_MAX`] bytes, so that an offer made to be expensive is not.

use headwater_conf::VhostRtc;
use headwater_hub::Action;
use std::collections::{HashMap, HashSet};

/// Longest offer, in bytes; Chromium's with every codec has 10,000.
pub(crate) const OFFER_MAX: usize = 64 * 1024;

/// Most lines; Chromium's offer of camera and microphone has 300.
const LINES_MAX: usize = 2000;

/// Most media sections.
const SECTIONS_MAX: usize = 16;

/// SSRCs of a section that count; browsers name one, or three of simulcast.
const SOURCES_MAX: usize = 8;

/// Most payload types of a section: all there are.
const PAYLOAD_TYPES_MAX: usize = 128;

/// Why an offer cannot be answered, if that can be told by its lines.
pub(crate) fn check(offer: &str, action: Action) -> Result<(), String> {
    if offer.len() > OFFER_MAX {
        return Err("it is longer than 64 KiB".into());
    }
    if offer.lines().nth(LINES_MAX).is_some() {
        return Err(format!("it has more than {LINES_MAX} lines"));
    }
    let (session, sections) = split(offer);
    match sections.len() {
        0 => return Err("it has no media section (m=audio or m=video)".into()),
        SECTIONS_MAX.. => return Err(format!("it has {SECTIONS_MAX} media sections or more")),
        _ => {}
    }
    if !session.iter().any(|line| line.starts_with("a=group:BUNDLE")) {
        return Err("it has no a=group:BUNDLE; all media go over one transport here".into());
    }
    check_credentials(offer)?;
    let mut mids = HashSet::new();
    let mut meanings = HashMap::new();
    for section in &sections {
        let mid = check_section(section)?;
        check_meanings(section, &mut meanings)?;
        if !mids.insert(mid) {
            return Err(format!("two media sections have a=mid:{}", shown(mid)));
        }
    }
    check_direction(&sections, action)
}

type Lines<'a> = Vec<&'a str>;

/// The lines of the session and those of each media section.
fn split(offer: &str) -> (Lines<'_>, Vec<Lines<'_>>) {
    let mut session = Vec::new();
    let mut sections: Vec<Lines<'_>> = Vec::new();
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        sections.last_mut().unwrap_or(&mut session).push(line);
    }
    (session, sections)
}

/// ICE's user name and password (RFC 8839 5.4) and the certificate's fingerprint (RFC 8122 5).
fn check_credentials(offer: &str) -> Result<(), String> {
    let ufrag = attribute(offer, "ice-ufrag").ok_or("it has no a=ice-ufrag")?;
    let password = attribute(offer, "ice-pwd").ok_or("it has no a=ice-pwd")?;
    if !is_ufrag(ufrag) || !is_password(password) {
        return Err("its a=ice-ufrag or a=ice-pwd is not what ICE allows (RFC 8839 5.4)".into());
    }
    match attribute(offer, "fingerprint") {
        Some(_) => Ok(()),
        None => Err("it has no a=fingerprint; media are always encrypted here (DTLS-SRTP)".into()),
    }
}

/// Whether it can be an ICE user name.
pub(crate) fn is_ufrag(text: &str) -> bool {
    (4..=256).contains(&text.len()) && is_ice(text)
}

/// Whether it can be an ICE password.
pub(crate) fn is_password(text: &str) -> bool {
    (22..=256).contains(&text.len()) && is_ice(text)
}

fn is_ice(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// The `mid` of a section that can be answered.
fn check_section<'a>(lines: &[&'a str]) -> Result<&'a str, String> {
    let mut words = lines.first().copied().unwrap_or_default().trim_start_matches("m=").split(' ');
    let kind = words.next().unwrap_or_default();
    if !matches!(kind, "audio" | "video") {
        let kind = shown(kind);
        return Err(format!("it has a section m={kind}; only audio and video are served, no data channels"));
    }
    let profile = words.nth(1).unwrap_or_default();
    if !profile.ends_with("TLS/RTP/SAVPF") {
        let profile = shown(profile);
        return Err(format!("a section's transport is {profile:?}; UDP/TLS/RTP/SAVPF is served"));
    }
    if words.count() > PAYLOAD_TYPES_MAX {
        return Err(format!("a section has more than {PAYLOAD_TYPES_MAX} payload types"));
    }
    if !lines.contains(&"a=rtcp-mux") {
        return Err("a section has no a=rtcp-mux; RTP and RTCP share a port here".into());
    }
    let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:"));
    mid.filter(|mid| !mid.is_empty()).ok_or_else(|| "a section has no a=mid".into())
}

/// What a payload type means: its `a=rtpmap` and `a=fmtp`.
type Meaning<'a> = (Option<&'a str>, Option<&'a str>);

/// A payload type means one thing in all sections of a bundle (RFC 9143 9.1), and only RTX is about another one.
fn check_meanings<'a>(lines: &[&'a str], meanings: &mut HashMap<&'a str, Meaning<'a>>) -> Result<(), String> {
    let mut own: HashMap<&str, Meaning<'_>> = HashMap::new();
    let twice = |pt: &str| Err(format!("payload type {} has two meanings", shown(pt)));
    for pt in listed(lines.first().copied().unwrap_or_default()) {
        if own.insert(pt, (None, None)).is_some() {
            return twice(pt);
        }
    }
    for line in lines {
        let Some((map, pt)) = payload_type(line).map(|pt| (line.starts_with("a=rtpmap:"), pt)) else {
            continue;
        };
        let Some(meaning) = own.get_mut(pt).filter(|_| !line.starts_with("a=rtcp-fb:")) else { continue };
        let place = if map { &mut meaning.0 } else { &mut meaning.1 };
        let before = place.replace(line);
        if before.is_some_and(|before| map || before.contains("apt=") || line.contains("apt=")) {
            return twice(pt);
        }
    }
    for (pt, meaning) in own {
        let resent = meaning.0.is_some_and(is_resent);
        if !resent && meaning.1.is_some_and(|format| format.contains("apt=")) {
            return Err(format!("payload type {} has an apt, but is no rtx", shown(pt)));
        }
        if *meanings.entry(pt).or_insert(meaning) != meaning {
            return twice(pt);
        }
    }
    Ok(())
}

/// The payload types of an m= line.
fn listed(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ').skip(3).filter(|word| !word.is_empty())
}

fn check_direction(sections: &[Lines<'_>], action: Action) -> Result<(), String> {
    let any = |wanted: &str| sections.iter().flatten().any(|line| *line == wanted);
    // A section that says nothing does both (RFC 8866 6.7).
    let silent = |lines: &Lines<'_>| {
        !["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].iter().any(|way| lines.contains(way))
    };
    let both = any("a=sendrecv") || sections.iter().any(silent);
    match action {
        Action::Publish if !both && !any("a=sendonly") => {
            Err("it sends nothing; a publisher's offer has a=sendonly".into())
        }
        Action::Play if !both && !any("a=recvonly") => {
            Err("it receives nothing; a player's offer has a=recvonly".into())
        }
        Action::Publish | Action::Play => Ok(()),
    }
}

/// A few harmless characters of what a client wrote, for messages.
fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(32).collect()
}

/// The offer as it is read: without candidates, which ICE-lite has no use for (it answers where requests come from);
/// with the DTLS role that `dtls_role` wants of a client that leaves the choice to us; with `nack off` without RTX.
pub(crate) fn told(offer: &str, settings: &VhostRtc) -> String {
    let active = settings.dtls_role == "active";
    let resent = if settings.nack { HashSet::new() } else { resent(offer) };
    let counts = |line: &&str| {
        let candidate = line.starts_with("a=candidate:") || *line == "a=end-of-candidates";
        let of_resent = payload_type(line).is_some_and(|pt| resent.contains(pt))
            || (!settings.nack && line.starts_with("a=ssrc-group:FID"));
        !line.is_empty() && !candidate && !of_resent
    };
    let mut told = String::with_capacity(offer.len());
    let mut known: HashSet<&str> = HashSet::new();
    for line in offer.lines().map(str::trim_end).filter(counts) {
        if line.starts_with("m=") {
            known = listed(line).chain(["*"]).collect();
        }
        if payload_type(line).is_some_and(|pt| !known.contains(pt)) {
            continue; // of a payload type that the section does not have
        }
        match line {
            "a=setup:actpass" if active => told.push_str("a=setup:passive"),
            line if line.starts_with("m=") => told.push_str(&without(line, &resent)),
            line => told.push_str(line),
        }
        told.push_str("\r\n");
    }
    told
}

/// The payload types of what is sent again (RTX, RFC 4588).
fn resent(offer: &str) -> HashSet<&str> {
    offer.lines().filter(|line| is_resent(line)).filter_map(payload_type).collect()
}

fn is_resent(line: &str) -> bool {
    line.starts_with("a=rtpmap:") && line.to_ascii_lowercase().contains(" rtx/")
}

/// The payload type that an attribute is about.
fn payload_type(line: &str) -> Option<&str> {
    let about = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"].iter().find_map(|name| line.strip_prefix(name))?;
    about.split(' ').next()
}

/// An m= line without these payload types.
fn without(line: &str, payload_types: &HashSet<&str>) -> String {
    let kept = |(at, word): &(usize, &str)| *at < 3 || !payload_types.contains(word);
    let words: Vec<&str> = line.split(' ').enumerate().filter(kept).map(|(_, word)| word).collect();
    words.join(" ")
}

/// The video codec a publisher is asked for: the one it names, or the first of ours that it offers; H.264 first, since
/// every other output carries it.
pub(crate) fn preferred(offer: &str, named: Option<&str>) -> Option<&'static str> {
    let offered = |codec: &&str| {
        let wanted = format!(" {}/90000", codec.to_ascii_lowercase());
        offer.lines().any(|line| line.starts_with("a=rtpmap:") && line.to_ascii_lowercase().contains(&wanted))
    };
    let named = named.and_then(|named| match named.to_ascii_lowercase().as_str() {
        "av1" => Some("AV1"),
        "hevc" | "h265" => Some("H265"),
        "vp9" => Some("VP9"),
        "vp8" => Some("VP8"),
        "h264" | "avc" => Some("H264"),
        _ => None,
    });
    let order = ["H264", "H265", "AV1", "VP9", "VP8"];
    named.filter(offered).or_else(|| order.into_iter().find(|codec| offered(codec)))
}

/// The SSRCs that a media section names, each with that of its packets that are sent again (RFC 5576).
pub(crate) fn sources(offer: &str, mid: &str) -> Vec<(u32, Option<u32>)> {
    let (_, sections) = split(offer);
    let own = sections.iter().find(|lines| lines.iter().any(|line| line.strip_prefix("a=mid:") == Some(mid)));
    let lines = || own.into_iter().flatten();
    let number = |word: &str| word.parse::<u32>().ok();
    let resent: HashMap<u32, u32> = lines()
        .filter_map(|line| line.strip_prefix("a=ssrc-group:FID "))
        .filter_map(|pair| pair.split_once(' ').and_then(|(own, again)| Some((number(own)?, number(again)?))))
        .collect();
    let mut sources: Vec<(u32, Option<u32>)> = Vec::new();
    for ssrc in lines().filter_map(|line| number(line.strip_prefix("a=ssrc:")?.split(' ').next()?)) {
        let again = resent.values().any(|own| *own == ssrc);
        if !again && sources.len() < SOURCES_MAX && sources.iter().all(|(known, _)| *known != ssrc) {
            sources.push((ssrc, resent.get(&ssrc).copied()));
        }
    }
    sources
}

/// The value of the first `a=name:value` line.
pub(crate) fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim_end)
}

/// Offers for tests: what browsers send, shortened.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use headwater_conf::{Conf, Env, Source};
    use proptest::prelude::*;

    /// An offer of sound and pictures that go `way`.
    pub(crate) fn sample(way: &str) -> String {
        let common = format!(
            "c=IN IP4 0.0.0.0\r\na=ice-ufrag:peer\r\na=ice-pwd:0123456789abcdefghijkl\r\n\
             a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na={way}\r\na=rtcp-mux\r\n",
            ["AB"; 32].join(":")
        );
        format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{common}a=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 transport-cc\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n{common}a=mid:1\r\n\
             a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
             a=rtpmap:96 H264/90000\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
             a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
             a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
        )
    }

    /// `vhost.rtc` with these directives.
    pub(crate) fn settings(rtc: &str) -> VhostRtc {
        let text = format!(
            "listen 1935; max_connections 100; vhost __defaultVhost__ {{ rtc {{ enabled on; {rtc} }} }}"
        );
        let conf = Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf;
        conf.vhost("").unwrap().rtc.clone()
    }

    fn refused(offer: &str) -> String {
        check(offer, Action::Publish).err().unwrap_or_default()
    }

    #[test]
    fn offers_of_browsers_pass() {
        assert_eq!(check(&sample("sendonly"), Action::Publish), Ok(()));
        assert_eq!(check(&sample("sendrecv"), Action::Publish), Ok(()));
        assert_eq!(check(&sample("recvonly"), Action::Play), Ok(()));
        assert_eq!(check(&sample("recvonly").replace("a=recvonly\r\n", ""), Action::Play), Ok(()));
        assert!(check(&sample("recvonly"), Action::Publish).is_err());
        assert!(check(&sample("sendonly"), Action::Play).is_err());
    }

    #[test]
    fn what_cannot_be_answered_is_told() {
        let good = sample("sendonly");
        let without =
            |line: &str| good.lines().filter(|l| !l.contains(line)).collect::<Vec<_>>().join("\r\n");
        let with = |old: &str, new: &str| refused(&good.replace(old, new));
        for (reason, words) in [
            (refused(""), "no media section"),
            (refused(&without("BUNDLE")), "BUNDLE"),
            (refused(&without("ice-ufrag")), "ice-ufrag"),
            (refused(&without("ice-pwd")), "ice-pwd"),
            (refused(&without("fingerprint")), "fingerprint"),
            (refused(&without("rtcp-mux")), "rtcp-mux"),
            (refused(&without("a=mid:1")), "a=mid"),
            (with("a=mid:1", "a=mid:0"), "two media sections"),
            (with("SAVPF 96 97", "SAVPF 96 97 96"), "96 has two meanings"),
            (with("a=rtpmap:97 rtx", "a=rtpmap:97 VP8"), "no rtx"),
            (with("SAVPF 111", "SAVPF 111 96"), "96 has two meanings"),
            (with("m=video", "m=application"), "no data channels"),
            (with("UDP/TLS/RTP/SAVPF 96", "RTP/AVP 96"), "\"RTP/AVP\""),
            (with("ice-ufrag:peer", "ice-ufrag:p"), "RFC 8839"),
            (with(" 96 97", &" 96".repeat(200)), "payload types"),
        ] {
            assert!(reason.contains(words), "{words}: {reason}");
        }
    }

    #[test]
    fn bombs_are_told_at_once() {
        let good = sample("sendonly");
        let more = |line: &str, times: usize| refused(&(good.clone() + &line.repeat(times)));
        assert!(more("a=x\r\n", 2000).contains("lines"));
        assert!(more("a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", 3000).contains("64 KiB"));
        assert!(more("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 14).contains("16 media sections"));
    }

    #[test]
    fn what_counts_of_an_offer() {
        let offer =
            sample("sendonly") + "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=end-of-candidates\r\n";
        let told_so = told(&offer, &settings(""));
        assert_eq!(told_so, sample("sendonly"));
        assert!(told(&offer, &settings("dtls_role active;")).contains("a=setup:passive\r\n"));
        let once = told(&offer, &settings("nack off;"));
        assert!(once.contains("SAVPF 96\r\n") && !once.contains(":97"), "{once}");
    }

    proptest! {
        #[test]
        fn any_text_is_checked(text in "(a=|m=|b=|[a-z0-9:=/ ]{0,20}|\r\n){0,80}") {
            check(&text, Action::Publish).ok();
            told(&text, &settings("dtls_role active;"));
        }
    }
}
