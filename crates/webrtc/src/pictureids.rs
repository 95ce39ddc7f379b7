//! Ids of VP8's and VP9's pictures, which each viewer is told without a leap.
//!
//! Payloads name their picture (PictureID) and, with temporal layers, the newest picture of the lowest (TL0PICIDX;
//! RFC 7741 4.2, RFC 9628 4.2). Each simulcast layer and each publisher counts for itself, while receivers take a leap
//! for lost pictures, or for pictures that are too old. So what a viewer is told goes on by the steps of what it gets;
//! packets in the log stay as they are, and their first bytes are written anew where that makes a difference.

use crate::packetlog::Burst;
use headwater_media::Codec;
use smallvec::SmallVec;

/// Bits of PictureID, in its long form, in which it is written.
const LONG: u16 = 0x7fff;
const SHORT: u16 = 0x7f;

/// A picture's ids, as a viewer is told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    /// PictureID, 15 bits.
    pub(crate) picture: u16,
    /// TL0PICIDX.
    pub(crate) base: u8,
}

impl Ids {
    fn plus(self, pictures: u16, bases: u8) -> Ids {
        Ids { picture: (self.picture + pictures) & LONG, base: self.base.wrapping_add(bases) }
    }
}

/// Counts the pictures that one viewer gets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    /// Those of the picture before, as it came.
    before: Option<Ids>,
    /// As the viewer was told them.
    told: Ids,
}

impl Counter {
    /// The ids of the next picture that is sent. Lost ones are a gap for the viewer as well; before a key frame there
    /// is none.
    pub(crate) fn next(&mut self, burst: &Burst) -> Ids {
        let Some(place) = Place::of(burst) else { return self.told };
        let own = place.ids;
        let told = match self.before {
            None => own,
            Some(_) if burst.key => self.told.plus(1, 1),
            Some(before) => {
                let pictures = own.picture.wrapping_sub(before.picture) & place.bits();
                self.told.plus(pictures, own.base.wrapping_sub(before.base))
            }
        };
        (self.before, self.told) = (Some(own), told);
        told
    }

    /// The ids that were told last.
    pub(crate) fn told(&self) -> Ids {
        self.told
    }

    /// A picture is left out on purpose. No gap, but in VP9, where pictures name those they refer to by distance.
    pub(crate) fn leave_out(&mut self, burst: &Burst) {
        let Some((before, place)) = self.before.as_mut().zip(Place::of(burst)) else { return };
        before.base = place.ids.base;
        if burst.codec == Codec::Vp8 {
            before.picture = place.ids.picture;
        }
    }
}

/// A payload in two parts: what is written for the viewer, and the rest of what is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) head: SmallVec<[u8; 8]>,
    pub(crate) rest: &'a [u8],
}

impl<'a> Told<'a> {
    /// A payload with these ids.
    pub(crate) fn new(codec: Codec, payload: &'a [u8], ids: Ids) -> Told<'a> {
        let place = Place::read(codec, payload).filter(|place| !place.tells(ids));
        place
            .and_then(|place| place.write(payload, ids))
            .unwrap_or(Told { head: SmallVec::new(), rest: payload })
    }

    /// Bytes of both parts.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.rest.len()
    }
}

/// Where a payload's ids are, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    ids: Ids,
    /// Where PictureID is, and its bytes: 1 or 2, 0 for none.
    picture: (usize, usize),
    /// Where TL0PICIDX is.
    base: Option<usize>,
}

impl Place {
    fn of(burst: &Burst) -> Option<Place> {
        Place::read(burst.codec, &burst.packets.first()?.payload)
    }

    fn read(codec: Codec, payload: &[u8]) -> Option<Place> {
        const EXTENDED: u8 = 0x80;
        const PICTURE: u8 = 0x80;
        let first = *payload.first()?;
        match codec {
            Codec::Vp8 if first & EXTENDED != 0 => {
                let flags = *payload.get(1)?;
                let at = |picture: usize| (flags & 0x40 != 0).then_some(2 + picture);
                Place::find(payload, (2, flags & PICTURE != 0), at)
            }
            Codec::Vp9 => {
                // Layer indices before TL0PICIDX, which is not there in flexible mode.
                let (layers, flexible) = (first & 0x20 != 0, first & 0x10 != 0);
                let at = |picture: usize| (layers && !flexible).then_some(1 + picture + 1);
                Place::find(payload, (1, first & PICTURE != 0), at)
            }
            _ => None,
        }
    }

    /// PictureID at `at`, if it is there; TL0PICIDX where `base` says, which is told how many bytes PictureID has.
    fn find(
        payload: &[u8],
        (at, there): (usize, bool),
        base: impl Fn(usize) -> Option<usize>,
    ) -> Option<Place> {
        let (picture, size) = match there {
            false => (0, 0),
            true => match *payload.get(at)? {
                short if short & 0x80 == 0 => (short.into(), 1),
                high => (u16::from_be_bytes([high, *payload.get(at + 1)?]) & LONG, 2),
            },
        };
        let base = base(size);
        let index = base.map_or(Some(0), |at| payload.get(at).copied())?;
        Some(Place { ids: Ids { picture, base: index }, picture: (at, size), base })
    }

    /// The bits that its PictureID has.
    fn bits(self) -> u16 {
        if self.picture.1 == 1 { SHORT } else { LONG }
    }

    /// Whether it has these ids, as far as it has any.
    fn tells(self, ids: Ids) -> bool {
        let picture = self.picture.1 == 0 || self.ids.picture == ids.picture;
        picture && (self.base.is_none() || self.ids.base == ids.base)
    }

    /// `payload` with other ids.
    fn write(self, payload: &[u8], ids: Ids) -> Option<Told<'_>> {
        let (at, size) = self.picture;
        let [high, low] = (ids.picture | !LONG).to_be_bytes();
        let mut head = SmallVec::from_slice(payload.get(..at)?);
        if size > 0 {
            head.extend([high, low]);
        }
        let mut rest = at + size;
        if let Some(base) = self.base {
            head.extend_from_slice(payload.get(rest..base)?);
            head.push(ids.base);
            rest = base + 1;
        }
        Some(Told { head, rest: payload.get(rest..)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetlog::Packet;
    use headwater_media::Track;
    use proptest::prelude::*;
    use std::time::Instant;

    fn burst(codec: Codec, key: bool, payload: &[u8]) -> Burst {
        let packet = Packet { payload: payload.to_vec().into(), marker: true, sequence: 0 };
        Burst {
            track: Track::Video,
            codec,
            layer: 0,
            key,
            disposable: false,
            redundant: None,
            instead_of: None,
            time: 0,
            wallclock: Instant::now(),
            packets: vec![packet],
        }
    }

    /// A packet as Chromium writes it: X, S; I, L, T, K; 15 bits of PictureID; TL0PICIDX; TID, Y, KEYIDX.
    fn vp8(picture: u16, base: u8, temporal: u8) -> Vec<u8> {
        let [high, low] = (picture | 0x8000).to_be_bytes();
        vec![0x90, 0xf0, high, low, base, temporal << 6 | 0x01, 0xaa, 0xbb]
    }

    /// I, P, L, F, B, E; 15 bits of PictureID; TID; P_DIFF 1.
    fn vp9_flexible(picture: u16) -> Vec<u8> {
        let [high, low] = (picture | 0x8000).to_be_bytes();
        vec![0xfc, high, low, 0x20, 0x02, 0xaa, 0xbb]
    }

    /// The same without F, with TL0PICIDX and without references.
    fn vp9(picture: u16, base: u8) -> Vec<u8> {
        let [high, low] = (picture | 0x8000).to_be_bytes();
        vec![0xec, high, low, 0x20, base, 0xaa, 0xbb]
    }

    /// What a viewer gets of a picture.
    fn sent(counter: &mut Counter, codec: Codec, key: bool, payload: &[u8]) -> Vec<u8> {
        let ids = counter.next(&burst(codec, key, payload));
        let told = Told::new(codec, payload, ids);
        assert_eq!(told.len(), told.head.len() + told.rest.len());
        [&told.head, told.rest].concat()
    }

    #[test]
    fn one_layer_of_one_publisher_stays_as_it_is() {
        let mut counter = Counter::default();
        for (key, payload) in [(true, vp8(LONG, 255, 0)), (false, vp8(0, 0, 0)), (false, vp8(2, 0, 1))] {
            let ids = counter.next(&burst(Codec::Vp8, key, &payload));
            let told = Told::new(Codec::Vp8, &payload, ids);
            assert!(told.head.is_empty() && told.rest == payload);
        }
    }

    #[test]
    fn vp8_goes_on_over_a_change_of_layers() {
        let mut counter = Counter::default();
        let mut send = |key, payload: Vec<u8>| sent(&mut counter, Codec::Vp8, key, &payload);
        assert_eq!(send(true, vp8(0x7ffe, 254, 0)), vp8(0x7ffe, 254, 0));
        assert_eq!(send(false, vp8(0x7fff, 255, 0)), vp8(0x7fff, 255, 0));
        assert_eq!(send(true, vp8(300, 7, 0)), vp8(0, 0, 0), "another layer");
        assert_eq!(send(false, vp8(301, 7, 2)), vp8(1, 0, 2));
        assert_eq!(send(false, vp8(304, 8, 0)), vp8(4, 1, 0), "two pictures are lost");
    }

    #[test]
    fn pictures_that_are_left_out_are_no_gap_in_vp8() {
        let mut counter = Counter::default();
        sent(&mut counter, Codec::Vp8, true, &vp8(10, 1, 0));
        counter.leave_out(&burst(Codec::Vp8, false, &vp8(11, 1, 2)));
        assert_eq!(sent(&mut counter, Codec::Vp8, false, &vp8(12, 1, 1)), vp8(11, 1, 1));
        let mut counter = Counter::default();
        sent(&mut counter, Codec::Vp9, true, &vp9_flexible(10));
        counter.leave_out(&burst(Codec::Vp9, false, &vp9_flexible(11)));
        assert_eq!(
            sent(&mut counter, Codec::Vp9, false, &vp9_flexible(12)),
            vp9_flexible(12),
            "P_DIFF is right"
        );
    }

    #[test]
    fn short_ids_become_long_ones_and_do_not_wrap_early() {
        let short = |picture: u8| vec![0x90, 0x80, picture, 0xaa];
        let long = |picture: u16| {
            let [high, low] = (picture | 0x8000).to_be_bytes();
            vec![0x90, 0x80, high, low, 0xaa]
        };
        let mut counter = Counter::default();
        let mut send = |key, payload: Vec<u8>| sent(&mut counter, Codec::Vp8, key, &payload);
        assert_eq!(send(true, long(500)), long(500));
        assert_eq!(send(true, short(126)), long(501), "another publisher");
        assert_eq!(send(false, short(127)), long(502));
        assert_eq!(send(false, short(0)), long(503));
    }

    #[test]
    fn vp9_goes_on_with_and_without_tl0picidx() {
        let mut counter = Counter::default();
        let mut send = |key, payload: Vec<u8>| sent(&mut counter, Codec::Vp9, key, &payload);
        assert_eq!(send(true, vp9(5, 9)), vp9(5, 9));
        assert_eq!(send(true, vp9(1000, 200)), vp9(6, 10));
        assert_eq!(send(false, vp9(1001, 200)), vp9(7, 10));
        assert_eq!(send(false, vp9(1002, 201)), vp9(8, 11));
        let mut counter = Counter::default();
        let mut send = |key, payload: Vec<u8>| sent(&mut counter, Codec::Vp9, key, &payload);
        assert_eq!(send(true, vp9_flexible(70)), vp9_flexible(70));
        assert_eq!(send(true, vp9_flexible(3)), vp9_flexible(71));
        assert_eq!(send(false, vp9_flexible(4)), vp9_flexible(72));
    }

    #[test]
    fn what_has_no_ids_stays_as_it_is() {
        let ids = Ids { picture: 9, base: 9 };
        for (codec, payload) in [
            (Codec::Vp8, vec![0x10, 0xaa]),
            (Codec::Vp8, vec![0x90, 0x20, 0x40, 0xaa]),
            (Codec::Vp9, vec![0x0c, 0xaa]),
            (Codec::H264, vec![0x90, 0xf0, 0x80, 1, 2, 3]),
        ] {
            let told = Told::new(codec, &payload, ids);
            assert!(told.head.is_empty() && told.rest == payload);
        }
    }

    proptest! {
        #[test]
        fn what_follows_the_descriptor_is_never_touched(
            payload in prop::collection::vec(any::<u8>(), 0..12),
            picture in 0u16..0x8000,
            base: u8,
        ) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
                let ids = Ids { picture, base };
                let told = Told::new(codec, &payload, ids);
                prop_assert!(payload.ends_with(told.rest) && told.head.len() <= 6);
                let whole = [&told.head, told.rest].concat();
                if let Some(place) = Place::read(codec, &whole) {
                    prop_assert!(place.tells(ids));
                    let stays = Told::new(codec, &whole, ids);
                    prop_assert!(stays.head.is_empty());
                } else {
                    prop_assert_eq!(whole, payload.clone());
                }
            }
        }
    }
}
