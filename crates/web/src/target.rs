use http::request::Parts;
use http::{HeaderMap, Uri, header};

/// Decodes the `%XX` of a path (RFC 3986 2.1). `None` for a `%` without two hexadecimal digits and for bytes that are
/// not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => out.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The first value of that name in a query (without `?`), as sent; an empty one does not count.
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}

/// The host and port that a request is for: the authority of its target (`:authority` of HTTP/2 and HTTP/3, RFC 9113
/// 8.3.1; absolute form of HTTP/1.1, RFC 9112 3.2.2), else its Host field.
pub fn host<'a>(target: &'a Uri, fields: &'a HeaderMap) -> Option<&'a str> {
    let field = || fields.get(header::HOST)?.to_str().ok();
    target.authority().map(|authority| authority.as_str()).or_else(field)
}

/// The virtual host asked for: `vhost` or `domain` of the query, else the request's host without its port.
pub fn virtual_host(request: &Parts) -> &str {
    let query = request.uri.query().unwrap_or_default();
    let host = || host(&request.uri, &request.headers).map(without_port);
    parameter(query, "vhost").or_else(|| parameter(query, "domain")).or_else(host).unwrap_or_default()
}

/// A host without its port; the colons of an IPv6 address in brackets stay.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use proptest::prelude::*;

    fn vhost(uri: &str, host: Option<&str>) -> String {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        virtual_host(&request.body(()).unwrap().into_parts().0).to_owned()
    }

    #[test]
    fn the_virtual_host_of_a_request() {
        assert_eq!(vhost("/live/s.flv", Some("a.example:8080")), "a.example");
        assert_eq!(vhost("/live/s.flv", Some("[::1]:8080")), "[::1]");
        assert_eq!(vhost("/live/s.flv", Some("[::1]")), "[::1]");
        assert_eq!(vhost("/live/s.flv", None), "");
        assert_eq!(vhost("/s.flv?domain=d.example", Some("a.example")), "d.example");
        assert_eq!(vhost("/s.flv?domain=d.example&vhost=v.example", Some("a.example")), "v.example");
        assert_eq!(vhost("/s.flv?vhost=&xvhost=b", Some("a.example")), "a.example");
        assert_eq!(vhost("https://h2.example:8443/s.flv", None), "h2.example"); // :authority
        assert_eq!(vhost("http://a.example/s.flv", Some("b.example")), "a.example"); // RFC 9112 3.2.2
    }

    #[test]
    fn malformed_escapes_are_no_path() {
        for text in ["/%", "/%1", "/%zz", "/%+1", "/%ff", "/%c3%28"] {
            assert_eq!(percent_decode(text), None, "{text}");
        }
        assert_eq!(percent_decode("/a%20b%E6%B5%81+").as_deref(), Some("/a b流+"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in ".{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(percent_decode(&encoded), Some(text));
        }
    }
}
