//! What the store promises, as plain lists in memory: no database, no keys, no commits.

use std::collections::{BTreeMap, HashSet};

use pointsman_core::journal::RunState;
use pointsman_core::outbox::SendState;

use crate::{DROPPED, EventState, ItemKind, RETRIED, TOLD, WebhookState};

/// A message or something to ignore, of a person, under a dedupe key.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub person: usize,
    pub key: u64,
    pub ignored: bool,
}

/// What became of parsing.
#[derive(Debug, Clone)]
pub(super) enum Read {
    Parts(Vec<Part>),
    Parked,
    Unread,
}

/// Something that is done. Things are named by their places in the lists of the world.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Take { channel: usize, read: Read },
    Normalize { hook: usize, read: Read },
    Decide { event: usize, runs: Vec<(RunState, usize)>, note: bool, tag: bool, value: Option<u64> },
    GoOn { run: usize, state: RunState, sends: usize },
    Receipt { event: usize, news: Option<News> },
    Update(News),
    Park { kind: ItemKind, item: usize, drop: bool },
    Tell { run: usize },
    Erase { talk: usize },
}

/// News about a send.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub send: usize,
    pub state: SendState,
    pub attempt: u32,
    pub code: Option<&'static str>,
    pub ids: bool,
    pub twice: bool,
}

pub(super) struct Hook {
    pub channel: usize,
    pub at: i64,
    pub state: WebhookState,
    pub rule: Option<&'static str>,
    pub open: i64,
}

pub(super) struct Event {
    pub hook: usize,
    pub talk: usize,
    pub state: EventState,
    pub rule: Option<&'static str>,
}

pub(super) struct Run {
    pub event: usize,
    pub state: RunState,
    pub waiting: Option<&'static str>,
    pub until: Option<i64>,
    pub code: Option<&'static str>,
    pub entries: usize,
}

pub(super) struct Send {
    pub run: usize,
    pub talk: usize,
    pub state: SendState,
    pub attempt: u32,
    pub due: i64,
    pub ids: bool,
    pub twice: bool,
    pub code: Option<&'static str>,
}

/// A conversation.
#[derive(Default)]
pub(super) struct Talk {
    pub channel: usize,
    pub person: usize,
    pub erased: bool,
    pub last_at: i64,
    pub last_in: i64,
    pub timeline: Vec<String>,
    pub tags: usize,
    pub notes: usize,
    pub value: Option<u64>,
}

#[derive(Default)]
pub(super) struct World {
    pub now: i64,
    pub hooks: Vec<Hook>,
    pub events: Vec<Event>,
    pub runs: Vec<Run>,
    pub sends: Vec<Send>,
    pub talks: Vec<Talk>,
    pub ignored: u64,
    pub audit: usize,
    known: HashSet<(usize, usize, u64)>,
}

impl World {
    /// Does it; says what the store answers.
    pub(super) fn act(&mut self, act: &Act) -> String {
        match act {
            Act::Take { channel, read } => {
                let hook = Hook { channel: *channel, at: self.now, state: WebhookState::Unread, rule: None, open: 0 };
                self.hooks.push(hook);
                let answer = self.read(self.hooks.len() - 1, read);
                if answer.starts_with("0 new, 0 ignored") && !answer.ends_with(" 0 known") {
                    self.hooks.pop();
                }
                answer
            }
            Act::Normalize { hook, read } => self.read(*hook, read),
            Act::Decide { event, runs, note, tag, value } => {
                for (state, sends) in runs {
                    self.runs.push(Run { event: *event, state: *state, waiting: None, until: None, code: None, entries: 0 });
                    self.went(self.runs.len() - 1, *state, *sends);
                }
                let talk = self.events[*event].talk;
                let talk = &mut self.talks[talk];
                talk.notes += usize::from(*note);
                talk.tags += usize::from(*tag);
                talk.value = value.or(talk.value);
                self.settle(*event);
                "done".into()
            }
            Act::GoOn { run, state, sends } => {
                self.went(*run, *state, *sends);
                self.settle(self.runs[*run].event);
                "done".into()
            }
            Act::Receipt { event, news } => {
                self.end(*event, EventState::Ended, "receipt");
                news.iter().for_each(|news| self.heard(news));
                "done".into()
            }
            Act::Update(news) => {
                self.heard(news);
                "done".into()
            }
            Act::Park { kind, item, drop } => match self.park(*kind, *item, *drop) {
                Ok(()) => {
                    self.audit += 1;
                    "done".into()
                }
                Err(refused) => refused.into(),
            },
            Act::Tell { run } => {
                let erased = self.erased_run(*run);
                let (now, run) = (self.now, &mut self.runs[*run]);
                if erased || run.state != RunState::Waiting || run.waiting != Some("ask") {
                    return if erased { "run.unknown".into() } else { "run.not_waiting".into() };
                }
                (run.waiting, run.until, run.entries) = (Some(TOLD), Some(now), run.entries + 1);
                self.audit += 1;
                "done".into()
            }
            Act::Erase { talk } => self.erase(*talk),
        }
    }

    fn read(&mut self, hook: usize, read: &Read) -> String {
        let (channel, came) = (self.hooks[hook].channel, self.hooks[hook].at);
        let (mut new, mut ignored, mut known) = (0, 0, 0);
        let parts = match read {
            Read::Parts(parts) => parts,
            Read::Parked | Read::Unread => {
                let parked = matches!(read, Read::Parked);
                self.hooks[hook].state = if parked { WebhookState::Parked } else { WebhookState::Unread };
                return "0 new, 0 ignored, 0 known".into();
            }
        };
        for part in parts {
            if !self.known.insert((channel, part.person, part.key)) {
                known += 1;
            } else if part.ignored {
                ignored += 1;
            } else {
                new += 1;
                let talk = self.talk(channel, part.person);
                self.events.push(Event { hook, talk, state: EventState::New, rule: None });
                let (name, at) = (format!("event {}", self.events.len() - 1), self.now);
                let talk = &mut self.talks[talk];
                talk.timeline.push(name);
                (talk.last_at, talk.last_in) = (came, talk.last_in.max((at - 50).min(came)));
            }
        }
        self.ignored += ignored;
        (self.hooks[hook].state, self.hooks[hook].rule) = match (new, ignored, parts.is_empty()) {
            (1.., _, _) => (WebhookState::Kept, None),
            (0, 1.., _) => (WebhookState::Ignored, Some("ignored")),
            (_, _, true) => (WebhookState::Ignored, Some("empty")),
            _ => (WebhookState::Ignored, Some("duplicate")),
        };
        self.hooks[hook].open = new;
        format!("{new} new, {ignored} ignored, {known} known")
    }

    fn talk(&mut self, channel: usize, person: usize) -> usize {
        let same = |talk: &Talk| !talk.erased && (talk.channel, talk.person) == (channel, person);
        self.talks.iter().position(same).unwrap_or_else(|| {
            self.talks.push(Talk { channel, person, ..Talk::default() });
            self.talks.len() - 1
        })
    }

    fn went(&mut self, n: usize, state: RunState, sends: usize) {
        let (now, run) = (self.now, &mut self.runs[n]);
        (run.state, run.entries) = (state, run.entries + 1);
        let waits = state == RunState::Waiting;
        (run.waiting, run.until) = (waits.then_some("ask"), waits.then_some(now + 60_000));
        run.code = (state == RunState::Failed).then_some("limit.cpu");
        let talk = self.events[self.runs[n].event].talk;
        for _ in 0..sends {
            self.talks[talk].timeline.push(format!("send {}", self.sends.len()));
            self.talks[talk].last_at = now;
            let state = SendState::Sending;
            self.sends.push(Send { run: n, talk, state, attempt: 1, due: now, ids: false, twice: false, code: None });
        }
    }

    /// Ends an event whose runs have all ended.
    fn settle(&mut self, event: usize) {
        let mine = |state: RunState| self.runs.iter().any(|run| run.event == event && run.state == state);
        match (mine(RunState::Waiting), mine(RunState::Failed)) {
            (true, _) => {
                let event = &mut self.events[event];
                if event.state == EventState::New {
                    event.state = EventState::Routed;
                }
            }
            (false, true) => self.end(event, EventState::Parked, "run_failed"),
            (false, false) => self.end(event, EventState::Ended, "done"),
        }
    }

    fn end(&mut self, event: usize, state: EventState, rule: &'static str) {
        let event = &mut self.events[event];
        if event.state < EventState::Ended {
            (event.state, event.rule) = (state, Some(rule));
            let hook = &mut self.hooks[event.hook];
            hook.open -= 1;
            if hook.open == 0 && hook.state == WebhookState::Kept {
                hook.state = WebhookState::Done;
            }
        }
    }

    fn open_again(&mut self, event: usize, state: EventState, rule: Option<&'static str>) {
        let event = &mut self.events[event];
        (event.state, event.rule) = (state, rule);
        let hook = &mut self.hooks[event.hook];
        (hook.state, hook.open) = (WebhookState::Kept, hook.open + 1);
    }

    fn heard(&mut self, news: &News) {
        let (now, send) = (self.now, &mut self.sends[news.send]);
        let arrived = matches!(send.state, SendState::Sent | SendState::Delivered | SendState::Read);
        if !(arrived && news.state < send.state) {
            send.state = news.state;
        }
        send.attempt = send.attempt.max(news.attempt);
        (send.due, send.code) = (now + 1_000, news.code);
        send.ids |= news.ids;
        send.twice |= news.twice;
    }

    fn park(&mut self, kind: ItemKind, item: usize, drop: bool) -> Result<(), &'static str> {
        let (parked, erased) = match kind {
            ItemKind::Webhook => (self.hooks[item].state == WebhookState::Parked, false),
            ItemKind::Event => (self.events[item].state == EventState::Parked, self.talks[self.events[item].talk].erased),
            ItemKind::Run => (self.runs[item].state == RunState::Failed, self.erased_run(item)),
            ItemKind::Send => (self.sends[item].state == SendState::Parked, self.talks[self.sends[item].talk].erased),
        };
        if erased && !drop {
            return Err("park.erased");
        }
        if !parked {
            return Err("park.not_parked");
        }
        match (kind, drop) {
            (ItemKind::Webhook, false) => self.hooks[item].state = WebhookState::Unread,
            (ItemKind::Webhook, true) => {
                (self.hooks[item].state, self.hooks[item].rule) = (WebhookState::Ignored, Some(DROPPED));
            }
            (ItemKind::Event, _) => {
                let failed = self.failed_runs(item);
                match (drop, failed.is_empty(), self.runs.iter().any(|run| run.event == item)) {
                    (true, ..) => (self.events[item].state, self.events[item].rule) = (EventState::Ended, Some(DROPPED)),
                    (false, true, true) => return Err("park.no_failed_run"),
                    (false, true, false) => self.open_again(item, EventState::New, Some(RETRIED)),
                    (false, false, _) => self.open_again(item, EventState::Routed, None),
                }
                failed.into_iter().for_each(|run| self.run_acted(run, drop));
            }
            (ItemKind::Run, drop) => {
                let event = self.runs[item].event;
                if !drop && self.events[event].state > EventState::Routed {
                    self.open_again(event, EventState::Routed, None);
                }
                self.run_acted(item, drop);
                if drop && self.events[event].state == EventState::Parked && self.failed_runs(event).is_empty() {
                    (self.events[event].state, self.events[event].rule) = (EventState::Ended, Some(DROPPED));
                }
            }
            (ItemKind::Send, false) => {
                let (now, send) = (self.now, &mut self.sends[item]);
                send.twice |= send.code == Some("send.unknown");
                (send.state, send.due, send.attempt, send.code) = (SendState::Ready, now, 0, Some(RETRIED));
            }
            (ItemKind::Send, true) => {
                (self.sends[item].state, self.sends[item].code) = (SendState::Dropped, Some(DROPPED));
            }
        }
        Ok(())
    }

    fn failed_runs(&self, event: usize) -> Vec<usize> {
        let failed = |(_, run): &(usize, &Run)| run.event == event && run.state == RunState::Failed;
        self.runs.iter().enumerate().filter(failed).map(|(n, _)| n).collect()
    }

    fn run_acted(&mut self, run: usize, drop: bool) {
        let erased = self.erased_run(run);
        let (now, run) = (self.now, &mut self.runs[run]);
        if drop {
            (run.state, run.waiting, run.until, run.code) = (RunState::Cancelled, None, None, Some(DROPPED));
            run.entries += usize::from(!erased);
        } else {
            (run.state, run.waiting, run.until, run.code) = (RunState::Waiting, Some(RETRIED), Some(now), None);
        }
    }

    fn erased_run(&self, run: usize) -> bool {
        self.talks[self.events[self.runs[run].event].talk].erased
    }

    fn erase(&mut self, talk: usize) -> String {
        if std::mem::replace(&mut self.talks[talk].erased, true) {
            return "store.missing".into();
        }
        let theirs: Vec<usize> = (0..self.events.len()).filter(|n| self.events[*n].talk == talk).collect();
        for event in theirs {
            self.end(event, EventState::Ended, "erased");
            for run in self.runs.iter_mut().filter(|run| run.event == event && run.state == RunState::Waiting) {
                (run.state, run.waiting, run.until, run.code) = (RunState::Cancelled, None, None, Some("erased"));
            }
        }
        for send in self.sends.iter_mut().filter(|send| send.talk == talk && send.state.open()) {
            (send.state, send.code) = (SendState::Dropped, Some("erased"));
        }
        self.audit += 1;
        "done".into()
    }

    /// How many stand how, in the words of the books.
    pub(super) fn counts(&self) -> [BTreeMap<String, u64>; 4] {
        let mut counts = [const { BTreeMap::new() }; 4];
        let mut add = |n: usize, state: String| *counts[n].entry(state.to_lowercase()).or_insert(0) += 1;
        self.hooks.iter().for_each(|h| add(0, format!("{:?}", h.state)));
        self.events.iter().for_each(|e| add(1, format!("{:?}", e.state)));
        (0..self.ignored).for_each(|_| add(1, "ended".into()));
        self.runs.iter().for_each(|r| add(2, format!("{:?}", r.state)));
        self.sends.iter().for_each(|s| add(3, format!("{:?}", s.state)));
        counts
    }
}
