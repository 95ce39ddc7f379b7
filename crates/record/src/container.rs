//! Frames to the bytes of an FLV file, and what a finished file has that one being written has not.

use bytes::{Bytes, BytesMut};
use headwater_flv::amf0::{Decoder, Value, decode_all, write_string};
use headwater_flv::metadata::{self, ON_META_DATA};
use headwater_flv::{file_header, write_tag};
use headwater_media::{Frame, Time, Track};
use std::time::Duration;

/// Where FLV's header has its track flags.
const FLAGS_AT: u64 = 4;

/// Where a file's first tag has its body: after the file header with PreviousTagSize0, and the tag's header.
const BODY_AT: u64 = 13 + 11;

/// Where `onMetaData` has the numbers of `duration` and `filesize`, its first properties: after its name (13 bytes), the
/// array's head (5), and for each property its name (10) and the number's marker (1).
const DURATION_AT: u64 = BODY_AT + 13 + 5 + 10 + 1;
const FILESIZE_AT: u64 = DURATION_AT + 8 + 10 + 1;

/// The property of `onMetaData` that has the note about whose recording it is.
const NOTE: &str = "recording";

/// What completes a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// What is written over earlier bytes, and where, once everything before is durable.
    pub(crate) patches: Vec<(u64, Bytes)>,
}

/// What a decoder must know first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opening<'a> {
    /// Latest `onMetaData`.
    pub(crate) script: Option<&'a Frame>,
    /// Latest configurations.
    pub(crate) configs: Vec<&'a Frame>,
    /// Whether there is sound, whether there are pictures.
    pub(crate) audio: bool,
    pub(crate) video: bool,
    /// Whose recording it is.
    pub(crate) note: String,
}

/// FLV (10.1, annex E).
#[derive(Debug)]
pub(crate) struct FlvFile {
    length: u64,
    newest: Time,
    audio: bool,
    video: bool,
}

impl FlvFile {
    /// Begins with the header, `onMetaData` and the configurations, at the time `at`.
    pub(crate) fn start(opening: &Opening<'_>, at: Time, out: &mut BytesMut) -> FlvFile {
        out.extend_from_slice(&file_header(opening.audio, opening.video));
        let mut file =
            FlvFile { length: out.len() as u64, newest: at, audio: opening.audio, video: opening.video };
        file.frame(&metadata::frame(describe(opening), at), out);
        opening.configs.iter().for_each(|config| {
            file.frame(&Frame { dts: at, pts: at, ..(*config).clone() }, out);
        });
        file
    }

    pub(crate) fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        let before = out.len();
        // Cut to 32 bits: `time_jitter off` may be past their wrap.
        write_tag(frame, frame.dts.millis().max(0) as u32, out);
        self.length += (out.len() - before) as u64;
        self.newest = self.newest.max(frame.dts);
        self.audio |= frame.track == Track::Audio;
        self.video |= frame.track == Track::Video;
    }

    /// What completes the file.
    pub(crate) fn tail(&self) -> Tail {
        Tail { patches: flv_patches(self.audio, self.video, self.newest.duration(), self.length) }
    }
}

/// What a finished FLV tells of itself: its tracks, how long it plays and how many bytes it has.
pub(crate) fn flv_patches(audio: bool, video: bool, duration: Duration, length: u64) -> Vec<(u64, Bytes)> {
    let number = |n: f64| Bytes::copy_from_slice(&n.to_be_bytes());
    let [.., flags, _, _, _, _, _, _, _, _] = file_header(audio, video);
    vec![
        (FLAGS_AT, Bytes::copy_from_slice(&[flags])),
        (DURATION_AT, number(duration.as_secs_f64())),
        (FILESIZE_AT, number(length as f64)),
    ]
}

/// The note in the body of a file's first script tag.
pub(crate) fn flv_note(body: &[u8]) -> Option<String> {
    let values = decode_all(body).ok()?;
    Some(values.get(1)?.property(NOTE)?.as_str()?.to_owned())
}

/// `onMetaData` of a file: what the publisher told, behind room for duration and size.
fn describe(opening: &Opening<'_>) -> Bytes {
    let own = opening.script.and_then(|frame| {
        let mut decoder = Decoder::new(&frame.payload).ok()?;
        decoder.value().ok()?;
        Some(decoder.value().ok()?.properties()?.to_vec())
    });
    let mut properties =
        vec![("duration".to_owned(), Value::Number(0.0)), ("filesize".to_owned(), Value::Number(0.0))];
    let kept = |name: &str| !["duration", "filesize", NOTE].contains(&name);
    properties.extend(own.unwrap_or_default().into_iter().filter(|(name, _)| kept(name)));
    properties.push((NOTE.to_owned(), Value::String(opening.note.as_str().into())));
    let mut out = BytesMut::new();
    write_string(ON_META_DATA, &mut out);
    Value::EcmaArray(properties).encode(&mut out);
    out.freeze()
}
