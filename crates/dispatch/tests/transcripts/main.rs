//! Stories of alerts, told in an operator's words and held to the letter.
//!
//! Each file of `testdata` is one story: blocks of commands, `----`, and everything that follows from them.
//! `UPDATE=1 cargo test -p dispatch --test transcripts` rewrites the consequences; read them before you
//! commit. The commands are explained in `testdata/README.md`.

mod notation;
mod speech;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use world::World;

/// One block: its lines before `----`, as they stand. What stands after it is what the play is held to.
struct Block {
    commands: Vec<String>,
}

#[test]
fn every_story_goes_as_told() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut differing = Vec::new();
    for path in stories() {
        let told = fs::read_to_string(&path).expect("a story is readable text");
        let happened = play(&path, &told);
        if happened == told {
            continue;
        }
        if update {
            fs::write(&path, happened).expect("a story can be rewritten");
        } else {
            differing.push(difference(&path, &told, &happened));
        }
    }
    assert!(differing.is_empty(), "{}\nUPDATE=1 rewrites them.", differing.join("\n"));
}

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = fs::read_dir(folder).expect("testdata is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}

/// Plays a story's commands and writes down what follows from them.
fn play(path: &Path, told: &str) -> String {
    let mut world = World::new();
    let blocks: Vec<String> = blocks(told).iter().map(|block| tell(path, &mut world, block)).collect();
    blocks.join("\n")
}

fn tell(path: &Path, world: &mut World, block: &Block) -> String {
    let mut text = String::new();
    for line in &block.commands {
        text.push_str(line);
        text.push('\n');
        if let Err(error) = world.obey(line) {
            panic!("{}: \"{line}\": {error}", path.display());
        }
    }
    let consequence = world.take_consequence();
    let happens = block.commands.iter().any(|line| !line.starts_with('#') && World::happens(line));
    if happens || !consequence.is_empty() {
        text.push_str("----\n");
        for line in consequence {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn blocks(told: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in told.split("\n\n") {
        let (commands, _) = part.split_once("----").unwrap_or((part, ""));
        let lines = commands.lines().filter(|line| !line.trim().is_empty());
        let commands: Vec<String> = lines.map(ToOwned::to_owned).collect();
        if !commands.is_empty() {
            blocks.push(Block { commands });
        }
    }
    blocks
}

fn difference(path: &Path, told: &str, happened: &str) -> String {
    let (told, happened): (Vec<_>, Vec<_>) = (told.lines().collect(), happened.lines().collect());
    let at = told.iter().zip(&happened).take_while(|(a, b)| a == b).count();
    let line = |lines: &[&str]| lines.get(at).map_or("(the end)", |line| *line).to_owned();
    format!("{}:{}: told: {}\n  happened: {}", path.display(), at + 1, line(&told), line(&happened))
}
