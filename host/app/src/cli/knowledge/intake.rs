//! What is given to a base on its way in: read by a process of its own when it is new or changed, and what became of each.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::failure::{Class, Failure};
use pointsman_engine::knowledge::{Filled, Library, fingerprint, language_of};
use pointsman_knowledge::Task;
use pointsman_knowledge::read::Kind;
use pointsman_store::{KnowledgeBase, Store};
use serde_json::json;

use super::{ACTOR, coded, embed};
use crate::cli::Context;
use crate::config::{self, Config};
use crate::reader::Reader;
use crate::wiring::{self, FIRST_WORKSPACE};

/// A base that something is put into.
pub(super) struct Intake<'a> {
    store: &'a Store,
    library: Library,
    reader: Reader,
    pub(super) base: KnowledgeBase,
    /// The hashes of what the base had, by name.
    known: HashMap<String, String>,
    pub(super) outcome: Outcome,
}

/// What became of what was given.
#[derive(Default)]
pub(super) struct Outcome {
    read: Vec<(String, usize, Vec<String>)>,
    unchanged: Vec<String>,
    removed: Vec<String>,
    refused: Vec<(String, Failure)>,
    /// Files of no kind that can be read, in a folder.
    pub(super) passed: Vec<String>,
    /// What was found and not read, each a sentence with its cure.
    pub(super) left: Vec<String>,
    /// What became of the base's vectors, where it has some.
    vectors: Option<Result<Filled, Failure>>,
}

impl<'a> Intake<'a> {
    pub(super) async fn new(config: &Config, store: &'a Store, base: KnowledgeBase) -> Result<Self> {
        let known = store.knowledge_sources(FIRST_WORKSPACE, base.id).await?;
        let known = known.into_iter().map(|source| (source.name, source.hash)).collect();
        let reader = Reader::new(config::reader(&config.sandbox.compiler));
        let library = wiring::library(config, store).await?;
        Ok(Self { store, library, reader, base, known, outcome: Outcome::default() })
    }

    /// Takes a source in. What is refused leaves what the base had of it, and everything else, as it is. `leading`: the links of a
    /// page are wanted, even of one that did not change.
    pub(super) async fn take(&mut self, name: &str, kind: Option<Kind>, bytes: &[u8], leading: bool) -> Result<Vec<String>> {
        let same = self.known.get(name) == Some(&fingerprint(&self.base, bytes));
        if same && !leading {
            self.outcome.unchanged.push(name.to_owned());
            return Ok(Vec::new());
        }
        let task = Task { name, kind, language: language_of(&self.base) };
        let mut reading = match self.reader.read(&task, bytes).await {
            Ok(reading) => reading,
            Err(failure) => return self.refuse(name, failure).map(|()| Vec::new()),
        };
        let links = std::mem::take(&mut reading.links);
        if same {
            self.outcome.unchanged.push(name.to_owned());
        } else if reading.kind != Kind::Sitemap {
            let remarks = std::mem::take(&mut reading.remarks);
            let put = self.library.put(FIRST_WORKSPACE, ACTOR, &self.base, (name, bytes), reading).await;
            self.outcome.read.push((name.to_owned(), put.map_err(|failure| coded(&failure))?, remarks));
        }
        Ok(links)
    }

    /// Notes a refusal. One that is none of the source's ends everything.
    pub(super) fn refuse(&mut self, name: &str, failure: Failure) -> Result<()> {
        let own = ["knowledge.", "egress.", "denied.", "limit."].iter().any(|room| failure.code.starts_with(room));
        if !own || failure.code == "knowledge.reader" {
            return Err(coded(&failure));
        }
        self.outcome.refused.push((name.to_owned(), failure));
        Ok(())
    }

    /// Whether everything was seen: nothing was left aside, and what was refused will be refused again.
    pub(super) fn whole(&self) -> bool {
        self.outcome.left.is_empty() && self.outcome.refused.iter().all(|(_, failure)| failure.class == Class::Permanent)
    }

    /// Takes out of the base what it had and should no longer have. Whether it had it.
    pub(super) async fn remove(&mut self, name: &str) -> Result<bool> {
        let had = self.known.contains_key(name)
            && self.store.remove_knowledge_source(FIRST_WORKSPACE, ACTOR, self.base.id, name).await?;
        if had {
            self.outcome.removed.push(name.to_owned());
        }
        Ok(had)
    }

    /// What the base had, in order.
    pub(super) fn had(&self) -> Vec<String> {
        let mut names: Vec<String> = self.known.keys().cloned().collect();
        names.sort();
        names
    }

    /// The end: what was never finished is tidied away, and where the base has vectors, those that are missing are made.
    pub(super) async fn end(mut self) -> Result<Outcome> {
        self.store.tidy_knowledge(FIRST_WORKSPACE).await?;
        if self.base.embed.is_some() {
            self.outcome.vectors = Some(self.library.fill(FIRST_WORKSPACE, ACTOR, &self.base).await);
        }
        Ok(self.outcome)
    }
}

impl Outcome {
    /// Tells it; exit code 1 when something was refused, or a passage has no vector that should have one.
    pub(super) fn told(&self, context: &Context, base: &str) -> ExitCode {
        let read: Vec<_> = self
            .read
            .iter()
            .map(|(name, passages, remarks)| json!({ "source": name, "passages": passages, "remarks": remarks }))
            .collect();
        let refused: Vec<_> =
            self.refused.iter().map(|(name, f)| json!({ "source": name, "code": f.code, "message": f.message })).collect();
        let vectors = self.vectors.as_ref().map(|vectors| match vectors {
            Ok(filled) => embed::shown(filled),
            Err(failure) => json!({ "error": { "code": failure.code, "message": failure.message } }),
        });
        let told = json!({
            "base": base, "read": read, "unchanged": self.unchanged, "removed": self.removed, "refused": refused,
            "passed_over": self.passed, "left": self.left, "vectors": vectors,
        });
        context.answer(&told, || {
            let read = self.read.iter().map(|(name, passages, remarks)| {
                let remarks: String = remarks.iter().map(|remark| format!("; {remark}")).collect();
                format!("{base}/{name}: {passages} passages{remarks}")
            });
            let same = self.unchanged.iter().map(|name| format!("{base}/{name}: unchanged"));
            let gone = self.removed.iter().map(|name| format!("{base}/{name}: removed"));
            let passed = self.passed.iter().map(|name| format!("{name}: passed over, of no kind that can be read"));
            let refused = self.refused.iter().map(|(_, failure)| format!("{}: {}", failure.code, failure.message));
            let vectors = self.vectors.iter().map(|vectors| match vectors {
                Ok(filled) => embed::told(base, filled),
                Err(failure) => format!("{}: {}; `pointsman knowledge embed {base}` goes on", failure.code, failure.message),
            });
            read.chain(same)
                .chain(gone)
                .chain(passed)
                .chain(self.left.iter().cloned())
                .chain(refused)
                .chain(vectors)
                .collect::<Vec<_>>()
                .join("\n")
        });
        let whole = self.vectors.as_ref().is_none_or(|vectors| vectors.as_ref().is_ok_and(|filled| filled.without.is_empty()));
        ExitCode::from(u8::from(!self.refused.is_empty() || !whole))
    }

    /// The refusals, when there are any.
    pub(super) fn refusals(&self) -> Option<String> {
        let all: Vec<String> = self.refused.iter().map(|(_, failure)| format!("{}: {}", failure.code, failure.message)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}
