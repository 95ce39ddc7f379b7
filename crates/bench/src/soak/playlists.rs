//! A reader of HLS and LL-HLS that gets every segment.

use super::Note;
use crate::fetch::{FetchError, Fetcher};
use crate::play::{Playlist, resolve};
use headwater_media::Frame;
use headwater_mp4::Demuxer;
use headwater_mpeg::TsDemuxer;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// How often a playlist is fetched; segments are longer.
const RELOAD: Duration = Duration::from_millis(1000);
/// A playlist that is not there yet is asked for so often before that is an error.
const PATIENCE: usize = 60;

/// Follows the TS segments of stream `number`, for ever.
pub(super) async fn follow_ts(server: SocketAddr, number: usize, note: Note) {
    let mut demuxer = TsDemuxer::new();
    let demux = move |bytes: &[u8], out: &mut Vec<Frame>| {
        demuxer.push(bytes, out);
        Ok(())
    };
    follow(server, format!("/live/s{number}.m3u8"), note, demux).await;
}

/// Follows the low-latency fMP4 segments of stream `number`, for ever; parts are left to players.
pub(super) async fn follow_mp4(server: SocketAddr, number: usize, note: Note) {
    let mut demuxer = Demuxer::new();
    let demux =
        move |bytes: &[u8], out: &mut Vec<Frame>| demuxer.push(bytes, out).map_err(|error| error.to_string());
    follow(server, format!("/live/s{number}/ll.m3u8"), note, demux).await;
}

async fn follow(
    server: SocketAddr,
    path: String,
    note: Note,
    demux: impl FnMut(&[u8], &mut Vec<Frame>) -> Result<(), String>,
) {
    let fetcher = match Fetcher::connect(server.to_string(), server, 0).await {
        Ok(fetcher) => fetcher,
        Err(error) => return note.failed(&error),
    };
    let mut reader = Reader { fetcher, path, newest: None, init: None, note, demux };
    if let Err(error) = reader.begin().await {
        return reader.note.failed(&error);
    }
    loop {
        if let Err(error) = reader.round().await {
            return reader.note.failed(&format!("{}: {error}", reader.path));
        }
        sleep(RELOAD).await;
    }
}

struct Reader<D> {
    fetcher: Fetcher,
    path: String,
    newest: Option<String>,
    /// The initialisation segment that was read last.
    init: Option<String>,
    note: Note,
    demux: D,
}

impl<D: FnMut(&[u8], &mut Vec<Frame>) -> Result<(), String>> Reader<D> {
    /// Waits for a playlist; a multivariant one leads to its first variant.
    async fn begin(&mut self) -> Result<(), FetchError> {
        for attempt in 0.. {
            match self.fetcher.keep(&self.path).await {
                Ok(body) => {
                    let text = String::from_utf8_lossy(&body);
                    if let Some(variant) = Playlist::parse(&text).variant {
                        self.path = resolve(&self.path, variant);
                    }
                    return Ok(());
                }
                Err(FetchError::Http(_)) if attempt < PATIENCE => self.again().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// An answer other than 200 leaves its body on the connection.
    async fn again(&mut self) -> Result<(), FetchError> {
        sleep(RELOAD).await;
        self.fetcher.reconnect().await?;
        Ok(())
    }

    async fn round(&mut self) -> Result<(), FetchError> {
        let body = self.fetcher.keep(&self.path).await?;
        let text = String::from_utf8_lossy(&body);
        if let Some(init) = map(&text).filter(|init| self.init.as_deref() != Some(init)) {
            self.read(&resolve(&self.path, init)).await?;
            self.init = Some(init.to_owned());
        }
        let playlist = Playlist::parse(&text);
        for segment in playlist.after(self.newest.as_deref()) {
            self.read(&resolve(&self.path, segment)).await?;
            self.newest = Some((*segment).to_owned());
        }
        Ok(())
    }

    async fn read(&mut self, path: &str) -> Result<(), FetchError> {
        let body = self.fetcher.keep(path).await?;
        let mut frames = Vec::new();
        if let Err(error) = (self.demux)(&body, &mut frames) {
            self.note.failed(&format!("{path}: {error}"));
        }
        self.note.frames(&frames);
        Ok(())
    }
}

/// The newest initialisation segment that a playlist names (RFC 8216 4.3.2.5).
fn map(text: &str) -> Option<&str> {
    let tag = text.lines().rev().find_map(|line| line.strip_prefix("#EXT-X-MAP:"))?;
    tag.split_once("URI=\"")?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_initialisation_is_found() {
        let text = "#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\"\n#EXTINF:2,\n1.m4s\n#EXT-X-MAP:URI=\"b.mp4\"\n2.m4s\n";
        assert_eq!(map(text), Some("b.mp4"));
        assert_eq!(map("#EXTM3U\n1.ts\n"), None);
    }
}
