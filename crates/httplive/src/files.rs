use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};
use tower_http::services::ServeDir;

/// Static files below one directory: index files, byte ranges, no listing, nothing outside the directory.
#[derive(Clone, Debug)]
pub struct FileServer {
    dir: ServeDir,
}

impl FileServer {
    /// Serves the files below `dir`; it need not exist.
    pub fn new(dir: &Path) -> FileServer {
        FileServer { dir: ServeDir::new(dir).append_index_html_on_directories(true) }
    }

    async fn serve(self, mut request: Request<Body>) -> Response<Body> {
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
    async fn files_ranges_and_nothing_outside() {
        assert_eq!(fetch("/").await, (StatusCode::OK, "text/html; charset=utf-8".into(), b"home".to_vec()));
        let part = fetch("/a.mp4?range=2-4").await;
        assert_eq!(part, (StatusCode::PARTIAL_CONTENT, "video/mp4".into(), b"234".to_vec()));
        for uri in ["/nothing", "/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd"] {
            assert_eq!(fetch(uri).await.0, StatusCode::NOT_FOUND, "{uri}");
        }
    }
}
