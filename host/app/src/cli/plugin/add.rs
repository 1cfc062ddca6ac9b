//! `pointsman plugin add|grant|revoke|rollback|remove`: an operator takes in a plugin that somebody else made, says what it may
//! do, and goes back. Nothing is asked at a plugin's first use: what nobody decided about waits here.
//!
//! Exit codes: 0 done, 1 refused, 2 cannot do it, 3 it waits for a decision.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::failure::Failure;
use pointsman_core::permission::{Permission, asks_in};
use pointsman_sandbox::{Sandbox, SandboxConfig};
use pointsman_store::{PackageState, Standing, Store, Will, WorkspaceRow};
use serde_json::json;

use super::super::table::table;
use super::Context;
use super::secret::missing;
use crate::config::compiler;
use crate::packages::{self, Terms, state};
use crate::wiring::{self, FIRST_WORKSPACE};

/// The exit code of what waits.
const WAITS: u8 = 3;

/// The word for every permission.
const ALL: &str = "all";

/// Example: `pointsman plugin add shout-1.0.0.plugin --grant act:reply --refuse all`
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The package. It is read from this file alone; nothing is asked of any network.
    file: PathBuf,
    /// Grant this permission, as `plugin caps` names it; `all` for everything that it asks for. May be repeated.
    #[arg(long, value_name = "PERMISSION")]
    grant: Vec<String>,
    /// Refuse this permission; `all` for everything that is not granted. May be repeated.
    #[arg(long, value_name = "PERMISSION")]
    refuse: Vec<String>,
    /// Take it though nobody signed it.
    #[arg(long)]
    unsigned: bool,
    /// The publisher's public key as you know it by another way. It takes the place of the key that was known.
    #[arg(long, value_name = "KEY")]
    trust: Option<String>,
}

/// Example: `pointsman plugin grant acme/shout act:reply`
#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// The plugin's whole id, as `plugin list` names it.
    plugin: String,
    /// Permissions, as `plugin caps` names them; or `all`.
    #[arg(required = true)]
    permissions: Vec<String>,
    /// In this workspace alone: it can have less than the whole house, never more.
    #[arg(long)]
    workspace: Option<String>,
}

pub(super) fn add(context: &Context, args: &Add) -> Result<ExitCode> {
    let mut wills = wills(&args.grant, Will::Grant, &Will::GrantAll)?;
    wills.extend(self::wills(&args.refuse, Will::Revoke, &Will::RevokeRest)?);
    let terms = Terms { unsigned: args.unsigned, trust: args.trust.clone(), wills };
    let config = context.config()?;
    let package = packages::open(&args.file);
    with_store(context, async |store| {
        let cache = Some(config.path(&config.sandbox.cache));
        let compiler = Some(compiler(&config.sandbox.compiler));
        let few = SandboxConfig { cache, compiler, threads: 1, places: 2, warm: 2, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(few)?;
        let added = packages::add(store, &sandbox, package, terms).await?;
        told(context, store, added, "serves").await
    })
}

pub(super) fn decide(context: &Context, args: &Decide, granted: bool) -> Result<ExitCode> {
    let id = &args.plugin;
    let (one, all): (fn(Permission) -> Will, _) =
        if granted { (Will::Grant, Will::GrantAll) } else { (Will::Revoke, Will::RevokeAll) };
    let wills = wills(&args.permissions, one, &all)?;
    with_store(context, async |store| {
        let Some(name) = &args.workspace else {
            return told(context, store, store.decide_plugin(FIRST_WORKSPACE, "cli", id, wills).await?, "serves").await;
        };
        let workspace = workspace(store, Some(name.as_str())).await?;
        for will in wills {
            let (Will::Grant(permission) | Will::Revoke(permission)) = will else {
                bail!("plugin.permission: in a workspace each permission is named; `all` is for the whole house");
            };
            if let Err(refused) = store.withhold(workspace.id, "cli", id, permission, !granted).await? {
                return no(context, &refused);
            }
        }
        let word = if granted { "may do again what the house grants it" } else { "may not do this any more" };
        context.answer(&json!({ "id": id, "workspace": workspace.name, "withheld": !granted, "done": true }), || {
            format!("in {} {id} {word}", workspace.name)
        });
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn rollback(context: &Context, id: &str, digest: Option<&str>) -> Result<ExitCode> {
    with_store(context, async |store| {
        told(context, store, store.roll_back_package(FIRST_WORKSPACE, "cli", id, digest).await?, "serves again").await
    })
}

pub(super) fn remove(context: &Context, id: &str) -> Result<ExitCode> {
    with_store(context, async |store| match store.remove_packages(FIRST_WORKSPACE, "cli", id).await? {
        Ok(()) => {
            context.answer(&json!({ "id": id, "removed": true }), || {
                format!("{id} is removed; a run that comes to it is parked with plugin.gone, and its publisher's key stays known")
            });
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => no(context, &refused),
    })
}

fn wills(words: &[String], one: impl Fn(Permission) -> Will, all: &Will) -> Result<Vec<Will>> {
    let read = |word: &String| -> Result<Will> { if word == ALL { Ok(all.clone()) } else { Ok(one(word.parse()?)) } };
    words.iter().map(read).collect()
}

/// A workspace by its name or id; without either the first one.
pub(super) async fn workspace(store: &Store, name: Option<&str>) -> Result<WorkspaceRow> {
    let mut known = store.workspaces().await?;
    let this = |w: &WorkspaceRow| name.map_or(w.id == FIRST_WORKSPACE, |name| w.name == name || w.id.to_string() == name);
    match known.iter().position(this) {
        Some(at) => Ok(known.swap_remove(at)),
        None => {
            let names: Vec<&str> = known.iter().map(|w| w.name.as_str()).collect();
            bail!("workspace.unknown: there is no workspace `{}`; there are: {}", name.unwrap_or("main"), names.join(", "))
        }
    }
}

pub(super) fn with_store(context: &Context, work: impl AsyncFnOnce(&Store) -> Result<ExitCode>) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = work(&store).await;
        store.close().await?;
        done
    })
}

fn no(context: &Context, refused: &Failure) -> Result<ExitCode> {
    context.answer(&json!({ "done": false, "error": refused }), || refused.to_string());
    Ok(ExitCode::from(1))
}

/// Says how a plugin stands: every permission with its state, and what is to be done.
async fn told(context: &Context, store: &Store, acted: Result<Standing, Failure>, word: &str) -> Result<ExitCode> {
    let Standing { package, decisions, undecided, serves } = match acted {
        Ok(standing) => standing,
        Err(refused) => return no(context, &refused),
    };
    let asks = asks_in(&package.manifest)?;
    let rows: Vec<[String; 2]> = asks.iter().map(|ask| [ask.to_string(), state(ask, &decisions).to_owned()]).collect();
    let (id, waits) = (&package.id, package.state == PackageState::Waiting);
    let granted: Vec<Permission> = decisions.iter().filter(|d| d.granted).map(|d| d.permission.clone()).collect();
    let missing = missing(store, &package, &granted).await?;
    let open: Vec<String> = undecided.iter().map(ToString::to_string).collect();
    let shown = json!({
        "done": true, "package": package, "waits": waits, "undecided": open, "serves": serves, "missing_secrets": missing,
        "permissions": rows.iter().map(|[name, state]| json!({ "permission": name, "state": state })).collect::<Vec<_>>(),
    });
    context.answer(&shown, || {
        let head = format!("{id} {} {}", package.version, if waits { "waits" } else { word });
        let mut lines = vec![head];
        if !rows.is_empty() {
            lines.push(table(["PERMISSION", "STATE"], &rows));
        }
        for slot in &missing {
            lines.push(format!("No secret stands in its slot `{slot}` yet.\n  pointsman plugin secret {id} {slot}"));
        }
        lines.push(if waits {
            let open = open.join(" ");
            let until = serves.map_or("no workflow can use it yet".to_owned(), |version| format!("{version} still serves"));
            format!(
                "It asks for what nobody has decided; {until}.\n  pointsman plugin grant {id} {open}\n  \
                 pointsman plugin revoke {id} {open}"
            )
        } else {
            "A running host takes it over within a second.".to_owned()
        });
        lines.join("\n")
    });
    Ok(if waits { ExitCode::from(WAITS) } else { ExitCode::SUCCESS })
}
