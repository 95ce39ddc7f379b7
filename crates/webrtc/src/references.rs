//! Which pictures nothing refers to, told by their packets alone.

use headwater_media::Codec;

/// Remembers the highest temporal layer, whose pictures nothing refers to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct References {
    top: u8,
}

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hint {
    /// Nothing of the same temporal layer refers to it.
    disposable: bool,
    temporal: u8,
}

impl References {
    /// Whether nothing refers to the picture that these payloads are. When in doubt, something does.
    pub(crate) fn disposable<'a>(&mut self, codec: Codec, payloads: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut all = None;
        for payload in payloads {
            let Some(hint) = hint(codec, payload) else { return false };
            self.top = self.top.max(hint.temporal);
            all = Some(all.unwrap_or(true) && hint.disposable && hint.temporal == self.top);
            if matches!(codec, Codec::Vp8 | Codec::Vp9) {
                break; // every packet says the same
            }
        }
        all.unwrap_or(false)
    }
}

fn hint(codec: Codec, payload: &[u8]) -> Option<Hint> {
    match codec {
        // F, NRI, type: that of fragments and aggregates is the highest of what they carry (RFC 6184 5.3, 5.7, 5.8).
        Codec::H264 => Some(Hint { disposable: payload.first()? & 0x60 == 0, temporal: 0 }),
        Codec::Hevc => hevc(payload),
        Codec::Vp8 => vp8(payload),
        Codec::Vp9 => vp9(payload),
        _ => None,
    }
}

/// Slices of types 0, 2, 4 up to 14 are no references in their sub-layer (H.265 table 7-1); what is no slice is needed
/// by nobody but with them.
fn hevc(payload: &[u8]) -> Option<Hint> {
    const AGGREGATE: u8 = 48;
    const FRAGMENT: u8 = 49;
    let [first, second] = [*payload.first()?, *payload.get(1)?];
    let temporal = (second & 7).saturating_sub(1);
    let kind = match first >> 1 & 0x3f {
        AGGREGATE => return Some(Hint { disposable: false, temporal }),
        FRAGMENT => *payload.get(2)? & 0x3f,
        kind => kind,
    };
    let slice = kind < 32;
    let disposable = if slice { kind < 16 && kind.is_multiple_of(2) } else { kind >= 35 };
    Some(Hint { disposable, temporal })
}

/// N: a frame that can be left out (RFC 7741 4.2).
fn vp8(payload: &[u8]) -> Option<Hint> {
    Some(Hint { disposable: payload.first()? & 0x20 != 0, temporal: 0 })
}

/// TID of the layer indices (RFC 9628 4.2). Of the lowest layer everything counts as referred to.
fn vp9(payload: &[u8]) -> Option<Hint> {
    const PICTURE_ID: u8 = 0x80;
    const LAYERS: u8 = 0x20;
    let flags = *payload.first()?;
    if flags & LAYERS == 0 {
        return Some(Hint { disposable: false, temporal: 0 });
    }
    let picture = match flags & PICTURE_ID {
        0 => 0,
        _ => 1 + usize::from(*payload.get(1)? & 0x80 != 0),
    };
    let temporal = *payload.get(1 + picture)? >> 5;
    Some(Hint { disposable: temporal > 0, temporal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(references: &mut References, codec: Codec, payloads: &[&[u8]]) -> bool {
        references.disposable(codec, payloads.iter().copied())
    }

    #[test]
    fn h264_by_nal_ref_idc() {
        let mut r = References::default();
        assert!(told(&mut r, Codec::H264, &[&[0x01, 1], &[0x01, 2]]), "two slices, NRI 0");
        assert!(told(&mut r, Codec::H264, &[&[0x1c, 0x81]]), "a fragment");
        assert!(!told(&mut r, Codec::H264, &[&[0x06, 1], &[0x41, 2]]), "SEI and a slice that is referred to");
        assert!(!told(&mut r, Codec::H264, &[&[0x78, 0]]), "an aggregate with NRI 3");
        assert!(!told(&mut r, Codec::H264, &[]));
        assert!(!told(&mut r, Codec::H264, &[&[]]));
    }

    #[test]
    fn hevc_by_slice_type_and_sub_layer() {
        let mut r = References::default();
        assert!(told(&mut r, Codec::Hevc, &[&[0x00, 1]]), "TRAIL_N");
        assert!(told(&mut r, Codec::Hevc, &[&[0x62, 1, 0x80]]), "a fragment of TRAIL_N");
        assert!(!told(&mut r, Codec::Hevc, &[&[0x02, 1]]), "TRAIL_R");
        assert!(!told(&mut r, Codec::Hevc, &[&[0x62, 1, 0x93]]), "a fragment of IDR_W_RADL");
        assert!(told(&mut r, Codec::Hevc, &[&[0x04, 2]]), "TSA_N of sub-layer 1");
        assert!(!told(&mut r, Codec::Hevc, &[&[0x00, 1]]), "sub-layer 1 may refer to it");
    }

    #[test]
    fn vp8_and_vp9_by_their_descriptors() {
        let mut r = References::default();
        assert!(told(&mut r, Codec::Vp8, &[&[0x30, 0]]) && !told(&mut r, Codec::Vp8, &[&[0x10, 0]]));
        let mut r = References::default();
        assert!(!told(&mut r, Codec::Vp9, &[&[0x28, 0x00]]), "layer 0");
        assert!(told(&mut r, Codec::Vp9, &[&[0xa8, 0x80, 0x01, 0x40]]), "layer 2");
        assert!(!told(&mut r, Codec::Vp9, &[&[0xa8, 0x01, 0x20]]), "layer 1 below layer 2");
        assert!(!told(&mut r, Codec::Vp9, &[&[0x88, 0x01]]), "no layers");
    }

    proptest! {
        #[test]
        fn anything_is_answered(payload in prop::collection::vec(any::<u8>(), 0..8)) {
            for codec in [Codec::H264, Codec::Hevc, Codec::Vp8, Codec::Vp9, Codec::Av1] {
                References::default().disposable(codec, [&payload[..]].into_iter());
            }
        }
    }
}
