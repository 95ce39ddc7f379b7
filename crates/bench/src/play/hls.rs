//! An HLS player: fetches the playlist and every new segment over one connection that stays open.

use crate::audience::Received;
use crate::fetch::{FetchError, Fetcher};
use crate::target::Target;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A playlist is fetched again after this share of its target duration (RFC 8216 6.3.4).
const RELOAD: f64 = 0.5;
/// No new segment for this many target durations is a stall.
const STALL: f64 = 3.0;

/// What one player has got so far, read by others while it plays.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    bytes: AtomicU64,
    stalls: AtomicU64,
    closed: AtomicBool,
}

impl Counter {
    pub(crate) fn received(&self) -> Received {
        Received {
            bytes: self.bytes.load(Ordering::Relaxed),
            stalls: self.stalls.load(Ordering::Relaxed),
            closed: self.closed.load(Ordering::Relaxed),
        }
    }
}

pub(crate) struct HlsPlayer {
    fetcher: Fetcher,
    playlist: String,
    newest: Option<String>,
    counter: Arc<Counter>,
}

impl HlsPlayer {
    pub(crate) async fn connect(
        target: &Target,
        server: SocketAddr,
        index: usize,
        counter: Arc<Counter>,
    ) -> Result<Self, FetchError> {
        Ok(HlsPlayer {
            fetcher: Fetcher::connect(target.host_field(), server, index).await?,
            playlist: target.path.clone(),
            newest: None,
            counter,
        })
    }

    /// Plays until the connection ends; says why it did.
    pub(crate) async fn play(mut self) -> FetchError {
        let counter = self.counter.clone();
        let error = self.rounds().await;
        counter.closed.store(true, Ordering::Relaxed);
        error
    }

    async fn rounds(&mut self) -> FetchError {
        let mut last = Instant::now();
        loop {
            let round = match self.round().await {
                Ok(round) => round,
                Err(error) => return error,
            };
            let stalled = last.elapsed().as_secs_f64() > round.target * STALL;
            if round.fetched > 0 || stalled {
                self.counter.stalls.fetch_add(u64::from(stalled), Ordering::Relaxed);
                last = Instant::now();
            }
            sleep(Duration::from_secs_f64((round.target * RELOAD).clamp(0.1, 10.0))).await;
        }
    }

    /// Fetches the playlist and what is new in it.
    async fn round(&mut self) -> Result<Round, FetchError> {
        let text = self.fetch_playlist().await?;
        let playlist = Playlist::parse(&text);
        if let Some(variant) = playlist.variant {
            self.playlist = resolve(&self.playlist, variant);
            return Ok(Round { fetched: 0, target: playlist.target });
        }
        let mut fetched = 0;
        for segment in playlist.after(self.newest.as_deref()) {
            let path = resolve(&self.playlist, segment);
            self.fetch_segment(&path).await?;
            self.newest = Some((*segment).to_owned());
            fetched += 1;
        }
        Ok(Round { fetched, target: playlist.target })
    }

    async fn fetch_playlist(&mut self) -> Result<String, FetchError> {
        let body = self.fetcher.keep(&self.playlist).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    async fn fetch_segment(&mut self, path: &str) -> Result<(), FetchError> {
        let length = self.fetcher.drop_body(path).await?;
        self.counter.bytes.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

/// What one look at the playlist brought.
struct Round {
    fetched: usize,
    /// Target duration, seconds.
    target: f64,
}

/// As much of a playlist as a player needs (RFC 8216 4.3).
pub(crate) struct Playlist<'a> {
    target: f64,
    pub(crate) segments: Vec<&'a str>,
    /// The first variant, when it is a multivariant playlist.
    pub(crate) variant: Option<&'a str>,
}

impl<'a> Playlist<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let target = text.lines().find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"));
        let uris: Vec<_> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let multivariant = text.contains("#EXT-X-STREAM-INF");
        Playlist {
            target: target.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(2.0),
            variant: uris.first().copied().filter(|_| multivariant),
            segments: uris,
        }
    }

    /// Segments after `newest`; the last one when that is not there or nothing was fetched yet.
    pub(crate) fn after(&self, newest: Option<&str>) -> &[&'a str] {
        let known = self.segments.iter().position(|segment| Some(*segment) == newest);
        let from = known.map_or(self.segments.len().saturating_sub(1), |at| at + 1);
        self.segments.get(from..).unwrap_or_default()
    }
}

/// The path of `reference` as written in the playlist at `base`.
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    let path = reference
        .split_once("://")
        .map_or(reference, |(_, rest)| rest.split_at(rest.find('/').unwrap_or(0)).1);
    if path.starts_with('/') {
        return path.to_owned();
    }
    let folder =
        base.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    format!("{folder}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpError;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\na-1.ts\n#EXTINF:4.0,\na-2.ts\n#EXTINF:4.0,\na-3.ts\n";

    #[test]
    fn a_player_starts_with_the_last_segment_and_misses_none_after() {
        let playlist = Playlist::parse(MEDIA);
        assert_eq!((playlist.target, playlist.variant), (4.0, None));
        assert_eq!(playlist.after(None), ["a-3.ts"]);
        assert_eq!(playlist.after(Some("a-1.ts")), ["a-2.ts", "a-3.ts"]);
        assert!(playlist.after(Some("a-3.ts")).is_empty());
        assert_eq!(playlist.after(Some("gone.ts")), ["a-3.ts"]);
    }

    #[test]
    fn a_multivariant_playlist_names_another() {
        let playlist = Playlist::parse("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/live/a.m3u8?ctx=1\n");
        assert_eq!(playlist.variant, Some("/live/a.m3u8?ctx=1"));
    }

    #[test]
    fn references_are_taken_from_where_the_playlist_is() {
        assert_eq!(resolve("/live/a.m3u8?x=/y", "a-1.ts"), "/live/a-1.ts");
        assert_eq!(resolve("/live/a.m3u8", "/b.ts"), "/b.ts");
        assert_eq!(resolve("/live/a.m3u8", "http://h:1/c/d.ts?e"), "/c/d.ts?e");
    }

    /// Answers every request on one connection: `a.m3u8` with a playlist, `.ts` with 300,000 bytes, else 404.
    async fn serve(listener: tokio::net::TcpListener) {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while io.read_buf(&mut request).await.is_ok_and(|n| n > 0) {
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut request)).unwrap();
            let (status, body) = match line.split(' ').nth(1) {
                Some("/live/a.m3u8") => ("200 OK", MEDIA.as_bytes().to_vec()),
                Some("/live/a-3.ts") => ("200 OK", vec![7; 300_000]),
                _ => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            io.write_all(head.as_bytes()).await.unwrap();
            io.write_all(&body).await.unwrap();
        }
    }

    async fn player(path: &str) -> HlsPlayer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener));
        let target = format!("http://{address}{path}").parse().unwrap();
        HlsPlayer::connect(&target, address, 0, Arc::default()).await.unwrap()
    }

    #[tokio::test]
    async fn segments_come_over_one_connection_and_only_once() {
        let mut player = player("/live/a.m3u8").await;
        let fetched = [player.round().await.unwrap().fetched, player.round().await.unwrap().fetched];
        assert_eq!(fetched, [1, 0]);
        assert_eq!(player.counter.received(), Received { bytes: 300_000, stalls: 0, closed: false });
    }

    #[tokio::test]
    async fn a_stream_that_is_not_there_ends_the_player_with_the_reason() {
        let player = player("/live/other.m3u8").await;
        let counter = player.counter.clone();
        assert!(matches!(player.play().await, FetchError::Http(HttpError::Status(404))));
        assert!(counter.received().closed);
    }
}
