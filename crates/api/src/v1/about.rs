use crate::SRS_VERSION;
use crate::reply::json;
use crate::routes::State;
use crate::shapes::{Authors, Data, FeatureFlags, Features, Versions};
use axum::extract::State as Shared;
use axum::response::Response;
use headwater_stats::built_at;
use std::sync::Arc;

/// Version of the server
///
/// `version` is the release of SRS whose interfaces are served, because clients compare it.
#[utoipa::path(get, path = "/api/v1/versions", operation_id = "versions", tag = "about", responses((status = 200, body = Data<Versions>)))]
pub(crate) async fn versions(Shared(state): Shared<Arc<State>>) -> Response {
    let [major, minor, revision] = numbers(SRS_VERSION);
    let headwater = env!("CARGO_PKG_VERSION");
    let data = Versions { major, minor, revision, version: SRS_VERSION, headwater };
    json(&Data::new(state.stats.identity(), data))
}

fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or_default());
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Licence and authors
#[utoipa::path(get, path = "/api/v1/authors", operation_id = "authors", tag = "about", responses((status = 200, body = Data<Authors>)))]
pub(crate) async fn authors(Shared(state): Shared<Arc<State>>) -> Response {
    let data = Authors { license: env!("CARGO_PKG_LICENSE"), contributors: "the Headwater contributors" };
    json(&Data::new(state.stats.identity(), data))
}

/// What this build can do
#[utoipa::path(get, path = "/api/v1/features", operation_id = "features", tag = "about", responses((status = 200, body = Data<Features>)))]
pub(crate) async fn features(Shared(state): Shared<Arc<State>>) -> Response {
    let built = built_at();
    let options = format!("--version={}", env!("CARGO_PKG_VERSION"));
    let data = Features {
        options2: options.clone(),
        options,
        build: date(built),
        build2: built.to_string(),
        features: SERVED,
    };
    json(&Data::new(state.stats.identity(), data))
}

/// What is served; changed with the release that adds it.
const SERVED: FeatureFlags = FeatureFlags {
    ssl: true,
    hls: true,
    hds: false,
    callback: false,
    api: true,
    httpd: true,
    dvr: true,
    transcode: false,
    ingest: false,
    stat: true,
    caster: false,
    complex_send: true,
    tcp_nodelay: true,
    so_sendbuf: false,
    mr: false,
};

/// `YYYY-MM-DD HH:MM:SS` in UTC of seconds since 1970 (civil-from-days, years from 1970 on).
pub(crate) fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date(1_700_000_000), "2023-11-14 22:13:20");
        assert_eq!(date(4_107_542_399), "2100-02-28 23:59:59");
    }

    #[test]
    fn the_version_has_three_numbers() {
        assert_eq!(numbers(SRS_VERSION), [7, 0, 143]);
    }
}
