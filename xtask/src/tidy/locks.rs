//! Rules for lock files.

use super::{Tree, Violation};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

/// Whoever builds this fetches from the public registries; a private mirror's name would stop them.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let (key, public) = match name {
            "Cargo.lock" => ("source = \"", CRATES_IO),
            "package-lock.json" => ("\"resolved\": \"", NPM),
            _ => continue,
        };
        for (at, line) in file.text.lines().enumerate() {
            let foreign = line.trim().strip_prefix(key).is_some_and(|source| !source.starts_with(public));
            if foreign {
                violations.push(Violation::new(&file.path, at + 1, format!("not from {public}")));
            }
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
    fn only_public_registries() {
        assert_eq!(found("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
        assert_eq!(found("Cargo.lock", "source = \"registry+https://mirror.example/index\""), 1);
        assert_eq!(
            found("console/package-lock.json", &format!("  \"resolved\": \"{NPM}a/-/a-1.0.0.tgz\",")),
            0
        );
        assert_eq!(
            found("console/package-lock.json", "  \"resolved\": \"https://mirror.example/a.tgz\","),
            1
        );
    }
}
