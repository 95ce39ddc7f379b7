use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};

/// A strong entity tag (RFC 9110 8.8.3): it names one sequence of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of what `opaque` names, without quotes; characters that a tag cannot hold are left out.
    pub fn new(opaque: impl Display) -> EntityTag {
        let mut tag = opaque.to_string();
        tag.retain(|c| c.is_ascii_graphic() && c != '"');
        EntityTag(format!("\"{tag}\""))
    }

    /// The tag in its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn field(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }

    /// Weak comparison (RFC 9110 8.8.3.2) with the members of an If-None-Match.
    fn is_among(&self, list: &str) -> bool {
        // A comma inside a tag would split it: such tags are not made here, and then only the 304 is lost.
        list.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

impl Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a cache may know of content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    pub(crate) tag: Option<&'a EntityTag>,
    /// Whole seconds since the epoch are all that a date field tells.
    pub(crate) modified: Option<SystemTime>,
}

impl Validators<'_> {
    /// Whether the asker has this content already: If-None-Match, and where there is none If-Modified-Since
    /// (RFC 9110 13.2.2).
    pub(crate) fn are_known(self, fields: &HeaderMap) -> bool {
        if fields.contains_key(header::IF_NONE_MATCH) {
            let lists = fields.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
            return self.tag.is_some_and(|tag| lists.into_iter().any(|list| tag.is_among(list)));
        }
        let since = date(fields, header::IF_MODIFIED_SINCE);
        self.modified.map(whole_seconds).zip(since).is_some_and(|(modified, since)| modified <= since)
    }

    /// Whether a Range is to be heeded: there is no If-Range, or it names exactly this content (RFC 9110 13.1.5).
    pub(crate) fn allow_range(self, fields: &HeaderMap) -> bool {
        let Some(condition) = fields.get(header::IF_RANGE) else { return true };
        let tag = self.tag.is_some_and(|tag| condition.as_bytes() == tag.0.as_bytes());
        let modified = self.modified.map(whole_seconds);
        tag || modified.is_some_and(|modified| date(fields, header::IF_RANGE) == Some(modified))
    }
}

fn date(fields: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(fields.get(name)?.to_str().ok()?).ok()
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}
