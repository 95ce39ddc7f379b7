//! The table of every directive, for whoever has to know what the language is: validation, messages, the
//! reference page. It is made from the `section!` declarations; nothing is listed here.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::conf::Conf;
use crate::scope::Section as _;
use crate::section::Place;

/// What a value looks like in the file. The text in some kinds is the unit or form, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True only if the value is exactly `on`.
    OnlyOn,
    /// False only if the value is exactly `off`.
    UnlessOff,
    /// Leading integer; the unit.
    Int(&'static str),
    /// Leading number; the unit.
    Float(&'static str),
    /// A duration as whole milliseconds.
    Millis,
    /// A duration as whole seconds.
    Seconds,
    /// A duration as seconds with a fraction.
    FloatSeconds,
    /// A duration as milliseconds with a fraction.
    FloatMillis,
    /// One word; its form.
    Text(&'static str),
    /// One word that may name an environment variable as `$NAME`.
    Candidate,
    /// A file or directory.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A port number.
    Port,
    /// `[ip:]port`.
    Address,
    /// Several `[ip:]port`.
    Addresses,
    /// Several words; the form of each.
    List(&'static str),
    /// Repeatable; each line is a list of words.
    Lines(&'static str),
    /// Anything: the value is not read.
    Any,
    /// Directives between braces.
    Block,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, unit) = match *self {
            Kind::OnlyOn | Kind::UnlessOff => ("on or off", ""),
            Kind::Int(unit) => ("integer", unit),
            Kind::Float(unit) => ("number", unit),
            Kind::Millis => ("integer", "ms"),
            Kind::Seconds => ("integer", "s"),
            Kind::FloatSeconds => ("number", "s"),
            Kind::FloatMillis => ("number", "ms"),
            Kind::Text("str") => ("text", ""),
            Kind::Text(form) => ("text", form),
            Kind::Candidate => ("text", "* or address or $NAME"),
            Kind::Path => ("path", ""),
            Kind::Choice(names) => return f.write_str(&names.join(", ")),
            Kind::Port => ("port", ""),
            Kind::Address => ("[ip:]port", ""),
            Kind::Addresses => ("list of [ip:]port", ""),
            Kind::List(form) => ("list", form),
            Kind::Lines(form) => ("repeatable", form),
            Kind::Any => ("anything", ""),
            Kind::Block => ("block", ""),
        };
        match unit {
            "" => f.write_str(what),
            unit => write!(f, "{what}: {unit}"),
        }
    }
}

/// How sure SRS is of the directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Stable.
    Stable,
    /// Experimental.
    Experimental,
    /// Deprecated.
    Deprecated,
    /// Accepted, without effect.
    Unused,
    /// Guards against a mistake.
    Guard,
}

/// The letters of the declarations.
impl Status {
    pub(crate) const S: Status = Status::Stable;
    pub(crate) const X: Status = Status::Experimental;
    pub(crate) const D: Status = Status::Deprecated;
    pub(crate) const U: Status = Status::Unused;
    pub(crate) const T: Status = Status::Guard;
}

/// Where the directive comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// SRS 7.0.18, the baseline.
    Srs,
    /// A later SRS 7.
    LaterSrs,
    /// An older SRS: accepted and dropped.
    OlderSrs,
    /// Headwater's own.
    Headwater,
}

/// A directive of the language.
#[derive(Debug, Clone)]
pub struct Directive {
    /// Dotted path, as `vhost.play.gop_cache`.
    pub path: String,
    /// What a value looks like.
    pub kind: Kind,
    /// Default as it would be written in the file; empty for none.
    pub default: &'static str,
    /// When a change takes effect: L at each use, C for the next connection, A at once on running streams,
    /// R at the next start.
    pub reload: &'static str,
    /// Stability.
    pub status: Status,
    /// Environment variables, the first set one wins; empty if none can override the directive.
    pub env: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether this version of Headwater acts on it.
    pub served: bool,
    /// Whether the block may stand several times.
    pub repeated: bool,
    /// For a block: children of any name are accepted.
    pub open: bool,
    /// Older paths whose statements are moved to this one.
    pub formerly: &'static [&'static str],
    /// Meaning, in one paragraph.
    pub doc: &'static str,
}

impl Directive {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The path of the block it stands in; empty at the root.
    pub fn parent(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Whether it is a block.
    pub fn is_block(&self) -> bool {
        self.kind == Kind::Block
    }
}

/// Every directive, in the order of the reference page.
pub fn directives() -> &'static [Directive] {
    &TABLE.rows
}

/// The directive of that dotted path.
pub fn directive(path: &str) -> Option<&'static Directive> {
    TABLE.by_path.get(path).and_then(|at| TABLE.rows.get(*at))
}

/// The names that may stand in the block of that path (`""` is the root).
pub fn children(path: &str) -> impl Iterator<Item = &'static Directive> {
    TABLE.rows.iter().filter(move |row| row.parent() == path)
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows = Vec::new();
    Conf::describe(&Place::root(), &mut rows);
    serve_blocks(&mut rows);
    let by_path = rows.iter().enumerate().map(|(at, row)| (row.path.clone(), at)).collect();
    Table { rows, by_path }
});

/// A block of which something is served is served.
fn serve_blocks(rows: &mut [Directive]) {
    let served: Vec<String> = rows.iter().filter(|row| row.served).map(|row| row.path.clone()).collect();
    for block in rows.iter_mut().filter(|row| row.is_block()) {
        let inside = format!("{}.", block.path);
        block.served |= served.iter().any(|path| path.starts_with(&inside));
    }
}

struct Table {
    rows: Vec<Directive>,
    by_path: HashMap<String, usize>,
}
