//! What a viewer proves its session with (`hls_ctx`): made, found in queries, put into playlists.

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

    /// A media playlist for this viewer alone: keys and other playlists carry the token, and with `segments` so do
    /// segments and parts.
    pub(crate) fn personalise(&self, playlist: &str, segments: bool) -> String {
        let mut out = String::with_capacity(playlist.len() * 2);
        for line in playlist.lines() {
            let tag = line.split_once(':').map_or(line, |(tag, _)| tag);
            match tag {
                "#EXT-X-KEY" | "#EXT-X-RENDITION-REPORT" => out.push_str(&self.put_into_tag(line)),
                "#EXT-X-PART" | "#EXT-X-PRELOAD-HINT" if segments => out.push_str(&self.put_into_tag(line)),
                _ if segments && !line.starts_with('#') => out.push_str(&self.put_into(line)),
                _ => out.push_str(line),
            }
            out.push('\n');
        }
        out
    }

    fn put_into_tag(&self, tag: &str) -> String {
        const URI: &str = "URI=\"";
        let parts = tag.split_once(URI).and_then(|(head, rest)| Some((head, rest.split_once('"')?)));
        match parts {
            Some((head, (uri, tail))) => format!("{head}{URI}{}\"{tail}", self.put_into(uri)),
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

    #[test]
    fn playlists_carry_it() {
        let token = Token("x".into());
        let playlist = "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a.key\",IV=0x1\n#EXTINF:2.000, no desc\na.ts\n\
                        #EXT-X-KEY:METHOD=NONE\nb.ts?q=1\n";
        assert_eq!(
            token.personalise(playlist, true),
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a.key?hls_ctx=x\",IV=0x1\n#EXTINF:2.000, no desc\n\
             a.ts?hls_ctx=x\n#EXT-X-KEY:METHOD=NONE\nb.ts?hls_ctx=x&q=1\n"
        );
        let edge = "#EXT-X-PART:DURATION=0.35000,URI=\"a.m4s\",INDEPENDENT=YES\n#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=1\n";
        assert_eq!(
            token.personalise(edge, true),
            edge.replace("a.m4s", "a.m4s?hls_ctx=x").replace("b.m3u8", "b.m3u8?hls_ctx=x")
        );
        let plain = playlist.replace("a.key", "a.key?hls_ctx=x");
        assert_eq!(token.personalise(playlist, false), plain);
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
