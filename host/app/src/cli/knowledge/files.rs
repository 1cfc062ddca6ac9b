//! Files on their way into a base: found, read, and what became of each.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::failure::{Class, Failure};
use pointsman_engine::knowledge::{Library, Put};
use pointsman_knowledge::read::{Kind, LIMIT};
use pointsman_store::KnowledgeBase;
use serde_json::json;

use super::ACTOR;
use crate::cli::Context;
use crate::wiring::FIRST_WORKSPACE;

/// Folders within folders that are followed.
const DEPTH: usize = 16;

/// A file and what it is called in the base.
pub(super) struct Named {
    pub(super) name: String,
    path: PathBuf,
}

/// What became of files.
#[derive(Default)]
pub(super) struct Outcome {
    read: Vec<(String, usize)>,
    unchanged: Vec<String>,
    pub(super) removed: Vec<String>,
    refused: Vec<(String, Failure)>,
}

/// The files that were named: a file by its own name, one in a folder by its path from there. In a folder, what is of no kind that can be
/// read, or hidden, is passed over; a file that was named itself is refused when it is read.
pub(super) fn named(paths: &[PathBuf]) -> Result<Vec<Named>> {
    let mut found: Vec<Named> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, path, 0, &mut found)?;
            if found.len() == before {
                bail!(
                    "knowledge.folder: {} holds no file that can be read (.md, .txt, .html, .csv, .json, .jsonl)",
                    path.display()
                );
            }
        } else {
            let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
            found.push(Named { name: name.to_string_lossy().into_owned(), path: path.clone() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some([one, two]) = found.array_windows().find(|[one, two]| one.name == two.name) {
        let (one, two) = (one.path.display(), two.path.display());
        bail!("knowledge.same_name: {one} and {two} would be one source; name the folder above them");
    }
    Ok(found)
}

fn walk(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Named>) -> Result<()> {
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
            found.push(Named { name, path });
        }
    }
    Ok(())
}

/// Puts files into a base, one after the other. A file that is refused leaves the others, and what the base had of it, as they are.
pub(super) async fn put(library: &Library, base: &KnowledgeBase, files: Vec<Named>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for Named { name, path } in files {
        let done = match content(&name, &path) {
            Ok(bytes) => library.put(FIRST_WORKSPACE, ACTOR, base, &name, bytes).await,
            Err(failure) => Err(failure),
        };
        match done {
            Ok(Put::Read(passages)) => outcome.read.push((name, passages)),
            Ok(Put::Unchanged) => outcome.unchanged.push(name),
            Err(failure) if failure.code.starts_with("knowledge.") => outcome.refused.push((name, failure)),
            Err(failure) => return Err(super::coded(&failure)),
        }
    }
    Ok(outcome)
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

impl Outcome {
    /// Tells it; exit code 1 when a file was refused.
    pub(super) fn told(&self, context: &Context, base: &str) -> ExitCode {
        let read: Vec<_> = self.read.iter().map(|(name, passages)| json!({ "source": name, "passages": passages })).collect();
        let refused: Vec<_> =
            self.refused.iter().map(|(name, f)| json!({ "source": name, "code": f.code, "message": f.message })).collect();
        let told =
            json!({ "base": base, "read": read, "unchanged": self.unchanged, "removed": self.removed, "refused": refused });
        context.answer(&told, || {
            let read = self.read.iter().map(|(name, passages)| format!("{base}/{name}: {passages} passages"));
            let same = self.unchanged.iter().map(|name| format!("{base}/{name}: unchanged"));
            let gone = self.removed.iter().map(|name| format!("{base}/{name}: removed"));
            let refused = self.refused.iter().map(|(_, failure)| format!("{}: {}", failure.code, failure.message));
            read.chain(same).chain(gone).chain(refused).collect::<Vec<_>>().join("\n")
        });
        ExitCode::from(u8::from(!self.refused.is_empty()))
    }

    /// The refusals, when there are any.
    pub(super) fn refusals(&self) -> Option<String> {
        let all: Vec<String> = self.refused.iter().map(|(_, failure)| format!("{}: {}", failure.code, failure.message)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}
