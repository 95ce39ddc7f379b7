//! Streams with converted sound: a reader of one stream and the writer of another, one task for each stream and codec
//! that somebody needs, none for those that nobody does.
//!
//! What is not sound, and sound that already fits, passes untouched and at once (the payload is shared); sound goes
//! through [`headwater_audio::Converter`] in the same task, so the order of sound and pictures stays as it was, but
//! for the length of one encoded packet (at most 43 ms).
//!
//! The task reads the origin's log like any reader: one that is too slow jumps to the newest key frame, and its
//! readers with it. It decides nothing about who may play, and pictures are not its business.

#[cfg(test)]
mod tests;

use headwater_audio::{Converter, Target};
use headwater_hub::{DerivedPublisher, Entry, FrameReader, Read, Stream, Unused};
use headwater_media::{Codec, Frame, Track};
use std::sync::Arc;
use tokio::runtime::Handle;
use tracing::{debug, warn};

/// Frames left out one after the other, of which the log tells the first; a second of silence.
const QUIET_ERRORS: u32 = 50;

/// Makes streams whose sound is in the codec that a protocol needs.
///
/// The stream that comes back is used like any other: `attach` on it counts the player at the origin, as do the bytes
/// sent; `bytes`, `frames`, `tracks` and players started on it read converted sound. So a gateway takes it right
/// after admission and forgets the origin:
///
/// ```ignore
/// let stream = conversions.opus(&hub.stream(&name), bitrate);
/// let attached = stream.attach(&session); // counted, and told, as a player of the origin
/// let reader = stream.frames(); // keeps the conversion going; so does holding the stream
/// ```
#[derive(Clone, Debug)]
pub struct Conversions {
    runtime: Handle,
}

impl Conversions {
    /// Conversions that run on `runtime`: one that no media is sent from, for a frame takes some 0.2 ms.
    pub fn new(runtime: Handle) -> Conversions {
        Conversions { runtime }
    }

    /// `stream` with its sound as Opus of `bitrate` bits a second. Opus passes as it is; so does sound that cannot be
    /// decoded. The first user's bit rate holds until the last one has gone.
    pub fn opus(&self, stream: &Arc<Stream>, bitrate: u32) -> Arc<Stream> {
        self.derived(stream, "opus", Target::Opus { bitrate })
    }

    /// `stream` with its sound as AAC-LC of `bitrate` bits a second. AAC passes as it is, and so does MP3, which
    /// everything that takes AAC takes too.
    pub fn aac(&self, stream: &Arc<Stream>, bitrate: u32) -> Arc<Stream> {
        self.derived(stream, "aac", Target::Aac { bitrate })
    }

    /// `stream` with its sound as G.711 A-law, for telephones and cameras. G.711 A-law passes as it is.
    pub fn g711a(&self, stream: &Arc<Stream>) -> Arc<Stream> {
        self.derived(stream, "g711a", Target::G711A)
    }

    /// `stream` with its sound as G.711 mu-law. G.711 mu-law passes as it is.
    pub fn g711u(&self, stream: &Arc<Stream>) -> Arc<Stream> {
        self.derived(stream, "g711u", Target::G711U)
    }

    /// Whether `stream` has sound that [`Conversions::opus`] (for [`Codec::Opus`]) or [`Conversions::aac`] (for any
    /// other) would change; none while its sound is not known. Where nothing changes, the stream itself is cheaper:
    /// its bytes are muxed once for all.
    pub fn changes(stream: &Stream, codec: Codec) -> Option<bool> {
        let target = match codec {
            Codec::Opus => Target::Opus { bitrate: 0 },
            _ => Target::Aac { bitrate: 0 },
        };
        let audio = stream.snapshot().audio?.codec;
        Some(!fits(audio, target) && Converter::decodes(audio))
    }

    fn derived(&self, stream: &Arc<Stream>, key: &'static str, target: Target) -> Arc<Stream> {
        stream.origin().derived(key, |reader, publisher| {
            self.runtime.spawn(run(reader, publisher, target));
        })
    }
}

/// Whether sound of `codec` serves those who asked for `target`.
fn fits(codec: Codec, target: Target) -> bool {
    match target {
        Target::Aac { .. } => matches!(codec, Codec::Aac | Codec::Mp3),
        _ => codec == target.codec(),
    }
}

async fn run(mut reader: FrameReader, mut publisher: DerivedPublisher, target: Target) {
    let mut sound = Sound { converter: Converter::new(target), target, errors: 0, out: Vec::new() };
    let name = reader.stream().name().to_string();
    debug!(stream = name, codec = ?target.codec(), "conversion of sound starts");
    loop {
        let read = tokio::select! {
            biased;
            () = publisher.unused() => break,
            read = reader.next() => read,
        };
        let done = match read {
            Read::Entries(entries) => {
                entries.into_iter().try_for_each(|entry| sound.take(entry, &publisher, &name))
            }
            Read::Jumped { .. } => {
                sound.converter.reset();
                // The next entries begin with the headers, and with the publisher if there still is one.
                match reader.stream().is_live() {
                    true => Ok(()),
                    false => publisher.write(Entry::Unpublished),
                }
            }
        };
        if done.is_err() {
            break;
        }
        // A backlog is converted at once; others get their turn between its batches.
        tokio::task::yield_now().await;
    }
    debug!(stream = name, codec = ?target.codec(), "conversion of sound ends: nobody uses it");
}

/// The sound on its way.
struct Sound {
    converter: Converter,
    target: Target,
    /// Errors since the last frame that went well.
    errors: u32,
    out: Vec<Frame>,
}

impl Sound {
    fn take(&mut self, entry: Entry, publisher: &DerivedPublisher, name: &str) -> Result<(), Unused> {
        match entry {
            Entry::Frame(frame) if self.converts(&frame) => {
                let done = self.converter.push(&frame, &mut self.out);
                self.note(done, name);
                self.write(publisher)
            }
            Entry::Unpublished => {
                let done = self.converter.flush(&mut self.out);
                self.note(done, name);
                self.converter.reset();
                self.write(publisher)?;
                publisher.write(Entry::Unpublished)
            }
            entry => publisher.write(entry),
        }
    }

    fn converts(&self, frame: &Frame) -> bool {
        frame.track == Track::Audio && !fits(frame.codec, self.target) && Converter::decodes(frame.codec)
    }

    fn write(&mut self, publisher: &DerivedPublisher) -> Result<(), Unused> {
        self.out.drain(..).try_for_each(|frame| publisher.write(Entry::Frame(frame)))
    }

    fn note(&mut self, done: Result<(), headwater_audio::Error>, name: &str) {
        match done {
            Ok(()) => self.errors = 0,
            Err(err) => {
                if self.errors.is_multiple_of(QUIET_ERRORS) {
                    warn!(stream = name, "{err}");
                }
                self.errors = self.errors.saturating_add(1);
            }
        }
    }
}
