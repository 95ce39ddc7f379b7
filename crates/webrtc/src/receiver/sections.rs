//! What both sides agreed on, and whose a packet is by it.

use crate::agreement::{self, Extensions};
use crate::lane::codec;
use crate::source::clock_rate;
use headwater_rtp::{Head, Header};
use str0m::format::PayloadParams;

/// A media section that a publisher sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) mid: Box<str>,
    pub(crate) payload_types: Vec<PayloadType>,
    /// SSRCs that the offer names, with that of packets sent again.
    pub(crate) sources: Vec<(u32, Option<u32>)>,
    /// Simulcast layers.
    pub(crate) rids: Vec<Box<str>>,
    pub(crate) extensions: Extensions,
    /// Whether packets may be asked for again.
    pub(crate) nack: bool,
    /// How key frames are asked for, if they may be.
    pub(crate) key_frames: Option<KeyFrames>,
    /// Whether the other side wants to know what arrived when.
    pub(crate) transport_feedback: bool,
}

/// A payload type of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadType {
    pub(crate) number: u8,
    /// That of packets sent again (RFC 4588).
    pub(crate) resend: Option<u8>,
    /// Ticks a second.
    pub(crate) clock_rate: u32,
}

impl PayloadType {
    /// A format's, and that of its redundant form (RFC 2198).
    fn of(params: &PayloadParams) -> impl Iterator<Item = PayloadType> {
        let clock_rate = codec(params).map_or(90_000, clock_rate);
        let own = PayloadType { number: *params.pt(), resend: params.resend().map(|pt| *pt), clock_rate };
        let redundant = params.red().map(|pt| PayloadType { number: *pt, resend: None, clock_rate });
        std::iter::once(own).chain(redundant)
    }
}

/// How a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFrames {
    /// Picture loss indication (RFC 4585 6.3.1).
    Pli,
    /// Full intra request (RFC 5104 4.3.1).
    Fir,
}

/// What a packet's header extensions say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks<'a> {
    mid: Option<&'a [u8]>,
    rid: Option<&'a [u8]>,
    repaired: Option<&'a [u8]>,
    pub(super) transport: Option<u16>,
}

/// To what a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) section: usize,
    /// Which of the section's layers.
    pub(super) layer: Option<usize>,
    /// SSRC of packets sent again, where the offer says it.
    pub(super) rtx: Option<u32>,
    /// Whether it is one that was sent again, with a number of its own.
    pub(super) again: bool,
}

impl Extensions {
    /// Of all sections: the numbers mean the same in all of them (RFC 9143 9).
    pub(super) fn together(sections: &[Section]) -> Extensions {
        let known = || sections.iter().map(|section| section.extensions);
        Extensions {
            mid: known().find_map(|ids| ids.mid),
            rid: known().find_map(|ids| ids.rid),
            repaired: known().find_map(|ids| ids.repaired),
            transport: known().find_map(|ids| ids.transport),
            send_time: None,
        }
    }

    /// What a packet with this head says.
    pub(super) fn marks<'a>(&self, head: &Head, packet: &'a [u8]) -> Marks<'a> {
        let mut marks = Marks::default();
        for extension in head.extensions(packet) {
            let (id, data) = (Some(extension.id), extension.data);
            if id == self.transport {
                marks.transport = data.first_chunk().map(|&number| u16::from_be_bytes(number));
            } else if id == self.mid {
                marks.mid = Some(data);
            } else if id == self.rid {
                marks.rid = Some(data);
            } else if id == self.repaired {
                marks.repaired = Some(data);
            }
        }
        marks
    }
}

impl Section {
    /// What of a section is of use here.
    pub(crate) fn of(agreed: &agreement::Section) -> Section {
        let any = |has: fn(&PayloadParams) -> bool| agreed.accepted.iter().any(has);
        let (pli, fir) = (any(PayloadParams::fb_pli), any(PayloadParams::fb_fir));
        Section {
            mid: agreed.mid.as_str().into(),
            payload_types: agreed.accepted.iter().flat_map(PayloadType::of).collect(),
            sources: agreed.sources.clone(),
            rids: agreed.rids.iter().map(|rid| rid.as_str().into()).collect(),
            extensions: agreed.extensions,
            nack: any(PayloadParams::fb_nack),
            key_frames: pli.then_some(KeyFrames::Pli).or(fir.then_some(KeyFrames::Fir)),
            transport_feedback: any(PayloadParams::fb_transport_cc) && agreed.extensions.transport.is_some(),
        }
    }

    /// Whether it has a layer of this name, and which.
    fn layer(&self, rid: &[u8]) -> Option<usize> {
        self.rids.iter().position(|own| own.as_bytes() == rid)
    }

    pub(super) fn payload_type(&self, number: u8) -> Option<&PayloadType> {
        self.payload_types.iter().find(|known| known.number == number)
    }

    /// The format of which packets with this type are sent again.
    pub(super) fn resent_type(&self, number: u8) -> Option<&PayloadType> {
        self.payload_types.iter().find(|known| known.resend == Some(number))
    }

    fn knows(&self, number: u8) -> bool {
        self.payload_type(number).or_else(|| self.resent_type(number)).is_some()
    }
}

/// To what a packet of a source that is not known yet belongs: by the offer's SSRCs, else by what the packet says of
/// itself, else by a payload type that one section alone has (RFC 9143 9.2). Which layer it is only the packet says.
pub(super) fn place(sections: &[Section], header: &Header, marks: &Marks<'_>) -> Option<Place> {
    let named = sections.iter().enumerate().find_map(|(at, section)| {
        let (_, rtx) = section.sources.iter().find(|(ssrc, _)| *ssrc == header.ssrc)?;
        Some((at, *rtx))
    });
    let rid = marks.repaired.or(marks.rid);
    let section = match (named, marks.mid, rid) {
        (Some((section, _)), ..) => section,
        (None, Some(mid), _) => only(sections, |section| section.mid.as_bytes() == mid)?,
        (None, None, Some(rid)) => only(sections, |section| section.layer(rid).is_some())?,
        (None, None, None) => only(sections, |section| section.knows(header.payload_type))?,
    };
    let own = sections.get(section)?;
    let again =
        named.is_none() && (marks.repaired.is_some() || own.resent_type(header.payload_type).is_some());
    if named.is_none() && !again && own.payload_type(header.payload_type).is_none() {
        return None;
    }
    let layer = match rid.filter(|_| named.is_none() || !own.rids.is_empty()) {
        Some(rid) => Some(own.layer(rid)?), // else nobody agreed on it
        None if own.rids.is_empty() => None,
        None => return None,
    };
    Some(Place { section, layer, rtx: named.and_then(|(_, rtx)| rtx), again })
}

/// The one section of which something is true.
fn only(sections: &[Section], is: impl Fn(&Section) -> bool) -> Option<usize> {
    let mut found = sections.iter().enumerate().filter(|(_, section)| is(section)).map(|(at, _)| at);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
