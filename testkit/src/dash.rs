//! DASH as a player fetches it: manifests with a SegmentTimeline and numbered segments.

use crate::http::Request;
use std::net::SocketAddr;

/// A manifest and where it was.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What a manifest says of one representation in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// `id`.
    pub id: String,
    /// Path of the initialisation segment.
    pub initialization: String,
    /// Paths of the media segments, first to last.
    pub segments: Vec<String>,
}

/// The manifest at `path`; the error is the status of the answer and its text.
pub fn manifest(server: SocketAddr, path: &str) -> Result<Manifest, (u16, String)> {
    let answer = Request::get(server, path).send().unwrap_or_else(|err| panic!("{path}: {err}"));
    let status = answer.status;
    let text = answer.text().unwrap_or_else(|err| panic!("{path}: {err}"));
    if status == 200 { Ok(Manifest { path: path.to_owned(), text }) } else { Err((status, text)) }
}

impl Manifest {
    /// Every representation of every period, in order.
    pub fn representations(&self) -> Vec<Representation> {
        self.text.split("<Representation ").skip(1).map(|text| self.representation(text)).collect()
    }

    /// Each representation's segments after its initialisation, as one file. Panics when one is not there.
    pub fn fetch(&self, server: SocketAddr) -> Vec<Vec<u8>> {
        let get = |path: &String| {
            let answer = Request::get(server, path).send().unwrap_or_else(|err| panic!("{path}: {err}"));
            assert_eq!(answer.status, 200, "{path} is in the manifest:\n{}", self.text);
            answer.bytes().unwrap_or_else(|err| panic!("{path}: {err}"))
        };
        let file = |track: &Representation| {
            std::iter::once(&track.initialization).chain(&track.segments).flat_map(get).collect()
        };
        self.representations().iter().map(file).collect()
    }

    fn representation(&self, text: &str) -> Representation {
        let template = text.split("<SegmentTemplate ").nth(1).unwrap_or_default();
        let spans = template.split("</SegmentTimeline>").next().unwrap_or_default().split("<S ").skip(1);
        let count = spans.map(|span| 1 + number(span, "r").unwrap_or(0)).sum::<u64>();
        let first = number(template, "startNumber").unwrap_or(1);
        let id = attribute(text, "id").unwrap_or_default().to_owned();
        let base =
            self.text.split("<BaseURL>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = |name: &str, n: u64| {
            let name = name.replace("$RepresentationID$", &id).replace("$Number$", &n.to_string());
            format!("{folder}/{base}{name}").replace("&amp;", "&")
        };
        let (initialization, media) = (attribute(template, "initialization"), attribute(template, "media"));
        Representation {
            initialization: path(initialization.unwrap_or_default(), 0),
            segments: (first..first + count).map(|n| path(media.unwrap_or_default(), n)).collect(),
            id,
        }
    }
}

/// An attribute of the element whose text begins here.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let element = element.split('>').next()?;
    let mut fields = element.split('"');
    while let (Some(key), Some(value)) = (fields.next(), fields.next()) {
        if key.trim().strip_suffix('=') == Some(name) {
            return Some(value);
        }
    }
    None
}

fn number(element: &str, name: &str) -> Option<u64> {
    attribute(element, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_from_the_timeline() {
        let text = r#"<MPD><BaseURL>s/</BaseURL><Period><AdaptationSet>
            <Representation id="video" bandwidth="1"><SegmentTemplate timescale="9" initialization="$RepresentationID$-init.mp4"
              media="$RepresentationID$-$Number$.m4s" startNumber="7"><SegmentTimeline><S t="0" d="2" r="1"/><S t="4" d="1"/>
            </SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"#;
        let manifest = Manifest { path: "/live/s.mpd".to_owned(), text: text.to_owned() };
        let segments = [7, 8, 9].map(|n| format!("/live/s/video-{n}.m4s")).to_vec();
        let (id, initialization) = ("video".to_owned(), "/live/s/video-init.mp4".to_owned());
        assert_eq!(manifest.representations(), [Representation { id, initialization, segments }]);
    }
}
