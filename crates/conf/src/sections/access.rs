//! Who may connect.

use std::net::{IpAddr, Ipv4Addr};

use crate::directive::Kind;
use crate::section::section;
use crate::value::{Odd, Value};

section! {
    /// Checks the host of the page a player is embedded in; RTMP only.
    pub struct Refer {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "C", S;
        /// Checked for every RTMP client at connect.
        all: Vec<String> = List("domain suffix"), "", "C", S;
        /// Additional check for publishers.
        publish: Vec<String> = List(""), "", "C", S;
        /// Additional check for players.
        play: Vec<String> = List(""), "", "C", S;
    }
}

section! {
    /// Rules by address: who may publish and play.
    pub struct Security {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "C", S;
        /// Lets what it matches pass. The field has the deny rules too, in the order of the file.
        rules as "allow": Vec<Rule> = Lines("play|publish all|ip|cidr"), "", "C", S.with(&["deny"]);
    }
    accepts {
        /// Refuses what it matches; evaluated before every allow rule.
        "deny" = Lines("play|publish all|ip|cidr"), "", "C", S;
    }
}

/// One line of `security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Whether it refuses what it matches; else it lets it pass.
    pub deny: bool,
    /// What the client wants to do.
    pub action: Action,
    /// Which clients it matches.
    pub who: Who,
}

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send a stream.
    Publish,
    /// Receive a stream.
    Play,
}

/// Which clients a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everyone.
    All,
    /// One address.
    Ip(IpAddr),
    /// An IPv4 network: its address with the host bits cleared, and the length of its prefix in bits.
    Cidr(Ipv4Addr, u8),
}

impl Who {
    /// Whether a client of that address is meant. An IPv4 address in IPv6 form counts as IPv4.
    pub fn matches(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        match *self {
            Who::All => true,
            Who::Ip(ip) => ip.to_canonical() == client,
            Who::Cidr(network, bits) => match client {
                IpAddr::V4(client) => masked(client, bits) == network,
                IpAddr::V6(_) => false,
            },
        }
    }

    fn parse(text: &str) -> Option<Who> {
        if text == "all" {
            return Some(Who::All);
        }
        let Some((network, bits)) = text.split_once('/') else {
            return text.parse().ok().map(Who::Ip);
        };
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Who::Cidr(masked(network.parse().ok()?, bits), bits))
    }
}

/// The first `bits` bits of an address.
fn masked(address: Ipv4Addr, bits: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

impl Rule {
    /// Reads `allow|deny publish|play all|ip|cidr`.
    fn parse(words: &[String]) -> Option<Rule> {
        let [verb, action, who] = words else {
            return None;
        };
        let action = match &**action {
            "publish" => Action::Publish,
            "play" => Action::Play,
            _ => return None,
        };
        Some(Rule { deny: verb == "deny", action, who: Who::parse(who)? })
    }
}

impl Value for Vec<Rule> {
    fn read(_: Kind, lines: &[Vec<String>]) -> (Vec<Rule>, Odd) {
        let rules: Vec<Rule> = lines.iter().filter_map(|words| Rule::parse(words)).collect();
        let odd = rules.len() < lines.len();
        (
            rules,
            odd.then(|| {
                "or a rule after it is not 'publish|play all|ip|ipv4/bits': that rule matches nobody"
                    .to_owned()
            }),
        )
    }
}
