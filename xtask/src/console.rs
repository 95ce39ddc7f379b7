//! The web console: installed, checked and built only when its sources changed.

use crate::process::Process;
use crate::step::{Failure, Outcome, say};
use crate::tally::Tally;
use crate::{setup, workspace};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::Path;

/// Packages that are installed, and a build that is current.
pub(crate) fn build() -> Outcome {
    if !exists() {
        say("    there is no console/ in this tree; nothing to build");
        return Ok(());
    }
    install()?;
    let built = workspace::root().join("console/dist/index.html").exists();
    unless_same("build", built, || {
        npm(&["run", "build"], "read the first error above; `npm run lint` in console/ often says more")
    })
}

/// Types and lints.
pub(crate) fn lint() -> Outcome {
    when_present(|| npm(&["run", "lint"], "mend what is listed above; `npm run lint` in console/ repeats it"))
}

/// Component tests.
pub(crate) fn test(tally: &Tally) -> Outcome {
    let next = "run the failing file alone: `npx vitest run <file>` in console/";
    when_present(|| tally.run(npm_process(&["run", "test"]), next))
}

fn when_present(act: impl FnOnce() -> Outcome) -> Outcome {
    if !exists() {
        say("    there is no console/ in this tree; nothing to do");
        return Ok(());
    }
    install()?;
    act()
}

fn exists() -> bool {
    workspace::root().join("console/package.json").exists()
}

/// `npm ci`, unless the installed packages are those of the lock file.
fn install() -> Outcome {
    let console = workspace::root().join("console");
    let newer = |path: &str| fs::metadata(console.join(path)).and_then(|meta| meta.modified());
    let current = match (newer("node_modules/.package-lock.json"), newer("package-lock.json")) {
        (Ok(installed), Ok(locked)) => installed >= locked,
        _ => false,
    };
    if current {
        return Ok(());
    }
    say("    installing the console's packages");
    npm(
        &["ci", "--no-audit", "--no-fund"],
        "check the network; behind a mirror set it with `npm config set registry …`, then try again",
    )
}

fn npm(args: &[&str], next: &str) -> Outcome {
    npm_process(args).run(next)
}

fn npm_process(args: &[&str]) -> Process {
    setup::with_node(Process::new("npm").args(args).inside("console"))
}

/// Does `act` unless the console's sources are those of the last time it succeeded and `built` holds.
fn unless_same(name: &str, built: bool, act: impl FnOnce() -> Outcome) -> Outcome {
    let stamp = workspace::target().join(format!("xtask/console-{name}.stamp"));
    let now = fingerprint(&workspace::root().join("console")).map_err(|err| {
        Failure::new(format!("cannot read console/: {err}"), "check the permissions of console/")
    })?;
    if built && fs::read_to_string(&stamp).is_ok_and(|then| then == now) {
        say("    the console is up to date");
        return Ok(());
    }
    act()?;
    let kept = stamp.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&stamp, &now));
    kept.map_err(|err| {
        Failure::new(format!("cannot write {}: {err}", stamp.display()), "check target/'s permissions")
    })
}

/// A hash over names and contents of everything that goes into the build.
fn fingerprint(console: &Path) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    hash_folder(console, &mut hasher)?;
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if ["node_modules", "dist", "e2e", ".vite"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        name.hash(hasher);
        match entry.file_type()?.is_dir() {
            true => hash_folder(&entry.path(), hasher)?,
            false => fs::read(entry.path())?.hash(hasher),
        }
    }
    Ok(())
}
