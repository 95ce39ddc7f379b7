//! How a directive is described, once: the `section!` macro and what it makes.
//!
//! One line of a `section!` is a directive: its documentation, name, Rust type, kind of value, default,
//! reload behaviour and status. From it come the field of the typed configuration, the names of validation,
//! the environment variables and the row of the reference page. There is no second list.

use crate::directive::{Directive, Kind, Origin, Status};

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
    pub(crate) fn root() -> Place {
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
            served: spec.served.unwrap_or(self.served) && spec.status != Status::Unused,
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
            fn describe(place: &$crate::section::Place, rows: &mut Vec<$crate::directive::Directive>) {
                use $crate::directive::{Kind::*, Status};
                use $crate::section::Spec;
                $(
                    rows.push(place.row(Spec::leaf(
                        $crate::section::name_of!($field $($name)?),
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
                        $crate::section::name_of!($block $($bname)?),
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
                use $crate::directive::{Kind::*, Status};
                use $crate::section::Spec;
                $Section {
                    $($arg: scope.arg0(),)?
                    $(
                        $field: scope.value(Spec::leaf(
                            $crate::section::name_of!($field $($name)?),
                            "", $kind, $default, $reload, Status::$status,
                        )$(.$opt($($value),*))*),
                    )*
                    $($(
                        $block: <$bty as $crate::scope::Section>::within(scope, Spec::block(
                            $crate::section::name_of!($block $($bname)?), "", Status::$bstatus,
                        )$(.$bopt($($bvalue),*))*),
                    )*)?
                }
            }
        }
    };
}
pub(crate) use section;
