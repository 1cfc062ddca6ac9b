//! The command line: one verb a file. Every verb takes `--json` and has stable exit codes: 0 done, 1 found something wrong
//! (a broken workflow, books that do not balance), 2 cannot do it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::config::Config;

mod approval;
mod books;
mod broker;
mod channel;
mod check;
mod compile;
mod conversation;
mod demo;
mod embed;
mod init;
mod key;
mod knowledge;
mod model;
mod park;
mod plugin;
mod publish;
mod read;
mod rollback;
mod run;
mod serve;
mod spend;
mod table;
mod trends;
mod why;
mod workflow;

/// A self-hosted automation runtime for business messaging.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, arg_required_else_help = true)]
struct Cli {
    /// The host's folder: configuration, data and keys.
    #[arg(long, global = true, default_value = ".", env = "POINTSMAN_DIR")]
    dir: PathBuf,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a host's folder: configuration, master key, recovery note, empty databases.
    Init(init::Args),
    /// Runs the host.
    Serve(serve::Args),
    /// The process of a running host that opens secrets and makes requests. `serve` starts it.
    #[command(hide = true)]
    Broker(broker::Args),
    /// Compiles one plugin within bounds. A host starts it for plugins that did not come with it.
    #[command(hide = true)]
    Compile(compile::Args),
    /// Reads one file within bounds. `knowledge` starts it.
    #[command(hide = true)]
    Read(read::Args),
    /// Runs a model at home, within bounds. A host starts it.
    #[command(hide = true)]
    Embed(embed::Args),
    /// Runs a host, an emulated provider and a page to play with, in a folder that it names.
    Demo(demo::Args),
    /// Checks workflow folders; tells mistakes with file, line and column.
    Check(check::Args),
    /// Stores workflow versions and makes them the active ones.
    Publish(publish::Args),
    /// Makes the version before the active one again, or another that is kept.
    Rollback(rollback::Args),
    /// The versions of workflows.
    Workflow(workflow::Args),
    /// The master key: which one seals, and another in its place.
    Key(key::Args),
    /// Connected accounts.
    Channel(channel::Args),
    /// What waits for a person's approval.
    Approval(approval::Args),
    /// What the business knows: texts that steps answer from.
    Knowledge(knowledge::Args),
    /// Language models that steps may ask, and whether they may.
    Model(model::Args),
    /// What models cost, and what may still be spent.
    Spend(spend::Args),
    /// What contacts felt, week by week: by channel, and by the tags that workflows put.
    Trends(trends::Args),
    /// Conversations, and who has them.
    Conversation(conversation::Args),
    /// Proves that every kept webhook has ended or says what it waits for.
    Books(books::Args),
    /// Runs and their steps.
    Run(run::Args),
    /// What cannot go on, and why; tries it again or drops it.
    Park(park::Args),
    /// Why a message was or was not answered: the whole story on one screen.
    Why(why::Args),
    /// The plugins that ship with the host, and one plugin tried from the command line.
    Plugin(plugin::Args),
}

/// What every verb gets.
#[derive(Debug)]
pub(crate) struct Context {
    dir: PathBuf,
    json: bool,
}

impl Context {
    fn config(&self) -> Result<Config> {
        Config::load(&self.dir)
    }

    /// Prints the answer: as JSON when asked for, else as the sentences.
    fn answer(&self, json: &serde_json::Value, text: impl FnOnce() -> String) {
        say(&if self.json { json.to_string() } else { text() });
    }
}

/// Writes a line to standard output. A reader that went away is no error of ours.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context { dir: cli.dir, json: cli.json };
    let done = match cli.verb {
        Verb::Init(args) => init::run(&context, &args),
        Verb::Serve(args) => serve::run(&context, &args),
        Verb::Broker(args) => broker::run(&context, &args),
        Verb::Compile(args) => Ok(compile::run(&args)),
        Verb::Read(args) => Ok(read::run(&args)),
        Verb::Embed(args) => Ok(embed::run(&args)),
        Verb::Demo(args) => demo::run(&context, &args),
        Verb::Check(args) => check::run(&context, &args),
        Verb::Publish(args) => publish::run(&context, &args),
        Verb::Rollback(args) => rollback::run(&context, &args),
        Verb::Workflow(args) => workflow::run(&context, &args),
        Verb::Key(args) => key::run(&context, &args),
        Verb::Channel(args) => channel::run(&context, args),
        Verb::Approval(args) => approval::run(&context, &args),
        Verb::Knowledge(args) => knowledge::run(&context, &args),
        Verb::Model(args) => model::run(&context, &args),
        Verb::Spend(args) => spend::run(&context, &args),
        Verb::Trends(args) => trends::run(&context, &args),
        Verb::Conversation(args) => conversation::run(&context, &args),
        Verb::Books(args) => books::run(&context, &args),
        Verb::Run(args) => run::run(&context, &args),
        Verb::Park(args) => park::run(&context, &args),
        Verb::Why(args) => why::run(&context, &args),
        Verb::Plugin(args) => plugin::run(&context, &args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            if context.json {
                say(&serde_json::json!({ "error": format!("{error:#}") }).to_string());
            } else {
                report(&format!("{error:#}"));
            }
            ExitCode::from(2)
        }
    }
}

/// Writes a line to standard error.
fn report(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "pointsman: {line}");
}
