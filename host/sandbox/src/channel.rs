//! Channel plugins: webhooks into events, jobs into requests. They import nothing but the log and do no IO, so a call is as
//! quick as the plugin is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pointsman_core::failure::Failure;
use pointsman_core::id::WorkspaceId;
use pointsman_core::limits::Limits;
use pointsman_core::ports::{Account, ChannelAdapter, HttpResponse, Job, Reception, Turn, Usage, Webhook};
use tokio::time::Instant;
use wasmtime::Engine;

use crate::ctx::Leg;
use crate::drive::Crowd;
use crate::instance::{self, Guest, Instance};
use crate::json::Unfit;
use crate::limit;
use crate::loader::Plugin;
use crate::own_time::Within;
use crate::pool::Key;
use crate::world::convert::{ForGuest, IntoCore as _};
use crate::world::{adapter, types};
use crate::{Sandbox, Trust};

/// A question to a channel plugin.
enum Ask {
    Parse(adapter::Webhook, adapter::Account),
    Begin(adapter::Job),
    Advance(adapter::Job, String, types::HttpResponse),
}

/// Its answer.
enum Told {
    Parsed(Result<Reception, String>),
    Turn(Turn),
}

#[async_trait]
impl ChannelAdapter for Sandbox {
    async fn parse(
        &self,
        workspace: WorkspaceId,
        plugin: &str,
        webhook: &Webhook,
        account: &Account,
    ) -> Result<Result<Reception, String>, Failure> {
        // A body of many events grows when it becomes one: each event has its frame beside its words.
        let copy = (8 * webhook.body.len()).saturating_add(self.inner.limits.copy);
        match self.ask(workspace, plugin, Ask::Parse(webhook.for_guest(), account.for_guest()), copy, webhook.received).await? {
            Told::Parsed(parsed) => Ok(parsed),
            Told::Turn(_) => Err(instance::wrong_kind(plugin)),
        }
    }

    async fn begin(&self, workspace: WorkspaceId, plugin: &str, job: &Job) -> Result<Turn, Failure> {
        let copy = 2 * self.inner.limits.copy;
        self.turn(workspace, plugin, Ask::Begin(job.for_guest()), copy, job.at).await
    }

    async fn advance(
        &self,
        workspace: WorkspaceId,
        plugin: &str,
        job: &Job,
        state: &str,
        response: HttpResponse,
    ) -> Result<Turn, Failure> {
        let copy = 2 * self.inner.limits.copy;
        let ask = Ask::Advance(job.for_guest(), state.to_owned(), response.into());
        self.turn(workspace, plugin, ask, copy, job.at).await
    }
}

impl Sandbox {
    async fn turn(&self, workspace: WorkspaceId, plugin: &str, ask: Ask, copy: usize, at: i64) -> Result<Turn, Failure> {
        match self.ask(workspace, plugin, ask, copy, at).await? {
            Told::Turn(turn) => Ok(turn),
            Told::Parsed(_) => Err(instance::wrong_kind(plugin)),
        }
    }

    async fn ask(&self, workspace: WorkspaceId, id: &str, ask: Ask, copy: usize, at: i64) -> Result<Told, Failure> {
        let plugin = self.inner.known.read().channels.get(id).cloned().ok_or_else(|| {
            Failure::bug(
                "plugin.unknown",
                format!("the channel plugin {id} is not installed; add it with `pointsman plugin add`"),
            )
        })?;
        let place = self.place().await?;
        let key = Key { workspace, plugin: plugin.number, script: None };
        let warm = if plugin.trust == Trust::Bundled { self.inner.pool.take(&key) } else { None };
        let leg = Leg::new(Arc::clone(&plugin.manifest), self.inner.limits, None, at, 0);
        let engine = self.inner.loader.engine.clone();
        let since = Instant::now();
        let ended = self.inner.guests.drive(Crowd::Channels(workspace), !self.was_slow(&key), async move {
            let limits = leg.limits;
            let wall = Duration::from_millis(u64::try_from(limits.wall).unwrap_or(0));
            let mut usage = Usage::default();
            let (ended, busy) = Within::new(wall, answer((&engine, since), &plugin, warm, (leg, &mut usage), ask, copy)).await;
            drop(place);
            usage.cpu_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
            let (told, kept) = ended.unwrap_or_else(|| (Err(limit::wall(&plugin.manifest.id, &limits)), None));
            (told, kept, usage)
        });
        let (told, kept, usage) = ended.await?;
        self.note_pace(&key, &usage);
        if let Some(meter) = &self.inner.meter {
            meter.used(workspace, id, usage, told.as_ref().err());
        }
        if let Some(guest) = kept {
            self.inner.pool.put(key, guest);
        }
        told
    }
}

/// One call; gives back the guest if it may serve again.
async fn answer(
    (engine, since): (&Engine, Instant),
    plugin: &Plugin,
    warm: Option<Instance>,
    (leg, usage): (Leg, &mut Usage),
    ask: Ask,
    copy: usize,
) -> (Result<Told, Failure>, Option<Instance>) {
    let limits = leg.limits;
    let id = plugin.manifest.id.as_str();
    let mut guest = match warm {
        Some(mut guest) => {
            guest.begin(leg);
            guest
        }
        None => match Instance::start(instance::store(engine, leg), plugin).await {
            Ok(guest) => guest,
            Err((store, error)) => {
                *usage = instance::usage(&store, since);
                return (Err(limit::explain(&error, id, &limits)), None);
            }
        },
    };
    guest.store.set_hostcall_fuel(copy);
    let told = told(&mut guest, ask, id, &Limits { copy, ..limits }).await;
    *usage = instance::usage(&guest.store, since);
    for line in guest.store.data_mut().leg.log.take() {
        // A plugin's lines may hold words of people: they are for whoever looks for a mistake, and never above debug.
        tracing::debug!(target: "plugin", plugin = id, level = line.level, "{}", line.text);
    }
    let keep = told.is_ok() && plugin.trust == Trust::Bundled && guest.fit_to_keep();
    if keep {
        guest.rest(&plugin.manifest);
    }
    (told, keep.then_some(guest))
}

async fn told(guest: &mut Instance, ask: Ask, id: &str, limits: &Limits) -> Result<Told, Failure> {
    let Guest::Channel(channel) = &guest.guest else { return Err(instance::wrong_kind(id)) };
    let adapter = channel.pointsman_plugin_adapter();
    let store = &mut guest.store;
    let ended = |e: wasmtime::Error| limit::explain(&e, id, limits);
    let unfit = |why: Unfit| Failure::bug("plugin.output", format!("an answer of {id} is not as the contract says: {why}"));
    match ask {
        Ask::Parse(webhook, account) => match adapter.call_parse(store, &webhook, &account).await.map_err(ended)? {
            Ok(reception) => Ok(Told::Parsed(Ok(reception.into_core().map_err(unfit)?))),
            Err(why) => Ok(Told::Parsed(Err(why.chars().filter(|c| !c.is_control()).take(500).collect()))),
        },
        Ask::Begin(job) => Ok(Told::Turn(adapter.call_begin(store, &job).await.map_err(ended)?.into_core().map_err(unfit)?)),
        Ask::Advance(job, state, response) => {
            let turn = adapter.call_advance(store, &job, &state, &response).await.map_err(ended)?;
            Ok(Told::Turn(turn.into_core().map_err(unfit)?))
        }
    }
}
