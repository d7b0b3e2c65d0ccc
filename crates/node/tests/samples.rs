//! The samples of `config/good` and `config/bad`: each is judged as a start of the node would judge it.
//!
//! What is wrong with a bad one stands beside it, word for word, so that a change of a message is seen by
//! whoever reviews it. `UPDATE=1 cargo test -p node --test samples` writes the messages anew.

use std::fs;
use std::path::{Path, PathBuf};

fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is part of the repository");
    let entries = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}

/// What is wrong with a sample, a line each, with the file's name alone instead of its path.
fn wrong(file: &Path) -> String {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let problems = match name.split('-').next().unwrap_or_default() {
        "node" => node::judge::node_file(file).err().unwrap_or_default(),
        "directory" => node::judge::directory_file(file).err().unwrap_or_default(),
        other => panic!("{name}: begins with {other}, not with node or directory"),
    };
    let folder = file.display().to_string().replace(name, "");
    problems.iter().map(|problem| problem.replace(&folder, "") + "\n").collect()
}

#[test]
fn good_samples_are_good() {
    assert!(samples("good").len() >= 5);
    for file in samples("good") {
        assert_eq!(wrong(&file), "", "{}", file.display());
    }
}

#[test]
fn bad_samples_are_told_what_is_wrong_with_them() {
    assert!(samples("bad").len() >= 12);
    for file in samples("bad") {
        let (wrong, snapshot) = (wrong(&file), file.with_extension("txt"));
        assert!(!wrong.is_empty(), "{}: nothing was found wrong", file.display());
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&snapshot, &wrong).unwrap();
        }
        assert_eq!(wrong, fs::read_to_string(&snapshot).unwrap_or_default(), "{}", file.display());
    }
}

#[test]
fn every_message_beside_a_sample_has_its_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/bad");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("toml").exists(), "{}: its sample is gone", path.display());
    }
}
