//! How a directive is described, once: the `section!` macro and what it makes.
//!
//! One line of a `section!` is a directive: its documentation, name, Rust type, kind of value, default,
//! reload behaviour and status. From it come the field of the typed configuration, the names of validation,
//! the environment variables and the row of the reference page. There is no second list.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::conf::Conf;

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
    S,
    /// Experimental.
    X,
    /// Deprecated.
    D,
    /// Accepted, without effect.
    U,
    /// Guard.
    T,
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

/// Names of children and their defaults.
pub(crate) type Defaults = &'static [(&'static str, &'static str)];

/// What one line of a `section!` says, before it is known where its section stands.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) reload: &'static str,
    pub(crate) status: Status,
    /// `None`: the name made from the path.
    pub(crate) env: Option<&'static [&'static str]>,
    pub(crate) origin: Option<Origin>,
    pub(crate) served: Option<bool>,
    pub(crate) open: bool,
    pub(crate) repeated: bool,
    pub(crate) flat: bool,
    pub(crate) formerly: &'static [&'static str],
    /// Siblings read into the same field.
    pub(crate) with: &'static [&'static str],
    /// Outside of it the default is used.
    pub(crate) range: Option<(f64, f64)>,
    /// For a block: defaults of its children that differ from what its section says.
    pub(crate) defaults: Defaults,
}

impl Spec {
    pub(crate) const fn leaf(
        name: &'static str,
        doc: &'static str,
        kind: Kind,
        default: &'static str,
        reload: &'static str,
        status: Status,
    ) -> Spec {
        Spec {
            name,
            doc,
            kind,
            default,
            reload,
            status,
            env: None,
            origin: None,
            served: None,
            open: false,
            repeated: false,
            flat: false,
            formerly: &[],
            with: &[],
            range: None,
            defaults: &[],
        }
    }

    pub(crate) const fn block(name: &'static str, doc: &'static str, status: Status) -> Spec {
        Spec::leaf(name, doc, Kind::Block, "", "-", status)
    }

    /// Other variables than the one made from the path.
    pub(crate) const fn env(mut self, names: &'static [&'static str]) -> Spec {
        self.env = Some(names);
        self
    }

    /// No variable overrides it; for a block, none of its children either.
    pub(crate) const fn no_env(self) -> Spec {
        self.env(&[])
    }

    /// Headwater acts on it; for a block, on its children too unless they say otherwise.
    pub(crate) const fn served(mut self) -> Spec {
        self.served = Some(true);
        self
    }

    /// Not served in this version although its block is.
    pub(crate) const fn not_yet(mut self) -> Spec {
        self.served = Some(false);
        self
    }

    /// Headwater's own.
    pub(crate) const fn headwater(mut self) -> Spec {
        self.origin = Some(Origin::Headwater);
        self
    }

    /// Added by SRS after the baseline.
    pub(crate) const fn later(mut self) -> Spec {
        self.origin = Some(Origin::LaterSrs);
        self
    }

    /// Dropped by SRS before the baseline.
    pub(crate) const fn older(mut self) -> Spec {
        self.origin = Some(Origin::OlderSrs);
        self
    }

    /// Children are not name-checked.
    pub(crate) const fn open(mut self) -> Spec {
        self.open = true;
        self
    }

    /// May stand several times.
    pub(crate) const fn repeated(mut self) -> Spec {
        self.repeated = true;
        self
    }

    /// A group of fields that stand directly in the parent block.
    pub(crate) const fn flat(mut self) -> Spec {
        self.flat = true;
        self
    }

    /// Older paths of the same directive.
    pub(crate) const fn formerly(mut self, paths: &'static [&'static str]) -> Spec {
        self.formerly = paths;
        self
    }

    /// The statements of these siblings are read into the same field, in the order of the file.
    pub(crate) const fn with(mut self, names: &'static [&'static str]) -> Spec {
        self.with = names;
        self
    }

    /// Defaults of children, where blocks of one section differ.
    pub(crate) const fn defaults(mut self, defaults: Defaults) -> Spec {
        self.defaults = defaults;
        self
    }

    /// The specification with the default its block gives it.
    pub(crate) fn defaulted(mut self, defaults: Defaults) -> Spec {
        if let Some((_, default)) = defaults.iter().find(|(name, _)| *name == self.name) {
            self.default = default;
        }
        self
    }

    /// Outside of these bounds the default is used.
    pub(crate) const fn range(mut self, least: f64, most: f64) -> Spec {
        self.range = Some((least, most));
        self
    }
}

/// Where a section stands, and what its directives inherit from the blocks around it.
pub(crate) struct Place {
    path: String,
    env: bool,
    served: bool,
    origin: Origin,
    defaults: Defaults,
}

impl Place {
    fn root() -> Place {
        Place { path: String::new(), env: true, served: false, origin: Origin::Srs, defaults: &[] }
    }

    pub(crate) fn row(&self, spec: Spec) -> Directive {
        let spec = spec.defaulted(self.defaults);
        let path = join(&self.path, spec.name);
        let has_env = self.env && !matches!(spec.kind, Kind::Block | Kind::Any);
        Directive {
            env: if has_env { env_names(&path, spec.env) } else { Vec::new() },
            kind: spec.kind,
            default: spec.default,
            reload: spec.reload,
            status: spec.status,
            origin: spec.origin.unwrap_or(self.origin),
            served: spec.served.unwrap_or(self.served) && spec.status != Status::U,
            repeated: spec.repeated,
            open: spec.open,
            formerly: spec.formerly,
            doc: spec.doc.trim(),
            path,
        }
    }

    pub(crate) fn inside(&self, spec: Spec) -> Place {
        Place {
            path: join(&self.path, if spec.flat { "" } else { spec.name }),
            env: self.env && spec.env.is_none(),
            served: spec.served.unwrap_or(self.served),
            origin: spec.origin.unwrap_or(self.origin),
            defaults: spec.defaults,
        }
    }
}

/// The variables of a directive: its own list, or `SRS_` and the path in capitals.
pub(crate) fn env_names(path: &str, own: Option<&[&str]>) -> Vec<String> {
    match own {
        Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![format!("SRS_{}", path.to_ascii_uppercase().replace('.', "_"))],
    }
}

/// `parent.name`, without a dot where one side is empty.
pub(crate) fn join(parent: &str, name: &str) -> String {
    match (parent, name) {
        ("", name) => name.to_owned(),
        (parent, "") => parent.to_owned(),
        (parent, name) => format!("{parent}.{name}"),
    }
}

/// A name that is the field's, or given because it is a keyword or reads better.
macro_rules! name_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}
pub(crate) use name_of;

/// Declares a block of the language: see the module documentation and any file in `sections`.
///
/// `fields` are directives with a value, `blocks` are nested sections, `accepts` are directives that load
/// without a field: they have no effect.
macro_rules! section {
    (
        $(#[doc = $head:literal])*
        pub struct $Section:ident $(named $arg:ident)? {
            $(
                $(#[doc = $doc:literal])*
                $field:ident $(as $name:literal)? : $ty:ty = $kind:expr, $default:literal, $reload:literal, $status:ident
                $(. $opt:ident ( $($value:expr),* ))* ;
            )*
        }
        $(blocks {
            $(
                $(#[doc = $bdoc:literal])*
                $block:ident $(as $bname:literal)? : $bty:ty = $bstatus:ident
                $(. $bopt:ident ( $($bvalue:expr),* ))* ;
            )*
        })?
        $(accepts {
            $(
                $(#[doc = $adoc:literal])*
                $aname:literal = $akind:expr, $adefault:literal, $areload:literal, $astatus:ident
                $(. $aopt:ident ( $($avalue:expr),* ))* ;
            )*
        })?
    ) => {
        $(#[doc = $head])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Section {
            $(
                /// First argument of the block.
                pub $arg: String,
            )?
            $(
                $(#[doc = $doc])*
                pub $field: $ty,
            )*
            $($(
                $(#[doc = $bdoc])*
                pub $block: $bty,
            )*)?
        }

        impl $crate::scope::Section for $Section {
            #[allow(unused_imports, unused_variables, reason = "a section may lack any of the three parts")]
            fn describe(place: &$crate::directive::Place, rows: &mut Vec<$crate::directive::Directive>) {
                use $crate::directive::{Kind::*, Spec, Status};
                $(
                    rows.push(place.row(Spec::leaf(
                        $crate::directive::name_of!($field $($name)?),
                        concat!($($doc, "\n"),*), $kind, $default, $reload, Status::$status,
                    )$(.$opt($($value),*))*));
                )*
                $($(
                    rows.push(place.row(Spec::leaf(
                        $aname, concat!($($adoc, "\n"),*), $akind, $adefault, $areload, Status::$astatus,
                    )$(.$aopt($($avalue),*))*));
                )*)?
                $($(
                    let spec = Spec::block(
                        $crate::directive::name_of!($block $($bname)?),
                        concat!($($bdoc, "\n"),*), Status::$bstatus,
                    )$(.$bopt($($bvalue),*))*;
                    if !spec.flat {
                        rows.push(place.row(spec));
                    }
                    <$bty as $crate::scope::Section>::describe(&place.inside(spec), rows);
                )*)?
            }

            #[allow(unused_imports, unused_variables, reason = "a section may lack any of the three parts")]
            fn read(scope: &$crate::scope::Scope<'_>) -> $Section {
                use $crate::directive::{Kind::*, Spec, Status};
                $Section {
                    $($arg: scope.arg0(),)?
                    $(
                        $field: scope.value(Spec::leaf(
                            $crate::directive::name_of!($field $($name)?),
                            "", $kind, $default, $reload, Status::$status,
                        )$(.$opt($($value),*))*),
                    )*
                    $($(
                        $block: <$bty as $crate::scope::Section>::within(scope, Spec::block(
                            $crate::directive::name_of!($block $($bname)?), "", Status::$bstatus,
                        )$(.$bopt($($bvalue),*))*),
                    )*)?
                }
            }
        }
    };
}
pub(crate) use section;

use crate::scope::Section as _;
