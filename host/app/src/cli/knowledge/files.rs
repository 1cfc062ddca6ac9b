//! Files that go into a base: which ones, and their bytes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pointsman_core::failure::{Class, Failure};
use pointsman_knowledge::read::{Kind, LIMIT};

use super::intake::Intake;

/// Folders within folders that are followed.
const DEPTH: usize = 16;

/// A file and what it is called in the base.
struct Named {
    name: String,
    path: PathBuf,
}

/// Files that were found.
#[derive(Default)]
pub(super) struct Found {
    named: Vec<Named>,
    /// Of no kind that can be read.
    passed: Vec<String>,
}

/// The files that were named: a file by its own name, one in a folder by its path from there. In a folder, what is of no kind that can be
/// read is passed over and told, what is hidden is passed over; a file that was named itself is refused when it is read.
pub(super) fn named(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            let before = found.named.len();
            walk(path, path, 0, &mut found)?;
            if found.named.len() == before {
                bail!(
                    "knowledge.folder: {} holds no file that can be read (.md, .txt, .html, .pdf, .csv, .json, .jsonl)",
                    path.display()
                );
            }
        } else {
            let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
            found.named.push(Named { name: name.to_string_lossy().into_owned(), path: path.clone() });
        }
    }
    found.named.sort_by(|a, b| a.name.cmp(&b.name));
    found.passed.sort();
    if let Some([one, two]) = found.named.array_windows().find(|[one, two]| one.name == two.name) {
        let (one, two) = (one.path.display(), two.path.display());
        bail!("knowledge.same_name: {one} and {two} would be one source; name the folder above them");
    }
    Ok(found)
}

fn walk(root: &Path, folder: &Path, depth: usize, found: &mut Found) -> Result<()> {
    if depth > DEPTH {
        bail!("knowledge.folder: {} lies more than {DEPTH} folders deep", folder.display());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links are not followed: a folder of texts could lead anywhere.
        if kind.is_dir() {
            walk(root, &path, depth + 1, found)?;
        } else if kind.is_file() && Kind::of(&name).is_some() {
            found.named.push(Named { name, path });
        } else {
            found.passed.push(name);
        }
    }
    Ok(())
}

/// Takes files into a base, one after the other. Their names.
pub(super) async fn put(intake: &mut Intake<'_>, files: Found) -> Result<Vec<String>> {
    intake.outcome.passed.extend(files.passed);
    let mut names = Vec::new();
    for Named { name, path } in files.named {
        match content(&name, &path) {
            Ok(bytes) => drop(intake.take(&name, None, &bytes, false).await?),
            Err(failure) => intake.refuse(&name, failure)?,
        }
        names.push(name);
    }
    Ok(names)
}

/// The bytes of a file. One that is too large is not even opened.
fn content(name: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let unread = |e: std::io::Error| Failure::new(Class::Permanent, "knowledge.unreadable", format!("{}: {e}", path.display()));
    let size = std::fs::metadata(path).map_err(unread)?.len();
    if size > LIMIT as u64 {
        let text = format!("{name} has {} MiB; a source has at most {} MiB: split it", size.div_ceil(1 << 20), LIMIT >> 20);
        return Err(Failure::new(Class::Permanent, "knowledge.too_large", text));
    }
    std::fs::read(path).map_err(unread)
}
