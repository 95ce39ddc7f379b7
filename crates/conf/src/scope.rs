//! Reading typed values out of a statement tree and the environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::directive::{Directive, Kind};
use crate::env::Env;
use crate::error::Warning;
use crate::section::{Defaults, Place, Spec, env_names, join};
use crate::tree::{Span, Statement, Word, first};
use crate::value::{Value, leading_float};

/// A block of the language with a Rust type.
pub(crate) trait Section: Sized {
    /// Adds the rows of the block's directives.
    fn describe(place: &Place, rows: &mut Vec<Directive>);

    /// Reads the block; directives that are absent have their defaults.
    fn read(scope: &Scope<'_>) -> Self;

    /// Reads the block as a child of another.
    fn within(parent: &Scope<'_>, spec: Spec) -> Self {
        Self::read(&parent.block(spec, parent.first(spec)))
    }
}

/// A repeatable block: every statement of the name.
impl<T: Section> Section for Vec<T> {
    fn describe(place: &Place, rows: &mut Vec<Directive>) {
        T::describe(place, rows);
    }

    fn read(scope: &Scope<'_>) -> Vec<T> {
        vec![T::read(scope)]
    }

    fn within(parent: &Scope<'_>, spec: Spec) -> Vec<T> {
        let statements = parent.children.iter().filter(|statement| statement.name.text == spec.name);
        statements.map(|statement| T::read(&parent.block(spec, Some(statement)))).collect()
    }
}

impl<T: Section> Section for Arc<T> {
    fn describe(place: &Place, rows: &mut Vec<Directive>) {
        T::describe(place, rows);
    }

    fn read(scope: &Scope<'_>) -> Arc<T> {
        Arc::new(T::read(scope))
    }
}

/// What all scopes of one load share.
pub(crate) struct Reading<'a> {
    pub(crate) env: &'a Env,
    pub(crate) warnings: RefCell<Vec<Warning>>,
    /// Paths that were given a value, and where: a variable or a place in a file.
    pub(crate) given: RefCell<BTreeMap<String, String>>,
}

impl Reading<'_> {
    pub(crate) fn warn(&self, place: impl ToString, what: impl Into<String>) {
        let warning = Warning { place: place.to_string(), what: what.into() };
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_WARNINGS && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// Warnings kept of one load; a file that causes more has been made clear enough.
const MAX_WARNINGS: usize = 500;

/// A block being read.
pub(crate) struct Scope<'a> {
    reading: &'a Reading<'a>,
    path: String,
    env: bool,
    args: &'a [Word],
    children: &'a [Statement],
    defaults: Defaults,
}

impl<'a> Scope<'a> {
    pub(crate) fn root(reading: &'a Reading<'a>, statements: &'a [Statement]) -> Scope<'a> {
        Scope { reading, path: String::new(), env: true, args: &[], children: statements, defaults: &[] }
    }

    /// First argument of the block.
    pub(crate) fn arg0(&self) -> String {
        self.args.first().map(|word| word.text.clone()).unwrap_or_default()
    }

    fn first(&self, spec: Spec) -> Option<&'a Statement> {
        first(self.children, spec.name)
    }

    fn block(&self, spec: Spec, statement: Option<&'a Statement>) -> Scope<'a> {
        let (path, args, children) = match (spec.flat, statement) {
            (true, _) => (self.path.clone(), self.args, self.children),
            (false, Some(statement)) => (join(&self.path, spec.name), &*statement.args, statement.children()),
            (false, None) => (join(&self.path, spec.name), [].as_slice(), [].as_slice()),
        };
        Scope {
            reading: self.reading,
            path,
            env: self.env && spec.env.is_none(),
            args,
            children,
            defaults: spec.defaults,
        }
    }

    /// Every child of the block as ready-made option words: see [`crate::FfmpegOptions`].
    pub(crate) fn children(&self) -> &'a [Statement] {
        self.children
    }

    /// The value of a directive: from the environment, else the file, else the default.
    pub(crate) fn value<T: Value>(&self, spec: Spec) -> T {
        let spec = spec.defaulted(self.defaults);
        let found = self.find(spec);
        if let Some((least, most)) = spec.range
            && found
                .lines
                .first()
                .and_then(|words| words.first())
                .is_some_and(|word| !(least..=most).contains(&leading_float(word)))
        {
            self.complain(spec, &found, &format!("is outside {least} to {most}: {} is used", spec.default));
            return T::read(spec.kind, &default_lines(spec)).0;
        }
        let (value, odd) = T::read(spec.kind, &found.lines);
        if let Some(odd) = odd {
            self.complain(spec, &found, &odd);
        }
        value
    }

    fn complain(&self, spec: Spec, found: &Found, odd: &str) {
        let words = found.lines.first().map(|words| words.join(" ")).unwrap_or_default();
        self.reading.warn(&found.place, format!("'{} {words}' {odd}", spec.name));
    }

    fn find(&self, spec: Spec) -> Found {
        if let Some(found) = self.in_env(spec).or_else(|| self.in_file(spec)) {
            let path = join(&self.path, spec.name);
            self.reading.given.borrow_mut().insert(path, found.place.clone());
            return found;
        }
        Found { lines: default_lines(spec), place: "default".to_owned() }
    }

    fn in_env(&self, spec: Spec) -> Option<Found> {
        if !self.env || matches!(spec.kind, Kind::Any | Kind::Block) {
            return None;
        }
        let names = env_names(&join(&self.path, spec.name), spec.env);
        let (name, text) = names.into_iter().find_map(|name| {
            let text = self.reading.env.value(&name)?;
            Some((name, text))
        })?;
        let words = match spec.kind {
            Kind::List(_) | Kind::Addresses => text.split(' ').filter(|word| !word.is_empty()).collect(),
            _ => vec![text],
        };
        Some(Found { lines: vec![self.resolved(spec, words)], place: name })
    }

    fn in_file(&self, spec: Spec) -> Option<Found> {
        let matching = |statement: &&Statement| match spec.kind {
            Kind::Lines(_) => spec.name == statement.name.text || spec.with.contains(&&*statement.name.text),
            _ => spec.name == statement.name.text,
        };
        let found: Vec<&Statement> = self.children.iter().filter(matching).collect();
        let one = found.first()?;
        if let Kind::Lines(_) = spec.kind {
            let lines = found
                .iter()
                .map(|statement| words_of(statement, true).into_iter().map(str::to_owned).collect())
                .collect();
            return Some(Found { lines, place: one.name.span.to_string() });
        }
        if one.arg0().is_empty() {
            return None;
        }
        if let Some(second) = found.get(1) {
            self.reading.warn(&second.name.span, ignored(spec.name, &one.name.span));
        }
        let words = words_of(one, false);
        Some(Found { lines: vec![self.resolved(spec, words)], place: one.name.span.to_string() })
    }

    /// The words; the word of a candidate is replaced by the variable it names.
    fn resolved(&self, spec: Spec, words: Vec<&str>) -> Vec<String> {
        if spec.kind != Kind::Candidate {
            return words.into_iter().map(str::to_owned).collect();
        }
        words.into_iter().map(|word| candidate(word, self.reading.env)).collect()
    }
}

fn ignored(name: &str, first: &Span) -> String {
    format!("a second '{name}' in the same block is ignored; the first is at {first}")
}

fn words_of(statement: &Statement, with_name: bool) -> Vec<&str> {
    let name = with_name.then_some(&*statement.name.text);
    name.into_iter().chain(statement.args.iter().map(|arg| &*arg.text)).collect()
}

fn default_lines(spec: Spec) -> Vec<Vec<String>> {
    if spec.default.is_empty() {
        return Vec::new();
    }
    vec![spec.default.split(' ').map(str::to_owned).collect()]
}

/// `$NAME` or `name` stands for the variable of that name in capitals, with `.` as `_`; a `$NAME` that is
/// not set means automatic.
fn candidate(word: &str, env: &Env) -> String {
    let name = word.strip_prefix('$').unwrap_or(word).to_ascii_uppercase().replace('.', "_");
    match env.value(&name) {
        Some(value) => value.to_owned(),
        None if word.starts_with('$') => "*".to_owned(),
        None => word.to_owned(),
    }
}

struct Found {
    lines: Vec<Vec<String>>,
    place: String,
}
