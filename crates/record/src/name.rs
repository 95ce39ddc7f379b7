//! Names of files: the template `dvr_path`, and names that are still free.

use chrono::{DateTime, Local, Utc};
use headwater_conf::{DvrFormat, date_format, fill_template};
use headwater_hub::StreamName;
use std::path::{Path, PathBuf};

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Flv,
    Mp4(headwater_mp4::Layout),
}

impl Layout {
    fn suffix(self) -> &'static str {
        if self == Layout::Flv { ".flv" } else { ".mp4" }
    }
}

/// `dvr_path` as a template for files, and their layout by `dvr_format` or its suffix. A path without a suffix is a
/// directory (srs-interfaces 2.13).
pub(crate) fn template(dvr_path: &str, format: DvrFormat) -> (String, Layout) {
    let layout = match format {
        DvrFormat::Fmp4 => Layout::Mp4(headwater_mp4::Layout::Fragmented),
        DvrFormat::Mp4 => Layout::Mp4(headwater_mp4::Layout::Plain),
        DvrFormat::Auto if dvr_path.ends_with(".mp4") => Layout::Mp4(headwater_mp4::Layout::Plain),
        DvrFormat::Flv | DvrFormat::Auto => Layout::Flv,
    };
    if dvr_path.ends_with(".flv") || dvr_path.ends_with(".mp4") {
        return (dvr_path.to_owned(), layout);
    }
    (format!("{}/[stream].[timestamp]{}", dvr_path.trim_end_matches('/'), layout.suffix()), layout)
}

/// The file of a stream that begins at `at`. The stream's names are safe; the template is the operator's.
pub(crate) fn path(template: &str, name: &StreamName, at: DateTime<Utc>, utc: bool) -> PathBuf {
    let date = |format| match utc {
        true => at.format(format).to_string(),
        false => at.with_timezone(&Local).format(format).to_string(),
    };
    let text = fill_template(template, |variable| match variable {
        "[vhost]" => Some(name.vhost().to_owned()),
        "[app]" => Some(name.app().to_owned()),
        "[stream]" => Some(name.stream().to_owned()),
        "[timestamp]" => Some(at.timestamp_millis().to_string()),
        _ => date_format(variable).map(date),
    });
    text.into()
}

/// The name a file has while it is written.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".tmp");
    aside.into()
}

/// `cam.flv`, then `cam-1.flv`, `cam-2.flv`…: what to try where names are taken.
pub(crate) fn alternatives(path: &Path) -> impl Iterator<Item = PathBuf> {
    /// Beyond it the directory is full of one name, and the template is to be changed.
    const NAMES_MAX: u32 = 10_000;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let suffix = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = move |n| path.with_file_name(format!("{stem}-{n}.{suffix}"));
    std::iter::once(path.to_owned()).chain((1..NAMES_MAX).map(numbered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable() {
        let at = DateTime::from_timestamp_millis(1_700_000_000_042).unwrap();
        let name = StreamName::new("v.com", "live/sub", "cam1").unwrap();
        let shown = |template| path(template, &name, at, true).display().to_string();
        assert_eq!(shown("./a/[vhost]/[app]/[stream].flv"), "./a/v.com/live/sub/cam1.flv");
        assert_eq!(
            shown("/d/[2006][01][02]T[15][04][05].[999]-[timestamp].mp4"),
            "/d/20231114T221320.042-1700000000042.mp4"
        );
        assert_eq!(shown("/d/[what].flv"), "/d/[what].flv");
    }

    #[test]
    fn the_suffix_tells_the_layout_unless_the_format_does() {
        use headwater_mp4::Layout::{Fragmented, Plain};
        let of = |path| template(path, DvrFormat::Auto);
        assert_eq!(of("/a/[stream].mp4"), ("/a/[stream].mp4".into(), Layout::Mp4(Plain)));
        assert_eq!(of("/a/b.flv"), ("/a/b.flv".into(), Layout::Flv));
        assert_eq!(of("/a/b/"), ("/a/b/[stream].[timestamp].flv".into(), Layout::Flv));
        assert_eq!(template("/a.mp4", DvrFormat::Fmp4), ("/a.mp4".into(), Layout::Mp4(Fragmented)));
        assert_eq!(
            template("/a", DvrFormat::Mp4),
            ("/a/[stream].[timestamp].mp4".into(), Layout::Mp4(Plain))
        );
    }

    #[test]
    fn other_names_where_one_is_taken() {
        let names: Vec<_> = alternatives(Path::new("/a/cam.1.flv")).take(3).collect();
        assert_eq!(
            names,
            [Path::new("/a/cam.1.flv"), Path::new("/a/cam.1-1.flv"), Path::new("/a/cam.1-2.flv")]
        );
    }
}
