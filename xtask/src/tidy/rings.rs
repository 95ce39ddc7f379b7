//! The rings: who may depend on whom, and what rings 0 and 1 must not touch. ARCHITECTURE.md draws them.

use super::source::{Source, has_word};
use super::{Tree, Violation};
use crate::process::Process;
use crate::step::Failure;

/// What a crate is. Ordered: an arrow may only go to an earlier kind, but for what [`may_depend`] adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Ring 0.
    Media,
    /// Ring 1, bytes to frames and back.
    Format,
    /// Ring 1, state machines.
    Protocol,
    /// Ring 2.
    Core,
    /// Ring 2, made of what the hub has.
    Derived,
    /// Ring 3, sockets on one side, the hub on the other.
    Gateway,
    /// Ring 3, what a server does besides moving media.
    Service,
    /// Ring 4.
    Assembly,
    /// Ring 5.
    Binary,
    /// Outside the product: tests, tasks.
    Workshop,
}

/// Every crate's place. A new crate gets its line here first.
pub(super) const CRATES: &[(&str, Kind)] = &[
    ("media", Kind::Media),
    ("flv", Kind::Format),
    ("mpeg", Kind::Format),
    ("mp4", Kind::Format),
    ("playlist", Kind::Format),
    ("rtp", Kind::Format),
    ("audio", Kind::Format),
    ("rtmp-proto", Kind::Protocol),
    ("hub", Kind::Core),
    ("conf", Kind::Core),
    ("web", Kind::Core),
    ("packager", Kind::Derived),
    ("convert", Kind::Derived),
    ("rtmp", Kind::Gateway),
    ("httplive", Kind::Gateway),
    ("hls", Kind::Gateway),
    ("webrtc", Kind::Gateway),
    ("record", Kind::Service),
    ("stats", Kind::Service),
    ("api", Kind::Service),
    ("server", Kind::Assembly),
    ("bench", Kind::Assembly),
    ("headwater", Kind::Binary),
    ("testkit", Kind::Workshop),
    ("fuzz", Kind::Workshop),
    ("xtask", Kind::Workshop),
];

/// Crates that bring I/O, clocks, threads or randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "tokio-rustls",
    "mio",
    "socket2",
    "libc",
    "rustix",
    "nix",
    "rand",
    "getrandom",
    "fastrand",
    "hyper",
    "hyper-util",
    "axum",
    "reqwest",
    "async-std",
    "smol",
    "futures-util",
    "parking_lot",
    "crossbeam",
    "rayon",
    "chrono",
    "time",
    "jiff",
    "tempfile",
    "memmap2",
    "tracing",
    "log",
    "tracing-subscriber",
];

/// Parts of the standard library that do the same.
const IMPURE_STD: &[&str] = &["net", "fs", "env", "process", "thread"];

/// A package with what it is built from (test-only dependencies left out).
#[derive(Debug)]
pub(super) struct Package {
    name: String,
    dependencies: Vec<String>,
}

/// The workspace's packages, as cargo sees them.
pub(super) fn packages() -> Result<Vec<Package>, Failure> {
    let text =
        Process::cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&text)
        .map_err(|err| Failure::new(format!("cargo metadata: {err}"), "check `cargo metadata` by hand"))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().map(package).collect())
}

fn package(json: &serde_json::Value) -> Package {
    let dependencies = json["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let built_from = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
    Package {
        name: short(json["name"].as_str().unwrap_or_default()),
        dependencies: built_from.filter_map(|dependency| dependency["name"].as_str()).map(short).collect(),
    }
}

/// `rtmp` for `headwater-rtmp`.
fn short(name: &str) -> String {
    name.strip_prefix("headwater-").unwrap_or(name).to_owned()
}

fn kind(name: &str) -> Option<Kind> {
    CRATES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// The rules that manifests can break.
pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let path = manifest(&package.name);
        let Some(of) = kind(&package.name) else {
            let what =
                "this crate has no ring; give it a line in xtask/src/tidy/rings.rs and in ARCHITECTURE.md";
            violations.push(Violation::new(&path, 0, what));
            continue;
        };
        for dependency in &package.dependencies {
            violations.extend(arrow(of, dependency).map(|what| Violation::new(&path, 0, what)));
        }
    }
    violations
}

fn manifest(name: &str) -> String {
    match kind(name) {
        Some(Kind::Workshop) => format!("{name}/Cargo.toml"),
        _ => format!("crates/{name}/Cargo.toml"),
    }
}

/// What is wrong with an arrow from a crate of kind `from`, if anything.
fn arrow(from: Kind, to: &str) -> Option<String> {
    match kind(to) {
        Some(target) if !may_depend(from, target) => Some(format!(
            "depends on {to}: arrows go down only ({from:?} must not depend on {target:?}); move what both need to a lower ring"
        )),
        None if from <= Kind::Protocol && IMPURE.contains(&to) => Some(format!(
            "depends on {to}: rings 0 and 1 do no I/O and read no clock; bytes and times go in as arguments"
        )),
        _ => None,
    }
}

/// Arrows go down, so that a crate can be understood with what is below it. Gateways and services stand side by side:
/// no gateway knows another, no service knows a gateway; only the assembly knows them all.
fn may_depend(from: Kind, to: Kind) -> bool {
    match (from, to) {
        (Kind::Workshop, _) | (Kind::Service, Kind::Service) => true,
        (Kind::Service, Kind::Gateway) => false,
        _ => to < from,
    }
}

/// Rings 0 and 1 touch no socket, file, clock, environment, process or thread: that is why byte arrays can test them.
pub(super) fn check_sources(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust() {
        let mut parts = file.path.split('/');
        let pure = parts.next() == Some("crates")
            && parts.next().and_then(kind).is_some_and(|kind| kind <= Kind::Protocol)
            && parts.next() == Some("src");
        if !pure {
            continue;
        }
        for (at, line) in Source::new(&file.path, &file.text).product() {
            violations.extend(impure(line).map(|name| {
                Violation::new(
                    &file.path,
                    at + 1,
                    format!("uses {name}: rings 0 and 1 do no I/O and read no clock"),
                )
            }));
        }
    }
    violations
}

/// The impure name that a line of code uses.
fn impure(line: &str) -> Option<String> {
    if let Some(clock) = ["Instant", "SystemTime"].into_iter().find(|clock| has_word(line, clock)) {
        return Some(clock.to_owned());
    }
    let squeezed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    let grouped = |name: &str| {
        squeezed.split_once("std::{").is_some_and(|(_, group)| {
            [format!("{name}::"), format!("{name},"), format!("{name}}}")]
                .iter()
                .any(|item| group.starts_with(item.as_str()) || group.contains(&format!(",{item}")))
        })
    };
    let used = |name: &&&str| has_word(line, &format!("std::{name}")) || grouped(name);
    IMPURE_STD.iter().find(used).map(|name| format!("std::{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, dependencies: &[&str]) -> usize {
        let dependencies = dependencies.iter().map(|name| short(name)).collect();
        check(&[Package { name: short(name), dependencies }]).len()
    }

    #[test]
    fn arrows_go_down() {
        assert_eq!(found("headwater-rtmp", &["headwater-hub", "headwater-rtmp-proto", "tokio"]), 0);
        assert_eq!(found("headwater-hub", &["headwater-rtmp"]), 1);
        assert_eq!(found("headwater-hub", &["headwater-conf"]), 1);
        assert_eq!(found("headwater-rtmp-proto", &["headwater-flv"]), 0);
        assert_eq!(found("headwater-flv", &["headwater-rtmp-proto"]), 1);
    }

    #[test]
    fn gateways_and_services_stand_apart() {
        assert_eq!(found("headwater-hls", &["headwater-httplive"]), 1);
        assert_eq!(found("headwater-api", &["headwater-rtmp"]), 1);
        assert_eq!(found("headwater-rtmp", &["headwater-stats"]), 1);
        assert_eq!(found("headwater-api", &["headwater-stats"]), 0);
    }

    #[test]
    fn low_rings_take_no_impure_crate() {
        assert_eq!(found("headwater-flv", &["bytes", "thiserror"]), 0);
        assert_eq!(found("headwater-flv", &["tokio"]), 1);
        assert_eq!(found("headwater-rtmp-proto", &["rand", "socket2"]), 2);
        assert_eq!(found("headwater-hub", &["tokio", "rand"]), 0);
    }

    #[test]
    fn an_unknown_crate_needs_a_ring() {
        assert_eq!(found("headwater-newcomer", &[]), 1);
    }

    #[test]
    fn low_rings_use_no_impure_std() {
        let pure = [
            "use std::io::Write;",
            "use std::time::Duration;",
            "/// An Instant's socket",
            "let x = network();",
        ];
        let impure = [
            "use std::net::IpAddr;",
            "let now = std::time::Instant::now();",
            "use std::{fmt, fs};",
            "use std::{env::args, fmt};",
            "use std::time::SystemTime;",
            "std::thread::spawn(f);",
        ];
        let lines =
            |lines: &[&str]| check_sources(&Tree::of(&[("crates/flv/src/lib.rs", &lines.join("\n"))])).len();
        assert_eq!(lines(&pure), 0);
        assert_eq!(lines(&impure), impure.len());
        assert_eq!(check_sources(&Tree::of(&[("crates/hub/src/lib.rs", &impure.join("\n"))])), []);
        assert_eq!(check_sources(&Tree::of(&[("crates/flv/tests/a.rs", &impure.join("\n"))])), []);
    }
}
