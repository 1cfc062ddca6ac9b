//! The store as a stage for histories: what is done in the world is done here, and what stands here is told in the same words.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman_core::clock::Clock as _;
use pointsman_core::effect::Scope;
use pointsman_core::event::{Event, EventBody};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::run::Wake;
use serde_json::json;

use super::world::{Act, News, Part, Read, World};
use crate::tests::{House, START, message};
use crate::{
    ConversationBody, ConversationRef, Decide, EventEnd, Intake, ItemKind, Kept, NewNote, NewSend, Parsed, RunWrite, SendUpdate,
    StateWrite, UnreadWebhook, Wish,
};
use pointsman_core::event::Message;
use pointsman_core::ports::Operation;

pub(super) struct Stage {
    house: House,
    ws: Id,
    hooks: Vec<Id>,
    events: Vec<Id>,
    runs: Vec<Id>,
    sends: Vec<Id>,
    talks: BTreeMap<usize, Arc<ConversationRef>>,
}

fn part(part: &Part, now: i64) -> Event {
    let from = format!("person{}", part.person);
    let mut event = message(&from, &format!("{from}-{}", part.key), "x");
    event.at = now - 50;
    if part.ignored {
        event.body = EventBody::Ignored("nothing".into());
    }
    event
}

fn failure(code: &str) -> Failure {
    Failure::new(Class::Permanent, code, "as the model wants it")
}

impl Stage {
    pub(super) fn new(house: House) -> Self {
        let none = Vec::new;
        Self { house, ws: Id(0), hooks: none(), events: none(), runs: none(), sends: none(), talks: BTreeMap::new() }
    }

    pub(super) fn begin(&mut self, history: u64) {
        self.ws = Id(1_000 + history as i64);
        [&mut self.hooks, &mut self.events, &mut self.runs, &mut self.sends].into_iter().for_each(Vec::clear);
        self.talks.clear();
    }

    pub(super) async fn end(self) {
        self.house.store.close().await.unwrap();
    }

    pub(super) fn now(&self) -> i64 {
        self.house.clock.now()
    }

    pub(super) fn wait(&self, millis: i64) {
        self.house.clock.advance(millis);
    }

    fn parsed(&self, read: &Read) -> Parsed {
        match read {
            Read::Parts(parts) => Parsed::Events(parts.iter().map(|p| part(p, self.now())).collect()),
            Read::Parked => Parsed::Parked(failure("plugin.parse")),
            Read::Unread => Parsed::Unread,
        }
    }

    /// `world` as it stands after the act.
    pub(super) async fn act(&mut self, act: &Act, world: &World) -> String {
        let store = self.house.store.clone();
        match act {
            Act::Take { channel, read } => {
                let (channel, parsed) = (Id(70 + *channel as i64), self.parsed(read));
                let raw = b"{}".to_vec();
                let kept = store.intake(Intake { workspace: self.ws, channel, at: self.now(), raw, parsed }).await.unwrap();
                self.hooks.extend(kept.webhook);
                self.kept(kept, read, world)
            }
            Act::Normalize { hook, read } => {
                let (id, channel) = (self.hooks[*hook], Id(70 + world.hooks[*hook].channel as i64));
                let unread = UnreadWebhook { workspace: self.ws, id, channel, at: id.made_at(), raw: b"{}".to_vec() };
                let kept = store.normalize(unread, self.parsed(read)).await.unwrap();
                self.kept(kept, read, world)
            }
            Act::Decide { event, runs, note, tag, value } => {
                let mut decide = self.about(*event, world).await;
                let first = world.runs.len() - runs.len();
                for (n, (_, sends)) in runs.iter().enumerate() {
                    self.went(&mut decide, first + n, *sends, true, world);
                }
                if *note {
                    decide.notes.push(NewNote { by: "run".into(), text: "n".into(), marked: true });
                }
                if *tag {
                    let tags = (0..world.talks[world.events[*event].talk].tags).map(|n| format!("t{n}")).collect();
                    decide.conversation_body = Some(ConversationBody { tags, ..ConversationBody::default() });
                }
                let scope = Scope::Conversation;
                let write = |v| StateWrite { scope, key: "k".into(), value: Some(json!(v)), until: None, marked: false };
                decide.state.extend(value.map(write));
                store.decide(decide).await.unwrap();
                "done".into()
            }
            Act::GoOn { run, sends, .. } => {
                let mut decide = self.about(world.runs[*run].event, world).await;
                self.went(&mut decide, *run, *sends, false, world);
                store.decide(decide).await.unwrap();
                "done".into()
            }
            Act::Receipt { event, news } => {
                let kept = store.event(self.ws, self.events[*event]).await.unwrap().unwrap();
                let update = news.as_ref().map(|news| self.update(news, world));
                store.receipt(&kept, EventEnd::by("receipt"), update).await.unwrap();
                "done".into()
            }
            Act::Update(news) => {
                store.update_send(self.update(news, world)).await.unwrap();
                "done".into()
            }
            Act::Park { kind, item, drop } => {
                let id = match kind {
                    ItemKind::Webhook => self.hooks[*item],
                    ItemKind::Event => self.events[*item],
                    ItemKind::Run => self.runs[*item],
                    ItemKind::Send => self.sends[*item],
                };
                let wish = if *drop { Wish::Drop("no".into()) } else { Wish::Retry };
                let acted = store.act_on_parked(self.ws, id, "cli", &wish).await.unwrap();
                acted.map_or_else(|refused| refused.code, |_| "done".into())
            }
            Act::Tell { run } => {
                let wake = Wake::Hurried { by: "cli".into() };
                let told = store.tell_run(self.ws, self.runs[*run], "ask", "cli", "run.hurry", wake).await.unwrap();
                told.map_or_else(|refused| refused.code, |()| "done".into())
            }
            Act::Erase { talk } => match store.erase_contact(self.ws, self.talks[talk].contact, "cli").await {
                Ok(()) => "done".into(),
                Err(error) => error.code().into(),
            },
        }
    }

    fn kept(&mut self, kept: Kept, read: &Read, world: &World) -> String {
        for event in &kept.events {
            let talk = world.events[self.events.len()].talk;
            let conversation = event.conversation.clone().unwrap();
            let known = self.talks.entry(talk).or_insert_with(|| conversation.clone());
            assert_eq!(known.id, conversation.id, "the same person, the same conversation");
            self.events.push(event.id);
        }
        let parts = if let Read::Parts(parts) = read { parts.len() } else { 0 };
        let ignored = parts - kept.events.len() - kept.duplicates as usize;
        format!("{} new, {ignored} ignored, {} known", kept.events.len(), kept.duplicates)
    }

    /// A decision about an event, which ends as the world says.
    async fn about(&self, event: usize, world: &World) -> Decide {
        let kept = self.house.store.event(self.ws, self.events[event]).await.unwrap().unwrap();
        let (state, rule) = (world.events[event].state, world.events[event].rule);
        let end = rule.map(|rule| EventEnd { rule: rule.into(), parked: state == crate::EventState::Parked });
        let event = end.map(|end| (kept.id, kept.webhook, end));
        Decide { workspace: self.ws, event, conversation: kept.conversation, ..Decide::default() }
    }

    fn went(&mut self, decide: &mut Decide, run: usize, sends: usize, first: bool, world: &World) {
        let now = &world.runs[run];
        if first {
            self.runs.push(self.house.id());
        }
        let (id, event) = (self.runs[run], self.events[now.event]);
        let started = Entry::Started { workflow: "w".into(), plugins: vec![], event, at: START, seed: 1, caller: None };
        let entry = if first { started } else { Entry::Finished { result: json!(null), marked: false } };
        decide.runs.push(RunWrite {
            id,
            event,
            workflow: "w".into(),
            state: now.state,
            until: now.until,
            waiting: now.waiting.map(Into::into),
            reason: now.code.map(failure),
            entries: vec![entry],
            first,
        });
        for n in 0..sends {
            let send = self.house.id();
            self.sends.push(send);
            decide.sends.push(NewSend {
                id: send,
                run: id,
                path: "1".into(),
                n: n as u32,
                key: format!("{:016x}{:016x}", event.0, send.0),
                state: SendState::Sending,
                due: self.now(),
                operation: Operation::Send(Message::text("y")),
                marked: false,
                approval: None,
            });
        }
    }

    fn update(&self, news: &News, world: &World) -> SendUpdate {
        SendUpdate {
            workspace: self.ws,
            id: self.sends[news.send],
            conversation: Some(self.talks[&world.sends[news.send].talk].clone()),
            state: news.state,
            attempt: news.attempt,
            due: self.now() + 1_000,
            provider_ids: news.ids.then(|| vec![format!("p{}", news.send)]),
            reason: news.code.map(failure),
            possible_duplicate: news.twice,
        }
    }

    /// How everything stands.
    pub(super) async fn told(&self, world: &World) -> Vec<String> {
        let (store, ws) = (&self.house.store, self.ws);
        let mut told = Vec::new();
        let books = store.books(ws).await.unwrap();
        assert_eq!(books.unexplained, Vec::<String>::new());
        for counts in [&books.webhooks, &books.events, &books.runs, &books.sends] {
            told.push(format!("{:?}", counts.iter().filter(|(_, n)| **n > 0).collect::<BTreeMap<_, _>>()));
        }
        told.push(format!("{} open", books.open_count));
        for (n, id) in self.hooks.iter().enumerate() {
            let hook = store.bare_webhook(ws, *id).await.unwrap().unwrap();
            told.push(format!("webhook {n} {:?} {:?} {}", hook.state, hook.rule.as_deref(), hook.open));
        }
        for (n, id) in self.events.iter().enumerate() {
            let bare = store.bare_event(ws, *id).await.unwrap().unwrap();
            let hook = self.hooks.iter().position(|hook| *hook == bare.webhook).unwrap();
            let words = store.event(ws, *id).await.unwrap().is_some();
            told.push(format!("event {n} of {hook} {:?} {:?} {words}", bare.state, bare.rule.as_deref()));
        }
        for (n, id) in self.runs.iter().enumerate() {
            told.push(match store.run(ws, *id).await.unwrap() {
                Some(run) => {
                    let (waiting, code) = (run.waiting.as_deref(), run.reason.as_ref().map(|r| r.code.as_str()));
                    // A retry by hand says no reason.
                    format!("run {n} {:?} {waiting:?} {:?} {code:?} {}", run.state, run.until, run.entries.len())
                }
                None => format!("run {n} gone"),
            });
        }
        for (n, id) in self.sends.iter().enumerate() {
            told.push(match store.send(ws, *id).await.unwrap() {
                Some(send) => {
                    let (run, code) =
                        (self.runs.iter().position(|r| *r == send.run), send.reason.as_ref().map(|r| r.code.as_str()));
                    let (ids, twice) = (!send.provider_ids.is_empty(), send.possible_duplicate);
                    format!("send {n} of {run:?} {:?} {} {} {ids} {twice} {code:?}", send.state, send.attempt, send.due)
                }
                None => format!("send {n} gone"),
            });
        }
        let known = store.conversations(ws, 100).await.unwrap();
        let of = |id: Id| known.iter().find(|row| row.conversation.id == id);
        for (n, conversation) in &self.talks {
            let Some(row) = of(conversation.id) else {
                told.push(format!("conversation {n} gone"));
                continue;
            };
            let c = &row.conversation;
            let notes = store.notes(c, 100).await.unwrap().len();
            let value = store.state_get(c, Scope::Conversation, "k").await.unwrap().and_then(|v| v.value.as_u64());
            let name = |id: Id| match self.events.iter().position(|e| *e == id) {
                Some(n) => format!("event {n}"),
                None => format!("send {}", self.sends.iter().position(|s| *s == id).unwrap()),
            };
            let said: Vec<String> = store.timeline(c, 1_000).await.unwrap().iter().map(|item| name(item.id())).collect();
            let (tags, last) = (row.body.tags.len(), (row.last_at, row.last_inbound));
            told.push(format!("conversation {n} {last:?} {tags} tags {notes} notes {value:?} {said:?}"));
        }
        let next: Vec<_> =
            store.open_events((ws, Id(0)), 1_000).await.unwrap().into_iter().filter(|e| e.workspace == ws).collect();
        told.push(format!("next {:?}", next.iter().map(|e| self.events.iter().position(|id| *id == e.id)).collect::<Vec<_>>()));
        let mut parked: Vec<String> =
            store.parked(ws, 1_000).await.unwrap().iter().map(|p| format!("{} {}", p.kind, p.code)).collect();
        parked.sort();
        told.push(format!("parked {parked:?}"));
        assert_eq!(store.audit_check(ws).await.unwrap(), None);
        told.push(format!("{} lines", store.audit_lines(ws, 1_000).await.unwrap().len()));
        assert_eq!(world.events.len(), self.events.len());
        told
    }
}

/// How everything stands in the world, in the same words.
pub(super) fn told_by(world: &World) -> Vec<String> {
    let gone = |talk: usize| world.talks[talk].erased;
    let mut told: Vec<String> = world.counts().iter().map(|counts| format!("{counts:?}")).collect();
    let mut open = world.hooks.iter().filter(|h| h.state == crate::WebhookState::Unread).count();
    open += world.events.iter().filter(|e| e.state < crate::EventState::Ended).count();
    open += world.runs.iter().filter(|r| r.state == RunState::Waiting).count();
    open += world.sends.iter().filter(|s| s.state.open()).count();
    told.push(format!("{open} open"));
    let mut parked = Vec::new();
    for (n, h) in world.hooks.iter().enumerate() {
        told.push(format!("webhook {n} {:?} {:?} {}", h.state, h.rule, h.open));
        parked.extend((h.state == crate::WebhookState::Parked).then(|| "webhook plugin.parse".to_owned()));
    }
    for (n, e) in world.events.iter().enumerate() {
        told.push(format!("event {n} of {} {:?} {:?} {}", e.hook, e.state, e.rule, !gone(e.talk)));
        parked.extend((e.state == crate::EventState::Parked).then(|| format!("event {}", e.rule.unwrap_or_default())));
    }
    for (n, r) in world.runs.iter().enumerate() {
        if gone(world.events[r.event].talk) {
            told.push(format!("run {n} gone"));
            continue;
        }
        told.push(format!("run {n} {:?} {:?} {:?} {:?} {}", r.state, r.waiting, r.until, r.code, r.entries));
        parked.extend((r.state == RunState::Failed).then(|| "run limit.cpu".to_owned()));
    }
    for (n, s) in world.sends.iter().enumerate() {
        if gone(s.talk) {
            told.push(format!("send {n} gone"));
            continue;
        }
        let run = Some(s.run);
        told.push(format!("send {n} of {run:?} {:?} {} {} {} {} {:?}", s.state, s.attempt, s.due, s.ids, s.twice, s.code));
        parked.extend((s.state == SendState::Parked).then(|| format!("send {}", s.code.unwrap_or_default())));
    }
    for (n, talk) in world.talks.iter().enumerate() {
        if talk.erased {
            told.push(format!("conversation {n} gone"));
            continue;
        }
        let last = (talk.last_at, Some(talk.last_in));
        let (tags, notes, value) = (talk.tags, talk.notes, talk.value);
        told.push(format!("conversation {n} {last:?} {tags} tags {notes} notes {value:?} {:?}", talk.timeline));
    }
    let next = |n: &usize| world.events[*n].state == crate::EventState::New;
    told.push(format!("next {:?}", (0..world.events.len()).filter(next).map(Some).collect::<Vec<_>>()));
    parked.sort();
    told.push(format!("parked {parked:?}"));
    told.push(format!("{} lines", world.audit));
    told
}
