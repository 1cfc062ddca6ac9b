//! `knowledge embed`: who makes the vectors of a base, and those that are missing.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_engine::knowledge::Filled;
use pointsman_store::Store;
use serde_json::{Value, json};

use super::{ACTOR, coded, existing};
use crate::cli::Context;
use crate::config::Config;
use crate::wiring::{self, FIRST_WORKSPACE};

pub(super) async fn run(
    context: &Context,
    config: &Config,
    store: &Store,
    name: &str,
    model: Option<&str>,
    none: bool,
) -> Result<ExitCode> {
    let base = existing(store, name).await?;
    if none {
        store.set_knowledge_embed(FIRST_WORKSPACE, ACTOR, base.id, None).await?;
        context.answer(&json!({ "base": name, "model": Value::Null }), || format!("{name} is searched by words alone"));
        return Ok(ExitCode::SUCCESS);
    }
    let Some(model) = model.map(str::to_owned).or_else(|| base.embed.clone()) else {
        bail!("missing: --model NAME, one that `pointsman model list` names");
    };
    if base.embed.as_deref() != Some(model.as_str()) {
        let known = store.models(FIRST_WORKSPACE).await?;
        if !known.iter().any(|row| row.name == model && row.settings.get("embed").is_some_and(Value::is_string)) {
            bail!("knowledge.model: no connection `{model}` makes vectors; `pointsman model list` names those that do");
        }
        store.set_knowledge_embed(FIRST_WORKSPACE, ACTOR, base.id, Some(&model)).await?;
    }
    let filled = wiring::library(config, store).await?.fill(FIRST_WORKSPACE, ACTOR, &existing(store, name).await?).await;
    let filled = filled.map_err(|e| coded(&e))?;
    let mut shown = shown(&filled);
    if let Some(shown) = shown.as_object_mut() {
        shown.extend([("base".to_owned(), json!(name)), ("model".to_owned(), json!(model))]);
    }
    context.answer(&shown, || told(name, &filled));
    Ok(ExitCode::from(u8::from(!filled.without.is_empty())))
}

/// `{"made", "kept", "without": [{"code", "message"}]}`
pub(super) fn shown(filled: &Filled) -> Value {
    let without: Vec<Value> = filled.without.iter().map(|f| json!({ "code": f.code, "message": f.message })).collect();
    json!({ "made": filled.made, "kept": filled.kept, "without": without })
}

/// The same in a sentence, and one for each reason.
pub(super) fn told(name: &str, filled: &Filled) -> String {
    let mut lines = vec![format!("{name}: {} vectors made, {} kept", filled.made, filled.kept)];
    lines.extend(filled.without.iter().map(|failure| format!("{}: {}", failure.code, failure.message)));
    lines.join("\n")
}
