//! The directive table against the counts of the interface specification.

use std::collections::{HashMap, HashSet};

use headwater_conf::{Directive, Kind, Origin, directive, directives};

/// What the baseline release has.
fn baseline() -> impl Iterator<Item = &'static Directive> {
    directives().iter().filter(|row| row.origin == Origin::Srs)
}

#[test]
fn the_baseline_has_356_directives_of_which_49_are_blocks() {
    assert_eq!(baseline().count(), 356);
    assert_eq!(baseline().filter(|row| row.is_block()).count(), 49);
}

/// 229 variables are read by the baseline. 227 of them belong to directives; the rest are the process's own.
/// `SRS_CHUNK_SIZE` is added here: the baseline documents it and ignores it, Headwater reads it.
#[test]
fn the_baseline_has_227_variables_of_directives() {
    let mut names: HashSet<&str> = baseline().flat_map(|row| row.env.iter().map(String::as_str)).collect();
    assert!(names.remove("SRS_CHUNK_SIZE"));
    assert_eq!(names.len(), 227);
}

#[test]
fn no_path_is_described_twice() {
    let mut seen = HashMap::new();
    for row in directives() {
        assert!(seen.insert(&row.path, ()).is_none(), "{} is described twice", row.path);
    }
}

#[test]
fn every_directive_is_documented_and_stands_in_a_block() {
    for row in directives() {
        assert!(!row.doc.is_empty() && !row.doc.contains("TODO"), "{} has no documentation", row.path);
        assert!(
            row.parent().is_empty() || directive(row.parent()).is_some_and(Directive::is_block),
            "{}",
            row.path
        );
    }
}

#[test]
fn older_paths_are_no_paths_of_today() {
    for old in directives().iter().flat_map(|row| row.formerly) {
        // `forward` and `refer` keep their names and change shape; none of the moved ones may exist.
        assert!(directive(old).is_none(), "{old} is both an older form and a directive");
    }
}

#[test]
fn what_cannot_be_overridden_has_no_variable() {
    let fixed = [
        "vhost.cluster.",
        "vhost.forward.",
        "vhost.refer.",
        "vhost.security.",
        "vhost.exec.",
        "vhost.ingest.",
        "vhost.transcode.",
        "stream_caster.",
        "stats.",
    ];
    for row in directives().iter().filter(|row| fixed.iter().any(|block| row.path.starts_with(block))) {
        assert!(row.env.is_empty(), "{} has a variable", row.path);
    }
    for path in ["vhost.enabled", "vhost.dvr.dvr_apply", "is_full", "include"] {
        assert!(directive(path).unwrap().env.is_empty(), "{path} has a variable");
    }
}

#[test]
fn every_default_is_one_of_the_words_it_may_be() {
    for row in directives() {
        if let Kind::Choice(names) = row.kind {
            assert!(row.default.is_empty() || names.contains(&row.default), "{}: {}", row.path, row.default);
        }
    }
}
