//! Environment variables, as a value.
//!
//! Loading reads variables only from an [`Env`], so that a test, a reload and a check of somebody else's
//! machine all see what they are given. [`Env::from_process`] is the one place that looks at the process.

use std::collections::BTreeMap;
use std::path::PathBuf;

const ENV_ONLY: &str = "SRS_ENV_ONLY";
const CONFIG_FILE: &str = "SRS_CONFIG_FILE";

/// The variables that belong to no directive, and their meaning.
pub const PROCESS_VARIABLES: &[(&str, &str)] = &[
    (CONFIG_FILE, "Configuration file; overrides `-c`."),
    (ENV_ONLY, "If it exists, no file is read: as `-e`."),
    ("SRS_DEVICE_IP", "Address this server reports in its heartbeat."),
    ("SRS_PLATFORM", "Where the server was installed from; it is reported nowhere."),
    ("SRS_REGION", "As `SRS_PLATFORM`."),
    ("SRS_SOURCE", "As `SRS_PLATFORM`."),
];

/// A set of environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// No variables.
    pub fn empty() -> Env {
        Env::default()
    }

    /// The variables of this process. Bytes that are not UTF-8 become U+FFFD.
    pub fn from_process() -> Env {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether no file is to be read: `SRS_ENV_ONLY` exists, whatever its value.
    pub fn is_env_only(&self) -> bool {
        self.0.contains_key(ENV_ONLY)
    }

    /// The file that `SRS_CONFIG_FILE` names; it overrides the one of the command line.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.value(CONFIG_FILE).map(PathBuf::from)
    }

    /// The same variables and one more, unless it has a value already.
    pub(crate) fn or(mut self, name: &str, value: &str) -> Env {
        if self.value(name).is_none() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Env {
        Env(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
