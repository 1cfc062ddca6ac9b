//! `try <channel> parse`: the channel's plugin reads a webhook in the box; its events come back in their flat form.

use std::path::PathBuf;

use pointsman_core::event::v1::to_v1;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{ChannelAdapter as _, Webhook};
use serde_json::{Value, json};

use super::case::{self, Case, Pairs, Request};
use super::rig::{Rig, WORKSPACE};
use super::unusable;

/// Example: `pointsman plugin try whatsapp parse --account 1122334455667 --body payloads/text.json`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account whose webhook it is: its id, or JSON with id and config.
    #[arg(long, value_name = "ID|JSON")]
    account: Option<String>,
    /// The account's settings as JSON, where --account is a bare id.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// The headers: a JSON object, or lines `Name: value`. The plugin sees those that its manifest lists.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// The raw body; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
}

impl Args {
    pub(super) fn case(&self) -> Result<Case, Failure> {
        let headers = match &self.headers {
            Some(file) => {
                let text = case::string("headers", file)?;
                let structured = text.trim_start().starts_with(['{', '[']);
                let pairs = if structured { serde_json::from_str(&text) } else { Ok(Pairs::Text(text)) };
                Some(pairs.map_err(|e| unusable("headers", format!("{}: {e}", file.display())))?)
            }
            None => None,
        };
        let bytes = self.body.as_ref().map(|file| case::bytes("body", file)).transpose()?;
        Ok(Case {
            account: case::account_option(self.account.as_ref())?,
            config: case::option("config", self.config.as_ref())?,
            request: Some(Request { headers, bytes, ..Request::default() }),
            ..Case::default()
        })
    }
}

/// `{"events"}`, and the `answer` that the provider expects, where the plugin has one.
pub(super) fn answer(rig: &Rig, case: &Case) -> Result<Value, Failure> {
    let manifest = &rig.manifest;
    let account = case.account()?;
    let request = case.request.clone().unwrap_or_default();
    let body = request.body()?.ok_or_else(|| unusable("body", "name the body to read: --body FILE, or `body` in the line"))?;
    let listed = manifest.webhook.as_ref().map(|hook| hook.headers.as_slice()).unwrap_or_default();
    let seen = |(name, _): &(String, String)| listed.iter().any(|known| known.eq_ignore_ascii_case(name));
    let webhook = Webhook {
        method: request.method()?,
        path: request.path.as_deref().and_then(|path| path.split('?').next()).unwrap_or_default().to_owned(),
        query: request.query()?,
        headers: request.headers()?.into_iter().filter(seen).collect(),
        body: body.into(),
        received: case.now(),
    };
    let (sandbox, loaded) = rig.code()?;
    let reception = rig.wait(sandbox.parse(WORKSPACE, &loaded.id, &webhook, &account))?.map_err(|why| {
        Failure::new(
            Class::Permanent,
            "webhook.unreadable",
            format!("{} says that these bytes are not its provider's: {why}", manifest.id),
        )
    })?;
    let events: Vec<Value> = reception.events.iter().map(|event| to_v1(event, manifest.short_name(), &account.id)).collect();
    let mut told = json!({ "events": events });
    if let (Some(answer), Some(told)) = (reception.answer, told.as_object_mut()) {
        let body = String::from_utf8_lossy(&answer.body);
        told.insert("answer".to_owned(), json!({ "status": answer.status, "headers": answer.headers, "body": body }));
    }
    Ok(told)
}
