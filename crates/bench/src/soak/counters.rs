//! The server's own counters, from its API.

use crate::fetch::{FetchError, Fetcher};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum CountersError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("connecting: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the list of streams is not as documented: {0}")]
    Shape(#[from] serde_json::Error),
}

/// Of all streams together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counters {
    /// Streams being published.
    pub(crate) active: usize,
    /// Frames taken in.
    pub(crate) frames: u64,
    /// Times that a reader was too slow and lost frames.
    pub(crate) jumps: u64,
}

#[derive(Deserialize)]
struct StreamList {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    frames: u64,
    publish: Publish,
    headwater: More,
}

#[derive(Deserialize)]
struct Publish {
    active: bool,
}

#[derive(Deserialize)]
struct More {
    jumps: u64,
}

/// Asks the API at `api` for at most `streams` streams.
pub(crate) async fn read(api: SocketAddr, streams: usize) -> Result<Counters, CountersError> {
    let mut fetcher = Fetcher::connect(api.to_string(), api, 0).await?;
    let body = fetcher.keep(&format!("/api/v1/streams/?start=0&count={}", streams.max(10))).await?;
    Ok(sum(&serde_json::from_slice(&body)?))
}

fn sum(list: &StreamList) -> Counters {
    list.streams.iter().fold(Counters::default(), |all, stream| Counters {
        active: all.active + usize::from(stream.publish.active),
        frames: all.frames + stream.frames,
        jumps: all.jumps + stream.headwater.jumps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_added_up() {
        let one = r#"{"frames": 5, "publish": {"active": true, "cid": "x"}, "headwater": {"jumps": 2}}"#;
        let list = format!(r#"{{"code": 0, "streams": [{one}, {one}]}}"#);
        let list: StreamList = serde_json::from_str(&list).unwrap();
        assert_eq!(sum(&list), Counters { active: 2, frames: 10, jumps: 4 });
    }
}
