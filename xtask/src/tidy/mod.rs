//! The rules of the house, checked. Each rule is one function, with its reason above it and a test that shows it
//! catching a violation below it.

mod docs;
mod locks;
mod rings;
mod rust;
mod source;
mod text;

use crate::step::{Failure, Outcome, Steps, say};
use crate::workspace;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A broken rule, and where.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    /// From 1; 0 when it concerns the whole file.
    line: usize,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// A file of the repository, read.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// The repository's text files: what the rules look at.
struct Tree {
    files: Vec<File>,
    /// Every file and folder, also those that are not text.
    paths: Vec<String>,
}

pub(crate) fn run() -> Outcome {
    let mut steps = Steps::default();
    steps.step("tidy", "rings, names, docs and lock files keep the rules of the house", check);
    steps.finish()
}

/// Checks every rule and tells every violation.
pub(crate) fn check() -> Outcome {
    let tree = Tree::read(workspace::root())
        .map_err(|err| Failure::new(format!("cannot read the sources: {err}"), "check their permissions"))?;
    let mut violations = rings::check(&rings::packages()?);
    violations.extend(rings::check_sources(&tree));
    violations.extend(rust::check(&tree));
    violations.extend(text::check(&tree));
    violations.extend(docs::check(&tree));
    violations.extend(locks::check(&tree));
    for violation in &violations {
        say(&format!("    {violation}"));
    }
    match violations.len() {
        0 => Ok(()),
        n => Err(Failure::new(
            format!("{n} broken rules"),
            "mend what is listed above; the reasons stand in xtask/src/tidy",
        )),
    }
}

/// Folders that hold what is made, not what is written.
const MADE: &[&str] = &["target", "node_modules", "dist", ".git", "data", "artifacts", "corpus-found"];
const TEXT: &[&str] = &[
    "rs", "toml", "md", "ts", "tsx", "js", "mjs", "css", "html", "json", "lock", "yml", "yaml", "conf", "sh",
    "txt",
];
/// Larger files are fixtures, not text that somebody reads.
const TEXT_BYTES_MAX: u64 = 4 << 20;

impl Tree {
    fn read(root: &Path) -> io::Result<Tree> {
        let mut tree = Tree { files: Vec::new(), paths: Vec::new() };
        tree.walk(root, root)?;
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && MADE.iter().any(|made| entry.file_name() == *made) {
                continue;
            }
            self.paths.push(relative(root, &path));
            if kind.is_dir() {
                self.walk(root, &path)?;
            } else if kind.is_file() && is_text(&path) && entry.metadata()?.len() <= TEXT_BYTES_MAX {
                self.read_file(root, &path);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, root: &Path, path: &PathBuf) {
        if let Ok(text) = fs::read_to_string(path) {
            self.files.push(File { path: relative(root, path), text });
        }
    }

    fn with_extension<'a>(&'a self, extensions: &'a [&str]) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(|file| file.path.rsplit_once('.').is_some_and(|(_, ext)| extensions.contains(&ext)))
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.with_extension(&["rs"])
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Tree {
        let files: Vec<File> = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        let mut paths: Vec<String> = Vec::new();
        for file in &files {
            let folders = file.path.match_indices('/').map(|(at, _)| file.path[..at].to_owned());
            paths.extend(folders.chain([file.path.clone()]));
        }
        Tree { files, paths }
    }
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|ext| ext.to_str());
    extension.map_or(path.ends_with(".ci/run"), |ext| TEXT.contains(&ext))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
