//! `try <channel> verify`: the broker's own check of a signature, with secrets that are given here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pointsman_broker::StoredCredential;
use pointsman_core::failure::Failure;
use pointsman_core::ports::Method;
use serde_json::{Value, json};

use super::case::{self, Case, Json, Request};
use super::rig::Rig;
use super::unusable;

/// Example: `pointsman plugin try whatsapp verify --secrets '{"app_secret":"s3cr3t"}' --request request.json`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// JSON: the secrets by the slots of the manifest. Those of a test: others can see the arguments of a process.
    #[arg(long, value_name = "JSON")]
    secrets: Option<String>,
    /// JSON: method, url or path, query, headers, and body or body_base64; or a case of a channel's vectors.json.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
}

impl Args {
    pub(super) fn case(&self) -> Result<Case, Failure> {
        let request = match &self.request {
            Some(file) => {
                let text = case::string("request", file)?;
                let request: Result<Request, _> = serde_json::from_str(&text);
                Some(request.map_err(|e| unusable("request", format!("{} is no request: {e}", file.display())))?)
            }
            None => None,
        };
        Ok(Case { secrets: case::option("secrets", self.secrets.as_ref())?, request, ..Case::default() })
    }
}

/// `{"valid"}`; for a handshake with the `answer` that the provider gets.
pub(super) fn answer(rig: &Rig, case: &Case) -> Result<Value, Failure> {
    let manifest = &rig.manifest;
    let hook = manifest.webhook.as_ref().ok_or_else(|| {
        Failure::bug("plugin.no_webhook", format!("the manifest of {} has no [webhook]; add one with `verify`", manifest.id))
    })?;
    let request = case
        .request
        .as_ref()
        .ok_or_else(|| unusable("request", "name the request to verify: --request FILE with method, headers and body as JSON"))?;
    let desk = rig.desk(None)?;
    let secrets = Secrets::read(rig, case, request)?;
    let stored = |slot: &str| -> Result<Option<StoredCredential>, Failure> {
        secrets.0.get(slot).map(|secret| desk.stored(slot, Vec::new(), secret)).transpose()
    };
    if request.method()? == Method::Get {
        let asked = match &hook.handshake {
            Some(handshake) => {
                let (token, query) = (stored(&handshake.token)?, request.query()?);
                rig.wait(desk.broker.handshake(handshake, token.as_ref(), &query))?
            }
            None => None,
        };
        // What is no handshake gets what a stranger gets.
        let (status, body) = asked.unwrap_or((403, String::new()));
        return Ok(json!({ "valid": status == 200, "answer": { "status": status, "body": body } }));
    }
    let body = request.body()?.unwrap_or_default();
    let (secret, headers) = (stored(&hook.verify.secret)?, request.headers()?);
    let valid = rig.wait(desk.broker.verify(&hook.verify, secret.as_ref(), &headers, &body))?;
    Ok(json!({ "valid": valid }))
}

/// Secrets by slot. One that is not given verifies nothing, as in a host.
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// What the case says wins over what its vector says, and that over the options that stand behind a line.
    fn read(rig: &Rig, case: &Case, request: &Request) -> Result<Self, Failure> {
        let hook = rig.manifest.webhook.as_ref();
        let verifying = hook.map(|h| h.verify.secret.as_str());
        let token = hook.and_then(|h| h.handshake.as_ref()).map(|h| h.token.as_str());
        let mut all = BTreeMap::new();
        let mut take = |given: &Json| -> Result<(), Failure> {
            let Some(raw) = given.as_deref() else { return Ok(()) };
            for (slot, secret) in case::read::<BTreeMap<String, String>>("secrets", raw)? {
                // A vector calls it by what it does.
                let slot = if slot == "secret" { verifying.unwrap_or_default().to_owned() } else { slot };
                if rig.manifest.credentials.iter().all(|known| known.slot != slot) {
                    let known: Vec<&str> = rig.manifest.credentials.iter().map(|c| c.slot.as_str()).collect();
                    return Err(unusable(
                        "secrets",
                        format!("{} has no slot `{slot}`; its slots are {}", rig.manifest.id, known.join(", ")),
                    ));
                }
                all.insert(slot, secret);
            }
            Ok(())
        };
        take(&case.other_secrets)?;
        let vector = [(verifying, &request.secret), (token, &request.verify_token)];
        let vector: BTreeMap<&str, &str> =
            vector.into_iter().filter_map(|(slot, secret)| Some((slot?, secret.as_deref()?))).collect();
        take(&serde_json::value::to_raw_value(&vector).ok())?;
        take(&case.secrets)?;
        Ok(Self(all))
    }
}
