//! Replays the fuzz corpora on the stable toolchain, so that what fuzzing found once stays mended.
//!
//! Here, because the fuzz targets themselves need nightly and stand outside of the workspace.

#[expect(unreachable_pub, reason = "the fuzz programs use this file as a library of their own")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn fuzz() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

/// The names in a folder, in order.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).expect("the folder is part of the repository");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| name(entry.expect("the folder can be read"))).collect()
}

#[test]
fn every_seed_passes_through_its_target() {
    for (name, target) in targets::TARGETS {
        let seeds = names(&format!("corpus/{name}"));
        assert!(2 <= seeds.len(), "{name} has a few seeds");
        for seed in seeds {
            target(&fs::read(fuzz().join("corpus").join(name).join(seed)).unwrap());
        }
    }
}

#[test]
fn every_target_has_its_row_its_program_and_its_corpus() {
    let rows: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = names("targets").iter().map(|file| file.trim_end_matches(".rs").to_owned()).collect();
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let bins =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/")?.strip_suffix(".rs\""));
    assert_eq!(rows, programs);
    assert_eq!(rows, names("corpus"));
    assert_eq!(rows, bins.map(str::to_owned).collect());
}

#[test]
fn every_line_of_the_story_is_a_record() {
    let story = fs::read_to_string(fuzz().join("corpus/record_decode/story")).unwrap();
    for line in story.lines() {
        assert!(record::decode(line.as_bytes()).is_ok(), "{line}: {:?}", record::decode(line.as_bytes()));
    }
}
