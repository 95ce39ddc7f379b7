use crate::pieces::Pieces;
use crate::range::part;
use crate::validator::{EntityTag, Validators};
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use std::time::{Duration, SystemTime};

/// How long caches may answer with content (RFC 9111 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Not at all: it is one viewer's alone, or has no end.
    NoStore,
    /// Only after asking whether it is still this one.
    Revalidate,
    /// For so long, in whole seconds.
    For(Duration),
    /// For so long without asking again even when the reader reloads: the address names these bytes for ever.
    Immutable(Duration),
}

impl Caching {
    /// The Cache-Control field.
    pub fn field(self) -> HeaderValue {
        let for_s =
            |age: Duration, rest| HeaderValue::from_str(&format!("max-age={}{rest}", age.as_secs())).ok();
        match self {
            Caching::NoStore => None,
            Caching::Revalidate => Some(HeaderValue::from_static("no-cache")),
            Caching::For(age) => for_s(age, ""),
            Caching::Immutable(age) => for_s(age, ", immutable"),
        }
        .unwrap_or(HeaderValue::from_static("no-store"))
    }
}

/// Content that is in memory, whole, with what caches need to know of it.
#[derive(Clone, Debug)]
pub struct Representation {
    content_type: &'static str,
    content: Pieces,
    tag: Option<EntityTag>,
    modified: Option<SystemTime>,
    caching: Caching,
}

impl Representation {
    /// Content of that media type, not to be stored until [`Representation::caching`] says otherwise.
    pub fn new(content_type: &'static str, content: impl Into<Pieces>) -> Representation {
        Representation {
            content_type,
            content: content.into(),
            tag: None,
            modified: None,
            caching: Caching::NoStore,
        }
    }

    /// Its entity tag.
    pub fn tag(mut self, tag: EntityTag) -> Representation {
        self.tag = Some(tag);
        self
    }

    /// When it changed last, to the second.
    pub fn modified(mut self, modified: SystemTime) -> Representation {
        self.modified = Some(modified);
        self
    }

    /// How long it may be kept.
    pub fn caching(mut self, caching: Caching) -> Representation {
        self.caching = caching;
        self
    }

    /// The answer to a GET or HEAD with these fields: 200, 304 when the asker has it (RFC 9110 13), 206 or 416 when a
    /// Range asks for a part of it (RFC 9110 14.2; only of GET).
    pub fn answer(self, method: &Method, fields: &HeaderMap) -> Response<Body> {
        let validators = Validators { tag: self.tag.as_ref(), modified: self.modified };
        if validators.are_known(fields) {
            return self.known();
        }
        let wanted = fields.get(header::RANGE).and_then(|range| range.to_str().ok());
        let wanted = wanted.filter(|_| method == Method::GET && validators.allow_range(fields));
        match wanted.map_or(Ok(None), |range| part(range, self.content.len())) {
            Err(_) => self.not_satisfiable(),
            Ok(None) => self.whole(method == Method::HEAD),
            Ok(Some(part)) => {
                let (start, len) = (part.start, self.content.len());
                let range = format!("bytes {start}-{}/{len}", start + part.len - 1); // a part is never empty
                let part = Representation { content: self.content.clone().part(part), ..self };
                let mut response = part.whole(false);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                put(&mut response, header::CONTENT_RANGE, HeaderValue::from_str(&range).ok());
                response
            }
        }
    }

    fn whole(self, only_head: bool) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        self.put_validators(&mut response);
        put(&mut response, header::CONTENT_TYPE, Some(HeaderValue::from_static(self.content_type)));
        put(&mut response, header::CONTENT_LENGTH, Some(self.content.len().into()));
        put(&mut response, header::ACCEPT_RANGES, Some(HeaderValue::from_static("bytes")));
        if !only_head {
            *response.body_mut() = Body::new(self.content);
        }
        response
    }

    fn known(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        self.put_validators(&mut response);
        response
    }

    fn not_satisfiable(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        let range = HeaderValue::from_str(&format!("bytes */{}", self.content.len())).ok();
        put(&mut response, header::CONTENT_RANGE, range);
        // Content that grows may satisfy the next one.
        put(&mut response, header::CACHE_CONTROL, Some(Caching::NoStore.field()));
        response
    }

    fn put_validators(&self, response: &mut Response<Body>) {
        put(response, header::ETAG, self.tag.as_ref().and_then(EntityTag::field));
        let modified = self.modified.map(httpdate::fmt_http_date);
        put(response, header::LAST_MODIFIED, modified.and_then(|date| HeaderValue::from_str(&date).ok()));
        put(response, header::CACHE_CONTROL, Some(self.caching.field()));
    }
}

fn put(response: &mut Response<Body>, name: HeaderName, value: Option<HeaderValue>) {
    response.headers_mut().extend(value.map(|value| (name, value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    /// 2001-09-09 01:46:40 and a half.
    const MODIFIED: Duration = Duration::from_millis(1_000_000_000_500);
    const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

    fn digits() -> Representation {
        Representation::new("text/plain", vec![Bytes::from("012"), Bytes::from("3456"), Bytes::from("789")])
            .tag(EntityTag::new("a"))
            .modified(SystemTime::UNIX_EPOCH + MODIFIED)
            .caching(Caching::For(Duration::from_secs(9)))
    }

    fn ask(method: Method, lines: &[(&'static str, &str)]) -> (u16, HeaderMap, String) {
        let fields = lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let response = digits().answer(&method, &fields.collect());
        let (head, body) = response.into_parts();
        let body = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body.collect());
        let text = String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap();
        (head.status.as_u16(), head.headers, text)
    }

    fn get(lines: &[(&'static str, &str)]) -> (u16, String) {
        let (status, _, text) = ask(Method::GET, lines);
        (status, text)
    }

    #[test]
    fn whole() {
        let (status, fields, text) = ask(Method::GET, &[]);
        assert_eq!((status, text.as_str()), (200, "0123456789"));
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-length", "10"),
            ("accept-ranges", "bytes"),
            ("etag", "\"a\""),
            ("last-modified", DATE),
            ("cache-control", "max-age=9"),
        ] {
            assert_eq!(fields[name], value);
        }
        let (status, head, text) = ask(Method::HEAD, &[("range", "bytes=1-2")]);
        assert_eq!((status, text.as_str()), (200, ""), "a range is only for GET (RFC 9110 14.2)");
        assert_eq!(head, fields);
    }

    #[test]
    fn conditions() {
        for tags in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert_eq!(get(&[("if-none-match", tags)]), (304, String::new()), "{tags}");
        }
        assert_eq!(get(&[("if-none-match", "\"b\"")]).0, 200);
        assert_eq!(get(&[("if-modified-since", DATE)]).0, 304);
        assert_eq!(get(&[("if-modified-since", "Sun, 09 Sep 2001 01:46:39 GMT")]).0, 200);
        assert_eq!(get(&[("if-modified-since", "yesterday")]).0, 200);
        // RFC 9110 13.1.3: the date counts for nothing beside tags.
        assert_eq!(get(&[("if-none-match", "\"b\""), ("if-modified-since", DATE)]).0, 200);
        let (_, fields, _) = ask(Method::GET, &[("if-none-match", "*"), ("range", "bytes=1-2")]);
        assert_eq!((fields.get("content-length"), fields["etag"].as_bytes()), (None, b"\"a\"".as_slice()));
    }

    #[test]
    fn ranges() {
        let (status, fields, text) = ask(Method::GET, &[("range", "bytes=2-4")]);
        assert_eq!((status, text.as_str()), (206, "234"));
        assert_eq!(
            (&fields["content-range"], &fields["content-length"]),
            (&HeaderValue::from_static("bytes 2-4/10"), &HeaderValue::from_static("3"))
        );
        let (status, fields, text) = ask(Method::GET, &[("range", "bytes=10-")]);
        assert_eq!(
            (status, text.as_str(), fields["content-range"].as_bytes()),
            (416, "", b"bytes */10".as_slice())
        );
        assert_eq!(get(&[("range", "bytes=0-0,2-2")]), (200, "0123456789".to_owned()));
        for (condition, status) in [
            ("\"a\"", 206),
            (DATE, 206),
            ("\"b\"", 200),
            ("W/\"a\"", 200),
            ("Sun, 09 Sep 2001 01:46:41 GMT", 200),
        ] {
            assert_eq!(get(&[("range", "bytes=2-4"), ("if-range", condition)]).0, status, "{condition}");
        }
    }

    #[test]
    fn cache_control() {
        let minute = Duration::from_secs(60);
        assert_eq!(Caching::NoStore.field(), "no-store");
        assert_eq!(Caching::Revalidate.field(), "no-cache");
        assert_eq!(Caching::For(minute).field(), "max-age=60");
        assert_eq!(Caching::Immutable(minute).field(), "max-age=60, immutable");
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_whole(cuts in prop::collection::btree_set(1usize..10, 0..5)) {
            let ends: Vec<usize> = cuts.into_iter().chain([10]).collect();
            let mut start = 0;
            let mut whole = String::new();
            for end in ends {
                whole += &get(&[("range", &format!("bytes={start}-{}", end - 1))]).1;
                start = end;
            }
            prop_assert_eq!(whole, "0123456789");
        }
    }
}
