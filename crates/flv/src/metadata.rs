//! Script messages: `onMetaData` is put in order, all others pass as they are.

use crate::amf0::{Decoder, Properties, Value, write_string};
use crate::{AmfError, FlvError, Parsed};
use bytes::{Bytes, BytesMut};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};

/// The name of the message that describes a stream.
pub const ON_META_DATA: &str = "onMetaData";
/// What encoders put before a message that the server shall keep for later players.
pub const SET_DATA_FRAME: &str = "@setDataFrame";

const SERVER: &str = concat!("Headwater/", env!("CARGO_PKG_VERSION"));
/// True of a file, wrong for a live stream: players would show an end.
const DROPPED: [&str; 2] = ["duration", "filesize"];

/// Reads the body of a script tag that was stamped `dts`: `@setDataFrame` is removed, `onMetaData` loses
/// `duration` and `filesize` and gains `server`; other messages keep their bytes.
pub fn parse_script(body: &Bytes, dts: Time) -> Result<Parsed, FlvError> {
    if body.first() == Some(&0) {
        return Ok(Parsed::Ignored("time code, not a script message"));
    }
    let mut decoder = Decoder::new(body)?;
    let mut start = 0;
    let mut name = decoder.value()?;
    if name.as_str() == Some(SET_DATA_FRAME) {
        start = decoder.position();
        if decoder.is_empty() {
            return Ok(Parsed::Ignored("@setDataFrame without data"));
        }
        name = decoder.value()?;
    }
    let payload = match name.as_str() {
        Some(ON_META_DATA) if decoder.is_empty() => return Ok(Parsed::Ignored("onMetaData without data")),
        Some(ON_META_DATA) => Metadata::new(&decoder.value()?).encode(),
        Some(_) => body.slice(start..),
        None => return Err(AmfError::Unnamed.into()),
    };
    Ok(Parsed::Frame(frame(payload, dts)))
}

/// A script frame with this payload.
pub fn frame(payload: Bytes, dts: Time) -> Frame {
    let (codec, tag) = (Codec::Script, CodecTag::Legacy);
    Frame { track: Track::Script, codec, tag, kind: Kind::Script, dts, pts: dts, payload }
}

/// The contents of an `onMetaData` message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    properties: Properties,
}

impl Metadata {
    /// From the value of the message, without what is wrong for a live stream.
    pub fn new(value: &Value) -> Metadata {
        let kept = |name: &str| name != "server" && !DROPPED.contains(&name);
        let properties = value.properties().unwrap_or_default();
        Metadata { properties: properties.iter().filter(|(n, _)| kept(n)).cloned().collect() }
    }

    /// From the payload of a script frame; `None` when it is another message.
    pub fn decode(payload: &[u8]) -> Result<Option<Metadata>, AmfError> {
        let mut decoder = Decoder::new(payload)?;
        if decoder.value()?.as_str() != Some(ON_META_DATA) {
            return Ok(None);
        }
        Ok(Some(Metadata::new(&decoder.value()?)))
    }

    /// The payload of a script frame: the name, then an ECMA array that ends with `server`.
    pub fn encode(&self) -> Bytes {
        let mut properties = self.properties.clone();
        properties.push(("server".to_owned(), SERVER.into()));
        let mut out = BytesMut::new();
        write_string(ON_META_DATA, &mut out);
        Value::EcmaArray(properties).encode(&mut out);
        out.freeze()
    }

    /// A property of any name.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Whether an audio codec is named: the publisher means to send sound.
    pub fn has_audio(&self) -> bool {
        self.property("audiocodecid").is_some()
    }

    /// Whether a video codec is named: the publisher means to send pictures.
    pub fn has_video(&self) -> bool {
        self.property("videocodecid").is_some()
    }

    /// Width and height of the picture in pixels, when both are there and sane.
    pub fn size(&self) -> Option<(u32, u32)> {
        let side = |name| self.property(name)?.as_number().filter(|n| (1.0..=65_535.0).contains(n));
        Some((side("width")? as u32, side("height")? as u32))
    }
}
