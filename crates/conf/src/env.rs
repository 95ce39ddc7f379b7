//! Environment variables, as a value.
//!
//! Loading reads variables only from an [`Env`], so that a test, a reload and a check of somebody else's
//! machine all see what they are given. [`Env::of_process`] is the one place that looks at the process.

use std::collections::BTreeMap;

/// A set of environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// No variables.
    pub fn empty() -> Env {
        Env::default()
    }

    /// The variables of this process. Bytes that are not UTF-8 become U+FFFD.
    pub fn of_process() -> Env {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether the variable exists, even if empty.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
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
