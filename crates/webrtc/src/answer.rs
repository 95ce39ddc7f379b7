//! The answer's text: what the state machine wrote, with our candidates in place of its own.

use crate::candidates::Place;
use crate::negotiate::Restarted;
use std::borrow::Cow;
use std::fmt::Write;

/// Every candidate is as good as the others (SRS names this number).
const PRIORITY: u32 = 2_130_706_431;

/// The ports that answers name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// `None` leaves UDP candidates out (`protocol tcp`).
    pub(crate) udp: Option<u16>,
    /// `None` leaves TCP candidates out.
    pub(crate) tcp: Option<u16>,
}

/// `a=candidate` lines (RFC 8839 5.1; TCP: RFC 6544 4.5), without the `a=`.
pub(crate) fn candidate_lines(places: &[Place], ports: Ports) -> Vec<String> {
    let mut lines = Vec::new();
    for place in places {
        let port = |own: Option<u16>| own.map(|own| place.port.unwrap_or(own));
        let host = &place.host;
        if let Some(port) = port(ports.udp) {
            let n = lines.len();
            lines.push(candidate(n, "udp", host, port));
        }
        if let Some(port) = port(ports.tcp) {
            let n = lines.len();
            lines.push(candidate(n, "tcp", host, port));
        }
    }
    lines
}

/// The fragment (RFC 8840 9) that answers an ICE restart: new credentials, the same candidates.
pub(crate) fn fragment(restarted: &Restarted) -> String {
    let Restarted { ufrag, password, mid, candidates } = restarted;
    let mut out = format!(
        "a=ice-lite\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n"
    );
    append(&mut out, &again(candidates));
    out
}

/// The lines that [`shown`] was made of.
fn again(shown: &[String]) -> Vec<String> {
    let line = |(n, shown): (usize, &String)| {
        let mut words = shown.split(' ');
        let (protocol, host, port) = (words.next()?, words.next()?, words.next()?);
        Some(candidate(n, protocol, host, port.parse().ok()?))
    };
    shown.iter().enumerate().filter_map(line).collect()
}

fn candidate(n: usize, protocol: &str, host: &str, port: u16) -> String {
    let rest = if protocol == "tcp" { "tcptype passive" } else { "generation 0" };
    format!("candidate:{n} 1 {protocol} {PRIORITY} {host} {port} typ host {rest}")
}

/// `candidates` as people read them: `udp 192.0.2.7 8000`.
pub(crate) fn shown(candidates: &[String]) -> Vec<String> {
    let fields = |line: &String| {
        let mut words = line.split(' ').skip(2);
        let protocol = words.next()?.to_owned();
        let (host, port) = (words.nth(1)?, words.next()?);
        Some(format!("{protocol} {host} {port}"))
    };
    candidates.iter().filter_map(fields).collect()
}

/// The answer with its session's name and our candidates in the first media section, where BUNDLE wants them.
pub(crate) fn dress(sdp: &str, title: &str, candidates: &[String]) -> String {
    let mut out = String::with_capacity(sdp.len() + 128 * candidates.len());
    let mut sections = 0;
    let mut group = Group::default();
    for line in sdp.lines() {
        let own = line.starts_with("a=candidate:") || line == "a=end-of-candidates";
        if own {
            continue;
        }
        if line.starts_with("m=") {
            if sections == 1 {
                append(&mut out, candidates);
            }
            sections += 1;
        }
        let line: Cow<'_, str> = match line.split_once('=') {
            Some(("s", _)) => title.into(),
            Some(("o", origin)) => owned(origin).into(),
            _ => group.join(line),
        };
        writeln!(out, "{line}\r").ok(); // writing to a String cannot fail
    }
    if sections == 1 {
        append(&mut out, candidates);
    }
    out
}

/// The origin line with our name in place of the state machine's.
fn owned(origin: &str) -> String {
    let rest = origin.split_once(' ').map_or("", |(_, rest)| rest);
    format!("o=Headwater {rest}")
}

/// Names of the first track's group, which all tracks get: only tracks of one group are played in step.
#[derive(Default)]
struct Group {
    stream: Option<String>,
    cname: Option<String>,
}

impl Group {
    fn join<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        for (mark, name) in [("msid:", &mut self.stream), ("cname:", &mut self.cname)] {
            let own = line.starts_with("a=ssrc:") || line.starts_with("a=msid:");
            let Some((before, rest)) = line.split_once(mark).filter(|_| own) else { continue };
            let (told, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let name = name.get_or_insert_with(|| told.to_owned());
            let space = if after.is_empty() { "" } else { " " };
            return format!("{before}{mark}{name}{space}{after}").into();
        }
        line.into()
    }
}

fn append(out: &mut String, candidates: &[String]) {
    for candidate in candidates {
        writeln!(out, "a={candidate}\r").ok(); // writing to a String cannot fail
    }
    out.push_str("a=end-of-candidates\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_candidates_stand_in_the_first_section() {
        let places =
            [Place { host: "192.0.2.7".into(), port: None }, Place { host: "h.com".into(), port: Some(9) }];
        let lines = candidate_lines(&places, Ports { udp: Some(8000), tcp: None });
        assert_eq!(shown(&lines), ["udp 192.0.2.7 8000", "udp h.com 9"]);
        let sdp = "v=0\r\no=x 1 2 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X\r\na=candidate:1 1 udp 1 192.0.2.1 8000 typ host\r\nm=video 9 X\r\na=mid:1\r\n";
        let dressed = dress(sdp, "s=SRSPlaySession", &lines);
        assert_eq!(
            dressed,
            "v=0\r\no=Headwater 1 2 IN IP4 0.0.0.0\r\ns=SRSPlaySession\r\nm=audio 9 X\r\n\
             a=candidate:0 1 udp 2130706431 192.0.2.7 8000 typ host generation 0\r\n\
             a=candidate:1 1 udp 2130706431 h.com 9 typ host generation 0\r\na=end-of-candidates\r\n\
             m=video 9 X\r\na=mid:1\r\n"
        );
    }

    #[test]
    fn sound_and_pictures_are_one_group() {
        let sdp = "m=audio 9 X\r\na=msid:S1 A\r\na=ssrc:1 cname:C1\r\na=ssrc:1 msid:S1 A\r\nm=video 9 X\r\n\
                   a=msid:S2 V\r\na=ssrc:2 cname:C2\r\na=ssrc:2 msid:S2 V\r\na=msid-semantic: WMS S1 S2\r\n";
        let dressed = dress(sdp, "s=x", &[]);
        assert!(dressed.contains("a=msid:S1 V\r\na=ssrc:2 cname:C1\r\na=ssrc:2 msid:S1 V\r\n"), "{dressed}");
        assert!(dressed.contains("a=msid-semantic: WMS S1 S2\r\n"));
    }

    #[test]
    fn tcp_is_passive() {
        let places = [Place { host: "192.0.2.7".into(), port: None }];
        let lines = candidate_lines(&places, Ports { udp: None, tcp: Some(443) });
        assert_eq!(lines, ["candidate:0 1 tcp 2130706431 192.0.2.7 443 typ host tcptype passive"]);
        assert_eq!(again(&shown(&lines)), lines);
    }
}
