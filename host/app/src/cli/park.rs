//! `pointsman park`: what cannot go on, and why; and what a person does about it. Nothing is ever dropped in silence: a drop
//! needs a reason, and both a retry and a drop leave a line in the audit. They may be used while a host runs on the same
//! database: it takes up what is to be tried again within a second.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::clock::{Clock, SystemClock};
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::journal::Entry;
use pointsman_store::{Acted, EventState, ItemKind, ParkedItem, Store, WebhookState, Wish};
use serde_json::{Value, json};

use super::table::table;
use super::{Context, say};
use crate::versions::Versions;
use crate::why::verdict::failed_step;
use crate::why::{Story, gather, text_of};
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::{cure, moment, told};

/// Who does it, in the audit.
const ACTOR: &str = "cli";
/// Items of one kind that `--all` takes.
const ALL: usize = 100_000;
/// Characters of a reason.
const REASON: usize = 500;

/// Example: `pointsman park retry --all --code provider.unauthorized`
///
/// Exit codes: 0 done, 1 something was refused (it is not parked any more), 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists what is parked, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// With this code only: `provider.rejected`.
        #[arg(long)]
        code: Option<String>,
        /// Of this kind only: webhook, event, run, send.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Shows one parked item whole.
    Show {
        /// Its id.
        id: Id,
        /// With what was said.
        #[arg(long)]
        reveal: bool,
    },
    /// Tries again: a webhook is read again, an event routed again, a run goes on at its failed step, a send leaves now with
    /// the same key.
    Retry {
        /// Their ids.
        #[arg(required_unless_present = "all")]
        ids: Vec<Id>,
        /// Everything that is parked.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Of everything, what has this code.
        #[arg(long, requires = "all")]
        code: Option<String>,
    },
    /// Ends an item by the rule `dropped_by_operator`.
    Drop {
        /// Its id.
        id: Id,
        /// Why; it stands in the audit.
        #[arg(long)]
        reason: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::List { limit, code, kind } => list(context, &store, *limit, code.as_deref(), kind.as_deref()).await,
            Verb::Show { id, reveal } => show(context, &store, *id, *reveal).await,
            Verb::Retry { ids, all: false, .. } => act(context, &store, ids, &Wish::Retry, false).await,
            Verb::Retry { code, .. } => {
                let ids = everything(&store, code.as_deref()).await?;
                act(context, &store, &ids, &Wish::Retry, true).await
            }
            Verb::Drop { id, reason } => act(context, &store, &[*id], &Wish::Drop(one_line(reason)?), false).await,
        };
        store.close().await?;
        done
    })
}

/// A reason as the audit takes it.
fn one_line(reason: &str) -> Result<String> {
    let line: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect();
    match line.trim() {
        "" => bail!("park.reason: a drop needs a reason; give it with --reason \"...\""),
        line => Ok(line.to_owned()),
    }
}

async fn list(context: &Context, store: &Store, limit: usize, code: Option<&str>, kind: Option<&str>) -> Result<ExitCode> {
    let narrow = code.is_some() || kind.is_some();
    let mut parked = store.parked(FIRST_WORKSPACE, if narrow { ALL } else { limit }).await?;
    parked.retain(|p| code.is_none_or(|code| p.code == code) && kind.is_none_or(|kind| p.kind == kind));
    parked.truncate(limit);
    for item in &mut parked {
        item.reason = item.reason.as_ref().map(|reason| told(reason, &[], false));
    }
    context.answer(&serde_json::to_value(&parked)?, || {
        let row = |p: &ParkedItem| {
            let why = p.reason.as_ref().map_or_else(|| cure(&p.code).unwrap_or_default().to_owned(), |r| r.message.clone());
            [p.kind.to_owned(), p.id.to_string(), moment(p.at), p.code.clone(), why]
        };
        let rows: Vec<_> = parked.iter().map(row).collect();
        if rows.is_empty() { "nothing is parked".to_owned() } else { table(["KIND", "ID", "CAME", "CODE", "WHY"], &rows) }
    });
    Ok(ExitCode::SUCCESS)
}

/// One item with everything that is kept about why it stands here.
struct Shown {
    code: String,
    reason: Option<Failure>,
    workflow: Option<String>,
    step: Option<String>,
    attempts: Option<u32>,
    since: i64,
}

async fn show(context: &Context, store: &Store, id: Id, reveal: bool) -> Result<ExitCode> {
    let Some(kind) = store.item_kind(FIRST_WORKSPACE, id).await? else {
        bail!("park.unknown: there is no webhook, event, run or send {id}");
    };
    let mut versions = Versions::new(store).await?;
    let story = gather(store, FIRST_WORKSPACE, &id.to_string(), SystemClock.now(), &mut versions).await?;
    let Some(shown) = shown(&story, kind, id) else {
        bail!("park.not_parked: {} {id} is not parked; `pointsman why {id}` says how it stands", kind.word());
    };
    let reason = shown.reason.as_ref().map(|r| told(r, &story.said(), reveal));
    let cure = cure(&shown.code);
    let mut answer = json!({
        "kind": kind, "id": id, "code": shown.code, "reason": reason, "cure": cure, "workflow": shown.workflow, "step": shown.step,
        "attempts": shown.attempts, "channel": story.channel.as_ref().map(|c| json!({ "id": c.id, "plugin": c.plugin, "name": c.name })),
        "came": id.made_at(), "since": shown.since,
    });
    let words: Vec<(&str, Option<String>)> = vec![
        ("said", story.kept.as_ref().and_then(|k| k.event.text().map(str::to_owned))),
        ("answer", story.sends.first().and_then(|s| text_of(&s.operation))),
    ];
    if let (true, Some(object)) = (reveal, answer.as_object_mut()) {
        object.extend(words.iter().map(|(name, text)| ((*name).to_owned(), json!(text))));
    }
    context.answer(&answer, || {
        let mut lines = vec![format!("{} {id} is parked: {}", kind.word(), shown.code)];
        let mut line = |name: &str, text: Option<String>| lines.extend(text.map(|text| format!("  {name:10} {text}")));
        line("reason", reason.as_ref().map(|r| r.message.clone()));
        line("cure", cure.map(str::to_owned));
        line("workflow", shown.workflow.clone());
        line("step", shown.step.clone());
        line("attempts", shown.attempts.map(|n| n.to_string()));
        line("channel", story.channel.as_ref().map(|c| format!("{} {} {}", c.id, c.plugin, c.name)));
        line("came", Some(moment(id.made_at())));
        line("since", Some(moment(shown.since)));
        for (name, text) in words.iter().filter(|_| reveal) {
            line(name, text.clone());
        }
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

/// What is told of an item; `None` when it is not parked.
fn shown(story: &Story, kind: ItemKind, id: Id) -> Option<Shown> {
    let since_failure = |entries: &[Entry]| {
        entries.iter().rev().find_map(|entry| match entry {
            Entry::StepFailed { attempt, ended, .. } => Some((*attempt, ended.unwrap_or(id.made_at()))),
            _ => None,
        })
    };
    let mut shown = Shown { code: String::new(), reason: None, workflow: None, step: None, attempts: None, since: id.made_at() };
    match kind {
        ItemKind::Webhook => {
            let webhook = story.webhook.as_ref().filter(|w| w.state == WebhookState::Parked)?;
            shown.code = webhook.reason.as_ref().map_or_else(|| "webhook.parked".to_owned(), |r| r.code.clone());
            shown.reason.clone_from(&webhook.reason);
        }
        ItemKind::Event => {
            let event = story.event.as_ref().filter(|e| e.state == EventState::Parked)?;
            shown.code = event.rule.clone().unwrap_or_default();
            let failed = story.runs.iter().find(|run| run.failed());
            if let Some(run) = failed {
                shown.workflow = Some(run.name().to_owned());
                shown.reason.clone_from(&run.row.reason);
                shown.since = since_failure(&run.row.entries).map_or(shown.since, |(_, at)| at);
            }
        }
        ItemKind::Run => {
            let run = story.runs.iter().find(|r| r.row.id == id)?;
            if !run.failed() {
                return None;
            }
            shown.code = run.row.reason.as_ref().map(|r| r.code.clone()).unwrap_or_default();
            shown.reason.clone_from(&run.row.reason);
            shown.workflow = Some(run.name().to_owned());
            let (path, _) = failed_step(run);
            shown.step = Some(path).filter(|path| !path.is_empty());
            if let Some((attempt, at)) = since_failure(&run.row.entries) {
                (shown.attempts, shown.since) = (Some(attempt), at);
            }
        }
        ItemKind::Send => {
            let send = story.sends.iter().find(|s| s.id == id)?;
            if send.state != pointsman_core::outbox::SendState::Parked {
                return None;
            }
            shown.code = send.reason.as_ref().map(|r| r.code.clone()).unwrap_or_default();
            shown.reason.clone_from(&send.reason);
            shown.workflow = story.runs.first().map(|run| run.name().to_owned());
            (shown.step, shown.attempts, shown.since) = (Some(send.path.clone()), Some(send.attempt), send.due);
        }
    }
    Some(shown)
}

/// Everything that is parked, oldest first and runs before the events that hang on them.
async fn everything(store: &Store, code: Option<&str>) -> Result<Vec<Id>> {
    let mut parked = store.parked(FIRST_WORKSPACE, ALL).await?;
    parked.retain(|p| code.is_none_or(|code| p.code == code));
    parked.sort_by_key(|p| (p.kind == "event", p.id));
    Ok(parked.into_iter().map(|p| p.id).collect())
}

/// Does it to each. What is not parked any more is refused; of everything, an event that went with its run is passed over.
async fn act(context: &Context, store: &Store, ids: &[Id], wish: &Wish, all: bool) -> Result<ExitCode> {
    let (mut done, mut refused): (Vec<Acted>, Vec<(Id, Failure)>) = (Vec::new(), Vec::new());
    for id in ids {
        if all && done.iter().any(|acted| acted.with.contains(id)) {
            continue;
        }
        match store.act_on_parked(FIRST_WORKSPACE, *id, ACTOR, wish).await? {
            Ok(acted) => done.push(acted),
            Err(failure) => refused.push((*id, failure)),
        }
    }
    let name = if *wish == Wish::Retry { "retried" } else { "dropped" };
    if context.json {
        let refused: Vec<Value> = refused.iter().map(|(id, failure)| json!({ "id": id, "error": failure })).collect();
        say(&json!({ name: done, "refused": refused }).to_string());
    } else {
        for acted in &done {
            say(&format!("{name} {} {} ({})", acted.kind.word(), acted.id, acted.code));
        }
        for (_, failure) in &refused {
            say(&format!("refused {failure}"));
        }
        if done.is_empty() && refused.is_empty() {
            say("nothing is parked");
        }
    }
    Ok(ExitCode::from(u8::from(!refused.is_empty())))
}
