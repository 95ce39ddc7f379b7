//! The statement tree of a configuration: what was written, and where.

use std::fmt;
use std::sync::Arc;

/// Where a word stands: file as it was named on the command line or in `include`, line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Name of the file, as given.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One word and its place. Two words are equal when their texts are; places do not count.
#[derive(Debug, Clone)]
pub struct Word {
    /// The text, without quotes.
    pub text: String,
    /// Where it starts.
    pub span: Span,
}

impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        self.text == other.text
    }
}

impl Eq for Word {}

/// A directive as written: `name arg arg;` or `name arg { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// First word.
    pub name: Word,
    /// The other words.
    pub args: Vec<Word>,
    /// The statements between braces; `None` when the statement ended with `;`.
    pub block: Option<Vec<Statement>>,
}

impl Statement {
    /// The statements between the braces, none for a statement without a block.
    pub fn children(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The first argument, or the empty string.
    pub fn arg0(&self) -> &str {
        self.args.first().map_or("", |word| &word.text)
    }

    /// The first child of that name: with duplicates, the first one wins.
    pub fn child(&self, name: &str) -> Option<&Statement> {
        first(self.children(), name)
    }
}

/// The first statement of that name.
pub(crate) fn first<'a>(statements: &'a [Statement], name: &str) -> Option<&'a Statement> {
    statements.iter().find(|statement| statement.name.text == name)
}

/// Writes statements back as configuration text, one a line, four spaces of indent per block.
///
/// Parsing the text gives the same tree for every tree that came from a parse.
pub fn print(statements: &[Statement]) -> String {
    let mut text = String::new();
    print_at(&mut text, statements, 0);
    text
}

fn print_at(text: &mut String, statements: &[Statement], depth: usize) {
    for statement in statements {
        text.push_str(&"    ".repeat(depth));
        text.push_str(&quoted(&statement.name.text));
        for arg in &statement.args {
            text.push(' ');
            text.push_str(&quoted(&arg.text));
        }
        let Some(children) = &statement.block else {
            text.push_str(";\n");
            continue;
        };
        text.push_str(" {\n");
        print_at(text, children, depth + 1);
        text.push_str(&"    ".repeat(depth));
        text.push_str("}\n");
    }
}

/// The word as it has to be written: bare if it can be, else in the quotes it does not contain.
fn quoted(word: &str) -> String {
    let special = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '{');
    let bare = !word.is_empty() && !word.starts_with(['"', '\'', '#', '}']) && !word.contains(special);
    if bare {
        return word.to_owned();
    }
    let quote = if word.contains('"') { '\'' } else { '"' };
    format!("{quote}{word}{quote}")
}
