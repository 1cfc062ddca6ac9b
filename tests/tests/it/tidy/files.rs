//! What a file must be: headed by `//!`, at most 600 lines; and what may lie at the top.

use super::{files, root, shown};

/// A file over this many lines is split by noun or verb.
const LINES: usize = 600;
/// Nine of ten files of the product are at most so long.
const MOST: usize = 400;

#[test]
fn every_source_file_says_what_lives_there() {
    let silent: Vec<String> = ["host", "sdk", "plugins", "tests"]
        .iter()
        .flat_map(|dir| files(dir, &[".rs"]))
        .filter(|path| !std::fs::read_to_string(path).expect("text").trim_start().starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert!(silent.is_empty(), "these files do not begin with //!: {silent:#?}");
}

#[test]
fn no_file_grows_past_its_room() {
    let mut lengths: Vec<(usize, String)> = ["host", "sdk", "plugins", "tests"]
        .iter()
        .flat_map(|dir| files(dir, &[".rs", ".html", ".css", ".js"]))
        .map(|path| (std::fs::read_to_string(&path).expect("text").lines().count(), shown(&path)))
        .collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LINES).collect();
    assert!(long.is_empty(), "over {LINES} lines, split them: {long:#?}");
    let at_ninety = &lengths[lengths.len() * 9 / 10];
    assert!(at_ninety.0 <= MOST, "nine of ten files must have at most {MOST} lines; this one stands at the mark: {at_ninety:?}");
}

#[test]
fn the_top_level_holds_what_the_design_lists_and_nothing_else() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
        "clippy.toml",
        "deny.toml",
        "rustfmt.toml",
        ".cargo",
        ".ci",
        ".git",
        ".gitignore",
        "host",
        "plugins",
        "sdk",
        "workflows",
        "tests",
        "target",
    ];
    let stray: Vec<String> = std::fs::read_dir(root())
        .expect("the root")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(stray.is_empty(), "not listed in the design: {stray:?}");
}
