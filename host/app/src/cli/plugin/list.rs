//! `pointsman plugin list`: what ships with the host and what was added to it, and what each of it may do, in words for an
//! operator.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::permission::asks;
use pointsman_manifest::{EffectKind, Manifest, ModelCall, StateScope};
use pointsman_store::PackageState;
use serde_json::{Value, json};

use super::Context;
use crate::packages::state;
use crate::{bundled, wiring};

pub(super) fn run(context: &Context) -> Result<ExitCode> {
    let config = context.config()?;
    let (packages, decisions) = wiring::block_on(async {
        let Some(store) = wiring::store_if_any(&config).await? else { return Ok((Vec::new(), HashMap::new())) };
        let mut packages = store.packages().await?;
        packages.retain(|package| package.state != PackageState::Gone);
        let mut decisions = HashMap::new();
        for package in &packages {
            decisions.insert(package.id.clone(), store.plugin_decisions(&package.id).await?);
        }
        store.close().await?;
        Ok((packages, decisions))
    })?;
    let (mut shown, mut lines) = (Vec::new(), Vec::new());
    for (m, _) in bundled::all()? {
        let kind = m.kind().to_string();
        lines.push(format!("{} {}  {kind}  {}", m.id, m.version, m.summary));
        lines.extend(capabilities(&m).into_iter().map(|sentence| format!("    {sentence}")));
        shown.push(json!({
            "id": m.id, "version": m.version, "kind": kind, "summary": m.summary, "capabilities": capabilities(&m), "origin": "host",
        }));
    }
    for package in &packages {
        let m = Manifest::parse(&package.manifest)?;
        let decided = decisions.get(&package.id).map(Vec::as_slice).unwrap_or_default();
        let permissions: Vec<_> = asks(&m).iter().map(|ask| (ask.to_string(), state(ask, decided))).collect();
        let stands = match package.state {
            PackageState::Waiting => "waits for a decision",
            PackageState::Serves => "serves",
            PackageState::Superseded | PackageState::Gone => "served before",
        };
        let short = package.digest.get(..12).unwrap_or(&package.digest);
        let signed = package.publisher.as_deref().unwrap_or("nobody");
        lines.push(format!("{} {}  {}  {}", m.id, m.version, m.kind(), m.summary));
        lines.push(format!("    package {short} {stands}, signed by {signed}"));
        lines.extend(permissions.iter().map(|(name, state)| format!("    {name}: {state}")));
        shown.push(json!({
            "id": m.id, "version": m.version, "kind": m.kind().to_string(), "summary": m.summary, "capabilities": capabilities(&m),
            "origin": "package", "state": package.state, "digest": package.digest, "publisher": package.publisher,
            "permissions": permissions.iter().map(|(name, state)| json!({ "permission": name, "state": state })).collect::<Vec<_>>(),
        }));
    }
    context.answer(&Value::Array(shown), || lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// One sentence for each thing that a plugin asks for, with its reason.
pub(super) fn capabilities(manifest: &Manifest) -> Vec<String> {
    let asks = &manifest.capabilities;
    let mut all = Vec::new();
    if let Some(act) = &asks.act {
        let what = act.effects.as_ref().map_or_else(
            || "reply, tag, note, assign and set attributes".to_owned(),
            |some| some.iter().map(effect).collect::<Vec<_>>().join(", "),
        );
        all.push(format!("may {what} in its own conversation: {}", act.why));
    }
    if let Some(conversation) = &asks.conversation {
        all.push(format!("reads its own conversation: {}", conversation.why));
    }
    if let Some(state) = &asks.state {
        let whose: Vec<&str> = state.scopes().iter().map(scope).collect();
        all.push(format!("remembers things of {}: {}", whose.join(", "), state.why));
    }
    for site in &asks.http {
        let with = site.credential.as_ref().map_or_else(String::new, |slot| format!(" with the secret `{slot}`"));
        all.push(format!("calls {}{with}: {}", site.host, site.why));
    }
    if let Some(model) = &asks.model {
        let calls = model
            .calls
            .as_ref()
            .map_or_else(|| "chat, embed".to_owned(), |calls| calls.iter().map(call).collect::<Vec<_>>().join(", "));
        all.push(format!("asks a language model ({calls}): {}", model.why));
    }
    if let Some(knowledge) = &asks.knowledge {
        all.push(format!("searches knowledge bases: {}", knowledge.why));
    }
    for slot in &manifest.credentials {
        let where_to = if slot.hosts.is_empty() {
            "stays in the host".to_owned()
        } else {
            format!("goes to {} alone", slot.hosts.join(", "))
        };
        all.push(format!("names the secret `{}`, which {where_to}: {}", slot.slot, slot.why));
    }
    if all.is_empty() {
        all.push("asks for nothing: it works out its output from its input".to_owned());
    }
    all
}

pub(super) fn effect(kind: &EffectKind) -> &'static str {
    match kind {
        EffectKind::Reply => "reply",
        EffectKind::Template => "send templates",
        EffectKind::Draft => "draft",
        EffectKind::Tag => "tag",
        EffectKind::Untag => "untag",
        EffectKind::Note => "note",
        EffectKind::Assign => "assign",
        EffectKind::Set => "set attributes",
        EffectKind::Emit => "raise events",
    }
}

pub(super) fn scope(scope: &StateScope) -> &'static str {
    match scope {
        StateScope::Conversation => "the conversation",
        StateScope::Contact => "the contact",
        StateScope::Workspace => "the workspace",
    }
}

pub(super) fn call(call: &ModelCall) -> &'static str {
    match call {
        ModelCall::Chat => "chat",
        ModelCall::Embed => "embed",
    }
}
