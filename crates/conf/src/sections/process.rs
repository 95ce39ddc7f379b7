//! What the process as a whole does.

use std::path::PathBuf;

use crate::section::section;
use crate::value::choice;

section! {
    /// Where and what to log.
    pub struct Log {
        /// Log sink; every value other than `console` means file.
        tank as "srs_log_tank": LogTank = Choice(LogTank::NAMES), "file", "R", S.env(&["SRS_SRS_LOG_TANK", "SRS_LOG_TANK"]).served();
        /// How much is logged, in the old words, from most to least; anything else disables logging.
        level as "srs_log_level": String = Choice(&["verbose", "info", "trace", "warn", "error"]), "trace", "R", S.env(&["SRS_SRS_LOG_LEVEL", "SRS_LOG_LEVEL"]).served();
        /// How much is logged, from most to least; if set it wins over `srs_log_level`.
        level_v2 as "srs_log_level_v2": String = Choice(&["trace", "debug", "info", "warn", "error"]), "", "R", S.env(&["SRS_SRS_LOG_LEVEL_V2", "SRS_LOG_LEVEL_V2"]).served();
        /// Log file when tank is file; re-read on each reopen.
        file as "srs_log_file": PathBuf = Path, "./objs/srs.log", "SIGUSR1", S.env(&["SRS_SRS_LOG_FILE", "SRS_LOG_FILE"]).served();
        /// UTC instead of local time for log stamps and date path variables.
        utc as "utc_time": bool = OnlyOn, "off", "log R, path variables L", S.served();
    }
}

choice! {
    /// Where the log goes.
    pub enum LogTank else File {
        /// The file of `srs_log_file`.
        File = "file",
        /// Standard output.
        Console = "console",
    }
}

impl Log {
    /// The least severe line that is written: of `srs_log_level_v2`, or if that is empty of `srs_log_level`.
    pub fn threshold(&self) -> Threshold {
        match (&*self.level_v2, &*self.level) {
            ("trace", _) | ("", "verbose") => Threshold::Trace,
            ("debug", _) | ("", "info") => Threshold::Debug,
            ("info", _) | ("", "trace") => Threshold::Info,
            ("warn", _) | ("", "warn") => Threshold::Warn,
            ("error", _) | ("", "error") => Threshold::Error,
            _ => Threshold::Off,
        }
    }
}

/// How much is logged. The old levels are other words for these: `verbose` is trace, `info` is debug, and
/// `trace` is info.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Threshold {
    /// Nothing.
    Off,
    /// Errors.
    Error,
    /// And warnings.
    Warn,
    /// And what happens.
    Info,
    /// And details.
    Debug,
    /// And everything.
    Trace,
}
