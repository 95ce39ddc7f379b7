//! What a viewer proves its session with (`hls_ctx`): made, found in queries, put into playlists.

use bytes::Bytes;
use headwater_hub::SessionId;
use std::fmt;

/// The parameter that carries it.
const PARAMETER: &str = "hls_ctx";

/// The session's id, which the API shows, and 16 characters that only the viewer is told: 82 random bits, so that
/// whoever may list clients cannot speak for one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Token(Box<str>);

impl Token {
    /// A fresh token of the session `id`.
    pub(crate) fn new(id: SessionId) -> Token {
        Token(format!("{id}{}{}", SessionId::random(), SessionId::random()).into())
    }

    /// The token that a query claims, whoever made it.
    pub(crate) fn claimed(query: &str) -> Option<Token> {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, value)| *name == PARAMETER && !value.is_empty()).map(|(_, v)| Token(v.into()))
    }

    /// `uri` with the token as the first parameter of its query.
    pub(crate) fn put_into(&self, uri: &str) -> String {
        match uri.split_once('?') {
            Some((path, query)) => format!("{path}?{PARAMETER}={self}&{query}"),
            None => format!("{uri}?{PARAMETER}={self}"),
        }
    }
}

/// What the addresses in a media playlist carry besides the path: whose they are, and of which virtual host.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parameters {
    /// Of the viewer's session.
    pub(crate) token: Option<Token>,
    /// Whether segments and parts carry the token, too (`hls_ts_ctx`); keys and playlists always do.
    pub(crate) segments: bool,
    /// `vhost=…` or `domain=…` as it was asked for: without it the next request would be of another virtual host.
    vhost: Option<String>,
}

impl Parameters {
    /// Of a request with `query`.
    pub(crate) fn new(query: &str, token: Option<Token>, segments: bool) -> Parameters {
        let names_vhost = |pair: &&str| {
            pair.split_once('=').is_some_and(|(k, v)| matches!(k, "vhost" | "domain") && !v.is_empty())
        };
        let vhost = query.split('&').find(names_vhost).filter(|pair| !pair.contains(['"', '\n', '\r']));
        Parameters { token, segments, vhost: vhost.map(str::to_owned) }
    }

    /// The playlist for this request.
    pub(crate) fn put_into(&self, playlist: &Bytes) -> Bytes {
        if self.token.is_none() && self.vhost.is_none() {
            return playlist.clone();
        }
        let text = String::from_utf8_lossy(playlist);
        let mut out = String::with_capacity(text.len() * 2);
        for line in text.lines() {
            let tag = line.split_once(':').map_or(line, |(tag, _)| tag);
            match tag {
                "#EXT-X-KEY" | "#EXT-X-RENDITION-REPORT" => out.push_str(&self.tag(line, true)),
                "#EXT-X-PART" | "#EXT-X-PRELOAD-HINT" => out.push_str(&self.tag(line, self.segments)),
                "#EXT-X-MAP" => out.push_str(&self.tag(line, false)),
                _ if line.starts_with('#') || line.is_empty() => out.push_str(line),
                _ => out.push_str(&self.uri(line, self.segments)),
            }
            out.push('\n');
        }
        out.into()
    }

    fn uri(&self, uri: &str, personal: bool) -> String {
        let uri = match &self.vhost {
            Some(vhost) if uri.contains('?') => format!("{uri}&{vhost}"),
            Some(vhost) => format!("{uri}?{vhost}"),
            None => uri.to_owned(),
        };
        match self.token.as_ref().filter(|_| personal) {
            Some(token) => token.put_into(&uri),
            None => uri,
        }
    }

    fn tag(&self, tag: &str, personal: bool) -> String {
        const URI: &str = "URI=\"";
        let parts = tag.split_once(URI).and_then(|(head, rest)| Some((head, rest.split_once('"')?)));
        match parts {
            Some((head, (uri, tail))) => format!("{head}{URI}{}\"{tail}", self.uri(uri, personal)),
            None => tag.to_owned(),
        }
    }
}

/// The query without any token, ready to be put after another parameter.
pub(crate) fn without_token(query: &str) -> String {
    let others =
        query.split('&').filter(|pair| pair.split('=').next() != Some(PARAMETER) && !pair.is_empty());
    others.collect::<Vec<_>>().join("&")
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Token {
    /// The id alone: logs are no place for the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", self.0.get(..8).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_begins_with_the_id_and_is_never_logged_whole() {
        let id = SessionId::random();
        let token = Token::new(id);
        assert!(token.to_string().starts_with(id.as_str()) && token.to_string().len() == 24);
        assert_ne!(token, Token::new(id));
        assert_eq!(format!("{token:?}"), format!("Token({id}…)"));
    }

    fn put(query: &str, token: Option<&str>, segments: bool, playlist: &str) -> String {
        let token = token.map(|token| Token(token.into()));
        let out =
            Parameters::new(query, token, segments).put_into(&Bytes::copy_from_slice(playlist.as_bytes()));
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn playlists_carry_it() {
        let playlist = "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a.key\",IV=0x1\n#EXTINF:2.000, no desc\na.ts\n\
                        #EXT-X-KEY:METHOD=NONE\nb.ts?q=1\n";
        assert_eq!(
            put("", Some("x"), true, playlist),
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a.key?hls_ctx=x\",IV=0x1\n#EXTINF:2.000, no desc\n\
             a.ts?hls_ctx=x\n#EXT-X-KEY:METHOD=NONE\nb.ts?hls_ctx=x&q=1\n"
        );
        let edge = "#EXT-X-PART:DURATION=0.35000,URI=\"a.m4s\",INDEPENDENT=YES\n#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=1\n";
        assert_eq!(
            put("", Some("x"), true, edge),
            edge.replace("a.m4s", "a.m4s?hls_ctx=x").replace("b.m3u8", "b.m3u8?hls_ctx=x")
        );
        assert_eq!(put("", Some("x"), false, playlist), playlist.replace("a.key", "a.key?hls_ctx=x"));
        assert_eq!(put("app=1", None, true, playlist), playlist);
    }

    #[test]
    fn the_virtual_host_that_was_asked_for_stays() {
        let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2.000, no desc\na.m4s\nb.m4s?q=1\n";
        assert_eq!(
            put("key=1&vhost=v.com&vhost=w", None, false, playlist),
            playlist
                .replace("i.mp4", "i.mp4?vhost=v.com")
                .replace("a.m4s", "a.m4s?vhost=v.com")
                .replace("?q=1", "?q=1&vhost=v.com")
        );
        assert_eq!(
            put("domain=v.com", Some("x"), true, "a.ts\n"),
            "a.ts?hls_ctx=x&domain=v.com\n",
            "the token comes first, as SRS writes it"
        );
        assert_eq!(put("vhost=a\"b", None, false, "a.ts\n"), "a.ts\n", "nothing breaks out of a tag");
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_found_and_taken_out(query in "([a-z_]{1,8}=[a-z0-9]{0,4}&?){0,4}") {
            let others = without_token(&query);
            prop_assert_eq!(Token::claimed(&others), None);
            let token = Token::new(SessionId::random());
            let uri = token.put_into(&format!("/live/a.m3u8?{others}"));
            let (_, query) = uri.split_once('?').unwrap();
            prop_assert_eq!(Token::claimed(query), Some(token));
            prop_assert_eq!(without_token(query), others);
        }
    }
}
