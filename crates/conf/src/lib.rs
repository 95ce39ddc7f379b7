//! The srs.conf language and the typed configuration of a server.
//!
//! Text becomes a tree ([`parse`]), older forms are rewritten, names and values are checked against the one
//! description of every directive ([`directives`]), and the typed [`Conf`] is read from the tree and from the
//! `SRS_*` variables of an [`Env`]. What loads but deserves a word comes back as [`Warning`]s.
//!
//! It does not watch files, apply changes, or look at the process, the network or the clock; the only I/O is
//! reading the configuration and its includes.
//!
//! Invariants: a [`Conf`] that loaded has passed every rule of validation; bad input gives an error that names
//! a place, never a panic; input is bounded (see [`parse`]).

mod changes;
mod conf;
mod directive;
mod endpoint;
mod env;
mod error;
mod host;
mod legacy;
mod load;
mod nearest;
mod parse;
mod scope;
mod section;
mod sections;
mod template;
mod tree;
mod validate;
mod value;

pub use changes::Change;
pub use conf::{Conf, DEFAULT_VHOST, Written};
pub use directive::{Directive, Kind, Origin, Status, children, directive, directives};
pub use endpoint::Endpoint;
pub use env::{Env, PROCESS_VARIABLES};
pub use error::{ConfError, Warning};
pub use host::Host;
pub use load::{Loaded, Source};
pub use nearest::nearest;
pub use parse::{MAX_FILE, MAX_INCLUDES, MAX_NESTING, MAX_WORD, MAX_WORDS, ReadFile, parse};
pub use sections::*;
pub use template::{date_format, fill_template};
pub use tree::{Span, Statement, Word, print};
