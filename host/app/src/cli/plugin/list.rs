//! `pointsman plugin list`: what ships with the host, and what each of it may do, in words for an operator.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_manifest::{EffectKind, Manifest, ModelCall, StateScope};
use serde_json::{Value, json};

use super::{Context, say};
use crate::bundled;

pub(super) fn run(context: &Context) -> Result<ExitCode> {
    let plugins: Vec<Manifest> = bundled::all()?.into_iter().map(|(manifest, _)| manifest).collect();
    if context.json {
        let list: Vec<Value> = plugins
            .iter()
            .map(|m| {
                let kind = m.kind().to_string();
                json!({ "id": m.id, "version": m.version, "kind": kind, "summary": m.summary, "capabilities": capabilities(m) })
            })
            .collect();
        say(&Value::Array(list).to_string());
    } else {
        for m in &plugins {
            say(&format!("{} {}  {}  {}", m.id, m.version, m.kind(), m.summary));
            for sentence in capabilities(m) {
                say(&format!("    {sentence}"));
            }
        }
    }
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

fn effect(kind: &EffectKind) -> &'static str {
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

fn scope(scope: &StateScope) -> &'static str {
    match scope {
        StateScope::Conversation => "the conversation",
        StateScope::Contact => "the contact",
        StateScope::Workspace => "the workspace",
    }
}

fn call(call: &ModelCall) -> &'static str {
    match call {
        ModelCall::Chat => "chat",
        ModelCall::Embed => "embed",
    }
}
