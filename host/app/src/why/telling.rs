//! A story told: as data, and as one screen. Words of a contact, answers and step outputs are in it only when they are wanted.

use pointsman_core::effect::Effect;
use pointsman_core::event::EventBody;
use pointsman_core::journal::Entry;
use pointsman_store::{AuditRow, KeptEvent, SendRow};
use serde_json::{Value, json};

use super::verdict::{Verdict, failed_step, meaning};
use super::{RunTold, Story, called, text_of};
use crate::versions::word;
use crate::words::{moment, told};

/// The story as data.
#[must_use]
pub fn json(story: &Story, verdict: &Verdict, reveal: bool) -> Value {
    let webhook = story.webhook.as_ref().map(|w| {
        let reason = w.reason.as_ref().map(|r| told(r, &story.said(), reveal));
        json!({
            "id": w.id, "at": w.id.made_at(), "channel": w.channel, "signature": "verified", "state": w.state, "rule": w.rule,
            "reason": reason, "events": story.held.len(),
        })
    });
    let wanted = |w: &super::Wanted| {
        let why = if w.broken { Some("it does not load") } else { w.why_not.map(|why| why.sentence()) };
        json!({ "workflow": w.name, "runs": why.is_none(), "why_not": why, "published_later": w.later })
    };
    json!({
        "asked": story.asked,
        "verdict": verdict.sentence,
        "standing": verdict.standing,
        "cause": { "code": verdict.code, "cure": verdict.cure },
        "found": story.found.map(|(kind, id)| json!({ "kind": kind, "id": id })),
        "others": story.others.iter().map(|(kind, id)| json!({ "kind": kind, "id": id })).collect::<Vec<_>>(),
        "channel": story.channel.as_ref().map(|c| json!({ "id": c.id, "plugin": c.plugin, "name": c.name, "state": c.state })),
        "webhook": webhook,
        "event": story.event.as_ref().map(|_| event(story, reveal)),
        "workflows_now": story.wanted.iter().map(wanted).collect::<Vec<_>>(),
        "runs": story.runs.iter().map(|r| run(story, r, reveal)).collect::<Vec<_>>(),
        "sends": story.sends.iter().map(|s| send(story, s, reveal)).collect::<Vec<_>>(),
        "statuses": story.statuses.iter().filter_map(|s| status(story, s, reveal)).collect::<Vec<_>>(),
        "acts": story.acts.iter().map(act).collect::<Vec<_>>(),
        "publications_refused": story.refused.iter().map(act).collect::<Vec<_>>(),
    })
}

fn event(story: &Story, reveal: bool) -> Value {
    let Some(event) = &story.event else { return Value::Null };
    let rule = event.rule.as_deref();
    let mut shown = json!({
        "id": event.id, "kind": event.kind, "at": event.id.made_at(), "state": event.state, "rule": rule,
        "means": rule.map(|rule| meaning(rule).1), "conversation": event.conversation, "erased": story.erased(),
        "trigger": story.kept.as_ref().map(|k| k.event.trigger),
    });
    if let (true, Some(kept), Some(object)) = (reveal, &story.kept, shown.as_object_mut()) {
        object.insert("text".to_owned(), json!(kept.event.text()));
        object.insert("from".to_owned(), json!(kept.event.sender.as_ref().map(|p| (&p.name, &p.id))));
    }
    shown
}

fn run(story: &Story, run: &RunTold, reveal: bool) -> Value {
    let row = &run.row;
    json!({
        "id": row.id, "workflow": run.name(), "version": row.workflow, "began": row.id.made_at(), "state": row.state,
        "waiting": row.waiting, "until": row.until, "reason": row.reason.as_ref().map(|r| told(r, &story.said(), reveal)),
        "called_by": run.caller().map(|caller| caller.run),
        "steps": row.entries.iter().filter_map(|entry| step(story, run, entry, reveal)).collect::<Vec<_>>(),
    })
}

fn step(story: &Story, run: &RunTold, entry: &Entry, reveal: bool) -> Option<Value> {
    let verb = |path: &str| run.workflow().and_then(|w| w.verb_at(path));
    Some(match entry {
        Entry::StepDone { path, attempt, output, effects, usage, ended, .. } => {
            let kinds: Vec<&str> = effects.iter().map(|d| effect(&d.effect)).collect();
            let output = reveal.then_some(output);
            json!({
                "path": path, "verb": verb(path), "state": "done", "attempt": attempt, "effects": kinds, "ended": ended,
                "usage": usage, "output": output,
            })
        }
        Entry::StepFailed { path, attempt, error, usage, ended } => json!({
            "path": path, "verb": verb(path), "state": "failed", "attempt": attempt, "ended": ended, "usage": usage,
            "error": told(error, &story.said(), reveal),
        }),
        Entry::Waiting { path, kind, until, .. } => {
            json!({ "path": path, "state": "waits", "for": kind, "until": until, "run": called(entry).map(|called| called.run) })
        }
        Entry::Told { wake, .. } => json!({ "state": "told", "what": wake.word() }),
        Entry::Resumed { path, by, at } => json!({ "path": path, "state": "goes_on", "by": by, "at": at }),
        Entry::Gathered { event, at } => json!({ "state": "gathered", "event": event, "at": at }),
        Entry::Replaced { plugin, digest, by } => json!({ "state": "replaced", "plugin": plugin, "digest": digest, "by": by }),
        Entry::Cancelled { by, reason } => json!({ "state": "cancelled", "by": by, "reason": reason }),
        Entry::Leg { path, attempt, effects, .. } if !effects.is_empty() => {
            let kinds: Vec<&str> = effects.iter().map(|d| effect(&d.effect)).collect();
            json!({ "path": path, "verb": verb(path), "state": "on_the_way", "attempt": attempt, "effects": kinds })
        }
        Entry::Started { .. } | Entry::CallDone { .. } | Entry::Leg { .. } | Entry::Each { .. } | Entry::Finished { .. } => {
            return None;
        }
    })
}

/// An effect in a word.
#[must_use]
pub fn effect(effect: &Effect) -> &'static str {
    effect.word()
}

fn send(story: &Story, send: &SendRow, reveal: bool) -> Value {
    let mut shown = json!({
        "id": send.id, "run": send.run, "path": send.path, "state": send.state, "attempt": send.attempt, "due": send.due,
        "key": send.key, "possible_duplicate": send.possible_duplicate,
        "reason": send.reason.as_ref().map(|r| told(r, &story.said(), reveal)),
    });
    if let (true, Some(object)) = (reveal, shown.as_object_mut()) {
        object.insert("text".to_owned(), json!(text_of(&send.operation)));
        object.insert("provider_ids".to_owned(), json!(send.provider_ids));
    }
    shown
}

fn status(story: &Story, kept: &KeptEvent, reveal: bool) -> Option<Value> {
    let EventBody::Status(status) = &kept.event.body else { return None };
    let failure = status.failure.clone().map(|f| told(&f.into_failure(), &story.said(), reveal));
    Some(json!({ "event": kept.id, "at": kept.at, "state": status.state.word(), "failure": failure }))
}

fn act(line: &AuditRow) -> Value {
    json!({ "at": line.at, "actor": line.actor, "action": line.action, "detail": line.detail })
}

/// The story as one screen: the verdict first.
#[must_use]
pub fn screen(story: &Story, verdict: &Verdict, reveal: bool) -> String {
    let mut lines = vec![verdict.sentence.clone()];
    lines.extend(verdict.cure.as_ref().map(|cure| format!("  what to do: {cure}")));
    if let Some((kind, id)) = story.found {
        lines.push(format!("\nasked      {} {id}", kind.word()));
    }
    if let Some(channel) = &story.channel {
        let state = format!("{:?}", channel.state).to_lowercase();
        lines.push(format!("channel    {} {} {} ({state})", channel.id, word(channel), channel.name));
    }
    if let Some(w) = &story.webhook {
        let rule = w.rule.as_deref().map_or_else(String::new, |rule| format!(" by `{rule}`"));
        let state = format!("{:?}", w.state).to_lowercase();
        lines.push(format!(
            "webhook    {} came {}, signature verified, {state}{rule}, {} events",
            w.id,
            moment(w.id.made_at()),
            story.held.len()
        ));
    }
    if let Some(e) = &story.event {
        let rule = e.rule.as_deref().map_or_else(String::new, |rule| format!(" by `{rule}`: {}", meaning(rule).1));
        lines.push(format!("event      {} {}, {}{rule}", e.id, e.kind, format!("{:?}", e.state).to_lowercase()));
        if story.erased() {
            lines.push("           the contact was erased: what was said is gone".to_owned());
        }
        if let (true, Some(text)) = (reveal, story.kept.as_ref().and_then(|k| k.event.text())) {
            lines.push(format!("           said: {text}"));
        }
    }
    for w in &story.wanted {
        let why = if w.broken { "does not load" } else { w.why_not.map_or("wants it", |why| why.sentence()) };
        let later = if w.later { " (published later)" } else { "" };
        lines.push(format!("workflow   {}{later}: {why}", w.name));
    }
    for r in &story.runs {
        told_run(story, r, reveal, &mut lines);
    }
    for s in &story.sends {
        let twice = if s.possible_duplicate { ", possibly twice" } else { "" };
        let state = format!("{:?}", s.state).to_lowercase();
        lines.push(format!(
            "send       {} of step `{}`: {state}, attempt {}{twice}, due {}",
            s.id,
            s.path,
            s.attempt,
            moment(s.due)
        ));
        lines.extend(s.reason.as_ref().map(|r| format!("           {}", told(r, &story.said(), reveal))));
        if let (true, Some(text)) = (reveal, text_of(&s.operation)) {
            lines.push(format!("           says: {text}"));
        }
    }
    for kept in &story.statuses {
        if let EventBody::Status(status) = &kept.event.body {
            lines.push(format!("status     {} {}", moment(kept.at), status.state.word()));
        }
    }
    let people = story.acts.iter().chain(&story.refused);
    lines.extend(people.map(|line| format!("{:10} {} {}: {}", "audit", moment(line.at), line.actor, line.detail)));
    lines.join("\n")
}

fn told_run(story: &Story, run: &RunTold, reveal: bool, lines: &mut Vec<String>) {
    let state = format!("{:?}", run.row.state).to_lowercase();
    let at = match failed_step(run) {
        (path, Some(_)) if !path.is_empty() => format!(" (last failed step `{path}`)"),
        _ => String::new(),
    };
    let by = run.caller().map_or_else(String::new, |caller| format!(", called by run {} at {}", caller.run, caller.place));
    lines.push(format!("run        {} of `{}`{by}: {state}{at}", run.row.id, run.name()));
    for entry in &run.row.entries {
        let verb = |path: &str| run.workflow().and_then(|w| w.verb_at(path)).unwrap_or("?").to_owned();
        match entry {
            Entry::StepDone { path, effects, usage, .. } => {
                let did: Vec<&str> = effects.iter().map(|d| effect(&d.effect)).collect();
                let did = if did.is_empty() { String::new() } else { format!(" -> {}", did.join(", ")) };
                let took = usage.map_or_else(String::new, |u| format!(" in {} us", u.wall_us));
                lines.push(format!("  done     {path} ({}){took}{did}", verb(path)));
            }
            Entry::StepFailed { path, attempt, error, .. } => {
                lines.push(format!(
                    "  failed   {path} ({}), attempt {attempt}: {}",
                    verb(path),
                    told(error, &story.said(), reveal)
                ));
            }
            Entry::Waiting { path, until, .. } => match called(entry) {
                Some(called) => lines.push(format!("  calls    {path}: `{}` as run {}", called.name, called.run)),
                None => lines.push(format!("  waits    {path} until {}", until.map_or_else(|| "?".to_owned(), moment))),
            },
            Entry::Resumed { path, by, .. } => lines.push(format!("  goes on  {path}, by {by}")),
            Entry::Gathered { event: Some(event), .. } => lines.push(format!("  gathers  event {event}")),
            Entry::Replaced { plugin, digest, by } => {
                lines.push(format!("  replaced {plugin}, by {by}: {} from here on", digest.get(..12).unwrap_or(digest)));
            }
            Entry::Cancelled { by, reason } => lines.push(format!("  ended    by {by}: {reason}")),
            _ => {}
        }
    }
}
