//! Rust source seen three ways: as written, with comments and literals blanked, and which lines are test code.
//!
//! Not a parser: it knows comments, string and character literals and braces, which is all the rules need.

/// A source file made ready for the rules. All lines count from 0.
pub(super) struct Source<'a> {
    pub(super) lines: Vec<&'a str>,
    /// The text with comments and the insides of literals replaced by spaces; same line and column everywhere.
    pub(super) code: Vec<String>,
    /// Whether the line belongs to test code.
    pub(super) test: Vec<bool>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &str, text: &'a str) -> Source<'a> {
        let code: Vec<String> = blank(text).split('\n').map(str::to_owned).collect();
        let lines: Vec<&str> = text.split('\n').collect();
        let test = match is_test_file(path) {
            true => vec![true; lines.len()],
            false => test_lines(&code),
        };
        Source { lines, code, test }
    }

    /// Lines of code that are not tests, with their index.
    pub(super) fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().filter(|(at, _)| !self.test[*at]).map(|(at, line)| (at, line.as_str()))
    }

    /// The last line of the block that opens at or after `from`; `from` itself for an item without a block.
    pub(super) fn block_end(&self, from: usize) -> usize {
        block_end(&self.code, from)
    }
}

/// Whether `word` stands in `line` by itself, not as part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_test_file(path: &str) -> bool {
    let folder = path.split('/').any(|part| ["tests", "benches", "testkit", "xtask", "fuzz"].contains(&part));
    folder || path.ends_with("/tests.rs") || path.ends_with("_test.rs") || path.ends_with("_tests.rs")
}

fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut at = 0;
    while at < code.len() {
        let line = code[at].trim();
        if line.starts_with("#[cfg(test)]")
            || line.starts_with("#[cfg(any(test")
            || line.starts_with("#[cfg(all(test")
        {
            let end = block_end(code, at);
            test[at..=end].fill(true);
            at = end;
        }
        at += 1;
    }
    test
}

fn block_end(code: &[String], from: usize) -> usize {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (at, line) in code.iter().enumerate().skip(from) {
        for c in line.chars() {
            match c {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                '{' => depth += 1,
                '}' if depth <= 1 => return at,
                '}' => depth -= 1,
                ';' if depth == 0 && brackets == 0 => return at,
                _ => {}
            }
        }
    }
    code.len().saturating_sub(1)
}

/// `text` with comments and the insides of literals replaced by spaces. Newlines stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).unwrap_or(at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; none when none starts there.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    match (chars[at], next) {
        ('/', Some('/')) => Some(find(chars, at, |rest| rest[0] == '\n')),
        ('/', Some('*')) => Some(block_comment_end(chars, at)),
        ('"', _) => Some(string_end(chars, at + 1)),
        ('r', Some('"' | '#')) if !preceded_by_name(chars, at) => raw_string_end(chars, at + 1),
        ('b', Some('r')) if !preceded_by_name(chars, at) => raw_string_end(chars, at + 2),
        ('\'', _) => char_end(chars, at),
        _ => None,
    }
}

fn preceded_by_name(chars: &[char], at: usize) -> bool {
    at > 0 && chars.get(at - 1).is_some_and(|c| is_name(*c))
}

fn find(chars: &[char], from: usize, hit: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| hit(&chars[*at..])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0usize, from);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `from` stands behind the `r`; none when this is a raw identifier.
fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars.get(from..)?.iter().take_while(|c| **c == '#').count();
    if chars.get(from + hashes) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = from + hashes + 1;
    Some((find(chars, body, |rest| rest.starts_with(&closing)) + closing.len()).min(chars.len()))
}

/// A character literal's end; none for a lifetime.
fn char_end(chars: &[char], at: usize) -> Option<usize> {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => Some((find(chars, at + 3, |rest| rest[0] == '\'') + 1).min(chars.len())),
        (Some(_), Some('\'')) => Some(at + 3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let cases = [
            ("a // todo!()", "a          "),
            ("a /* { /* } */ */ b", "a                 b"),
            (r#"x("}\"{") y"#, "x(      ) y"),
            (r###"x(r#"a"b"#) y"###, "x(        ) y"),
            ("m('{', '\\'', b'}')", "m(   ,     , b   )"),
            ("fn f<'a>(x: &'a u8) {}", "fn f<'a>(x: &'a u8) {}"),
            ("r#type = 1", "r#type = 1"),
        ];
        for (text, expected) in cases {
            assert_eq!(blank(text).trim_end(), expected.trim_end(), "{text}");
        }
    }

    #[test]
    fn test_code_is_known() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        assert_eq!(
            Source::new("crates/x/src/lib.rs", text).test,
            [false, true, true, true, true, false, false]
        );
        let text = "#[cfg(test)]\nmod tests;\nfn c() {}";
        assert_eq!(Source::new("crates/x/src/lib.rs", text).test, [true, true, false]);
        assert_eq!(Source::new("crates/x/tests/a.rs", "fn a() {}").test, [true]);
    }

    #[test]
    fn words() {
        assert!(has_word("unsafe {", "unsafe"));
        assert!(!has_word("deny(unsafe_code)", "unsafe"));
    }
}
