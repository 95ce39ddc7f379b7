//! What differs between two configurations, directive by directive.

use std::collections::{BTreeMap, BTreeSet};

use crate::conf::Conf;
use crate::directive::directive;
use crate::parse::parse;
use crate::section::join;
use crate::tree::Statement;

/// A directive that two configurations write differently, or a block with a name that one of them lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// For people: `vhost live.example.com hls.hls_fragment`.
    pub name: String,
    /// As in [`crate::directives`]: `vhost.hls.hls_fragment`.
    pub path: String,
}

impl Conf {
    /// What `other` writes differently, each directive once, in alphabetical order. One that is left out counts as
    /// written with its default; variables are not looked at, because they do not change while a process lives.
    pub fn changes(&self, other: &Conf) -> Vec<Change> {
        if self == other {
            return Vec::new();
        }
        let (before, after) = (written(self), written(other));
        let keys: BTreeSet<&Change> = before.keys().chain(after.keys()).collect();
        let mut changes: Vec<Change> = Vec::new();
        for key in keys {
            // What is inside a block that came or went is not told one by one.
            let inside = |block: &Change| key.name.starts_with(&format!("{} ", block.name));
            let differs = value(&before, key) != value(&after, key);
            if differs && !changes.last().is_some_and(inside) {
                changes.push(key.clone());
            }
        }
        changes
    }
}

/// Every directive of a configuration, with what is written behind it.
fn written(conf: &Conf) -> BTreeMap<Change, String> {
    let mut all = BTreeMap::new();
    // The text was printed from a tree that had been parsed, so that it can be parsed again.
    let statements = parse("configuration", conf.to_text().as_bytes(), &|path| std::fs::read(path));
    collect(&statements.unwrap_or_default(), &Change { name: String::new(), path: String::new() }, &mut all);
    all
}

fn collect(statements: &[Statement], parent: &Change, all: &mut BTreeMap<Change, String>) {
    for statement in statements {
        let words: Vec<&str> = statement.args.iter().map(|arg| arg.text.as_str()).collect();
        let words = words.join(" ");
        let name = match parent.name.contains(' ') && directive(&parent.path).is_some_and(|p| p.repeated) {
            true => format!("{} {}", parent.name, statement.name.text),
            false => join(&parent.name, &statement.name.text),
        };
        let mut key = Change { name, path: join(&parent.path, &statement.name.text) };
        if statement.block.is_none() {
            let value: &mut String = all.entry(key).or_default();
            *value = join_words(value, &words);
            continue;
        }
        if !words.is_empty() {
            key.name = format!("{} {words}", key.name);
            all.insert(key.clone(), "present".to_owned());
        }
        collect(statement.children(), &key, all);
    }
}

/// Lines of a directive that is repeated, one after the other.
fn join_words(before: &str, words: &str) -> String {
    if before.is_empty() { words.to_owned() } else { format!("{before}; {words}") }
}

/// What is written, or the default; empty for a block that is not there.
fn value<'a>(written: &'a BTreeMap<Change, String>, key: &Change) -> &'a str {
    let default = || directive(&key.path).map_or("", |directive| directive.default);
    written.get(key).map_or_else(default, String::as_str)
}
