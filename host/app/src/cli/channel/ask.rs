//! `pointsman channel check|subscribe`: a question to an account's provider, asked through the channel's plugin and the
//! broker like everything that leaves.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use pointsman_core::clock::SystemClock;
use pointsman_core::failure::Failure;
use pointsman_core::ports::{Done, Operation};
use pointsman_engine::Engine;
use pointsman_engine::catalog::Channel;
use pointsman_engine::channels::channel;
use pointsman_engine::points::Points;
use pointsman_store::ChannelRow;
use serde_json::{Value, json};

use super::{Context, stored};
use crate::config::Config;
use crate::wiring;

/// The parts of a host, of which nothing moves: enough to ask a provider something.
pub(super) async fn engine(config: &Config) -> Result<Engine> {
    Ok(Engine::new(wiring::parts(config, Arc::new(SystemClock), Points::default()).await?))
}

/// A stored channel with its plugin.
pub(super) fn ready(engine: &Engine, row: ChannelRow) -> Result<Channel> {
    let plugin = engine.catalog.plugin(&row.plugin).with_context(|| format!("the plugin {} is not installed", row.plugin))?;
    Ok(channel(row, plugin))
}

pub(super) fn check(context: &Context, id: &str) -> Result<ExitCode> {
    let done = asked(context, id, |_| Operation::Check)?;
    Ok(tell(
        context,
        done.map(|done| match done {
            Done::Profile(who) => {
                let name = who.name.clone().unwrap_or_default();
                (json!({ "ok": true, "account": who.id, "name": who.name }), format!("the token is good: {name} ({})", who.id))
            }
            _ => (json!({ "ok": true }), "the token is good".to_owned()),
        }),
    ))
}

pub(super) fn subscribe(context: &Context, id: &str) -> Result<ExitCode> {
    let config = context.config()?;
    let hook = |row: &ChannelRow| config.http.hook_url(&row.id.to_string());
    let done = asked(context, id, |row| Operation::Subscribe(hook(row)))?;
    Ok(tell(context, done.map(|_| (json!({ "ok": true }), "the provider delivers to this host".to_owned()))))
}

fn asked(context: &Context, id: &str, operation: impl FnOnce(&ChannelRow) -> Operation) -> Result<Result<Done, Failure>> {
    let config = context.config()?;
    wiring::block_on(async {
        let engine = engine(&config).await?;
        let row = stored(engine.store(), id).await?;
        let operation = operation(&row);
        let done = engine.ask(&ready(&engine, row)?, operation).await;
        engine.store().close().await?;
        Ok(done)
    })
}

/// Prints what came of it; the exit code says whether it was good.
fn tell(context: &Context, came: Result<(Value, String), Failure>) -> ExitCode {
    match came {
        Ok((json, text)) => {
            context.answer(&json, || text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            context.answer(&json!({ "ok": false, "error": why }), || format!("{}: {}", why.code, why.message));
            ExitCode::from(1)
        }
    }
}
