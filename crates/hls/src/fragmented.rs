//! The task that makes plain segments of fragmented MP4 (`hls_use_fmp4`) of one publish.

use crate::name::{self, Moment};
use crate::outlet::Outlet;
use crate::segmenter::{Fragmented, dispose};
use crate::store::{Cutter, Init, Live, Segment, Store, etag};
use crate::view::{self, Done};
use crate::writer::Writer;
use chrono::{DateTime, SecondsFormat, Utc};
use headwater_hub::{Session, Stream};
use headwater_packager::{Chunks, Item};
use headwater_web::paged;
use std::sync::Arc;

/// Makes segments of one publish, from its first chunk to its last.
pub(crate) struct FragmentedSegmenter {
    pub(crate) chunks: Chunks,
    pub(crate) names: Fragmented,
    pub(crate) stream: Arc<Stream>,
    pub(crate) session: Arc<Session>,
    pub(crate) live: Arc<Live>,
    pub(crate) store: Arc<Store>,
    pub(crate) writer: Writer,
    /// Number of this publish of the stream.
    pub(crate) publish: u64,
}

impl FragmentedSegmenter {
    pub(crate) async fn run(self) {
        let FragmentedSegmenter { mut chunks, names, stream, session, live, store, writer, publish } = self;
        {
            let mut cutter = live.turn.lock().await;
            let mut outlet = Outlet::new(&stream, &session, &live, &store, &writer);
            loop {
                let item = chunks.next().await;
                for done in cutter.view.push(&item) {
                    if let Done::Segment(segment) = done {
                        outlet.publish(finish(&mut cutter, &live, &names, &segment));
                    }
                }
                if matches!(item, Item::Ended) {
                    break;
                }
            }
        }
        dispose(&live, &store, &writer, publish).await;
    }
}

fn finish(cutter: &mut Cutter, live: &Live, names: &Fragmented, segment: &view::Segment) -> Segment {
    let settings = &live.settings;
    let (began, duration) = (DateTime::<Utc>::from(segment.wall), segment.duration.duration());
    let timestamp = match settings.floor {
        true => cutter.floor.next(began.timestamp_millis(), settings.fragment).0,
        false => began.timestamp_millis(),
    };
    let sequence = cutter.sequence;
    let moment = Moment { at: began, utc: settings.utc, timestamp, sequence, duration };
    let key = cutter.key(live, &moment);
    // One piece: it goes to disk and through the cipher.
    let plain = segment.pieces_interleaved().concat();
    cutter.sequence += 1;
    Segment {
        path: name::segment_path(&names.segment, &live.name, &moment),
        sequence,
        duration,
        discontinuity: segment.discontinuity,
        bytes: key.as_ref().map_or_else(|| paged(&plain), |key| paged(&key.encrypt(&plain))),
        key,
        init: Some(init(cutter, live, names, segment)),
        date: Some(began.to_rfc3339_opts(SecondsFormat::Millis, true)),
        etag: etag(sequence),
    }
}

/// The initialisation segment; one that differs from the one before has another name.
fn init(cutter: &mut Cutter, live: &Live, names: &Fragmented, segment: &view::Segment) -> Arc<Init> {
    if let Some((_, init)) = cutter.init.as_ref().filter(|(number, _)| *number == segment.init) {
        return init.clone();
    }
    let path = name::stream_path(&names.init, &live.name);
    let init = Arc::new(Init {
        path: numbered(&path, segment.init),
        bytes: segment.tracks.init(),
        etag: etag(segment.init),
    });
    cutter.init = Some((segment.init, init.clone()));
    init
}

/// `init.mp4`, then `init-1.mp4`.
fn numbered(path: &str, number: u64) -> String {
    match path.rsplit_once('.') {
        _ if number == 0 => path.to_owned(),
        Some((stem, extension)) if !extension.contains('/') => format!("{stem}-{number}.{extension}"),
        _ => format!("{path}-{number}"),
    }
}
