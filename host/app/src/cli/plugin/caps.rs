//! `pointsman plugin caps`: what a plugin may do, in plain words, before it is let in or after. What its code can call is read from
//! the component's own list of imports; the manifest gives the reasons.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::failure::Failure;
use pointsman_core::permission::{Decision, Permission, asks};
use pointsman_manifest::{Kind, Manifest};
use pointsman_store::PackageState;
use serde_json::{Value, json};

use super::super::table::table;
use super::list::capabilities;
use super::{Context, report, say};
use crate::{bundled, packages, wiring};

/// A plugin to tell of.
struct Told {
    manifest: Manifest,
    component: Vec<u8>,
    publisher: Option<String>,
    digest: Option<String>,
    /// What was decided; `None` for what is not in a host, or ships with it.
    decisions: Option<Vec<Decision>>,
    stands: &'static str,
}

pub(super) fn run(context: &Context, name: &str) -> Result<ExitCode> {
    let found = if Path::new(name).is_file() { of_file(Path::new(name)) } else { of_host(context, name)? };
    let shown = found.and_then(|found| found.iter().map(shown).collect::<Result<Vec<_>, _>>());
    match shown {
        Ok(shown) if context.json => say(&match shown.as_slice() {
            [(one, _)] => one.to_string(),
            all => Value::Array(all.iter().map(|(json, _)| json.clone()).collect()).to_string(),
        }),
        Ok(shown) => shown.iter().for_each(|(_, text)| say(text)),
        Err(refused) => {
            let error = json!({ "error": refused });
            if context.json {
                say(&error.to_string())
            } else {
                report(&refused.to_string())
            }
            return Ok(ExitCode::from(1));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of_file(file: &Path) -> Result<Vec<Told>, Failure> {
    let package = packages::open(file)?;
    Ok(vec![Told {
        manifest: package.manifest,
        component: package.component,
        publisher: package.key.map(|key| key.to_string()),
        digest: Some(package.digest),
        decisions: None,
        stands: "a package",
    }])
}

/// A plugin that ships with the host, or the packages of one that serve or wait.
fn of_host(context: &Context, name: &str) -> Result<Result<Vec<Told>, Failure>> {
    for (manifest, component) in bundled::all()? {
        if manifest.id == name || manifest.short_name() == name {
            let (component, stands) = (component.to_vec(), "ships with the host");
            return Ok(Ok(vec![Told { manifest, component, publisher: None, digest: None, decisions: None, stands }]));
        }
    }
    let config = context.config()?;
    let found = wiring::block_on(async {
        let Some(store) = wiring::store_if_any(&config).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for row in store.packages().await?.into_iter().filter(|row| row.id == name) {
            let stands = match row.state {
                PackageState::Waiting => "waits for a decision",
                PackageState::Serves => "serves",
                PackageState::Superseded | PackageState::Gone => continue,
            };
            let Some(kept) = store.plugin_component(&row.id, &row.component).await? else { continue };
            found.push(Told {
                manifest: Manifest::parse(&row.manifest)?,
                component: kept.component,
                publisher: row.publisher,
                digest: Some(row.digest),
                decisions: Some(store.plugin_decisions(&row.id).await?),
                stands,
            });
        }
        store.close().await?;
        Ok(found)
    })?;
    if found.is_empty() {
        bail!("plugin.not_installed: there is no file and no plugin `{name}`; `pointsman plugin list` names the plugins");
    }
    Ok(Ok(found))
}

/// For programs and for people.
fn shown(told: &Told) -> Result<(Value, String), Failure> {
    let m = &told.manifest;
    let imports = if m.kind() == Kind::Interpreter { Vec::new() } else { pointsman_sandbox::inspect(m, &told.component)? };
    let used = |interface: &str| imports.iter().any(|import| import.starts_with(&format!("pointsman:plugin/{interface}@")));
    let rows: Vec<[String; 5]> = asks(m)
        .iter()
        .map(|ask| {
            let state = told.decisions.as_ref().map_or("", |decisions| packages::state(ask, decisions));
            let (does, why) = said(ask, m);
            let uses = if used(ask.interface()) { "yes" } else { "no" };
            [ask.to_string(), does, why, uses.to_owned(), state.to_owned()]
        })
        .collect();
    let one = |[name, does, why, uses, state]: &[String; 5]| json!({ "permission": name, "does": does, "why": why, "used": uses == "yes", "state": state });
    let json = json!({
        "id": m.id, "version": m.version, "kind": m.kind(), "summary": m.summary, "publisher": told.publisher, "digest": told.digest,
        "stands": told.stands, "imports": imports, "permissions": rows.iter().map(one).collect::<Vec<_>>(),
    });
    let signed = match (&told.publisher, &told.digest) {
        (Some(key), _) => format!(", signed by {key}"),
        (None, Some(_)) => ", signed by nobody".to_owned(),
        (None, None) => String::new(),
    };
    let mut lines = vec![format!("{} {}  {}  {}", m.id, m.version, m.kind(), m.summary), format!("{}{signed}", told.stands)];
    lines.push(if rows.is_empty() {
        capabilities(m).join("\n")
    } else {
        table(["PERMISSION", "WHAT IT DOES", "WHY, AS IT SAYS", "USED", "STATE"], &rows)
    });
    Ok((json, lines.join("\n")))
}

/// What it does, and the reason that the manifest gives.
fn said(permission: &Permission, manifest: &Manifest) -> (String, String) {
    let of = &manifest.capabilities;
    let site = |wanted: &String| of.http.iter().find(|site| site.host == *wanted).map(|site| &site.why);
    let (does, why) = match permission {
        Permission::Act(effect) => {
            (format!("may {} in its own conversation", super::list::effect(effect)), of.act.as_ref().map(|act| &act.why))
        }
        Permission::Conversation => {
            ("reads its own conversation".to_owned(), of.conversation.as_ref().map(|conversation| &conversation.why))
        }
        Permission::State(scope) => {
            (format!("remembers things of {}", super::list::scope(scope)), of.state.as_ref().map(|state| &state.why))
        }
        Permission::Http { host, path, .. } => (format!("sends requests to {host}, at {path} and below"), site(host)),
        Permission::Secret { slot, host, .. } => (format!("has the secret `{slot}` sent to {host}"), site(host)),
        Permission::Model(call) => {
            (format!("asks a language model ({})", super::list::call(call)), of.model.as_ref().map(|model| &model.why))
        }
        Permission::Knowledge => ("searches knowledge bases".to_owned(), of.knowledge.as_ref().map(|knowledge| &knowledge.why)),
    };
    (does, why.cloned().unwrap_or_default())
}
