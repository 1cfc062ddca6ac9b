//! The verdict: in one sentence, why this was or was not answered, with the code of the cause and what to do about it.

use pointsman_core::failure::Failure;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::wait::{APPROVE, ASK, CALL, RETRY, SLEEP, WAIT};
use pointsman_store::{BareEvent, DROPPED, EventState, ItemKind, RETRIED, SendRow, WebhookState};
use serde::Serialize;

use super::{RunTold, Story};
use crate::words::{cure, moment, told};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The provider took an answer.
    Answered,
    /// There is none, and none will come by itself.
    NotAnswered,
    /// It goes on by itself.
    Waiting,
    /// It is not about somebody's message: news, an echo.
    NothingToAnswer,
    /// Nothing is kept under this name.
    NotKept,
}

impl Standing {
    fn words(self) -> &'static str {
        match self {
            Self::Answered => "Answered",
            Self::NotAnswered => "Not answered",
            Self::Waiting => "Not answered yet",
            Self::NothingToAnswer => "Nothing to answer",
            Self::NotKept => "Not known",
        }
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How it stands.
    pub standing: Standing,
    /// The cause: a code of a failure, the rule of an event, or `answered`.
    pub code: String,
    /// The one sentence.
    pub sentence: String,
    /// What to do about it.
    pub cure: Option<String>,
}

fn verdict(standing: Standing, code: impl Into<String>, because: impl AsRef<str>) -> Verdict {
    let sentence = format!("{}: {}.", standing.words(), because.as_ref().trim_end_matches('.'));
    Verdict { standing, code: code.into(), sentence, cure: None }
}

impl Verdict {
    fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

/// The cause in a failure: its own sentence, or with `--reveal` only where it may quote a contact.
fn of_failure(standing: Standing, before: &str, failure: &Failure, story: &Story, reveal: bool) -> Verdict {
    let shown = told(failure, &story.said(), reveal);
    let verdict = verdict(standing, &failure.code, format!("{before}, {}: {}", failure.code, shown.message));
    match cure(&failure.code) {
        Some(cure) => verdict.cure(cure),
        None => verdict,
    }
}

/// Judges a story.
#[must_use]
pub fn judge(story: &Story, reveal: bool) -> Verdict {
    let Some((kind, _)) = story.found else { return not_kept() };
    if let Some(event) = &story.event
        && !(kind == ItemKind::Webhook && story.webhook.as_ref().is_some_and(|w| w.state == WebhookState::Parked))
    {
        return of_event(story, event, reveal);
    }
    if story.webhook.is_some() {
        return of_webhook(story, reveal);
    }
    match story.sends.first() {
        Some(send) => of_send(story, send, reveal),
        None => verdict(Standing::NotAnswered, "erased", "the contact was erased, and its words with it"),
    }
}

fn not_kept() -> Verdict {
    verdict(
        Standing::NotKept,
        "not_kept",
        "nothing is kept under this id. A webhook with a bad signature, for a channel that does not exist, or over the size \
         limit is refused and leaves nothing, so this may be one of those, or it never came",
    )
    .cure(
        "see whether the provider's delivery log shows 401 (wrong app secret, or the hook address of another channel: \
         `pointsman channel list`), 413 (too large) or nothing (not subscribed), and the metric pointsman_webhooks_total \
         {outcome=\"bad_signature\"}; a provider's id is found for 8 days and among the last 2,000 events",
    )
}

fn of_webhook(story: &Story, reveal: bool) -> Verdict {
    let Some(webhook) = &story.webhook else { return not_kept() };
    match (webhook.state, webhook.rule.as_deref(), &webhook.reason) {
        (WebhookState::Parked, _, Some(reason)) => {
            of_failure(Standing::NotAnswered, "the webhook was kept and could not be read", reason, story, reveal)
        }
        (WebhookState::Parked, ..) => verdict(Standing::NotAnswered, "webhook.parked", "the webhook is parked"),
        (WebhookState::Unread, ..) => {
            let because = "the webhook is kept and waits to be read, because the sandbox was busy, or because it is tried again";
            verdict(Standing::Waiting, "webhook.unread", because).cure("see that a host runs: `pointsman serve`")
        }
        (_, Some("duplicate"), _) => {
            verdict(Standing::NothingToAnswer, "duplicate", "everything in this webhook had come before, and was handled then")
        }
        (_, Some("empty"), _) => verdict(Standing::NothingToAnswer, "empty", "the webhook held no event"),
        (_, Some(DROPPED), _) => dropped(story),
        (_, Some(rule), _) => verdict(Standing::NothingToAnswer, rule, format!("the webhook ended by the rule `{rule}`")),
        (_, None, _) => verdict(Standing::NothingToAnswer, "done", "the webhook ended"),
    }
}

fn dropped(story: &Story) -> Verdict {
    let by = story.acts.iter().rev().find(|line| line.action == "park.drop");
    let by = by.map_or_else(String::new, |line| format!(" ({}, {}: {})", line.actor, moment(line.at), line.detail));
    verdict(Standing::NotAnswered, DROPPED, format!("a person dropped it{by}"))
}

fn of_event(story: &Story, event: &BareEvent, reveal: bool) -> Verdict {
    let rule = event.rule.as_deref().unwrap_or_default();
    if story.erased() {
        return verdict(Standing::NotAnswered, "erased", "the contact was erased, and what was open ended with it");
    }
    if !story.runs.is_empty() {
        return of_runs(story, reveal);
    }
    match event.state {
        EventState::New if rule == RETRIED => {
            verdict(Standing::Waiting, RETRIED, "a person had it routed again, and it waits for its turn").cure(serving())
        }
        EventState::New | EventState::Routed => {
            verdict(Standing::Waiting, "queued", "its event waits for its turn in its conversation").cure(serving())
        }
        EventState::Parked => {
            let because = match rule {
                "reply_pace" => {
                    "its conversation got as many replies in a minute as [limits] replies_a_minute allows: it may be a machine"
                        .to_owned()
                }
                "channel_disconnected" => "the channel was not connected or was switched off when its turn came".to_owned(),
                _ => format!("its event is parked by the rule `{rule}`"),
            };
            verdict(Standing::NotAnswered, rule, because).cure(cure(rule).unwrap_or("mend the cause, then retry it"))
        }
        EventState::Ended if rule == "no_workflow" => no_workflow(story, &event.kind),
        EventState::Ended if rule == DROPPED => dropped(story),
        EventState::Ended => {
            let (standing, means) = meaning(rule);
            verdict(standing, rule, means)
        }
    }
}

fn serving() -> &'static str {
    "see that a host runs (`pointsman serve`), and what stands before it: `pointsman books`"
}

/// What the rule of an ended event means.
#[must_use]
pub fn meaning(rule: &str) -> (Standing, &'static str) {
    use Standing::{NotAnswered, NothingToAnswer};
    match rule {
        "echo" => (NothingToAnswer, "it is our own echo: the account itself said it, here or in the provider's app"),
        "not_a_trigger" => (NotAnswered, "the loop guard: the channel says that this message may not start a workflow"),
        "automated_sender" => {
            (NotAnswered, "the loop guard: a bot or an automated account sent it, and two bots would never end")
        }
        "other_account" => (NotAnswered, "it was meant for another account of the same app than that of this channel"),
        "no_conversation" => (NotAnswered, "the event names nobody who could be answered"),
        "no_trigger" => (NotAnswered, "no workflow can start with an event of this kind"),
        "no_workflow" => (NotAnswered, "no active workflow wanted it"),
        "answer" => (NothingToAnswer, "a run that waited for it took it and went on: see the runs of its conversation"),
        "handed_off" => {
            (NotAnswered, "people have this conversation: `pointsman conversation handback` gives it back to the workflows")
        }
        "loop_guard" => (NothingToAnswer, "the loop guard: workflows of this house started each other ten times in a row"),
        "schedule_missed" => {
            (NothingToAnswer, "no host ran at this moment of the schedule, and afterwards it was too late (`catch_up`)")
        }
        rule if rule.starts_with("gathered/") => (
            NothingToAnswer,
            "it is part of a burst, which one run answers: the rule names that run, `pointsman run show` tells of it",
        ),
        "receipt" => (NothingToAnswer, "it is news about a message of ours, and was taken over"),
        "foreign_receipt" => (NothingToAnswer, "it is news about a message that this host did not send, or keeps no more"),
        "ignored" => (NothingToAnswer, "the channel's plugin found nothing in it that anybody could use"),
        "erased" => (NotAnswered, "the contact was erased, and what was open ended with it"),
        "done" => (NotAnswered, "its workflows ended"),
        "run_failed" => (NotAnswered, "a run of it failed"),
        "dropped_by_operator" => (NotAnswered, "a person dropped it"),
        _ => (NotAnswered, "it ended by a rule of its own"),
    }
}

fn no_workflow(story: &Story, kind: &str) -> Verdict {
    let at_hand: Vec<_> = story.wanted.iter().filter(|w| !w.later).collect();
    if let Some(refused) = story.refused.first() {
        let because = format!("no active workflow wanted this {kind}, and a publication was refused: {}", refused.detail);
        let cure = "mend it (`pointsman check` shows each mistake) and publish it";
        return verdict(Standing::NotAnswered, "workflow.refused", because).cure(cure);
    }
    if let Some(broken) = at_hand.iter().find(|w| w.broken) {
        let because = format!("workflow `{}` does not load any more, mostly because a plugin is gone", broken.name);
        return verdict(Standing::NotAnswered, "workflow.broken", because).cure("publish it again and see what is told");
    }
    let (because, cure) = match (at_hand.len(), story.wanted.len()) {
        (0, 0) => ("no workflow is published".to_owned(), "publish one: `pointsman publish FOLDER`"),
        (0, _) => ("no workflow was published when it came".to_owned(), "later messages are answered; nothing to mend"),
        (n, _) => {
            let why = at_hand.iter().filter_map(|w| Some(format!("`{}`: {}", w.name, w.why_not?.sentence())));
            let why: Vec<String> = why.take(5).collect();
            let why =
                if why.is_empty() { "they want it now, and were taken up only after it came".to_owned() } else { why.join("; ") };
            (
                format!("none of the {n} active workflows wanted this {kind} ({why})"),
                "see the `on:` of the workflow that should have run",
            )
        }
    };
    verdict(Standing::NotAnswered, "no_workflow", because).cure(cure)
}

/// What the runs came to: a failure first, then what they sent, then why they sent nothing.
fn of_runs(story: &Story, reveal: bool) -> Verdict {
    let send = |state: &dyn Fn(&SendRow) -> bool| story.sends.iter().find(|s| state(s));
    if let Some(run) = story.runs.iter().find(|run| run.failed()) {
        let (path, error) = failed_step(run);
        let what = run.workflow().and_then(|w| w.verb_at(&path)).map_or_else(String::new, |verb| format!(" ({verb})"));
        let place = if path.is_empty() { String::new() } else { format!(" at step `{path}`{what}") };
        let before = format!("workflow `{}` failed{place}", run.name());
        if let Some(error) = run.row.reason.as_ref().or(error) {
            let before = if story.sends.is_empty() { before } else { format!("it was answered in part, then {before}") };
            return of_failure(Standing::NotAnswered, &before, error, story, reveal);
        }
    }
    let open = [SendState::Parked, SendState::Unknown, SendState::Ready, SendState::Sending, SendState::Dropped];
    if let Some(bad) = open.iter().find_map(|state| send(&|s| s.state == *state)) {
        return of_send(story, bad, reveal);
    }
    // What a called workflow waits for says more than that it is waited for.
    let waits = |call: bool| {
        let waits = |run: &&RunTold| run.row.state == RunState::Waiting && (run.row.waiting.as_deref() == Some(CALL)) == call;
        story.runs.iter().find(waits)
    };
    if let Some(run) = waits(false).or_else(|| waits(true)) {
        return waiting(story, run, reveal);
    }
    if let Some(sent) = story.sends.first() {
        return of_send(story, sent, reveal);
    }
    if story.runs.iter().any(|run| run.row.reason.as_ref().is_some_and(|r| r.code == DROPPED)) {
        return dropped(story);
    }
    silent(story)
}

/// The last failed step of a run, and its error.
#[must_use]
pub fn failed_step(run: &RunTold) -> (String, Option<&Failure>) {
    let failed = run.row.entries.iter().rev().find_map(|entry| match entry {
        Entry::StepFailed { path, error, .. } => Some((path.clone(), Some(error))),
        _ => None,
    });
    failed.unwrap_or_default()
}

fn waiting(story: &Story, run: &RunTold, reveal: bool) -> Verdict {
    let until = run.row.until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
    if run.row.waiting.as_deref() == Some(RETRIED) {
        let because = format!("a person had workflow `{}` tried again, and it waits for its turn", run.name());
        return verdict(Standing::Waiting, RETRIED, because).cure(serving());
    }
    let kind = run.row.waiting.as_deref().unwrap_or_default();
    match failed_step(run) {
        (path, Some(error)) if kind == RETRY => {
            let before = format!("workflow `{}` tries step `{path}` again and waits{until}", run.name());
            let verdict = of_failure(Standing::Waiting, &before, error, story, reveal);
            Verdict { cure: Some("nothing: it goes on by itself".to_owned()), ..verdict }
        }
        _ => {
            let (what, cure) = match kind {
                ASK => ("asked, and waits for the contact's answer", "nothing: the contact's next message goes to it"),
                APPROVE => ("waits for a person's approval", "`pointsman approval list`, then approve or reject it"),
                SLEEP => ("sleeps", "nothing: it goes on by itself"),
                WAIT => ("waits for its time or for an event", "nothing: it goes on by itself"),
                CALL => ("waits for the end of a workflow that it called", "nothing: it goes on by itself"),
                "turn" => ("wants to ask while another run's question stands", "nothing: it asks when that one has its answer"),
                "told" => ("was told something by a person, and goes on in a moment", serving()),
                _ => ("waits", serving()),
            };
            verdict(Standing::Waiting, "waiting", format!("workflow `{}` {what}{until}", run.name())).cure(cure)
        }
    }
}

/// Workflows ran to their end and said nothing: which condition kept the answer back?
fn silent(story: &Story) -> Verdict {
    for run in &story.runs {
        let Some(workflow) = run.workflow() else { continue };
        let ran = |path: &str| {
            run.row
                .entries
                .iter()
                .any(|e| matches!(e, Entry::StepDone { path: p, .. } | Entry::StepFailed { path: p, .. } if p == path))
        };
        for step in workflow.outline().iter().filter(|step| step.speaks && !ran(step.path)) {
            if let Some(by) = workflow.kept_back(step.path, &ran)
                && let Some((condition, line)) = by.guard
            {
                let because = format!(
                    "workflow `{}` ran, and the condition of step `{}` was not true, so `{}` did not {} (line {line}: {condition})",
                    run.name(),
                    by.path,
                    step.path,
                    step.verb
                );
                return verdict(Standing::NotAnswered, "condition_false", because)
                    .cure(format!("see what the steps before it gave: `pointsman run show {} --steps`", run.row.id));
            }
        }
    }
    let names: Vec<String> = story.runs.iter().map(|run| format!("`{}`", run.name())).collect();
    let stopped = story.runs.iter().any(|run| {
        let last = run.row.entries.iter().rev().nth(1);
        matches!((last, run.workflow()), (Some(Entry::StepDone { path, .. }), Some(w)) if w.verb_at(path) == Some("stop"))
    });
    let (code, how) = if stopped { ("stopped", "came to a `stop`") } else { ("silent", "ended well") };
    let because = format!("{} ran, {how} and decided to say nothing", names.join(", "));
    let run = story.runs.first().map_or_else(String::new, |run| run.row.id.to_string());
    verdict(Standing::NotAnswered, code, because).cure(format!("see what each step gave: `pointsman run show {run} --steps`"))
}

fn of_send(story: &Story, send: &SendRow, reveal: bool) -> Verdict {
    let attempt = format!("attempt {}", send.attempt);
    match (send.state, &send.reason) {
        (SendState::Parked, Some(reason)) => {
            of_failure(Standing::NotAnswered, &format!("the answer is parked after {attempt}"), reason, story, reveal)
        }
        (SendState::Unknown, _) => {
            let until = moment(send.due);
            let because =
                format!("the provider's answer to {attempt} never came; until {until} an echo of its key can settle it");
            verdict(Standing::Waiting, "send.unknown", because)
                .cure("nothing: it is settled by a status, or by the channel's on_unknown")
        }
        (SendState::Ready, Some(reason)) if reason.code == RETRIED => {
            verdict(Standing::Waiting, RETRIED, "a person had the answer sent again, and it waits for its turn").cure(serving())
        }
        (SendState::Ready, Some(reason)) => {
            let before = format!("the answer is sent again at {}; {attempt} did not do it", moment(send.due));
            let verdict = of_failure(Standing::Waiting, &before, reason, story, reveal);
            Verdict { cure: Some("nothing: it is tried again by itself".to_owned()), ..verdict }
        }
        (SendState::Ready, None) => match &story.ahead {
            Some(ahead) => {
                let code = ahead.reason.as_ref().map_or("queued", |r| r.code.as_str());
                let because = format!("the answer waits behind {} of the same conversation, which stands at {code}", ahead.id);
                verdict(Standing::Waiting, "held", because).cure(format!("see `pointsman why {}`", ahead.id))
            }
            None => verdict(Standing::Waiting, "queued", "the answer waits for its turn to leave").cure(serving()),
        },
        (SendState::Sending, _) => {
            verdict(Standing::Waiting, "send.sending", "the answer is leaving, or a host ended while it did").cure(serving())
        }
        (SendState::Dropped, Some(reason)) if reason.code == DROPPED => dropped(story),
        (SendState::Dropped, _) => verdict(Standing::NotAnswered, "erased", "the answer was dropped: the contact was erased"),
        (SendState::Parked, None) => verdict(Standing::NotAnswered, "send.parked", "the answer is parked"),
        (SendState::Sent | SendState::Delivered | SendState::Read, _) => {
            let how = match send.state {
                SendState::Delivered => "and it was delivered",
                SendState::Read => "and it was read",
                _ => "no news of its delivery came yet",
            };
            let twice = if send.possible_duplicate { "; it may have been sent twice" } else { "" };
            let by = story.runs.iter().find(|run| run.row.id == send.run).map_or("?", RunTold::name);
            verdict(Standing::Answered, "answered", format!("workflow `{by}` replied, {how}{twice}"))
        }
    }
}
