//! Rules for every text file.

use super::{Tree, Violation};

const FILE_LINES_MAX: usize = 1500;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = whitespace(tree);
    violations.extend(long_files(tree));
    violations.extend(machine_paths(tree));
    violations
}

/// Whitespace nobody sees makes differences nobody meant.
fn whitespace(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension(&["rs", "md", "toml", "ts", "tsx", "css", "html"]) {
        for (at, line) in file.text.lines().enumerate() {
            let what = match line {
                line if line.contains('\t') => "a tab; indent with spaces",
                line if line.ends_with([' ', '\r']) => "white space at the end of the line",
                _ => continue,
            };
            violations.push(Violation::new(&file.path, at + 1, what));
        }
    }
    violations
}

/// A file is one thing read top-down; past this it is several.
fn long_files(tree: &Tree) -> Vec<Violation> {
    let sources = tree.with_extension(&["rs", "ts", "tsx"]);
    let lines = sources.map(|file| (file, file.text.lines().count()));
    let long = lines.filter(|(file, lines)| *lines > FILE_LINES_MAX && !is_generated(&file.text));
    long.map(|(file, lines)| {
        let what = format!("{lines} lines; make it a folder of the same name (at most {FILE_LINES_MAX})");
        Violation::new(&file.path, 0, what)
    })
    .collect()
}

fn is_generated(text: &str) -> bool {
    let head: String = text.lines().take(5).collect::<Vec<_>>().join("\n").to_lowercase();
    head.contains("generated") || head.contains("do not edit")
}

/// The reader has another machine.
fn machine_paths(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension(&["md", "rs", "toml", "ts", "tsx", "json", "conf", "sh"]) {
        let document = file.path.ends_with(".md");
        let own = file.path == "xtask/src/tidy/text.rs";
        let banned: &[&str] =
            if document { &["/work/", "/root/", "/tmp/"] } else { &["/work/main", "/root/"] };
        for (at, line) in file.text.lines().enumerate() {
            let found = banned.iter().find(|path| line.contains(**path)).filter(|_| !own);
            violations
                .extend(found.map(|path| {
                    Violation::new(&file.path, at + 1, format!("a path of one machine: {path}"))
                }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn tabs_and_trailing_space() {
        assert_eq!(found("a.rs", "fn a() {}\n"), 0);
        assert_eq!(found("a.rs", "\tfn a() {}\nfn b() {} \n"), 2);
        assert_eq!(found("a.md", "text \r\n"), 1);
    }

    #[test]
    fn long_files_are_flagged_unless_generated() {
        let lines = "x\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(found("a.rs", &lines), 1);
        assert_eq!(found("a.ts", &format!("// This file was auto-generated\n{lines}")), 0);
        assert_eq!(found("a.json", &lines), 0);
    }

    #[test]
    fn machine_paths_are_flagged() {
        assert_eq!(found("README.md", "see /tmp/x.log"), 1);
        assert_eq!(found("a.rs", "\"/root/.cargo\""), 1);
        assert_eq!(found("a.rs", "\"/tmp/x\""), 0);
        assert_eq!(found("README.md", "see ./data/x.log"), 0);
    }
}
