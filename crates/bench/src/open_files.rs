//! The limit on open files: every connection is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

/// Files a run needs besides its connections: standard streams, the poller, logs, libraries.
const SPARE: u64 = 64;

#[derive(Debug, Error)]
pub(crate) enum OpenFilesError {
    #[error("{needed} connections need {} open files, the hard limit is {hard}; raise it with `ulimit -Hn`", needed + SPARE)]
    TooLow { needed: u64, hard: u64 },
    #[error("reading or raising the limit on open files: {0}")]
    Limit(#[from] nix::Error),
}

/// Raises the soft limit to the hard one, and makes sure that `connections` fit.
pub(crate) fn allow(connections: u64) -> Result<(), OpenFilesError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    if connections.saturating_add(SPARE) > hard {
        return Err(OpenFilesError::TooLow { needed: connections, hard });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_fit_and_the_message_names_the_limit_when_not() {
        allow(10).unwrap();
        let error = OpenFilesError::TooLow { needed: 5000, hard: 1024 }.to_string();
        assert!(error.contains("5064") && error.contains("1024"), "{error}");
    }
}
