//! Numbers from both sides: what the providers logged, and what the host's books say. Neither knows of the other.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use pointsman_web::{DemoChannel, Door};
use serde::Serialize;
use serde_json::Value;

/// What became of the messages since an act began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Numbers {
    /// Messages that the contact wrote, by the provider's log.
    pub(super) wrote: usize,
    /// Those that the host kept.
    pub(super) kept: usize,
    /// Answers that the providers took, by their logs.
    pub(super) taken: usize,
    /// Answers that the host has sent, by its books.
    pub(super) sent: usize,
    /// Those of them that the host itself marks as possibly sent twice.
    pub(super) marked: usize,
    /// Answers that wait for a person to say what became of them.
    pub(super) parked: usize,
}

/// Where the counting began.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    known: HashSet<String>,
    taken: usize,
    sent: usize,
    parked: usize,
    sends: HashSet<String>,
}

impl Mark {
    /// Whether a message that the host keeps came after the counting began.
    pub(super) fn is_new(&self, message: &Value) -> bool {
        text(message, "id").is_some_and(|id| !self.sends.contains(&id))
    }
}

/// What a provider logged of what was said, of one contact or of all.
pub(super) async fn lines(door: &Door, channel: &DemoChannel, contact: Option<&str>) -> Result<Vec<Value>> {
    let query = contact.map(|contact| format!("?contact={contact}")).unwrap_or_default();
    let (status, body) = door.get(&format!("{}/_emulator/messages{query}", channel.emulator)).await?;
    match (status, body) {
        (200, Value::Array(lines)) => Ok(lines),
        // Who has not written yet is unknown there.
        (404, _) => Ok(Vec::new()),
        (status, _) => anyhow::bail!("{} answered {status} to a question about its log", channel.title),
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// A contact on a channel, and where both sides can be asked.
pub(super) struct Tally<'a> {
    pub(super) door: &'a Door,
    pub(super) channels: &'a [DemoChannel],
    pub(super) channel: &'a DemoChannel,
    pub(super) contact: &'a str,
    /// The host's private port.
    pub(super) host: &'a str,
}

impl Tally<'_> {
    async fn host(&self, path: &str) -> Result<Value> {
        Ok(self.door.fetch(&format!("http://{}/api/v1/{path}", self.host)).await?)
    }

    /// What the host keeps of the conversation, oldest first.
    pub(super) async fn messages(&self) -> Result<Vec<Value>> {
        let talks = self.host("conversations?limit=200").await?;
        let ours = |talk: &&Value| talk["channel"] == self.channel.id.as_str() && talk["peer"] == self.contact;
        let Some(id) = talks.as_array().into_iter().flatten().find(ours).and_then(|talk| text(talk, "id")) else {
            return Ok(Vec::new());
        };
        match self.host(&format!("conversations/{id}/messages?limit=200")).await? {
            Value::Array(messages) => Ok(messages),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether nothing is under way: all that is open waits for something outside.
    pub(super) async fn quiet(&self) -> Result<bool> {
        let books = self.host("books").await?;
        let open = books.get("open").and_then(Value::as_array).context("the host's books have no list of what is open")?;
        Ok(open.iter().all(|item| match item["kind"].as_str() {
            Some("run") => item["waits_for"] != "its turn in the lane",
            Some("event") => item["waits_for"] == "its runs",
            _ => false,
        }))
    }

    /// Whether the books balance.
    pub(super) async fn balanced(&self) -> Result<bool> {
        let books = self.host("books").await?;
        Ok(books.get("unexplained").and_then(Value::as_array).is_some_and(Vec::is_empty))
    }

    /// Deliveries that the host knew already, since it started.
    pub(super) async fn duplicates(&self) -> Result<u64> {
        let metrics = self.door.text(&format!("http://{}/metrics", self.host)).await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix("pointsman_events_total{outcome=\"duplicate\"} "));
        Ok(line.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
    }

    async fn taken(&self) -> Result<usize> {
        let mut taken = 0;
        for channel in self.channels {
            taken += lines(self.door, channel, None).await?.iter().filter(|line| line["by"] == "business").count();
        }
        Ok(taken)
    }

    /// Sends that have left, and sends that are parked.
    async fn sends(&self) -> Result<(usize, usize)> {
        let books = self.host("books").await?;
        let count = |state: &str| books.pointer(&format!("/sends/{state}")).and_then(Value::as_u64).unwrap_or(0);
        let left: u64 = ["sent", "delivered", "read"].map(count).iter().sum();
        Ok((usize::try_from(left)?, usize::try_from(count("parked"))?))
    }

    async fn written(&self) -> Result<Vec<String>> {
        let lines = lines(self.door, self.channel, Some(self.contact)).await?;
        Ok(lines.iter().filter(|line| line["by"] == "contact").filter_map(|line| text(line, "provider_id")).collect())
    }

    /// Begins to count.
    pub(super) async fn begin(&self) -> Result<Mark> {
        let (sent, parked) = self.sends().await?;
        Ok(Mark {
            known: self.written().await?.into_iter().collect(),
            taken: self.taken().await?,
            sent,
            parked,
            sends: self.messages().await?.iter().filter(|m| m["by"] == "bot").filter_map(|m| text(m, "id")).collect(),
        })
    }

    /// Counts what happened since.
    pub(super) async fn count(&self, since: &Mark) -> Result<Numbers> {
        let new: HashSet<String> = self.written().await?.into_iter().filter(|id| !since.known.contains(id)).collect();
        let messages = self.messages().await?;
        let kept = messages.iter().filter(|m| m["by"] == "contact").filter_map(|m| text(m, "provider_id"));
        let ours = messages.iter().filter(|m| m["by"] == "bot" && since.is_new(m));
        let (sent, parked) = self.sends().await?;
        Ok(Numbers {
            wrote: new.len(),
            kept: kept.filter(|id| new.contains(id)).count(),
            taken: self.taken().await?.saturating_sub(since.taken),
            sent: sent.saturating_sub(since.sent),
            parked: parked.saturating_sub(since.parked),
            marked: ours.filter(|m| m["possible_duplicate"] == true).count(),
        })
    }
}

impl Numbers {
    /// What they mean in a sentence, and whether the promises held.
    pub(super) fn verdict(&self, channel: &str) -> (String, bool) {
        let lost = self.wrote.saturating_sub(self.kept) + self.sent.saturating_sub(self.taken);
        let (twice_in, twice_out) = (self.kept.saturating_sub(self.wrote), self.taken.saturating_sub(self.sent));
        let times = |n: usize| if n == 1 { "One answer".to_owned() } else { format!("{n} answers") };
        match (lost, twice_in, twice_out) {
            (0, 0, n) if self.parked > 0 && n <= self.parked => (
                format!(
                    "Nothing lost, nothing doubled. {} parked: {channel} tells nothing about a message whose receipt was lost, so a \
                     person says whether it is sent again (pointsman park).",
                    if self.parked == 1 { "One answer is".to_owned() } else { format!("{} answers are", self.parked) }
                ),
                true,
            ),
            (0, 0, 0) => ("Nothing lost, nothing doubled.".to_owned(), true),
            (0, 0, n) if n <= self.marked => (
                format!(
                    "Nothing lost. {} went out twice, and the host says so: {channel} tells nothing about a message by which a \
                     lost receipt could be settled.",
                    times(n)
                ),
                true,
            ),
            _ => (format!("Something is wrong: {lost} lost, {twice_in} kept twice, {twice_out} sent twice."), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_match_are_told() {
        let even = Numbers { wrote: 2, kept: 2, taken: 3, sent: 3, marked: 0, parked: 0 };
        assert_eq!(even.verdict("X"), ("Nothing lost, nothing doubled.".to_owned(), true));
        let cases = [
            (Numbers { kept: 1, ..even }, "1 lost", false),
            (Numbers { kept: 3, ..even }, "1 kept twice", false),
            (Numbers { taken: 2, ..even }, "1 lost", false),
            (Numbers { taken: 4, ..even }, "1 sent twice", false),
            (Numbers { taken: 4, marked: 1, ..even }, "One answer went out twice, and the host says so: X", true),
            (Numbers { taken: 5, marked: 1, ..even }, "2 sent twice", false),
            (Numbers { sent: 2, parked: 1, ..even }, "One answer is parked: X", true),
            (Numbers { taken: 2, sent: 2, parked: 2, ..even }, "2 answers are parked: X", true),
            (Numbers { taken: 5, sent: 2, parked: 1, ..even }, "3 sent twice", false),
        ];
        for (numbers, words, good) in cases {
            let verdict = numbers.verdict("X");
            assert!(verdict.0.contains(words) && verdict.1 == good, "{numbers:?}: {verdict:?}");
        }
    }
}
