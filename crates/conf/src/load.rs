//! From a source to a checked configuration.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::conf::Conf;
use crate::env::Env;
use crate::error::{ConfError, Warning};
use crate::legacy::modernise;
use crate::parse::parse;
use crate::scope::{Reading, Scope, Section as _};
use crate::validate::{Rules, advise, check_env, check_tree};

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
        let env_only = matches!(source, Source::EnvOnly);
        let env = if env_only { with_env_only_defaults(env) } else { env.clone() };
        let (name, bytes) = source.read(&env)?;
        let mut statements = parse(&name, &bytes, &|path: &Path| std::fs::read(path))?;
        if statements.is_empty() {
            let what = "the configuration is empty: write at least 'listen 1935;' and a vhost".to_owned();
            return Err(ConfError::Whole { name, what });
        }
        let reading = Reading { env: &env, warnings: RefCell::default(), given: RefCell::default() };
        modernise(&mut statements, &reading);
        check_tree(&statements, &reading)?;
        check_env(&env, &reading);
        let conf = Conf::read(&Scope::root(&reading, &statements))
            .settled(|path| reading.given.borrow().contains_key(path));
        Rules { conf: &conf, reading: &reading, statements: &statements, name: &name, env_only }.check()?;
        advise(&conf, &reading);
        Ok(Loaded { conf, warnings: reading.warnings.into_inner() })
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

impl Source {
    /// Name and text of the configuration.
    fn read(self, env: &Env) -> Result<(String, Vec<u8>), ConfError> {
        match self {
            Source::Text { name, text } => Ok((name, text.into_bytes())),
            Source::Embedded => Ok(("embedded.conf".to_owned(), EMBEDDED.into())),
            Source::EnvOnly => Ok(("environment".to_owned(), ENV_ONLY.into())),
            Source::File(path) => {
                let path = env.config_file().unwrap_or(path);
                let bytes =
                    std::fs::read(&path).map_err(|source| ConfError::Read { path: path.clone(), source })?;
                Ok((path.to_string_lossy().into_owned(), bytes))
            }
        }
    }
}

/// What env-only mode has for a file.
const ENV_ONLY: &str = "vhost __defaultVhost__ {}";

/// In env-only mode these are assumed unless set.
fn with_env_only_defaults(env: &Env) -> Env {
    env.clone().or("SRS_DAEMON", "off").or("SRS_SRS_LOG_TANK", "console")
}
