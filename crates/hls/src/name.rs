//! Names of playlists and segments: the path templates of the configuration.

use chrono::format::{DelayedFormat, StrftimeItems};
use chrono::{DateTime, Local, Utc};
use headwater_conf::{date_format, fill_template};
use headwater_hub::StreamName;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest rendered path, in bytes.
const PATH_MAX: usize = 1024;

/// What a segment's name may tell besides its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// When the segment began.
    pub(crate) at: DateTime<Utc>,
    /// Whether dates are in UTC.
    pub(crate) utc: bool,
    /// `[timestamp]`.
    pub(crate) timestamp: i64,
    /// `[seq]`.
    pub(crate) sequence: u64,
    /// `[duration]`.
    pub(crate) duration: Duration,
}

/// A path below the root, of a stream (`[vhost]`, `[app]`, `[stream]`).
pub(crate) fn stream_path(template: &str, name: &StreamName) -> String {
    let parts = [("[vhost]", name.vhost()), ("[app]", name.app()), ("[stream]", name.stream())];
    tidy(&fill_template(template, |variable| parts.iter().find(|p| p.0 == variable).map(|p| p.1.to_owned())))
}

/// A path below the root, of a segment: all variables of srs-interfaces 5.9.
pub(crate) fn segment_path(template: &str, name: &StreamName, moment: &Moment) -> String {
    tidy(&fill_template(template, |variable| match variable {
        "[vhost]" => Some(name.vhost().to_owned()),
        "[app]" => Some(name.app().to_owned()),
        "[stream]" => Some(name.stream().to_owned()),
        "[seq]" => Some(moment.sequence.to_string()),
        "[duration]" => Some(moment.duration.as_millis().to_string()),
        "[timestamp]" => Some(moment.timestamp.to_string()),
        _ => date_format(variable).map(|format| date(moment, format)),
    }))
}

fn date(moment: &Moment, format: &str) -> String {
    let text: DelayedFormat<StrftimeItems<'_>> = match moment.utc {
        true => moment.at.format(format),
        false => moment.at.with_timezone(&Local).format(format),
    };
    text.to_string()
}

/// Without empty, `.` and `..` segments: names are safe already, templates are the operator's.
fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let mut path = parts.join("/");
    if path.len() > PATH_MAX {
        let end = (0..=PATH_MAX).rev().find(|&at| path.is_char_boundary(at));
        path.truncate(end.unwrap_or(0));
    }
    path
}

/// The file of a rendered path. `None` for one that would leave `root`.
pub(crate) fn file(root: &Path, path: &str) -> Option<PathBuf> {
    let safe = path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']));
    safe.then(|| root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> StreamName {
        StreamName::new("v.com", "live/sub", "cam1").unwrap()
    }

    fn moment() -> Moment {
        let at = DateTime::from_timestamp_millis(1_700_000_000_042).unwrap();
        Moment { at, utc: true, timestamp: 7, sequence: 3, duration: Duration::from_millis(9876) }
    }

    #[test]
    fn every_variable() {
        assert_eq!(stream_path("[vhost]/[app]/[stream].m3u8", &name()), "v.com/live/sub/cam1.m3u8");
        let template =
            "[vhost]/[app]/[stream]-[seq]-[duration]-[timestamp]-[2006][01][02]T[15][04][05].[999].ts";
        let path = segment_path(template, &name(), &moment());
        assert_eq!(path, "v.com/live/sub/cam1-3-9876-7-20231114T221320.042.ts");
        assert_eq!(segment_path("[what]/[seq", &name(), &moment()), "[what]/[seq");
    }

    proptest! {
        #[test]
        fn no_template_leads_out_of_the_root(template in "[./a\\[\\]]{0,40}(\\[app\\]|\\[stream\\]|\\.\\./){0,3}") {
            let path = segment_path(&template, &name(), &moment());
            if let Some(file) = file(Path::new("/root"), &path) {
                prop_assert!(file.starts_with("/root"));
                prop_assert!(file.components().all(|c| c != std::path::Component::ParentDir));
            }
        }
    }
}
