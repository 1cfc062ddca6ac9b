//! `pointsman plugin`: the plugins that ship with the host, those that were added, and one plugin driven from the command line. `try` needs no
//! host folder and no database: it is for authors, and for checks by others. The component runs in the same box, under the
//! same limits, and signatures and requests are judged by the same broker as in a host.
//!
//! Exit codes are those of every verb. A false `valid` is an answer, not a mistake: 0. What the plugin or the box refused
//! is 1, what could not be asked (codes `try.*`) is 2. With `--jsonl` each line carries its own answer: 0 when all were read.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pointsman_core::failure::{Class, Failure};
use serde_json::{Value, json};

use super::{Context, report, say};
use case::Case;
use rig::Rig;

mod add;
mod ask;
mod begin;
mod caps;
mod case;
mod event;
mod find;
mod list;
mod pack;
mod parse;
mod release;
mod request;
mod rig;
mod run;
mod secret;
mod stats;
#[cfg(test)]
mod tests;
mod verify;
mod versions;

/// Example: `pointsman plugin try whatsapp parse --account 1122334455667 --body body.json`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists the plugins of this host, and what each may do: those that ship with it and those that were added.
    List,
    /// Says in plain words what a plugin may do: a package (FILE), or a plugin of this host by its id.
    Caps {
        /// The file of a package, or an id.
        plugin: String,
    },
    /// Adds a plugin from a package, or updates it. What it asks for and nobody has decided waits (exit code 3).
    Add(add::Add),
    /// Lets a plugin do something. What waited for it begins to serve.
    Grant(add::Decide),
    /// Lets a plugin do something no longer, from its next call on.
    Revoke(add::Decide),
    /// Has the package before serve again, or another that is kept.
    Rollback {
        /// The plugin's whole id.
        plugin: String,
        /// How the digest of the package begins.
        digest: Option<String>,
    },
    /// Takes a plugin out that was added, with all that was granted to it.
    Remove {
        /// The plugin's whole id.
        plugin: String,
    },
    /// Keeps a secret that a plugin names, sealed for the hosts that its manifest names. It is read from POINTSMAN_SECRET_<SLOT>,
    /// or from standard input.
    Secret(secret::Secret),
    /// Makes one file of a plugin, to be added to hosts.
    Pack(pack::Pack),
    /// Keys with which publishers sign their packages.
    #[command(subcommand)]
    Key(pack::Key),
    /// Lists the versions of step plugins that are kept for the runs that are pinned to them.
    Versions,
    /// Takes a version back: nothing runs it any more, and runs that come to it are parked.
    Yank {
        /// PLUGIN@DIGEST, as `plugin versions` shows them.
        version: String,
        /// Why; it stands in the audit.
        #[arg(long)]
        reason: String,
    },
    /// Lets a version run again that was taken back.
    Unyank {
        /// PLUGIN@DIGEST.
        version: String,
    },
    /// What plugins and scripts used: processor, memory, host calls, bytes sent; and which are quarantined.
    Stats(stats::Args),
    /// Lets a quarantined plugin or script run again, and has what was parked for it go on.
    Release(release::Args),
    /// Drives one plugin from here, without a host folder or a database.
    Try(Box<Trial>),
}

/// What is tried. An option that takes JSON also takes `file:PATH`.
#[derive(Debug, clap::Args)]
struct Trial {
    /// A bundled plugin (whatsapp, pointsman/keyword), a folder with plugin.toml, or a component (.wasm).
    plugin: String,
    /// The plugin.toml, where it does not lie beside the component.
    #[arg(long, global = true)]
    manifest: Option<PathBuf>,
    /// Where compiled plugins are kept; default: `.cache/pointsman/compiled` in your home.
    #[arg(long, global = true, env = "POINTSMAN_SANDBOX__CACHE")]
    cache: Option<PathBuf>,
    /// Read one case a line from standard input: JSON objects with the options' names as fields, files inline. One result
    /// a line comes back, in order. What a line leaves out is taken from the options.
    #[arg(long, global = true)]
    jsonl: bool,
    /// Read the cases from this file instead.
    #[arg(long = "in", global = true, requires = "jsonl", value_name = "FILE")]
    cases: Option<PathBuf>,
    /// The moment of the call, in milliseconds since 1970; default: now.
    #[arg(long, global = true, value_name = "MS")]
    now: Option<i64>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Whether a webhook is signed by the provider; answers a handshake.
    Verify(verify::Args),
    /// The events that a webhook's body gives (normalized event v1).
    Parse(parse::Args),
    /// The request that an operation becomes; with answers of the provider, what they mean.
    Begin(begin::Args),
    /// One call of a step or a script.
    Run(run::Args),
}

impl What {
    /// What the options say.
    fn case(&self) -> Result<Case, Failure> {
        match self {
            Self::Verify(args) => args.case(),
            Self::Parse(args) => args.case(),
            Self::Begin(args) => args.case(),
            Self::Run(args) => args.case(),
        }
    }

    fn answer(&self, rig: &Rig, case: &Case) -> Result<Value, Failure> {
        match self {
            Self::Verify(_) => verify::answer(rig, case),
            Self::Parse(_) => parse::answer(rig, case),
            Self::Begin(_) => begin::answer(rig, case),
            Self::Run(_) => run::answer(rig, case),
        }
    }

    /// Which kind of plugin is asked so, and whether its code runs.
    fn wants(&self) -> rig::Wants {
        match self {
            Self::Verify(_) => rig::Wants { channel: true, code: false },
            Self::Parse(_) | Self::Begin(_) => rig::Wants { channel: true, code: true },
            Self::Run(_) => rig::Wants { channel: false, code: true },
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    match &args.verb {
        Verb::List => list::run(context),
        Verb::Caps { plugin } => caps::run(context, plugin),
        Verb::Add(args) => add::add(context, args),
        Verb::Grant(args) => add::decide(context, args, true),
        Verb::Revoke(args) => add::decide(context, args, false),
        Verb::Rollback { plugin, digest } => add::rollback(context, plugin, digest.as_deref()),
        Verb::Remove { plugin } => add::remove(context, plugin),
        Verb::Secret(args) => secret::run(context, args),
        Verb::Pack(args) => pack::pack(context, args),
        Verb::Key(verb) => pack::key(context, verb),
        Verb::Versions => versions::list(context),
        Verb::Yank { version, reason } => versions::yank(context, version, Some(reason)),
        Verb::Unyank { version } => versions::yank(context, version, None),
        Verb::Stats(args) => stats::run(context, args),
        Verb::Release(args) => release::run(context, args),
        Verb::Try(trial) => match begun(trial) {
            Ok((rig, given)) if trial.jsonl => stream(trial, &rig, &given),
            Ok((rig, given)) => Ok(told(context, trial.what.answer(&rig, &given))),
            Err(failure) => Ok(told(context, Err(failure))),
        },
    }
}

/// Finds and loads the plugin, and reads the options.
fn begun(trial: &Trial) -> Result<(Rig, Case), Failure> {
    let given = Case { now: trial.now, ..trial.what.case()? };
    let found = find::find(&trial.plugin, trial.manifest.as_deref())?;
    Ok((Rig::new(found, trial.cache.clone(), trial.what.wants())?, given))
}

/// Tells one answer: compact with `--json`, else laid out.
fn told(context: &Context, answer: Result<Value, Failure>) -> ExitCode {
    let code = ExitCode::from(match &answer {
        Ok(value) if value.get("error").is_some() || value.get("refused").is_some() => 1,
        Ok(_) => 0,
        Err(failure) => 1 + u8::from(failure.code.starts_with("try.")),
    });
    match answer {
        Err(failure) if !context.json => report(&failure.to_string()),
        Err(failure) => say(&error(&failure).to_string()),
        Ok(value) if context.json => say(&value.to_string()),
        Ok(value) => say(&format!("{value:#}")),
    }
    code
}

/// One result a line, as soon as it is there.
fn stream(trial: &Trial, rig: &Rig, given: &Case) -> Result<ExitCode> {
    let cases: Box<dyn BufRead> = match &trial.cases {
        Some(file) => {
            let file = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
            Box::new(BufReader::new(file))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let mut out = std::io::stdout().lock();
    for line in cases.split(b'\n') {
        let line = line.context("the cases")?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = Case::read(&line).map(|case| case.over(given)).and_then(|case| trial.what.answer(rig, &case));
        let mut text = answer.unwrap_or_else(|failure| error(&failure)).to_string();
        text.push('\n');
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            // Nobody listens any more.
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn error(failure: &Failure) -> Value {
    json!({ "error": { "code": failure.code, "message": failure.message } })
}

/// What was asked makes no sense: `try.<what>`, with the cure.
fn unusable(what: &str, message: impl Into<String>) -> Failure {
    Failure::new(Class::Permanent, format!("try.{what}"), message)
}
