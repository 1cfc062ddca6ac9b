//! What differs between two versions of a workflow: which steps came and went, and the lines of its files.

use pointsman_core::workflow::{Step, Workflow};
use serde_json::{Value, json};
use similar::{ChangeTag, DiffTag, TextDiff};

/// Lines shown around a change.
const AROUND: usize = 3;

/// The files of a version, by name.
pub type Files = [(String, String)];

/// What differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Steps that are new, each in a few words.
    pub added: Vec<String>,
    /// Steps that are gone.
    pub removed: Vec<String>,
    /// Files that differ, by name.
    pub files: Vec<FileChange>,
}

/// A file that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its name.
    pub name: String,
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
    /// The whole of it, as `diff -u` would tell it.
    pub text: String,
}

/// What came and went between two versions. A version that does not load has no steps to tell.
#[must_use]
pub fn between(before: (&Files, Option<&Workflow>), after: (&Files, Option<&Workflow>)) -> Changes {
    let mut changes = Changes { files: files(before.0, after.0), ..Changes::default() };
    if let (Some(before), Some(after)) = (before.1, after.1) {
        let (old, new) = (before.outline(), after.outline());
        let (old_words, new_words): (Vec<String>, Vec<String>) = (old.iter().map(name).collect(), new.iter().map(name).collect());
        for change in similar::capture_diff_slices(similar::Algorithm::Myers, &old_words, &new_words) {
            if change.tag() != DiffTag::Equal {
                changes.removed.extend(old.get(change.old_range()).into_iter().flatten().map(told));
                changes.added.extend(new.get(change.new_range()).into_iter().flatten().map(told));
            }
        }
    }
    changes
}

/// By what a step is known again: its id, or what it does where it stands, since positions move.
fn name(step: &Step<'_>) -> String {
    let last = step.path.rsplit('.').next().unwrap_or_default();
    let id = if last.parse::<u32>().is_ok() { "" } else { last };
    let depth = step.path.matches('.').count();
    format!("{depth} {id} {} {}", step.verb, step.guard.map_or("", |guard| guard.0))
}

fn told(step: &Step<'_>) -> String {
    format!("{} ({})", step.path, step.verb)
}

fn files(before: &Files, after: &Files) -> Vec<FileChange> {
    let text = |files: &Files, name: &str| files.iter().find(|(n, _)| n == name).map_or(String::new(), |(_, text)| text.clone());
    let mut names: Vec<&str> = before.iter().chain(after).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &str| {
        let (old, new) = (text(before, name), text(after, name));
        let diff = TextDiff::from_lines(&old, &new);
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
        let (a, b) = (format!("a/{name}"), format!("b/{name}"));
        let text = diff.unified_diff().context_radius(AROUND).header(&a, &b).to_string();
        (added + removed > 0).then(|| FileChange { name: name.to_owned(), added, removed, text })
    };
    names.into_iter().filter_map(change).collect()
}

impl Changes {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let file = |f: &FileChange| json!({ "name": f.name, "added": f.added, "removed": f.removed, "diff": f.text });
        json!({
            "steps": { "added": self.added, "removed": self.removed },
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }

    /// For people, a line each: steps that came and went, and how much of each file.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let steps = self.removed.iter().map(|step| format!("- {step}")).chain(self.added.iter().map(|step| format!("+ {step}")));
        let files = self.files.iter().map(|f| format!("{} +{} -{}", f.name, f.added, f.removed));
        steps.chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::parse;

    fn set(yaml: &str, script: &str) -> Vec<(String, String)> {
        vec![("workflow.yaml".into(), yaml.into()), ("a.rhai".into(), script.into())]
    }

    #[test]
    fn steps_are_known_again_by_id_or_by_what_they_do_and_files_are_told_like_diff_does() {
        let old = set("name: w\non: message\nsteps:\n  - tag: a\n  - id: n\n    script: a.rhai\n  - reply: hi\n", "1\n");
        let new = set("name: w\non: message\nsteps:\n  - id: n\n    script: a.rhai\n  - note: new\n  - reply: hi\n", "2\n");
        let (before, after) = (parse(&old).unwrap(), parse(&new).unwrap());
        let changes = between((&old, Some(&before)), (&new, Some(&after)));
        assert_eq!(
            (changes.removed.as_slice(), changes.added.as_slice()),
            (&["1 (tag)".to_owned()][..], &["2 (note)".to_owned()][..])
        );
        assert_eq!(changes.lines(), ["- 1 (tag)", "+ 2 (note)", "a.rhai +1 -1", "workflow.yaml +1 -1"]);
        assert_eq!(changes.files[0].text, "--- a/a.rhai\n+++ b/a.rhai\n@@ -1 +1 @@\n-1\n+2\n");
        assert_eq!(between((&new, Some(&after)), (&new, Some(&after))), Changes::default());
    }
}
