//! Rules for documents.

use super::{File, Tree, Violation, rings};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = links(tree);
    violations.extend(map(tree));
    violations
}

/// A link that leads nowhere costs the reader's trust in the rest.
fn links(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension(&["md"]) {
        for (line, target) in targets(&file.text) {
            if let Some(what) = broken(tree, file, target) {
                violations.push(Violation::new(&file.path, line, what));
            }
        }
    }
    violations
}

/// Inline link targets outside code, with their line from 1.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut code = false;
    for (at, line) in text.lines().enumerate() {
        code ^= line.trim_start().starts_with("```");
        if code {
            continue;
        }
        let prose = line.split('`').step_by(2);
        let links = prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
        found.extend(links.map(|target| (at + 1, target)));
    }
    found
}

/// What is wrong with a link from `file` to `target`, if anything.
fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
    if !path.is_empty() && !tree.paths.contains(&path) {
        return Some(format!("the link leads nowhere: {path}"));
    }
    let document = tree.file(&path).filter(|_| !anchor.is_empty() && path.ends_with(".md"))?;
    let headings = document.text.lines().filter(|line| line.starts_with('#'));
    let known = headings.map(slug).any(|slug| slug == anchor);
    (!known).then(|| format!("{path} has no heading #{anchor}"))
}

/// `target` as seen from the file `from`, without `.` and `..`.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A heading's anchor, by the rule that code forges use.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == ' ' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The map must show the land: every crate stands in ARCHITECTURE.md, and nothing stands there that is gone.
fn map(tree: &Tree) -> Vec<Violation> {
    const MAP: &str = "ARCHITECTURE.md";
    let Some(document) = tree.file(MAP) else {
        return vec![Violation::new(MAP, 0, "missing")];
    };
    let exists = |folder: &str| tree.paths.iter().any(|path| path == &format!("{folder}/Cargo.toml"));
    let mut violations = Vec::new();
    for (name, kind) in rings::CRATES {
        let folder =
            if *kind == rings::Kind::Workshop { (*name).to_owned() } else { format!("crates/{name}") };
        let what = match (exists(&folder), document.text.contains(&format!("`{name}`"))) {
            (true, false) => format!("does not mention `{name}`"),
            (false, true) => format!("mentions `{name}`, which is not in the tree"),
            (false, false) => format!("xtask/src/tidy/rings.rs lists `{name}`, which is not in the tree"),
            (true, true) => continue,
        };
        violations.push(Violation::new(MAP, 0, what));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_must_lead_somewhere() {
        let tree = |text: &str| {
            Tree::of(&[("docs/guide/a.md", text), ("docs/b.md", "# One & Two\n"), ("src/x.rs", "")])
        };
        let count = |text: &str| links(&tree(text)).len();
        assert_eq!(
            count("[b](../b.md) [x](../../src/x.rs) [web](https://example.com/x) [folder](../../src)"),
            0
        );
        assert_eq!(count("[b](../b.md#one--two) [here](#top)\n# Top"), 0);
        assert_eq!(count("[b](b.md)"), 1);
        assert_eq!(count("[b](../b.md#three)"), 1);
        assert_eq!(count("```\n[b](b.md)\n```\n`[b](b.md)`"), 0);
    }

    #[test]
    fn the_map_shows_the_land() {
        let all: String = rings::CRATES.iter().map(|(name, _)| format!("`{name}`\n")).collect();
        let mut files: Vec<(String, String)> = rings::CRATES
            .iter()
            .map(|(name, kind)| match kind {
                rings::Kind::Workshop => (format!("{name}/Cargo.toml"), String::new()),
                _ => (format!("crates/{name}/Cargo.toml"), String::new()),
            })
            .collect();
        files.push(("ARCHITECTURE.md".to_owned(), all.clone()));
        let count = |files: &[(String, String)]| {
            let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            map(&Tree::of(&files)).len()
        };
        assert_eq!(count(&files), 0);
        assert_eq!(count(&files[1..]), 1, "a crate that is gone");
        files.last_mut().unwrap().1 = all.replace("`hub`", "");
        assert_eq!(count(&files), 1, "a crate that is not shown");
    }
}
