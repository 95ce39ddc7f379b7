//! VP8: the key frame header (RFC 6386 9.1).

use super::{Fault, OTHER, ParseError, VideoInfo};
use crate::{Codec, Reader};

/// Whether a frame is a key frame.
pub fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|b| b & 0x01 == 0)
}

/// What a key frame says of its track.
pub fn info(frame: &[u8]) -> Result<VideoInfo, ParseError> {
    let (width, height) = size(frame).map_err(|fault| fault.within("VP8 key frame header"))?;
    Ok(VideoInfo { codec: Codec::Vp8, profile: OTHER, level: OTHER.into(), width, height })
}

fn size(frame: &[u8]) -> Result<(u32, u32), Fault> {
    let mut r = Reader::new(frame);
    let [tag, ..] = r.array::<3>()?;
    if tag & 0x01 != 0 {
        return Err(Fault::value("key_frame", tag & 0x01));
    }
    let start = r.u24()?;
    if start != 0x9d_012a {
        return Err(Fault::value("start_code", start));
    }
    // Two bits of scaling above each size.
    let [w0, w1, h0, h1] = r.array()?;
    Ok((u32::from(w1 & 0x3f) << 8 | u32::from(w0), u32::from(h1 & 0x3f) << 8 | u32::from(h0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_in_a_key_frame() {
        let key = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x40];
        let info = info(&key).unwrap();
        assert_eq!((info.width, info.height), (320, 180));
        assert!(is_key(&key));
    }
}
