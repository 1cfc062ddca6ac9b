//! The whole story of one thing: which webhook brought it, what became of its event, which workflows ran and which did not,
//! what was sent and what the provider said. Gathered here, judged in `verdict`, told in `telling`.
//!
//! Nothing is looked up from outside and nothing is guessed: what is not kept is said not to be kept.

use std::sync::Arc;

use anyhow::Result;
use pointsman_core::clock::Instant;
use pointsman_core::event::{Event, EventBody};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{Caller, Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use pointsman_core::route::{Unwanted, explain};
use pointsman_core::wait::{Called, Want};
use pointsman_core::workflow::Workflow;
use pointsman_store::{AuditRow, BareEvent, BareWebhook, CALLER, ChannelRow, ItemKind, KeptEvent, RunRow, SendRow, Store};

use crate::versions::{Version, Versions, word};

pub mod telling;
pub mod verdict;

/// A run, and the version that it runs.
#[derive(Debug)]
pub struct RunTold {
    /// The run with its journal.
    pub row: RunRow,
    /// Its version, where it is kept.
    pub version: Option<Arc<Version>>,
}

impl RunTold {
    /// Its workflow's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.version.as_ref().map_or("?", |v| &v.name)
    }

    /// Whether it failed, and no run that called it has its failure.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.row.state == RunState::Failed && self.row.waiting.as_deref() != Some(CALLER)
    }

    /// The run that called it.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        caller(&self.row)
    }

    /// Its workflow, where it loads.
    #[must_use]
    pub fn workflow(&self) -> Option<&Arc<Workflow>> {
        self.version.as_ref()?.workflow.as_ref()
    }
}

/// The run that called this one.
#[must_use]
pub fn caller(run: &RunRow) -> Option<&Caller> {
    match run.entries.first() {
        Some(Entry::Started { caller, .. }) => caller.as_deref(),
        _ => None,
    }
}

/// The workflow that a run waits for since this entry.
#[must_use]
pub fn called(entry: &Entry) -> Option<&Called> {
    match entry {
        Entry::Waiting { want, .. } => match want.as_deref() {
            Some(Want::Run(called)) => Some(called),
            _ => None,
        },
        _ => None,
    }
}

/// An active workflow and why it does not run for the event.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// `None`: it does.
    pub why_not: Option<Unwanted>,
    /// It was published after the event came.
    pub later: bool,
    /// It does not load: nothing can run it.
    pub broken: bool,
}

/// Everything that is kept about what was asked.
#[derive(Debug, Default)]
pub struct Story {
    /// As it was asked.
    pub asked: String,
    /// What it is. `None`: nothing is kept under this name.
    pub found: Option<(ItemKind, Id)>,
    /// What else goes by this name.
    pub others: Vec<(ItemKind, Id)>,
    /// What brought it.
    pub webhook: Option<BareWebhook>,
    /// Everything that the webhook held.
    pub held: Vec<BareEvent>,
    /// The event.
    pub event: Option<BareEvent>,
    /// The event with its words; `None` when its contact was erased.
    pub kept: Option<KeptEvent>,
    /// The channel.
    pub channel: Option<ChannelRow>,
    /// The active workflows, as they stand now.
    pub wanted: Vec<Wanted>,
    /// Its runs; of a run or a send that was asked for, that one.
    pub runs: Vec<RunTold>,
    /// What they sent; of a send that was asked for, that one.
    pub sends: Vec<SendRow>,
    /// News from the provider about them.
    pub statuses: Vec<KeptEvent>,
    /// What people did about any of it.
    pub acts: Vec<AuditRow>,
    /// Publications that were refused before it came and not made good since.
    pub refused: Vec<AuditRow>,
    /// A send of the same conversation that holds one of these up.
    pub ahead: Option<SendRow>,
    /// When it was asked.
    pub now: Instant,
}

impl Story {
    /// Whether the contact was erased, and with it the words.
    #[must_use]
    pub fn erased(&self) -> bool {
        self.event.is_some() && self.kept.is_none()
    }

    /// The texts that must not show unasked: what was said on either side, and by whom.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(kept) = &self.kept {
            said.extend(kept.event.text().map(str::to_owned));
            said.extend(kept.event.sender.iter().flat_map(|p| [p.name.clone(), Some(p.id.clone())]).flatten());
            said.extend(kept.event.thread.clone());
        }
        said.extend(self.sends.iter().filter_map(|send| text_of(&send.operation)));
        // The longer ones first, so that no part of one is left standing.
        said.sort_by_key(|text| std::cmp::Reverse(text.len()));
        said
    }
}

/// What a send says.
#[must_use]
pub fn text_of(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Send(message) => message.text.clone(),
        _ => None,
    }
}

/// Gathers the story of what goes by this name: one of our ids, the key of a send, or a provider's id of a message.
pub async fn gather(store: &Store, ws: WorkspaceId, asked: &str, now: Instant, versions: &mut Versions) -> Result<Story> {
    let mut found = store.find(ws, asked.trim()).await?.into_iter();
    let mut story = Story { asked: asked.trim().to_owned(), now, ..Story::default() };
    let Some((mut kind, mut id)) = found.next() else { return Ok(story) };
    story.found = Some((kind, id));
    story.others = found.collect();
    // News about a message of ours: the story is that message's.
    if kind == ItemKind::Event
        && let Some(send) = told_of(store, ws, id).await?
    {
        (kind, id) = (ItemKind::Send, send);
    }
    let mut only = (None, None);
    let event = match kind {
        ItemKind::Webhook => {
            story.webhook = store.bare_webhook(ws, id).await?;
            story.held = store.events_of_webhook(ws, id).await?;
            main_of(&story.held)
        }
        ItemKind::Event => Some(id),
        ItemKind::Run => {
            only.0 = Some(id);
            store.event_of_run(ws, id).await?
        }
        ItemKind::Send => {
            let run = store.run_of_send(ws, id).await?;
            only = (run, Some(id));
            match run {
                Some(run) => store.event_of_run(ws, run).await?,
                None => None,
            }
        }
    };
    if let Some(event) = event {
        about_event(store, ws, event, only, &mut story, versions).await?;
    } else if let (ItemKind::Send, Some(send)) = (kind, store.send(ws, id).await?) {
        story.sends.push(send);
    }
    if let Some(channel) = story.event.as_ref().map(|e| e.channel).or(story.webhook.as_ref().map(|w| w.channel)) {
        story.channel = store.channel(ws, channel).await?;
    }
    about_routing(store, ws, &mut story, versions).await?;
    about_sends(store, &mut story).await?;
    about_people(store, ws, &mut story).await?;
    Ok(story)
}

/// The send that an event brings news about.
async fn told_of(store: &Store, ws: WorkspaceId, event: Id) -> Result<Option<Id>> {
    let Some(kept) = store.event(ws, event).await? else { return Ok(None) };
    let EventBody::Status(status) = &kept.event.body else { return Ok(None) };
    if let Some(send) = store.find_send(ws, kept.channel, status.key.as_deref(), &status.message).await? {
        return Ok(Some(send.id));
    }
    let found = store.find(ws, &status.message).await?;
    Ok(found.into_iter().find(|(kind, _)| *kind == ItemKind::Send).map(|(_, id)| id))
}

/// Of what a webhook held, what people mean when they ask for it: what did not end well, else what somebody said.
fn main_of(held: &[BareEvent]) -> Option<Id> {
    use pointsman_store::EventState::{Ended, Parked};
    let rank = |e: &&BareEvent| match (e.state, e.kind.as_str()) {
        (Parked, _) => 0,
        (state, kind) if kind != "status" && kind != "ignored" => 1 + u8::from(state == Ended),
        _ => 3,
    };
    held.iter().min_by_key(rank).map(|e| e.id)
}

async fn about_event(
    store: &Store,
    ws: WorkspaceId,
    event: Id,
    only: (Option<Id>, Option<Id>),
    story: &mut Story,
    versions: &mut Versions,
) -> Result<()> {
    story.event = store.bare_event(ws, event).await?;
    story.kept = store.event(ws, event).await?;
    if let Some(event) = story.event.as_ref().filter(|_| story.webhook.is_none()) {
        story.webhook = store.bare_webhook(ws, event.webhook).await?;
        story.held = store.events_of_webhook(ws, event.webhook).await?;
    }
    for row in store.runs_of_event(ws, event).await? {
        if only.0.is_some_and(|run| run != row.id) {
            continue;
        }
        let sends = store.sends_of_run(ws, row.id).await?;
        story.sends.extend(sends.into_iter().filter(|send| only.1.is_none_or(|wanted| wanted == send.id)));
        let version = versions.of(store, ws, &row.workflow).await?;
        story.runs.push(RunTold { row, version });
    }
    Ok(())
}

async fn about_routing(store: &Store, ws: WorkspaceId, story: &mut Story, versions: &mut Versions) -> Result<()> {
    let came = story.event.as_ref().map_or(story.now, |e| e.id.made_at());
    let versions = versions.active(store, ws).await?;
    let loaded: Vec<Arc<Workflow>> = versions.iter().filter_map(|v| v.workflow.clone()).collect();
    let asked: Option<(&Event, &str)> = story.kept.as_ref().map(|k| &*k.event).zip(story.channel.as_ref().map(word));
    let explained = asked.map(|(event, channel)| explain(&loaded, event, channel)).unwrap_or_default();
    story.wanted = versions
        .iter()
        .map(|version| {
            let why_not = version.workflow.as_ref().and_then(|w| explained.iter().find(|(e, _)| Arc::ptr_eq(e, w)));
            Wanted {
                name: version.name.clone(),
                why_not: why_not.and_then(|(_, why)| *why),
                later: version.at > came,
                broken: version.workflow.is_none(),
            }
        })
        .collect();
    // What could not be published before the event came, and was not published since, would perhaps have answered it.
    let mut lines = store.audit_lines(ws, 10_000).await?;
    lines.reverse();
    for line in lines {
        let name = line.detail.split([' ', ':']).next().unwrap_or_default().to_owned();
        match line.action.as_str() {
            "workflow.refuse" => story.refused.push(line),
            "workflow.publish" => story.refused.retain(|r| r.detail.split([' ', ':']).next() != Some(&name)),
            _ => {}
        }
    }
    Ok(())
}

async fn about_sends(store: &Store, story: &mut Story) -> Result<()> {
    for send in &story.sends {
        story.statuses.extend(store.statuses_of(send).await?);
    }
    let waits = |s: &&SendRow| s.state == SendState::Ready && s.due <= story.now;
    if let Some(held) = story.sends.iter().find(waits) {
        story.ahead = store.sends_ahead_of(held).await?.into_iter().next();
    }
    Ok(())
}

async fn about_people(store: &Store, ws: WorkspaceId, story: &mut Story) -> Result<()> {
    let mut ids: Vec<Id> = story.found.iter().map(|(_, id)| *id).collect();
    ids.extend(story.webhook.iter().map(|w| w.id));
    ids.extend(story.event.iter().map(|e| e.id));
    ids.extend(story.runs.iter().map(|r| r.row.id));
    ids.extend(story.sends.iter().map(|s| s.id));
    ids.sort();
    ids.dedup();
    for id in ids {
        for line in store.acts_on(ws, id).await? {
            if !story.acts.iter().any(|known| known.id == line.id) {
                story.acts.push(line);
            }
        }
    }
    story.acts.sort_by_key(|line| line.id);
    Ok(())
}
