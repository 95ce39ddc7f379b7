//! Answers to viewers of low-latency HLS (draft-pantos-hls-rfc8216bis 6.2.5).

use crate::Hls;
use crate::low_latency::{Asset, LowLatency, Position, Rendition};
use crate::serve::{
    Ask, FRAGMENTED_TYPE, IDENTITY_MAX, content, kicked, no_playlist, play, private, text, window_s,
};
use crate::store::{Live, etag};
use crate::token::{Parameters, Token, without_token};
use crate::viewers::Standing;
use axum::body::HttpBody;
use axum::response::Response;
use bytes::Bytes;
use headwater_hub::StreamName;
use headwater_playlist::{CONTENT_TYPE, MasterPlaylist, Variant, encode_path, relative};
use headwater_web::EntityTag;
use http::StatusCode;
use std::sync::Arc;

/// What a playlist request asks for besides the playlist (`_HLS_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Directives {
    position: Option<Position>,
    skip: bool,
}

impl Directives {
    /// From a query; the error says what is wrong with it.
    fn parse(query: &str) -> Result<Directives, &'static str> {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| "_HLS_msn and _HLS_part are decimal integers");
        let sequence = value("_HLS_msn").map(number).transpose()?;
        let part = value("_HLS_part").map(number).transpose()?;
        let skip = match value("_HLS_skip") {
            None => false,
            Some("YES" | "v2") => true,
            Some(_) => return Err("_HLS_skip is YES or v2"),
        };
        match (sequence, part) {
            (None, Some(_)) => Err("_HLS_part needs _HLS_msn"),
            (None, None) => Ok(Directives { position: None, skip }),
            (Some(sequence), part) => {
                let part = part.map(|part| usize::try_from(part).unwrap_or(usize::MAX));
                Ok(Directives { position: Some(Position { sequence, part }), skip })
            }
        }
    }
}

impl Hls {
    /// The answer to a request for `asset` of `live`.
    pub(crate) async fn low_latency(&self, ask: &Ask<'_>, live: &Live, asset: Asset) -> Option<Response> {
        let low_latency = live.low_latency.as_ref()?;
        Some(match asset {
            Asset::Multivariant => self.multivariant(ask, live, low_latency).await,
            Asset::Media(rendition) => self.ll_playlist(ask, live, low_latency, rendition).await,
            Asset::Init(rendition, number) => match low_latency.init(rendition, number) {
                Some(init) => self.media(ask, live, &low_latency.tag(ask.path), Some(vec![init])),
                None => gone(),
            },
            Asset::Segment(rendition, sequence) => {
                let pieces = low_latency.segment(rendition, sequence);
                self.media(ask, live, &low_latency.tag(ask.path), pieces)
            }
            Asset::Part(rendition, sequence, part) => {
                let pieces = low_latency.part(rendition, sequence, part).await;
                self.media(ask, live, &low_latency.tag(ask.path), pieces)
            }
        })
    }

    async fn multivariant(&self, ask: &Ask<'_>, live: &Live, low_latency: &LowLatency) -> Response {
        if !live.settings.sessions {
            if let Err(refusal) = self.admission.ask(&play(ask, live)).await {
                return text(StatusCode::FORBIDDEN, refusal.reason);
            }
            if !low_latency.ready(live.settings.patience()).await {
                return text(StatusCode::NOT_FOUND, no_playlist(live));
            }
            let query = without_token(ask.query);
            let master = self.write_multivariant(live, low_latency, None, &query).to_string();
            return content(ask, CONTENT_TYPE, &etag(master.len() as u64), 1, Bytes::from(master));
        }
        match Token::claimed(ask.query).map(|token| (self.standing(&token, live, 0), token)) {
            Some((Standing::Kicked, _)) => kicked(),
            Some((Standing::Watching, token)) => {
                self.session_multivariant(ask, live, low_latency, &token).await
            }
            Some((Standing::Unknown, _)) | None => self.begin_low_latency(ask, live, low_latency).await,
        }
    }

    async fn session_multivariant(
        &self,
        ask: &Ask<'_>,
        live: &Live,
        low_latency: &LowLatency,
        token: &Token,
    ) -> Response {
        if !low_latency.ready(live.settings.patience()).await {
            return text(StatusCode::NOT_FOUND, no_playlist(live));
        }
        let query = without_token(ask.query);
        let master = self.write_multivariant(live, low_latency, Some(token), &query);
        private(ask, CONTENT_TYPE, master.to_string().into())
    }

    /// Admits a viewer and begins its session.
    async fn begin_low_latency(&self, ask: &Ask<'_>, live: &Live, low_latency: &LowLatency) -> Response {
        if ask.query.len() > IDENTITY_MAX {
            return text(StatusCode::URI_TOO_LONG, format!("the query is longer than {IDENTITY_MAX} bytes"));
        }
        let play = play(ask, live);
        let grant = match self.admission.ask(&play).await {
            Ok(grant) => grant,
            Err(refusal) => return text(StatusCode::FORBIDDEN, refusal.reason),
        };
        let token = Token::new(play.session);
        // A head is for looking, not for watching.
        if !ask.head
            && let Err(full) = self.join(&token, play, grant, live)
        {
            return text(StatusCode::SERVICE_UNAVAILABLE, full.to_string());
        }
        let response = self.session_multivariant(ask, live, low_latency, &token).await;
        if !response.status().is_success() {
            self.store.viewers.leave(&token);
        }
        response
    }

    /// What a token is worth for `live`: sessions of a stream hold for its variants.
    pub(crate) fn standing(&self, token: &Token, live: &Live, sent: u64) -> Standing {
        let own = self.store.viewers.visit(token, &live.name, sent);
        if own != Standing::Unknown {
            return own;
        }
        let suffixes = live.low_latency.iter().flat_map(|own| &own.settings.variants);
        let bases = suffixes.filter_map(|suffix| live.name.stream().strip_suffix(suffix.as_str()));
        let names = bases.filter_map(|base| StreamName::new(live.name.vhost(), live.name.app(), base).ok());
        let found = names.map(|name| self.store.viewers.visit(token, &name, sent));
        found.into_iter().find(|standing| *standing != Standing::Unknown).unwrap_or(Standing::Unknown)
    }

    fn write_multivariant(
        &self,
        live: &Live,
        low_latency: &LowLatency,
        token: Option<&Token>,
        query: &str,
    ) -> MasterPlaylist {
        let mut variants = low_latency.variants();
        for other in self.variants_live(live) {
            variants.extend(variants_of(low_latency, &other));
        }
        for variant in &mut variants {
            if !query.is_empty() {
                variant.uri = format!("{}?{query}", variant.uri);
            }
            if let Some(token) = token {
                variant.uri = token.put_into(&variant.uri);
            }
        }
        MasterPlaylist { variants }
    }

    /// The live streams that are variants of `live` (`hls_variants`).
    pub(crate) fn variants_live(&self, live: &Live) -> Vec<Arc<Live>> {
        let suffixes = live.low_latency.iter().flat_map(|own| &own.settings.variants);
        let name = |suffix: &String| {
            let stream = format!("{}{suffix}", live.name.stream());
            StreamName::new(live.name.vhost(), live.name.app(), &stream).ok()
        };
        suffixes.filter_map(|suffix| self.store.live(&name(suffix)?)).collect()
    }

    async fn ll_playlist(
        &self,
        ask: &Ask<'_>,
        live: &Live,
        low_latency: &LowLatency,
        rendition: Rendition,
    ) -> Response {
        let directives = match Directives::parse(ask.query) {
            Ok(directives) => directives,
            Err(reason) => return text(StatusCode::BAD_REQUEST, reason.into()),
        };
        let mut token = None;
        if live.settings.sessions {
            match Token::claimed(ask.query).map(|token| (self.standing(&token, live, 0), token)) {
                Some((Standing::Kicked, _)) => return kicked(),
                Some((Standing::Watching, own)) => token = Some(own),
                Some((Standing::Unknown, _)) | None => {
                    let reason =
                        "this playlist is for viewers with a session; open the multivariant playlist first";
                    return text(StatusCode::FORBIDDEN, reason.into());
                }
            }
        } else if let Err(refusal) = self.admission.ask(&play(ask, live)).await {
            return text(StatusCode::FORBIDDEN, refusal.reason);
        }
        if !low_latency.ready(live.settings.patience()).await {
            return text(StatusCode::NOT_FOUND, no_playlist(live));
        }
        if let Err(refused) = reach(low_latency, directives).await {
            return refused;
        }
        let Some(playlist) = low_latency.playlist(rendition, directives.skip) else {
            return text(StatusCode::NOT_FOUND, no_playlist(live));
        };
        let age = if directives.position.is_some() { low_latency.blocked_age_s() } else { 1 };
        let own = Parameters::new(ask.query, token, live.settings.session_segments);
        content(ask, CONTENT_TYPE, &playlist.etag, age, own.put_into(&playlist.text))
    }

    /// Segments and parts are for everybody who knows their names; a session's are counted.
    fn media(&self, ask: &Ask<'_>, live: &Live, tag: &EntityTag, pieces: Option<Vec<Bytes>>) -> Response {
        let Some(pieces) = pieces else { return gone() };
        let response = content(ask, FRAGMENTED_TYPE, tag, window_s(live), pieces);
        let sent = response.body().size_hint().exact().unwrap_or_default();
        let token = Token::claimed(ask.query).filter(|_| live.settings.sessions);
        match token.map(|token| self.standing(&token, live, sent)) {
            Some(Standing::Kicked) => kicked(),
            Some(Standing::Watching | Standing::Unknown) | None => response,
        }
    }
}

/// What another live stream offers, with its URIs as seen from the multivariant playlist of `low_latency`.
fn variants_of(low_latency: &LowLatency, other: &Live) -> Vec<Variant> {
    let Some(theirs) = other.low_latency.as_ref() else { return Vec::new() };
    let folder = theirs.stem.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = relative(&low_latency.stem, &format!("{folder}/x"));
    let folder = encode_path(folder.strip_suffix('x').unwrap_or_default());
    let mut variants = theirs.variants();
    variants.retain(|variant| variant.frame_rate > 0.0 || variant.resolution.is_some());
    variants.iter_mut().for_each(|variant| variant.uri = format!("{folder}{}", variant.uri));
    variants
}

/// Waits for the position that is asked for.
async fn reach(low_latency: &LowLatency, directives: Directives) -> Result<(), Response> {
    let Some(position) = directives.position else { return Ok(()) };
    if low_latency.is_too_far(position) {
        let reason = "_HLS_msn is more than two segments ahead; reload the playlist without it";
        return Err(text(StatusCode::BAD_REQUEST, reason.into()));
    }
    match low_latency.reach(position, low_latency.patience()).await {
        true => Ok(()),
        false => {
            let reason = "the stream did not get there in three target durations; has its publisher left?";
            Err(text(StatusCode::SERVICE_UNAVAILABLE, reason.into()))
        }
    }
}

fn gone() -> Response {
    text(StatusCode::NOT_FOUND, "this part is not there, or no more; reload the playlist".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_checked() {
        let position = |sequence, part| Some(Position { sequence, part });
        let parsed = |query| Directives::parse(query).map(|d| (d.position, d.skip)).ok();
        assert_eq!(parsed("a=b"), Some((None, false)));
        assert_eq!(parsed("_HLS_msn=7&_HLS_part=2&_HLS_skip=v2"), Some((position(7, Some(2)), true)));
        assert_eq!(parsed("_HLS_msn=7&_HLS_skip=YES"), Some((position(7, None), true)));
        for wrong in ["_HLS_part=2", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1&_HLS_part=", "_HLS_skip=no"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
