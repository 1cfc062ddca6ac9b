//! What contacts felt, counted: where a workflow uses `sentiment`, its label counts for the message's day and channel, once for all and once
//! for each tag that the same event's runs put. A tag counts as it stands in the workflow; one that words from outside had a part in does
//! not, so nothing that a contact wrote comes here. Counted after the commit, and written down with the accounts of plugins, every few
//! seconds: a host that is killed loses what it counted since.

use std::collections::{BTreeSet, HashMap};

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::Entry;
use pointsman_core::workflow::Workflow;
use pointsman_store::{StoreError, Trend};
use serde_json::Value;

use crate::Engine;
use crate::ledger::Ledger;

const SENTIMENT: &str = "pointsman/sentiment";

/// What it can say.
const LABELS: [&str; 3] = ["positive", "neutral", "negative"];

/// Topics of one event that count.
const TOPICS: usize = 16;

/// Bytes of a topic.
const TOPIC: usize = 64;

const DAY: i64 = 86_400_000;

/// By workspace, day, channel, topic and label.
pub(crate) type Counts = HashMap<(WorkspaceId, i64, Id, String, &'static str), i64>;

/// What the runs of one leg felt and were about.
#[derive(Debug, Default)]
pub(crate) struct Felt {
    labels: Vec<&'static str>,
    topics: BTreeSet<String>,
}

impl Felt {
    /// A tag was put.
    pub(crate) fn about(&mut self, tag: &str) {
        if tag.len() <= TOPIC && self.topics.len() < TOPICS {
            self.topics.insert(tag.to_owned());
        }
    }

    /// Reads what steps gave.
    pub(crate) fn read(&mut self, workflow: &Workflow, entries: &[Entry]) {
        if !workflow.plugins.iter().any(|plugin| **plugin == *SENTIMENT) {
            return;
        }
        for entry in entries {
            let Entry::StepDone { path, output, .. } = entry else { continue };
            if workflow.plugin_at(path) == Some(SENTIMENT) {
                let said = output.get("label").and_then(Value::as_str);
                self.labels.extend(LABELS.into_iter().find(|label| said == Some(*label)));
            }
        }
    }
}

impl Ledger {
    /// Counts what was committed.
    pub(crate) fn felt(&self, workspace: WorkspaceId, channel: Id, felt: Felt) {
        // Mostly nothing.
        if felt.labels.is_empty() {
            return;
        }
        let day = self.clock.now().div_euclid(DAY);
        let mut state = self.state.lock();
        for label in felt.labels {
            for topic in std::iter::once("").chain(felt.topics.iter().map(String::as_str)) {
                *state.felt.entry((workspace, day, channel, topic.to_owned(), label)).or_default() += 1;
            }
        }
    }
}

impl Engine {
    /// Writes down what was counted since the last time.
    pub(crate) async fn write_felt(&self) -> Result<(), StoreError> {
        let felt = std::mem::take(&mut self.ledger.state.lock().felt);
        if felt.is_empty() {
            return Ok(());
        }
        let row = |(key, count): (&(WorkspaceId, i64, Id, String, &'static str), &i64)| {
            let (workspace, day, channel, topic, label) = key.clone();
            (workspace, Trend { day, channel, topic, label: label.to_owned(), count: *count })
        };
        let written = self.store.add_trends(felt.iter().map(row).collect()).await;
        if written.is_err() {
            let mut state = self.ledger.state.lock();
            for (key, count) in felt {
                *state.felt.entry(key).or_default() += count;
            }
        }
        written
    }
}
