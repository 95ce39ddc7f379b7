//! Moments as sender reports tell them: 32.32 fixed point of seconds since 1900 (RFC 3550 4).

use headwater_rtp::ntp_from_micros;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// From NTP's epoch (1900) to Unix's.
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

/// A moment on the wall clock.
pub(crate) fn at(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default() + NTP_TO_UNIX;
    ntp_from_micros(u64::try_from(since.as_micros()).unwrap_or(0))
}

/// A moment of this process. Steps of the wall clock after the start change nothing.
pub(crate) fn of(now: Instant) -> u64 {
    static START: LazyLock<(Instant, SystemTime)> = LazyLock::new(|| (Instant::now(), SystemTime::now()));
    let (start, then) = *START;
    at(then + now.saturating_duration_since(start))
}
