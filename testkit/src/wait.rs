//! Waiting for something that another process does, with a limit.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// The value that `look` finds, looking again and again. Panics when `limit` has passed without one.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain for {what}");
        std::thread::sleep(PERIOD);
    }
}

/// Fails as soon as `holds` is false within `period`.
pub fn throughout(what: &str, period: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        assert!(holds(), "{what} no longer holds");
        std::thread::sleep(PERIOD);
    }
}
