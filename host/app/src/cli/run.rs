//! `pointsman run`: runs and their steps, from the journal; and what a person does about one of them.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::effect::Effect;
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::limits::Limits;
use pointsman_core::ports::Usage;
use pointsman_core::run::Wake;
use pointsman_store::{RunFilter, RunRow, Store};
use serde_json::Value;

use super::Context;
use super::table::table;
use crate::versions::{Version, Versions};
use crate::why;
use crate::why::telling::effect;
use crate::wiring::FIRST_WORKSPACE;
use crate::words::moment;
use crate::{house, wiring};

mod again;
mod start;

/// Characters of an input or output that are shown on a line.
const SHOWN: usize = 400;

/// Example: `pointsman run show 123456789 --steps`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists runs, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// In this state only: queued, running, waiting, done, failed, cancelled.
        #[arg(long, value_parser = state)]
        state: Option<RunState>,
        /// Of this conversation only.
        #[arg(long)]
        conversation: Option<Id>,
        /// Of the workflow of this name only.
        #[arg(long)]
        workflow: Option<String>,
    },
    /// Starts a workflow whose `on` has `manual`.
    Start {
        /// The workflow.
        workflow: String,
        /// In this conversation; absent: outside of any.
        #[arg(long)]
        conversation: Option<Id>,
        /// What it is given, as `event.data`.
        #[arg(long, value_name = "JSON")]
        with: Option<String>,
    },
    /// Ends a run that waits.
    Cancel {
        /// Its id.
        id: Id,
        /// Why: for the journal.
        #[arg(long)]
        reason: String,
    },
    /// Has a run go on now: one that waits as though its time had come, one that failed at the step at which it failed.
    Resume {
        /// Its id.
        id: Id,
    },
    /// Has a failed run go on at the step at which it failed.
    Retry {
        /// Its id.
        id: Id,
        /// From here on with this version of a plugin: PLUGIN@DIGEST, or PLUGIN for the one that this host brings.
        #[arg(long, value_name = "PLUGIN@DIGEST")]
        with: Vec<String>,
    },
    /// Shows one run.
    Show {
        /// Its id.
        id: Id,
        /// With every step's input, output, effects, time and use of its limits.
        #[arg(long)]
        steps: bool,
    },
}

fn state(word: &str) -> Result<RunState, String> {
    serde_json::from_value(Value::from(word)).map_err(|_| "one of queued, running, waiting, done, failed, cancelled".to_owned())
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::List { limit, state, conversation, workflow } => {
                let filter = RunFilter { state: *state, conversation: *conversation, ..RunFilter::default() };
                list(context, &store, filter, workflow.as_deref(), *limit).await
            }
            Verb::Show { id, steps } => show(context, &store, *id, *steps).await,
            Verb::Cancel { id, reason } => cancel(context, &store, *id, reason).await,
            Verb::Start { workflow, conversation, with } => {
                let started = start::start(context, &store, workflow, *conversation, with.as_deref()).await;
                return closed(&store, started).await;
            }
            Verb::Resume { id } => return closed(&store, again::resume(context, &store, *id).await).await,
            Verb::Retry { id, with } => return closed(&store, again::retry(context, &store, *id, with).await).await,
        };
        closed(&store, done.map(|()| ExitCode::SUCCESS)).await
    })
}

async fn closed<T>(store: &Store, done: Result<T>) -> Result<T> {
    store.close().await?;
    done
}

async fn cancel(context: &Context, store: &Store, id: Id, reason: &str) -> Result<()> {
    let wake = Wake::Cancelled { by: "cli".to_owned(), reason: reason.to_owned() };
    match store.tell_run(FIRST_WORKSPACE, id, "", "cli", "run.cancel", wake).await? {
        Ok(()) => context.answer(&serde_json::json!({ "run": id, "done": true }), || format!("run {id} is being ended")),
        Err(refused) => bail!("{refused}"),
    }
    Ok(())
}

async fn list(context: &Context, store: &Store, filter: RunFilter, workflow: Option<&str>, limit: usize) -> Result<()> {
    let runs = match workflow {
        Some(name) => store.runs_of_workflow(FIRST_WORKSPACE, name, filter, limit).await?,
        None => store.runs(FIRST_WORKSPACE, filter, limit).await?,
    };
    let mut versions = Versions::new(store).await?;
    let (mut shown, mut rows) = (Vec::new(), Vec::new());
    for run in &runs {
        let version = versions.of(store, FIRST_WORKSPACE, &run.workflow).await?;
        let name = version.as_ref().map(|v| v.name.as_str());
        shown.push(house::run_json(run, name));
        rows.push([
            run.id.to_string(),
            moment(run.id.made_at()),
            word(run.state),
            name.unwrap_or("?").to_owned(),
            run.conversation.as_ref().map_or_else(String::new, |c| c.id.to_string()),
            stands(run),
        ]);
    }
    context.answer(&Value::Array(shown), || {
        if rows.is_empty() {
            return "there are no such runs".to_owned();
        }
        table(["ID", "BEGAN", "STATE", "WORKFLOW", "CONVERSATION", "WHY"], &rows)
    });
    Ok(())
}

/// Why a run stands where it stands, in a few words.
fn stands(run: &RunRow) -> String {
    match (&run.reason, &run.waiting) {
        (Some(reason), _) => reason.code.clone(),
        (None, Some(what)) => {
            let until = run.until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
            format!("waits for {what}{until}")
        }
        (None, None) => String::new(),
    }
}

fn word(state: RunState) -> String {
    format!("{state:?}").to_lowercase()
}

async fn show(context: &Context, store: &Store, id: Id, steps: bool) -> Result<()> {
    let Some(run) = store.run(FIRST_WORKSPACE, id).await? else { bail!("there is no run {id}") };
    let mut versions = Versions::new(store).await?;
    let version = versions.of(store, FIRST_WORKSPACE, &run.workflow).await?;
    let inputs = if steps { versions.inputs(store, &run).await? } else { Vec::new() };
    let mut shown = house::run_json(&run, version.as_ref().map(|v| v.name.as_str()));
    if steps {
        house::add_steps(&mut shown, &run, version.as_ref().and_then(|v| v.workflow.as_deref()));
        house::add_inputs(&mut shown, inputs.clone());
    }
    context.answer(&shown, || screen(&run, version.as_deref(), steps.then_some(&inputs)));
    Ok(())
}

fn screen(run: &RunRow, version: Option<&Version>, inputs: Option<&Vec<Option<Value>>>) -> String {
    let name = version.map_or("?", |v| v.name.as_str());
    let mut lines = vec![format!("run {} of `{name}` ({}): {}", run.id, short(&run.workflow), word(run.state))];
    lines.push(format!("  began     {}", moment(run.id.made_at())));
    lines.push(format!("  event     {}", run.event));
    lines.extend(run.conversation.as_ref().map(|c| format!("  talk      {}", c.id)));
    lines.extend(why::caller(run).map(|caller| format!("  called by {} at {}", caller.run, caller.place)));
    lines.extend(run.waiting.as_ref().map(|_| format!("  stands    {}", stands(run))));
    lines.extend(run.reason.as_ref().map(|r| format!("  reason    {r}")));
    let Some(inputs) = inputs else { return lines.join("\n") };
    let verb = |path: &str| version.and_then(|v| v.workflow.as_ref()).and_then(|w| w.verb_at(path)).unwrap_or("?").to_owned();
    for (n, entry) in run.entries.iter().enumerate() {
        let given = inputs.get(n).and_then(Option::as_ref);
        match entry {
            Entry::StepDone { path, attempt, output, effects, usage, ended, .. } => {
                let tries = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                lines.push(format!("  done      {path} ({}){tries}", verb(path)));
                lines.extend(ended.map(|at| format!("            ended   {}", moment(at))));
                lines.extend(given.map(|v| format!("            given   {}", cut(v))));
                lines.push(format!("            gave    {}", cut(output)));
                lines.extend(effects.iter().map(|d| format!("            effect  {}", told(&d.effect))));
                lines.extend(usage.as_ref().map(|u| format!("            used    {}", used(u))));
            }
            Entry::StepFailed { path, attempt, error, usage, ended } => {
                lines.push(format!("  failed    {path} ({}), attempt {attempt}: {error}", verb(path)));
                lines.extend(ended.map(|at| format!("            ended   {}", moment(at))));
                lines.extend(usage.as_ref().map(|u| format!("            used    {}", used(u))));
            }
            Entry::CallDone { path, name, at, .. } => lines.push(format!("  call      {path}: {name} at {}", moment(*at))),
            Entry::Waiting { path, kind, until, .. } => {
                if let Some(called) = why::called(entry) {
                    lines.push(format!(
                        "  calls     {path}: `{}` ({}) as run {}",
                        called.name,
                        short(&called.workflow),
                        called.run
                    ));
                    continue;
                }
                let until = until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
                lines.push(format!("  waits     {path} for {kind}{until}"));
            }
            Entry::Leg { path, effects, .. } => {
                if !effects.is_empty() {
                    lines.push(format!("  on its way {path} ({})", verb(path)));
                    lines.extend(effects.iter().map(|d| format!("            effect  {}", told(&d.effect))));
                }
            }
            Entry::Each { path, items, .. } => lines.push(format!("  each      {path}: {} items", items.len())),
            Entry::Told { wake, .. } => lines.push(format!("  told      {}", wake.word())),
            Entry::Resumed { path, by, at } => lines.push(format!("  goes on   {path} by {by} at {}", moment(*at))),
            Entry::Gathered { event: Some(event), at } => lines.push(format!("  gathers   event {event} at {}", moment(*at))),
            Entry::Gathered { event: None, at } => lines.push(format!("  begins    {}, for all that was said", moment(*at))),
            Entry::Replaced { plugin, digest, by } => {
                lines.push(format!("  replaced  {plugin} by {by}: {} from here on", short(digest)))
            }
            Entry::Cancelled { by, reason } => lines.push(format!("  cancelled by {by}: {reason}")),
            Entry::Finished { result, .. } => lines.push(format!("  finished  {}", cut(result))),
            Entry::Started { plugins, at, .. } => {
                let plugins: Vec<String> = plugins.iter().map(|(id, digest)| format!("{id} {}", short(digest))).collect();
                let with = if plugins.is_empty() { String::new() } else { format!(" with {}", plugins.join(", ")) };
                lines.push(format!("  started   {}{with}", moment(*at)));
            }
        }
    }
    lines.join("\n")
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// What a step used, and of how much.
fn used(usage: &Usage) -> String {
    let limits = Limits::STEP;
    let cpu = i64::from(usage.ticks) * 5;
    format!(
        "{} us in all, about {cpu} of {} ms of its own, {} of {} KiB, {} host calls",
        usage.wall_us,
        limits.cpu,
        usage.memory >> 10,
        limits.memory >> 10,
        usage.host_calls
    )
}

fn told(wish: &Effect) -> String {
    let shown = serde_json::to_value(wish).unwrap_or_default();
    format!("{} {}", effect(wish), shown.get(effect(wish)).map_or_else(String::new, cut))
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
