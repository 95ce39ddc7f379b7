//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use crate::tree::Span;

/// Code of every syntax and validation failure.
const CONFIG_INVALID: i32 = 1023;
/// Code of an included or named file that cannot be read.
const FILE_UNREADABLE: i32 = 1042;

/// A configuration that cannot be used. The text says where, what and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    /// The text is not in the language.
    #[error("{span}: {what}")]
    Syntax {
        /// The offending word.
        span: Span,
        /// What is wrong and what to write instead.
        what: String,
    },
    /// The text is in the language but asks for something impossible or unknown.
    #[error("{span}: {what}")]
    Invalid {
        /// The offending directive.
        span: Span,
        /// What is wrong and what to write instead.
        what: String,
    },
    /// A rule about the whole configuration is broken, or a variable is at fault: there is no line to name.
    #[error("{name}: {what}")]
    Whole {
        /// The file, or the environment.
        name: String,
        /// What is wrong and what to write instead.
        what: String,
    },
    /// The file of the command line does not exist or cannot be read.
    #[error("cannot read the configuration {}: {source}; check the path given with -c or SRS_CONFIG_FILE", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file named by `include` cannot be read.
    #[error("{span}: cannot read the included file {}: {source}; paths are relative to the working directory", path.display())]
    Include {
        /// The word that names the file.
        span: Span,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ConfError {
    /// The error code of the server: 1042 for an included file that cannot be read, else 1023.
    pub fn code(&self) -> i32 {
        match self {
            ConfError::Include { .. } => FILE_UNREADABLE,
            _ => CONFIG_INVALID,
        }
    }

    /// Exit status of the process: the code modulo 256 (1023 is 255, 1042 is 18).
    pub fn exit_status(&self) -> u8 {
        self.code().to_le_bytes()[0]
    }

    pub(crate) fn invalid(span: &Span, what: impl Into<String>) -> ConfError {
        ConfError::Invalid { span: span.clone(), what: what.into() }
    }
}

/// Something the user should know about a configuration that loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `file:line:column`, or the name of an environment variable.
    pub place: String,
    /// What was found and what is used instead.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
