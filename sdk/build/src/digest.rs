//! A digest of everything that decides what a component will be, so that nothing is built twice.
//!
//! Too much in the digest costs a second of cargo finding nothing to do; too little would embed a stale plugin. So whole folders go in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Raised when the way of building changes, so that every component made the old way is made anew.
const RECIPE: &str = "pointsman-build 1";

/// The digest, in hex, of the named texts and of every file at or under the named paths. A path that does not exist counts as absent,
/// so that a file which appears changes the digest.
pub(crate) fn of(texts: &[&str], paths: &BTreeSet<PathBuf>) -> Result<String> {
    let mut hash = Sha256::new();
    for text in std::iter::once(&RECIPE).chain(texts) {
        part(&mut hash, text.as_bytes());
    }
    for path in paths {
        add(&mut hash, path)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Lengths go first, so that no two different lists of parts feed the same bytes.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn add(hash: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_dir() {
        for entry in entries(path)? {
            add(hash, &entry)?;
        }
    } else if path.is_file() {
        part(hash, path.as_os_str().as_encoded_bytes());
        part(hash, &fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(())
}

/// What a folder holds, in order, without build output and hidden files.
fn entries(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let name = entry.file_name();
        if name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            found.insert(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(folder: &Path) -> String {
        of(&["toolchain 1"], &BTreeSet::from([folder.to_path_buf()])).unwrap()
    }

    #[test]
    fn a_change_of_any_source_is_seen_and_build_output_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::create_dir_all(root.join("target/release")).unwrap();
        fs::write(root.join("src/deep/a.rs"), "one").unwrap();
        let first = digest(root);
        assert_eq!(first.len(), 64);

        fs::write(root.join("target/release/out"), "output").unwrap();
        fs::write(root.join(".swap"), "editor").unwrap();
        assert_eq!(digest(root), first);

        fs::write(root.join("src/deep/a.rs"), "two").unwrap();
        let second = digest(root);
        assert_ne!(second, first);

        fs::write(root.join("src/b.rs"), "").unwrap();
        let third = digest(root);
        assert_ne!(third, second, "a new empty file");

        fs::rename(root.join("src/b.rs"), root.join("src/c.rs")).unwrap();
        assert_ne!(digest(root), third, "a renamed file");
    }

    #[test]
    fn another_toolchain_is_another_digest() {
        let none = BTreeSet::new();
        assert_ne!(of(&["rustc 1"], &none).unwrap(), of(&["rustc 2"], &none).unwrap());
        assert_ne!(of(&["ab", "c"], &none).unwrap(), of(&["a", "bc"], &none).unwrap());
    }
}
