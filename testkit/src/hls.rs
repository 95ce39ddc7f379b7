//! HLS as a player fetches it.

use crate::http::Request;
use std::net::SocketAddr;

/// A media playlist: the one that names segments.
#[derive(Clone, Debug)]
pub struct Playlist {
    /// Its path, with its parameters.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The media playlist at `path`, found through the one that names it if that is what stands there; none when it is not
/// there (yet).
pub fn playlist(server: SocketAddr, path: &str) -> Option<Playlist> {
    let answer = Request::get(server, path).send().ok()?;
    let text = (answer.status == 200).then(|| answer.text().ok())??;
    match text.lines().find(|line| !line.starts_with('#') && line.contains(".m3u8")) {
        Some(next) => playlist(server, &resolve(path, next)),
        None => Some(Playlist { path: path.to_owned(), text }),
    }
}

impl Playlist {
    /// The segments' paths, first to last.
    pub fn segments(&self) -> Vec<String> {
        let uris = self.text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        uris.map(|uri| resolve(&self.path, uri)).collect()
    }

    /// The segments' paths after that of the initialisation they need, if they need one.
    pub fn parts_of_file(&self) -> Vec<String> {
        let map = self.text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:")?.split('"').nth(1));
        map.map(|uri| resolve(&self.path, uri)).into_iter().chain(self.segments()).collect()
    }

    /// All segments, one after the other, as one file. Panics when one is not there.
    pub fn fetch(&self, server: SocketAddr) -> Vec<u8> {
        let fetch = |path: &String| {
            let answer = Request::get(server, path).send().unwrap_or_else(|err| panic!("{path}: {err}"));
            assert_eq!(answer.status, 200, "{path}");
            answer.bytes().unwrap_or_else(|err| panic!("{path}: {err}"))
        };
        self.parts_of_file().iter().flat_map(fetch).collect()
    }
}

/// A playlist's `uri` as a path on the server.
fn resolve(base: &str, uri: &str) -> String {
    if uri.starts_with('/') {
        return uri.to_owned();
    }
    let folder = base.split('?').next().unwrap_or_default().rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{uri}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_resolve_against_the_playlist() {
        assert_eq!(resolve("/live/s.m3u8?hls_ctx=a/b", "s-0.ts?hls_ctx=a"), "/live/s-0.ts?hls_ctx=a");
        assert_eq!(resolve("/live/s.m3u8", "/live/s.m3u8?hls_ctx=a"), "/live/s.m3u8?hls_ctx=a");
        assert_eq!(resolve("/s.m3u8", "s-0.ts"), "/s-0.ts");
    }
}
