//! Adobe HDS: the manifest (F4M 1.0), the bootstrap and the fragments of a live stream (Adobe Flash Video File Format
//! Specification 10.1, Annex C).
//!
//! One segment, one quality, no content protection. The FLV tags inside of fragments are the caller's. Times are in
//! milliseconds, the clock of FLV.

#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use quick_xml::escape::escape;
use std::fmt;

/// The media type of manifests.
pub const MANIFEST_TYPE: &str = "application/f4m+xml";

/// The media type of bootstraps.
pub const BOOTSTRAP_TYPE: &str = "video/abst";

/// The media type of fragments.
pub const FRAGMENT_TYPE: &str = "video/f4f";

/// Ticks a second.
const TIMESCALE: u32 = 1000;

/// Fragments of the only segment: as many as there will be (C.2.9).
const UNTOLD: u32 = 0xffff_ffff;

/// DiscontinuityIndicator (C.2.10): timestamps do not go on.
const LEAP: u8 = 2;

/// Live and not Update (C.2.7): the profile's two bits, then one bit each.
const LIVE: u8 = 0x20;

/// The manifest of a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is called.
    pub id: String,
    /// Where the bootstrap is: a URI reference.
    pub bootstrap: String,
    /// What the names of fragments begin with: a URI reference; `Seg1-Frag` and the number follow.
    pub media: String,
    /// Kilobits a second; 0 when unknown.
    pub bitrate_kbps: u32,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bootstrap, media) = (escape(self.bootstrap.as_str()), escape(self.media.as_str()));
        writeln!(f, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(f, r#"<manifest xmlns="http://ns.adobe.com/f4m/1.0">"#)?;
        writeln!(f, "  <id>{}</id>", escape(self.id.as_str()))?;
        writeln!(f, "  <streamType>live</streamType>")?;
        writeln!(f, "  <deliveryType>streaming</deliveryType>")?;
        writeln!(f, r#"  <bootstrapInfo profile="named" url="{bootstrap}" id="bootstrap0"/>"#)?;
        let rate = self.bitrate_kbps;
        writeln!(f, r#"  <media bitrate="{rate}" url="{media}" bootstrapInfoId="bootstrap0"/>"#)?;
        writeln!(f, "</manifest>")
    }
}

/// When a fragment plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its number, from 1.
    pub number: u32,
    /// Timestamp of its first frame.
    pub start_ms: u64,
    /// How long it is, never 0.
    pub duration_ms: u32,
    /// Whether it does not go on where the one before ended.
    pub discontinuity: bool,
}

/// Which fragments there are (`abst`, C.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// Counts the bootstraps of a stream.
    pub version: u32,
    /// Oldest first, numbers one after the other.
    pub fragments: Vec<Span>,
}

impl Bootstrap {
    /// The box, which is a file by itself.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        let newest = self.fragments.last().map_or(0, |span| span.start_ms + u64::from(span.duration_ms));
        full_box(&mut out, b"abst", |out| {
            out.put_u32(self.version);
            out.put_u8(LIVE);
            out.put_u32(TIMESCALE);
            out.put_u64(newest); // CurrentMediaTime
            out.put_u64(0); // SmpteTimeCodeOffset
            out.put_u8(0); // MovieIdentifier: none
            out.put_u8(0); // ServerEntryCount: where the manifest is
            out.put_u8(0); // QualityEntryCount: one quality
            out.put_u8(0); // DrmData: none
            out.put_u8(0); // MetaData: none
            out.put_u8(1); // SegmentRunTableCount
            write_segments(out);
            out.put_u8(1); // FragmentRunTableCount
            self.write_fragments(out);
        });
        out.freeze()
    }

    /// Fragment run table (`afrt`, C.2.10): a run a fragment, since lengths differ.
    fn write_fragments(&self, out: &mut BytesMut) {
        let leaps = self.fragments.iter().skip(1).filter(|span| span.discontinuity).count();
        full_box(out, b"afrt", |out| {
            out.put_u32(TIMESCALE);
            out.put_u8(0); // QualityEntryCount
            out.put_u32((self.fragments.len() + leaps) as u32);
            for (at, span) in self.fragments.iter().enumerate() {
                if span.discontinuity && at > 0 {
                    write_run(out, span.number, span.start_ms, 0);
                    out.put_u8(LEAP);
                }
                write_run(out, span.number, span.start_ms, span.duration_ms.max(1));
            }
        });
    }
}

/// Segment run table (`asrt`, C.2.9): segment 1 has all fragments.
fn write_segments(out: &mut BytesMut) {
    full_box(out, b"asrt", |out| {
        out.put_u8(0); // QualityEntryCount
        out.put_u32(1);
        out.put_u32(1); // FirstSegment
        out.put_u32(UNTOLD);
    });
}

fn write_run(out: &mut BytesMut, number: u32, start_ms: u64, duration_ms: u32) {
    out.put_u32(number);
    out.put_u64(start_ms);
    out.put_u32(duration_ms);
}

/// What a fragment file begins with (C.3): `moof`, and the header of the `mdat` that `media_bytes` bytes of FLV tags
/// follow.
pub fn fragment_head(span: &Span, media_bytes: u32) -> Bytes {
    /// `trun` flags (14496-12 8.8.8): data offset, duration and size of samples are there.
    const RUN: u32 = 0x0301;
    let mut out = BytesMut::new();
    plain_box(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", |out| out.put_u32(span.number));
        plain_box(out, b"traf", |out| {
            full_box(out, b"tfhd", |out| out.put_u32(1));
            plain_box(out, b"trun", |out| {
                out.put_u32(RUN);
                out.put_u32(1); // all tags are one sample
                out.put_u32(HEAD_BYTES);
                out.put_u32(span.duration_ms);
                out.put_u32(media_bytes);
            });
        });
    });
    out.put_u32(media_bytes.saturating_add(8));
    out.put_slice(b"mdat");
    out.freeze()
}

/// Bytes of [`fragment_head`]: `moof` 8, `mfhd` 16, `traf` 8, `tfhd` 16, `trun` 28, header of `mdat` 8.
const HEAD_BYTES: u32 = 84;

/// Version and flags 0, then `body`.
fn full_box(out: &mut BytesMut, name: &[u8; 4], body: impl FnOnce(&mut BytesMut)) {
    plain_box(out, name, |out| {
        out.put_u32(0);
        body(out);
    });
}

fn plain_box(out: &mut BytesMut, name: &[u8; 4], body: impl FnOnce(&mut BytesMut)) {
    let mut inner = BytesMut::new();
    body(&mut inner);
    out.put_u32(inner.len() as u32 + 8);
    out.put_slice(name);
    out.put_slice(&inner);
}
