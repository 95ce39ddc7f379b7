//! Every target, briefly: the same few thousand inputs each time, the found ones first.

use headwater_fuzz::{Budget, TARGETS, Target, run};
use std::path::Path;

const SEED: u64 = 0x4ead_3a7e;
const INPUTS: u64 = 4000;

#[test]
fn no_target_breaks() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    let findings: Vec<String> = TARGETS
        .iter()
        .filter_map(|target| run(target, SEED, Budget::Inputs(INPUTS), &found).err())
        .map(|finding| finding.to_string())
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn targets_have_names_of_their_own_and_survive_their_seeds() {
    for (at, target) in TARGETS.iter().enumerate() {
        assert!(TARGETS.iter().skip(at + 1).all(|other| other.name != target.name), "{} twice", target.name);
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has nothing to start from", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
    }
}

#[test]
fn a_broken_target_is_found_and_its_input_kept() {
    let broken = Target {
        name: "broken",
        run: |data| assert!(!data.starts_with(&[0xff]), "starts with ff"),
        seeds: || vec![vec![1, 2, 3, 4]],
    };
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("found");
    let _ = std::fs::remove_dir_all(&found); // absent the first time
    let finding = run(&broken, SEED, Budget::Inputs(100_000), &found).unwrap_err();
    assert!(finding.what.contains("starts with ff"), "{finding}");
    let saved = finding.saved.unwrap();
    assert_eq!(std::fs::read(&saved).unwrap().first(), Some(&0xff));
    // The kept input is replayed before anything else.
    assert_eq!(run(&broken, 1, Budget::Inputs(1), &found).unwrap_err().saved, Some(saved));
}
