//! Rules that depend on the machine. The machine's side of them is given: nothing here looks at it.

use crate::conf::Conf;
use crate::error::ConfError;

/// What the machine gives the process. `None` leaves a rule out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host {
    /// The limit of open files (`ulimit -n`).
    pub open_files: Option<u64>,
    /// How many addresses the machine has.
    pub local_addresses: Option<usize>,
}

/// Files the process needs besides its clients' sockets.
const RESERVED_FILES: u64 = 128;

impl Conf {
    /// Checks that the machine can do what the configuration asks for.
    ///
    /// # Errors
    ///
    /// `max_connections` and 128 more files reach the limit of open files, or `stats.network` names an address
    /// the machine does not have.
    pub fn check_host(&self, host: &Host) -> Result<(), ConfError> {
        let needed = u64::from(self.max_connections) + RESERVED_FILES;
        if let Some(limit) = host.open_files.filter(|limit| needed >= *limit) {
            let most = limit.saturating_sub(RESERVED_FILES + 1);
            let what = format!(
                "{} connections need more than {needed} open files but the limit is {limit}: write 'max_connections {most};' or raise the limit, as with 'ulimit -n {}'",
                self.max_connections,
                needed + 1,
            );
            return Err(ConfError::Whole { name: "max_connections".to_owned(), what });
        }
        let index = usize::try_from(self.stats.network).unwrap_or(0);
        match host.local_addresses.filter(|count| index >= *count) {
            Some(count) => {
                let what = format!("{index} counts local addresses from 0, and this machine has {count}");
                Err(ConfError::Whole { name: "stats.network".to_owned(), what })
            }
            None => Ok(()),
        }
    }
}
