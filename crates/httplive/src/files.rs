use axum::body::{Body, to_bytes};
use bytes::{Bytes, BytesMut};
use headwater_flv::{Demuxer, Parsed, write_tag};
use headwater_media::Kind;
use headwater_web::parameter;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};
use tower_http::services::ServeDir;

/// Where the decoder configurations of an FLV file are looked for: its first bytes, so many.
const FLV_HEAD_MAX: usize = 64 << 10;

/// An FLV file header with the size that follows it (FLV 10.1 E.2).
const FLV_HEADER: usize = 13;

/// Static files below one directory: index files, byte ranges, conditions, no listing, nothing outside the directory.
#[derive(Clone, Debug)]
pub struct FileServer {
    dir: ServeDir,
}

impl FileServer {
    /// Serves the files below `dir`; it need not exist.
    pub fn new(dir: &Path) -> FileServer {
        FileServer { dir: ServeDir::new(dir).append_index_html_on_directories(true) }
    }

    async fn serve(self, request: Request<Body>) -> Response<Body> {
        match flv_start(&request) {
            Some(start) => self.flv_from(&request.into_parts().0, start).await,
            None => self.file(request).await,
        }
    }

    async fn file(self, mut request: Request<Body>) -> Response<Body> {
        let kind = content_type(request.uri().path());
        range_from_query(&mut request);
        let Ok(response) = self.dir.oneshot(request).await;
        let mut response = response.map(Body::new);
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            StatusCode::NOT_FOUND => {
                *response.body_mut() = Body::from("Not Found\n");
                response.headers_mut().remove(header::CONTENT_LENGTH);
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, plain);
            }
            _ => {}
        }
        response
    }

    /// `x.flv?start=N`, as web players seek (srs-interfaces 3.9): the file's header and decoder configurations, then
    /// its bytes from the N-th on, where a tag begins.
    async fn flv_from(self, request: &Parts, start: u64) -> Response<Body> {
        let head = self.clone().file(part(request, 0, Some(FLV_HEAD_MAX as u64 - 1))).await;
        if head.status() != StatusCode::PARTIAL_CONTENT {
            return head;
        }
        // A file that cannot be read to its head cannot be read on either: that shows below.
        let first = to_bytes(head.into_body(), FLV_HEAD_MAX).await.map(|head| flv_prefix(&head));
        let first = first.unwrap_or_default();
        let mut rest = self.file(part(request, start, None)).await;
        if rest.status() != StatusCode::PARTIAL_CONTENT {
            return rest;
        }
        *rest.status_mut() = StatusCode::OK;
        // These tell of the file, not of this.
        for name in [header::CONTENT_RANGE, header::CONTENT_LENGTH, header::ACCEPT_RANGES, header::ETAG] {
            rest.headers_mut().remove(name);
        }
        if request.method == Method::HEAD {
            rest.map(|_| Body::empty())
        } else {
            rest.map(|rest| Body::new(After { first, rest }))
        }
    }
}

/// Where to begin in an FLV file, if the request says so.
fn flv_start(request: &Request<Body>) -> Option<u64> {
    let query = request.uri().query().filter(|_| request.uri().path().ends_with(".flv"))?;
    parameter(query, "start")?.parse().ok().filter(|start| *start > 0)
}

/// The same request for a part of the file, without conditions.
fn part(request: &Parts, first: u64, last: Option<u64>) -> Request<Body> {
    let mut part = Request::new(Body::empty());
    *part.uri_mut() = request.uri.clone();
    let last = last.map(|last| last.to_string()).unwrap_or_default();
    let range = HeaderValue::from_str(&format!("bytes={first}-{last}")).ok();
    part.headers_mut().extend(range.map(|range| (header::RANGE, range)));
    part
}

/// The file header and the decoder configurations among a file's first bytes.
fn flv_prefix(head: &[u8]) -> Bytes {
    let mut prefix = BytesMut::from(head.get(..FLV_HEADER).unwrap_or_default());
    let mut demuxer = Demuxer::new();
    demuxer.push(head);
    while let Ok(Some(tag)) = demuxer.next_tag() {
        match tag.parse() {
            Ok(Parsed::Frame(frame)) if frame.kind == Kind::Config => {
                write_tag(&frame, tag.timestamp_ms, &mut prefix);
            }
            _ => {}
        }
    }
    prefix.freeze()
}

/// A body after some bytes.
struct After {
    first: Bytes,
    rest: Body,
}

impl http_body::Body for After {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.rest).poll_frame(cx);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))))
    }

    fn size_hint(&self) -> SizeHint {
        let rest = http_body::Body::size_hint(&self.rest);
        rest.exact().map_or(rest, |rest| SizeHint::with_exact(rest + self.first.len() as u64))
    }
}

impl Service<Request<Body>> for FileServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.serve(request).await) })
    }
}

/// `x.mp4?range=a-b` and `?bytes=a-b` mean what a Range field means.
fn range_from_query(request: &mut Request<Body>) {
    let query = request.uri().query().filter(|_| request.uri().path().ends_with(".mp4"));
    let range = query.into_iter().flat_map(|q| q.split('&')).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        matches!(name, "range" | "bytes").then(|| format!("bytes={value}"))
    });
    if let Some(range) = range.and_then(|r| r.parse().ok()) {
        request.headers_mut().insert(header::RANGE, range);
    }
}

/// The content type of a path, by its extension; an unknown one is a plain byte stream.
pub fn content_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.').map_or(if name.is_empty() { "html" } else { "" }, |(_, e)| e) {
        "ts" => "video/MP2T",
        "flv" => "video/x-flv",
        "m4v" => "video/x-m4v",
        "3gpp" | "3gp" => "video/3gpp",
        "mp4" | "mp4v" => "video/mp4",
        "aac" => "audio/x-aac",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/x-m4a",
        "ogg" => "audio/ogg",
        "m3u8" => "application/vnd.apple.mpegurl",
        "mpd" => "application/dash+xml",
        "m4s" => "video/iso.segment",
        "rss" => "application/rss+xml",
        "json" => "application/json",
        "swf" => "application/x-shockwave-flash",
        "doc" => "application/msword",
        "zip" => "application/zip",
        "rar" => "application/x-rar-compressed",
        "xml" => "text/xml",
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "png" => "image/png",
        "jpeg" | "jpg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn fetch(uri: &str) -> (StatusCode, String, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "home").unwrap();
        std::fs::write(dir.path().join("a.mp4"), "0123456789").unwrap();
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = FileServer::new(dir.path()).serve(request).await;
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status();
        (status, kind, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn an_flv_file_is_played_from_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        // FLV 10.1: header, PreviousTagSize0; video tag with an AVC sequence header; two key frames.
        let tag = |body: &[u8], time: u8| {
            let mut tag = vec![9, 0, 0, body.len() as u8, 0, 0, time, 0, 0, 0, 0];
            tag.extend_from_slice(body);
            tag.extend((body.len() as u32 + 11).to_be_bytes());
            tag
        };
        let header = [b"FLV\x01\x01\0\0\0\x09".as_slice(), &[0; 4]].concat();
        let config = tag(&[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e, 0xff, 0xe0, 0], 0);
        let (first, second) = (tag(&[0x17, 1, 0, 0, 0, 1], 1), tag(&[0x17, 1, 0, 0, 0, 2], 2));
        let file = [header.clone(), config.clone(), first, second.clone()].concat();
        std::fs::write(dir.path().join("a.flv"), &file).unwrap();
        let start = file.len() - second.len();
        let get = async |uri: String| {
            let request = Request::get(uri).body(Body::empty()).unwrap();
            let response = FileServer::new(dir.path()).serve(request).await;
            let status = response.status().as_u16();
            (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
        };
        assert_eq!(get(format!("/a.flv?start={start}")).await, (200, [header, config, second].concat()));
        assert_eq!(get("/a.flv?start=0".to_owned()).await, (200, file.clone()));
        assert_eq!(get(format!("/a.flv?start={}", file.len())).await.0, 416);
        assert_eq!(get("/none.flv?start=9".to_owned()).await.0, 404);
    }

    #[tokio::test]
    async fn files_ranges_and_nothing_outside() {
        assert_eq!(fetch("/").await, (StatusCode::OK, "text/html; charset=utf-8".into(), b"home".to_vec()));
        let part = fetch("/a.mp4?range=2-4").await;
        assert_eq!(part, (StatusCode::PARTIAL_CONTENT, "video/mp4".into(), b"234".to_vec()));
        for uri in ["/nothing", "/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd"] {
            assert_eq!(fetch(uri).await.0, StatusCode::NOT_FOUND, "{uri}");
        }
    }
}
