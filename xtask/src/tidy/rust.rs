//! Rules for Rust sources.

use super::source::{Source, has_word};
use super::{File, Tree, Violation};

const FUNCTION_LINES_MAX: usize = 120;
/// A helper lives with its only user, or it is a concept and gets a name.
const BANNED_MODULES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "manager"];
/// Left-overs; `concat!` keeps them out of this file's own text.
const LEFT_OVERS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = module_names(tree);
    for file in tree.rust() {
        let source = Source::new(&file.path, &file.text);
        violations.extend(left_overs(file, &source));
        violations.extend(unsafe_reasons(file, &source));
        violations.extend(long_functions(file, &source));
    }
    violations
}

/// Such a name says nothing, so everything ends up in it.
fn module_names(tree: &Tree) -> Vec<Violation> {
    let banned = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let source = name.contains('.') && [".rs", ".ts", ".tsx"].iter().any(|ext| name.ends_with(ext));
        BANNED_MODULES.contains(&stem) && (source || !name.contains('.'))
    };
    let what =
        "a module of this name has no subject; name the concept, or keep the function with its only user";
    tree.paths.iter().filter(banned).map(|path| Violation::new(path, 0, what)).collect()
}

/// What is not finished is not merged; a test that does not run protects nothing.
fn left_overs(file: &File, source: &Source<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        let squeezed: String = line.split_whitespace().collect();
        let found = LEFT_OVERS.iter().filter(|what| squeezed.contains(**what));
        violations
            .extend(found.map(|what| Violation::new(&file.path, at + 1, format!("{what} must not stay"))));
    }
    violations
}

/// Whoever writes `unsafe` owes the reader the reason why it is sound.
fn unsafe_reasons(file: &File, source: &Source<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        if has_word(line, "unsafe") && !has_reason(source, at) {
            violations.push(Violation::new(
                &file.path,
                at + 1,
                "unsafe without a `SAFETY:` comment above it",
            ));
        }
    }
    violations
}

/// A reason on the line itself, or in the comments and attributes right above its statement.
fn has_reason(source: &Source<'_>, at: usize) -> bool {
    let says = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    if says(source.lines[at]) {
        return true;
    }
    let above = source.lines[..at].iter().rev().take(20);
    let mut above =
        above.map(|line| line.trim()).take_while(|line| !line.is_empty() && !line.ends_with([';', '}']));
    above.any(says)
}

/// Nobody keeps more than a screen or two in mind.
fn long_functions(file: &File, source: &Source<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        if !declares_function(line) {
            continue;
        }
        let lines = source.block_end(at) - at + 1;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("a function of {lines} lines; split it (at most {FUNCTION_LINES_MAX})");
            violations.push(Violation::new(&file.path, at + 1, what));
        }
    }
    violations
}

fn declares_function(line: &str) -> bool {
    let line = line.trim_start();
    let qualifiers = ["pub", "const", "async", "unsafe", "extern", "(crate)", "(super)"];
    let mut words = line
        .split_whitespace()
        .skip_while(|word| qualifiers.iter().any(|qualifier| word.starts_with(qualifier)));
    words.next() == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|violation| violation.to_string()).collect()
    }

    #[test]
    fn banned_module_names() {
        assert_eq!(found("crates/x/src/utils.rs", "").len(), 1);
        assert_eq!(found("crates/x/src/common/wire.rs", "").len(), 1);
        assert_eq!(found("console/src/helpers.ts", "").len(), 1);
        assert_eq!(found("crates/x/src/wire.rs", "").len(), 0);
    }

    #[test]
    fn left_overs_are_found_in_code_only() {
        let code = concat!("fn a() {\n  to", "do!()\n}\n#[ig", "nore]\n");
        assert_eq!(found("crates/x/src/a.rs", code).len(), 2);
        assert_eq!(found("crates/x/src/a.rs", concat!("// to", "do!()\nlet s = \"db", "g!\";")).len(), 0);
    }

    #[test]
    fn unsafe_needs_a_reason() {
        let cases = [
            ("let x = 1;\nunsafe { f() }", 1),
            ("// SAFETY: f is sound\nunsafe { f() }", 0),
            ("// SAFETY: f is sound,\n// as said\n#[allow(unsafe_code)]\nlet x =\n  unsafe { f() };", 0),
            ("// SAFETY: g\nlet y = 1;\nunsafe { f() }", 1),
            ("unsafe { f() } // SAFETY: sound", 0),
            ("/// # Safety\n/// The caller holds it.\npub unsafe fn f() {}", 0),
            ("#![deny(unsafe_code)]", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(found("crates/x/src/a.rs", text).len(), expected, "{text}");
        }
    }

    #[test]
    fn long_functions_are_flagged() {
        let body = |lines: usize| format!("pub(crate) async fn f(\n) {{\n{}}}\n", "  x();\n".repeat(lines));
        assert_eq!(found("crates/x/src/a.rs", &body(FUNCTION_LINES_MAX - 3)).len(), 0);
        assert_eq!(found("crates/x/src/a.rs", &body(FUNCTION_LINES_MAX)).len(), 1);
        assert_eq!(found("crates/x/src/a.rs", "trait T { fn f(&self, x: [u8; 3]); }").len(), 0);
    }
}
