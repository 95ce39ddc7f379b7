use super::machine::now;
use super::page::{Id, page, stream_filter};
use crate::query::Query;
use crate::reply::{code, json, method_not_allowed};
use crate::routes::State;
use crate::shapes::{
    ApiError, Decimal, Stream, StreamAudio, StreamFound, StreamList, StreamMore, StreamPublish, StreamReply,
    StreamTimeline, StreamVideo,
};
use axum::extract::{RawQuery, State as Shared};
use axum::response::Response;
use headwater_hub::{Snapshot, TimelineReport};
use headwater_media::codec::{AudioInfo, VideoInfo};
use headwater_media::{Codec, Time};
use headwater_stats::StreamStat;
use http::Method;
use std::sync::Arc;

/// Streams
///
/// Sorted by id. The filters are Headwater's own; several of them must all match.
#[utoipa::path(get, path = "/api/v1/streams/", operation_id = "listStreams", tag = "streams",
    params(
        ("start" = Option<u64>, Query, description = "Streams to skip; 0 by default"),
        ("count" = Option<u64>, Query, description = "Streams to give at most; 10 by default and at least"),
        ("vhost" = Option<String>, Query, description = "Only of this virtual host, by name or id"),
        ("app" = Option<String>, Query, description = "Only of this app"),
        ("stream" = Option<String>, Query, description = "Only with this stream name or id; `name` is the same"),
    ),
    responses(
        (status = 200, body = StreamList),
        (status = 405, description = "Not GET", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn list(
    Shared(state): Shared<Arc<State>>,
    RawQuery(query): RawQuery,
    method: Method,
) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    let query = Query::parse(query.as_deref());
    let (streams, total) = state.stats.streams(&stream_filter(&query), page(&query));
    let streams = streams.iter().map(stream).collect();
    json(&StreamList { envelope: state.envelope(), total: total as u64, streams })
}

/// One stream
#[utoipa::path(get, path = "/api/v1/streams/{id}", operation_id = "stream", tag = "streams",
    params(("id" = String, Path, description = "Id of the stream", example = "vid-77cc88d")),
    responses(
        (status = 200, description = "The stream, or code 2048: no such one", body = StreamReply),
        (status = 405, description = "Not GET", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn one(Shared(state): Shared<Arc<State>>, Id(id): Id, method: Method) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    json(&match state.stats.stream(&id) {
        Some(stat) => {
            let stream = stream(&stat);
            StreamReply::Found(Box::new(StreamFound { envelope: state.envelope(), stream }))
        }
        None => StreamReply::Failed(ApiError { code: code::NO_STREAM }),
    })
}

fn stream(stat: &StreamStat) -> Stream {
    let snapshot = stat.snapshot();
    let known = snapshot.as_ref();
    let audio_frames = known.map_or(0, |s| s.audio_frames);
    let video_frames = known.map_or(0, |s| s.video_frames);
    Stream {
        id: stat.id.to_string(),
        name: stat.name.stream().to_owned(),
        vhost: stat.vhost_id.to_string(),
        app: stat.name.app().to_owned(),
        tcUrl: stat.tc_url.to_string(),
        url: stat.name.url(),
        live_ms: now().as_millis().try_into().unwrap_or(i64::MAX),
        clients: stat.clients as u64,
        frames: audio_frames + video_frames,
        audio_frames,
        video_frames,
        send_bytes: stat.traffic.sent,
        recv_bytes: stat.traffic.received,
        kbps: stat.rate.into(),
        publish: StreamPublish { active: stat.active, cid: stat.publisher.map(|id| id.to_string()) },
        video: known.and_then(|s| s.video.as_ref()).map(video),
        audio: known.and_then(|s| s.audio.as_ref()).map(audio),
        headwater: more(stat, known),
    }
}

fn more(stat: &StreamStat, snapshot: Option<&Snapshot>) -> StreamMore {
    StreamMore {
        uptime_s: Decimal(snapshot.and_then(|s| s.live_for).unwrap_or_default().as_secs_f64()),
        viewers: (stat.clients - usize::from(stat.active).min(stat.clients)) as u64,
        publisher_type: if stat.active { stat.publisher_kind } else { "" },
        jumps: snapshot.map_or(0, |s| s.jumps),
        cached_bytes: snapshot.map_or(0, |s| s.log_bytes as u64),
        timeline: snapshot.map(|s| timeline(&s.timeline)).unwrap_or_default(),
    }
}

fn timeline(report: &TimelineReport) -> StreamTimeline {
    StreamTimeline {
        leaps: report.leaps,
        steps_back: report.steps_back,
        wraps: report.wraps,
        reordered: report.reordered,
        largest_ms: report.largest.duration().as_millis().try_into().unwrap_or(u64::MAX),
        av_offset_ms: report.av_offset.map(Time::millis),
        drift_ms: report.drift.map(Time::millis),
    }
}

fn video(info: &VideoInfo) -> StreamVideo {
    StreamVideo {
        codec: codec_name(info.codec),
        profile: info.profile,
        level: info.level.clone(),
        width: info.width,
        height: info.height,
    }
}

fn audio(info: &AudioInfo) -> StreamAudio {
    StreamAudio {
        codec: codec_name(info.codec),
        sample_rate: info.sample_rate,
        channel: info.channels,
        profile: info.profile,
    }
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
        Codec::Vp9 => "VP9",
        Codec::Vp8 => "VP8",
        Codec::Aac => "AAC",
        Codec::Opus => "Opus",
        Codec::Mp3 => "MP3",
        Codec::G711A => "G.711 A-law",
        Codec::G711U => "G.711 mu-law",
        Codec::Script => "Other",
    }
}
