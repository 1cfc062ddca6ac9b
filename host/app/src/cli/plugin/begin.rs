//! `try <channel> begin`: an operation becomes a request; with the provider's answers it goes on to its outcome, in the words
//! of `outbound.json`.

use pointsman_broker::StoredCredential;
use pointsman_core::event::v1::to_v1;
use pointsman_core::failure::{Failure, Fault, PluginFailure};
use pointsman_core::ports::{Account, ChannelAdapter as _, Done, HttpRequest, HttpResponse, Job, MAX_TURNS, Turn};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::case::{self, Case, Json, Pairs};
use super::rig::{Rig, WORKSPACE};
use super::{ask, request, unusable};

/// Example: `pointsman plugin try whatsapp begin --account 1122334455667 --operation '{"to":"15550100001","text":"hi"}'`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do, as JSON: an operation of the contract, `{"send":{"text":"hi"}}`, or a plain ask,
    /// `{"to":"15550100001","text":"hi"}`.
    #[arg(long, value_name = "JSON")]
    operation: Option<String>,
    /// The account that does it: its id, or JSON with id and config.
    #[arg(long, value_name = "ID|JSON")]
    account: Option<String>,
    /// The account's settings as JSON, where --account is a bare id.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// The conversation's thread, where the operation does not name it as `to`.
    #[arg(long)]
    to: Option<String>,
    /// The idempotency key.
    #[arg(long)]
    key: Option<String>,
    /// The provider's answer as JSON, `{"status", "headers", "body"}`, or a list of them: tells the outcome.
    #[arg(long, value_name = "JSON")]
    answer: Option<String>,
}

impl Args {
    pub(super) fn case(&self) -> Result<Case, Failure> {
        Ok(Case {
            operation: case::option("operation", self.operation.as_ref())?,
            account: case::account_option(self.account.as_ref())?,
            config: case::option("config", self.config.as_ref())?,
            answer: case::option("answer", self.answer.as_ref())?,
            to: self.to.clone(),
            key: self.key.clone(),
            ..Case::default()
        })
    }
}

/// The request, or the outcome. A request that the broker would not send has `refused` beside it.
pub(super) fn answer(rig: &Rig, case: &Case) -> Result<Value, Failure> {
    let operation = case::value("operation", &case.operation)?
        .ok_or_else(|| unusable("operation", "say what to do: --operation '{\"to\": \"15550100001\", \"text\": \"hi\"}'"))?;
    let asked = ask::read(operation, &rig.manifest)?;
    let job = Job {
        key: case.key.clone().unwrap_or_default(),
        attempt: 1,
        at: case.now(),
        account: case.account()?,
        peer: asked.to.or_else(|| case.to.clone()),
        window_open: true,
        operation: asked.operation,
    };
    let (sandbox, loaded) = rig.code()?;
    let mut turn = rig.wait(sandbox.begin(WORKSPACE, &loaded.id, &job))?;
    for answer in answers(&case.answer)?.into_iter().take(MAX_TURNS) {
        let Turn::Exchange { state, .. } = &turn else { break };
        turn = rig.wait(sandbox.advance(WORKSPACE, &loaded.id, &job, state, answer))?;
    }
    match turn {
        Turn::Exchange { request, .. } => {
            let mut told = request::shown(&request);
            if let (Err(why), Some(told)) = (allowed(rig, &request, &job.account), told.as_object_mut()) {
                told.insert("refused".to_owned(), json!({ "code": why.code, "message": why.message }));
            }
            Ok(told)
        }
        Turn::Done(done) => Ok(outcome(done, rig, &job.account)),
        Turn::Failed(failure) => Ok(failed(&failure)),
    }
}

/// Whether the broker would send it, with a secret in every slot.
fn allowed(rig: &Rig, request: &HttpRequest, account: &Account) -> Result<(), Failure> {
    let api_url = account.config.get("api_url").and_then(Value::as_str);
    let desk = rig.desk(api_url)?;
    let slots = &rig.manifest.credentials;
    let stored = slots.iter().map(|slot| {
        let hosts = slot.pinned_origins(api_url).map_err(|e| Failure::bug(e.code, e.message))?;
        desk.stored(&slot.slot, hosts, "a-secret-of-this-slot")
    });
    let stored: Vec<StoredCredential> = stored.collect::<Result<_, _>>()?;
    rig.wait(desk.broker.check(request, &stored, slots))
}

/// An answer of the provider, as `outbound.json` writes it.
#[derive(Deserialize)]
struct Given {
    #[serde(default = "fine")]
    status: u16,
    #[serde(default)]
    headers: Option<Pairs>,
    #[serde(default)]
    body: Json,
    #[serde(default)]
    raw_body: Option<String>,
    #[serde(default)]
    kept: Option<String>,
}

fn fine() -> u16 {
    200
}

fn answers(raw: &Json) -> Result<Vec<HttpResponse>, Failure> {
    let all: Vec<Given> = match raw.as_deref() {
        None => Vec::new(),
        Some(list) if list.get().starts_with('[') => case::read("answer", list)?,
        Some(one) => vec![case::read("answer", one)?],
    };
    all.into_iter().map(response).collect()
}

fn response(given: Given) -> Result<HttpResponse, Failure> {
    let text = |raw: &RawValue| -> Result<Vec<u8>, Failure> {
        if raw.get().starts_with('"') {
            Ok(case::read::<String>("answer", raw)?.into_bytes())
        } else {
            Ok(raw.get().as_bytes().to_vec())
        }
    };
    let body = match (&given.raw_body, given.body.as_deref()) {
        (Some(body), _) => body.clone().into_bytes(),
        (None, Some(raw)) => text(raw)?,
        (None, None) => Vec::new(),
    };
    Ok(HttpResponse { status: given.status, headers: case::headers(given.headers.as_ref())?, body, kept: given.kept })
}

/// What a job gave.
fn outcome(done: Done, rig: &Rig, account: &Account) -> Value {
    match done {
        Done::Nothing => json!({ "outcome": "ok" }),
        Done::Created(ids) if ids.len() > 1 => json!({ "outcome": "ok", "id": ids.first(), "ids": ids }),
        Done::Created(ids) => json!({ "outcome": "ok", "id": ids.first() }),
        Done::Profile(person) => json!({ "outcome": "ok", "profile": person }),
        Done::Media { blob, mime_type, file_name } => {
            json!({ "outcome": "ok", "media": { "blob": blob, "mime_type": mime_type, "file_name": file_name } })
        }
        Done::Page { events, cursor, more } => {
            let events: Vec<Value> = events.iter().map(|e| to_v1(e, rig.manifest.short_name(), &account.id)).collect();
            json!({ "outcome": "ok", "events": events, "cursor": cursor, "more": more })
        }
        Done::Other(output) => json!({ "outcome": "ok", "output": output }),
    }
}

/// One word for what is to be done about it, the provider's own code, and the seconds to wait where it tells them.
fn failed(failure: &PluginFailure) -> Value {
    let word = match failure.fault {
        Fault::Retryable | Fault::RateLimited => "retry",
        Fault::Unauthorized | Fault::Revoked => "auth",
        Fault::WindowClosed => "window_closed",
        Fault::Unreachable => "unreachable",
        Fault::Rejected | Fault::Unsupported | Fault::Malformed => "rejected",
        Fault::Unknown => "unknown",
    };
    let mut told = json!({ "outcome": word, "fault": failure.fault.word(), "code": failure.code, "message": failure.message });
    if let (Some(ms), Some(told)) = (failure.retry_after, told.as_object_mut()) {
        #[expect(clippy::cast_precision_loss, reason = "seconds to wait have few digits")]
        let seconds = if ms % 1000 == 0 { json!(ms / 1000) } else { json!(ms as f64 / 1000.0) };
        told.insert("after_s".to_owned(), seconds);
    }
    told
}
