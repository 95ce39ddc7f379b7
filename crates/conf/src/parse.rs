//! The srs.conf grammar: bytes in, statements out.
//!
//! ```text
//! file      = { statement }
//! block     = "{" { statement } "}"
//! statement = word { word } ( ";" | block )      ; first word = name, the rest = arguments
//! word      = bareword | '"' chars '"' | "'" chars "'"
//! comment   = "#" to end of line, only where a word could start
//! ```
//!
//! Reads no files itself: `include` goes through the function it is given. Every input is bounded: see the
//! constants below. Any bytes give either a tree or an error that names a place.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::ConfError;
use crate::tree::{Span, Statement, Word};

/// Longest file, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;
/// Longest word, in bytes.
pub const MAX_WORD: usize = 8 * 1024;
/// Most words in one configuration with all its includes.
pub const MAX_WORDS: usize = 100_000;
/// Deepest nesting of blocks.
pub const MAX_NESTING: usize = 32;
/// Deepest nesting of includes; a file that includes itself is refused whatever the depth.
pub const MAX_INCLUDES: usize = 16;

/// Reads a file named by `include`.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Parses a configuration.
///
/// `name` is how the file is called in messages. `read` is asked for each included file, with the path as
/// written (relative to the working directory of the process).
///
/// A byte order mark at the start is skipped; bytes that are not UTF-8 are read as U+FFFD, because many
/// existing files carry comments in other encodings.
///
/// # Errors
///
/// [`ConfError::Syntax`] at the first offending word, [`ConfError::Include`] for a file that cannot be read.
pub fn parse(name: &str, bytes: &[u8], read: ReadFile<'_>) -> Result<Vec<Statement>, ConfError> {
    let mut budget = Budget { words: 0, read, open: Vec::new() };
    parse_file(name, bytes, 0, &mut budget)
}

/// What all files of one configuration share.
struct Budget<'a> {
    words: usize,
    read: ReadFile<'a>,
    open: Vec<Arc<str>>,
}

fn parse_file(
    name: &str,
    bytes: &[u8],
    depth: usize,
    budget: &mut Budget<'_>,
) -> Result<Vec<Statement>, ConfError> {
    let file: Arc<str> = Arc::from(name);
    if bytes.len() > MAX_FILE {
        let span = Span { file, line: 1, column: 1 };
        let what = format!("the file has {} bytes, at most {MAX_FILE} are read", bytes.len());
        return Err(ConfError::Syntax { span, what });
    }
    let text = String::from_utf8_lossy(bytes);
    budget.open.push(Arc::clone(&file));
    let mut parser = Parser { lexer: Lexer::new(file, &text), budget };
    let statements = parser.statements(depth, None)?;
    budget.open.pop();
    Ok(statements)
}

struct Parser<'t, 'b, 'r> {
    lexer: Lexer<'t>,
    budget: &'b mut Budget<'r>,
}

impl Parser<'_, '_, '_> {
    /// Statements up to the end of the block that `opener` began, or of the file.
    fn statements(&mut self, depth: usize, opener: Option<&Word>) -> Result<Vec<Statement>, ConfError> {
        let mut statements = Vec::new();
        loop {
            let (token, span) = self.lexer.statement_start()?;
            match (token, opener) {
                (Token::End, None) | (Token::Close, Some(_)) => return Ok(statements),
                (Token::End, Some(opener)) => {
                    let what = format!(
                        "the file ends inside the block '{}' of line {}: a '}}' is missing",
                        opener.text, opener.span.line
                    );
                    return Err(ConfError::Syntax { span, what });
                }
                (Token::Close, None) => return Err(syntax(span, "this '}' closes nothing: remove it")),
                (Token::Semicolon, _) => return Err(syntax(span, "';' without a directive before it")),
                (Token::Open, _) => {
                    return Err(syntax(
                        span,
                        "'{' without a directive before it; write it on the line of its directive",
                    ));
                }
                (Token::Word(text), _) => self.statement(Word { text, span }, depth, &mut statements)?,
            }
        }
    }

    fn statement(&mut self, name: Word, depth: usize, into: &mut Vec<Statement>) -> Result<(), ConfError> {
        let mut args = Vec::new();
        self.count(&name)?;
        loop {
            let (token, span) = self.lexer.inside_statement(&name)?;
            match token {
                Token::Word(text) => {
                    let word = Word { text, span };
                    self.count(&word)?;
                    args.push(word);
                }
                Token::Semicolon if name.text == "include" => return self.include(&name, &args, depth, into),
                Token::Semicolon => {
                    into.push(Statement { name, args, block: None });
                    return Ok(());
                }
                _ => {
                    let block = Some(self.block(&name, depth + 1)?);
                    into.push(Statement { name, args, block });
                    return Ok(());
                }
            }
        }
    }

    fn block(&mut self, name: &Word, depth: usize) -> Result<Vec<Statement>, ConfError> {
        if depth > MAX_NESTING {
            return Err(syntax(name.span.clone(), &format!("blocks are nested deeper than {MAX_NESTING}")));
        }
        self.statements(depth, Some(name))
    }

    fn count(&mut self, word: &Word) -> Result<(), ConfError> {
        self.budget.words += 1;
        if self.budget.words > MAX_WORDS {
            return Err(syntax(
                word.span.clone(),
                &format!("the configuration has more than {MAX_WORDS} words"),
            ));
        }
        Ok(())
    }

    fn include(
        &mut self,
        name: &Word,
        args: &[Word],
        depth: usize,
        into: &mut Vec<Statement>,
    ) -> Result<(), ConfError> {
        if args.is_empty() {
            return Err(syntax(name.span.clone(), "include names no file: write 'include path;'"));
        }
        for arg in args {
            if self.budget.open.iter().any(|open| **open == *arg.text) {
                return Err(syntax(arg.span.clone(), &format!("'{}' includes itself", arg.text)));
            }
            if self.budget.open.len() > MAX_INCLUDES {
                return Err(syntax(
                    arg.span.clone(),
                    &format!("includes are nested deeper than {MAX_INCLUDES}"),
                ));
            }
            let path = Path::new(&arg.text);
            let bytes = (self.budget.read)(path).map_err(|source| ConfError::Include {
                span: arg.span.clone(),
                path: path.to_owned(),
                source,
            })?;
            into.extend(parse_file(&arg.text, &bytes, depth, self.budget)?);
        }
        Ok(())
    }
}

fn syntax(span: Span, what: &str) -> ConfError {
    ConfError::Syntax { span, what: what.to_owned() }
}

enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
    End,
}

struct Lexer<'t> {
    file: Arc<str>,
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: u32,
    column: u32,
}

impl<'t> Lexer<'t> {
    fn new(file: Arc<str>, text: &'t str) -> Lexer<'t> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Lexer { file, rest: text.chars().peekable(), line: 1, column: 1 }
    }

    fn span(&self) -> Span {
        Span { file: Arc::clone(&self.file), line: self.line, column: self.column }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    /// Skips blanks and comments.
    fn skip_blank(&mut self) {
        while let Some(&c) = self.rest.peek() {
            match c {
                c if is_blank(c) => {
                    self.next();
                }
                '#' => {
                    while self.rest.peek().is_some_and(|&c| c != '\n') {
                        self.next();
                    }
                }
                _ => return,
            }
        }
    }

    /// The first token of a statement. Only here does `}` close a block.
    fn statement_start(&mut self) -> Result<(Token, Span), ConfError> {
        loop {
            self.skip_blank();
            let span = self.span();
            let token = match self.rest.peek() {
                Some('}') => {
                    self.next();
                    Token::Close
                }
                _ => self.token()?,
            };
            if !is_empty_word(&token) {
                return Ok((token, span));
            }
        }
    }

    /// A further token of the statement `name`: all of it stands on one line, up to `;` or `{`.
    fn inside_statement(&mut self, name: &Word) -> Result<(Token, Span), ConfError> {
        loop {
            self.skip_blank();
            let span = self.span();
            if self.rest.peek().is_none() {
                let what = format!("the file ends inside '{}': a ';' or a block is missing", name.text);
                return Err(ConfError::Syntax { span, what });
            }
            if span.line != name.span.line {
                let what = format!("'{}' has no ';' or '{{' at the end of its line", name.text);
                return Err(ConfError::Syntax { span: name.span.clone(), what });
            }
            let token = self.token()?;
            if !is_empty_word(&token) {
                return Ok((token, span));
            }
        }
    }

    fn token(&mut self) -> Result<Token, ConfError> {
        match self.rest.peek() {
            None => Ok(Token::End),
            Some(';') => {
                self.next();
                Ok(Token::Semicolon)
            }
            Some('{') => {
                self.next();
                Ok(Token::Open)
            }
            Some(&quote @ ('"' | '\'')) => self.quoted(quote),
            Some(_) => self.bareword(),
        }
    }

    fn bareword(&mut self) -> Result<Token, ConfError> {
        let start = self.span();
        let mut word = String::new();
        while let Some(&c) = self.rest.peek() {
            if is_end_of_word(c) {
                break;
            }
            push(&mut word, c, &start)?;
            self.next();
        }
        Ok(Token::Word(word))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, ConfError> {
        let start = self.span();
        self.next();
        let mut word = String::new();
        loop {
            match self.next() {
                None => return Err(syntax(start, &format!("this quote never ends: a {quote} is missing"))),
                Some('\n') => {
                    return Err(syntax(
                        start,
                        &format!("this quote does not end on its line: a {quote} is missing"),
                    ));
                }
                Some(c) if c == quote => break,
                Some(c) => push(&mut word, c, &start)?,
            }
        }
        if self.rest.peek().is_some_and(|&c| !is_end_of_word(c)) {
            return Err(syntax(self.span(), "after a closing quote must come a blank, ';' or '{'"));
        }
        Ok(Token::Word(word))
    }
}

/// An empty quoted string is no word at all.
fn is_empty_word(token: &Token) -> bool {
    matches!(token, Token::Word(text) if text.is_empty())
}

fn push(word: &mut String, c: char, start: &Span) -> Result<(), ConfError> {
    if word.len() + c.len_utf8() > MAX_WORD {
        return Err(syntax(start.clone(), &format!("this word is longer than {MAX_WORD} bytes")));
    }
    word.push(c);
    Ok(())
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_end_of_word(c: char) -> bool {
    is_blank(c) || matches!(c, ';' | '{')
}
