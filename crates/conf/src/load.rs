//! From a source to a checked configuration.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::conf::Conf;
use crate::env::Env;
use crate::error::{ConfError, Warning};
use crate::parse::parse;
use crate::scope::{Reading, Scope, Section as _};
use crate::tree::Statement;

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file; `SRS_CONFIG_FILE` names another.
    File(PathBuf),
    /// The configuration of `headwater` started without one.
    Embedded,
    /// Nothing but environment variables: an empty default vhost, no daemon, log to the console.
    EnvOnly,
    /// A text; the name stands in messages.
    Text {
        /// Name for messages.
        name: String,
        /// The configuration.
        text: String,
    },
}

/// A configuration and what to tell the user about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub conf: Conf,
    /// In the order they were found.
    pub warnings: Vec<Warning>,
}

impl Conf {
    /// Loads a configuration: parses, rewrites older forms, checks, and reads the typed values.
    ///
    /// Files (the named one and its includes) are read from disk, relative to the working directory.
    ///
    /// # Errors
    ///
    /// [`ConfError`] names the place and the remedy; [`ConfError::exit_status`] is the status to exit with.
    pub fn load(source: Source, env: &Env) -> Result<Loaded, ConfError> {
        let (statements, env) = match source {
            Source::File(path) => (read_tree(path, env)?, env.clone()),
            Source::Text { name, text } => (parse(&name, text.as_bytes(), &from_disk)?, env.clone()),
            Source::Embedded => (parse("embedded.conf", EMBEDDED.as_bytes(), &from_disk)?, env.clone()),
            Source::EnvOnly => (parse("default", b"vhost __defaultVhost__ {}", &from_disk)?, env_only(env)),
        };
        read(&statements, &env)
    }

    /// The configuration of a server started without one, with no variable set; [`Source::Embedded`] is the
    /// same with variables.
    pub fn embedded() -> Conf {
        let loaded = Conf::load(Source::Embedded, &Env::empty());
        #[expect(clippy::expect_used, reason = "the text is a constant, and a test loads it")]
        let loaded = loaded.expect("the embedded configuration loads");
        loaded.conf
    }
}

/// Text of the configuration in effect when none is named.
const EMBEDDED: &str = include_str!("embedded.conf");

fn read_tree(path: PathBuf, env: &Env) -> Result<Vec<Statement>, ConfError> {
    let path = env.config_file().unwrap_or(path);
    let bytes = std::fs::read(&path).map_err(|source| ConfError::Read { path: path.clone(), source })?;
    parse(&path.to_string_lossy(), &bytes, &from_disk)
}

fn from_disk(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

fn env_only(env: &Env) -> Env {
    env.clone().or("SRS_DAEMON", "off").or("SRS_SRS_LOG_TANK", "console")
}

fn read(statements: &[Statement], env: &Env) -> Result<Loaded, ConfError> {
    let reading = Reading { env, warnings: RefCell::default(), given: RefCell::default() };
    let conf = Conf::read(&Scope::root(&reading, statements))
        .settled(|path| reading.given.borrow().contains_key(path));
    Ok(Loaded { conf, warnings: reading.warnings.into_inner() })
}
