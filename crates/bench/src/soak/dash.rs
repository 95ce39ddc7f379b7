//! A reader of DASH that gets every segment of both tracks.

use super::Note;
use crate::fetch::{FetchError, Fetcher};
use crate::play::resolve;
use headwater_mp4::Demuxer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// How often the manifest is fetched; segments are longer.
const RELOAD: Duration = Duration::from_millis(1000);
/// A manifest that is not there yet is asked for so often before that is an error.
const PATIENCE: usize = 60;

/// Follows stream `number`, for ever.
pub(super) async fn follow(server: SocketAddr, number: usize, note: Note) {
    let path = format!("/live/s{number}.mpd");
    match Fetcher::connect(server.to_string(), server, 0).await {
        Ok(fetcher) => {
            let mut reader = Reader { fetcher, path, tracks: BTreeMap::new(), note };
            if let Err(error) = reader.rounds().await {
                reader.note.failed(&format!("{}: {error}", reader.path));
            }
        }
        Err(error) => note.failed(&error),
    }
}

struct Reader {
    fetcher: Fetcher,
    path: String,
    /// By representation.
    tracks: BTreeMap<String, TrackState>,
    note: Note,
}

#[derive(Default)]
struct TrackState {
    demuxer: Demuxer,
    init: String,
    next: u64,
}

impl Reader {
    async fn rounds(&mut self) -> Result<(), FetchError> {
        for attempt in 0usize.. {
            match self.fetcher.keep(&self.path).await {
                Ok(body) => self.round(&String::from_utf8_lossy(&body)).await?,
                Err(FetchError::Http(_)) if attempt < PATIENCE => self.fetcher.reconnect().await?,
                Err(error) => return Err(error),
            }
            sleep(RELOAD).await;
        }
        Ok(())
    }

    async fn round(&mut self, manifest: &str) -> Result<(), FetchError> {
        for listed in representations(manifest) {
            let path = |name: &str| resolve(&self.path, &format!("{}{name}", listed.base));
            let state = self.tracks.entry(listed.id.clone()).or_default();
            let mut wanted = Vec::new();
            if state.init != listed.init {
                state.init.clone_from(&listed.init);
                wanted.push(path(&listed.init));
            }
            // one who comes in late begins with the last segment but one, as a player would
            let first =
                if state.next == 0 { listed.end.saturating_sub(2).max(listed.start) } else { state.next };
            wanted.extend((first..listed.end).map(|number| path(&listed.name(number))));
            state.next = listed.end.max(state.next);
            for path in wanted {
                self.read(&listed.id, &path).await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self, id: &str, path: &str) -> Result<(), FetchError> {
        let body = self.fetcher.keep(path).await?;
        let mut frames = Vec::new();
        let state = self.tracks.entry(id.to_owned()).or_default();
        if let Err(error) = state.demuxer.push(&body, &mut frames) {
            self.note.failed(&format!("{path}: {error}"));
        }
        self.note.frames(&frames);
        Ok(())
    }
}

/// One track of the newest period, as a manifest lists it (ISO/IEC 23009-1 5.3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Representation {
    id: String,
    base: String,
    init: String,
    media: String,
    /// Numbers of the segments, from `start` to before `end`.
    start: u64,
    end: u64,
}

impl Representation {
    fn name(&self, number: u64) -> String {
        self.media.replace("$Number$", &number.to_string())
    }
}

/// As much of a manifest as this reader needs: the periods' adaptation sets, each with one representation and a
/// template with a timeline. The newest period comes last.
fn representations(manifest: &str) -> Vec<Representation> {
    let base =
        manifest.split_once("<BaseURL>").and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default();
    manifest.split("<AdaptationSet").skip(1).filter_map(|set| representation(set, base)).collect()
}

fn representation(set: &str, base: &str) -> Option<Representation> {
    let set = set.split("</AdaptationSet").next()?;
    let id = attribute(element(set, "Representation")?, "id")?;
    let template = element(set, "SegmentTemplate")?;
    let fill = |name: &str| attribute(template, name).map(|text| text.replace("$RepresentationID$", id));
    let start = attribute(template, "startNumber").and_then(|number| number.parse().ok()).unwrap_or(1);
    let count: u64 = set.split("<S ").skip(1).map(|s| 1 + repeats(s)).sum();
    let (init, media) = (fill("initialization")?, fill("media")?);
    Some(Representation { id: id.to_owned(), base: base.to_owned(), init, media, start, end: start + count })
}

fn repeats(s: &str) -> u64 {
    s.split('>').next().and_then(|s| attribute(s, "r")).and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// The start tag of the first `name`, from after the name on.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name} "))?;
    rest.split('>').next()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let padded = tag.find(&format!(" {name}=\"")).map(|at| at + 1);
    let at = padded.or_else(|| tag.starts_with(&format!("{name}=\"")).then_some(0))?;
    tag.get(at + name.len() + 2..)?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"<?xml version="1.0"?><MPD type="dynamic"><BaseURL>s0/</BaseURL><Period id="1" start="PT0S">
        <AdaptationSet contentType="video" mimeType="video/mp4">
        <SegmentTemplate timescale="1000" media="$RepresentationID$-$Number$.m4s" startNumber="7" initialization="$RepresentationID$-init.mp4">
        <SegmentTimeline><S t="28000" d="4000" r="2"/><S d="3960"/></SegmentTimeline></SegmentTemplate>
        <Representation id="video" bandwidth="500000"/></AdaptationSet></Period></MPD>"#;

    #[test]
    fn segments_are_counted_by_the_timeline() {
        let found = representations(MANIFEST);
        let [video] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((video.start, video.end), (7, 11));
        assert_eq!((video.init.as_str(), video.name(8).as_str()), ("video-init.mp4", "video-8.m4s"));
        assert_eq!(
            resolve("/live/s0.mpd", &format!("{}{}", video.base, video.init)),
            "/live/s0/video-init.mp4"
        );
    }

    #[test]
    fn what_is_no_manifest_lists_nothing() {
        assert!(representations("").is_empty());
        assert!(representations("<AdaptationSet><Representation id=\"v\"/>").is_empty());
    }
}
