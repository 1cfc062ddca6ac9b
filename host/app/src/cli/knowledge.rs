//! `pointsman knowledge`: the texts that steps answer from. Files go into a base and are read again only when they changed; a running host
//! sees a change at its next search. `search` and `eval` ask a base as a step would.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::failure::Failure;
use pointsman_engine::knowledge::Library;
use pointsman_knowledge::Language;
use pointsman_store::{KnowledgeBase, Store};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

mod eval;
mod files;
mod search;

/// Who does it, in the audit.
const ACTOR: &str = "cli";

/// Example: `pointsman knowledge add faq faq.md returns.html prices.csv`
///
/// Exit codes: 0 done, 1 something was refused (a file that cannot be read, a base that does not exist), 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Puts files, and those in folders, into a base, which is made if there is none. What is there under the same name is replaced.
    Add {
        /// The base.
        base: String,
        /// Markdown, text, HTML, CSV or JSON with questions and answers; folders of these.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// In which language the base is read (en, id, ar ...); absent: told from each file.
        #[arg(long, value_parser = language)]
        language: Option<String>,
    },
    /// Makes a base the same as a folder: what is new or changed goes in, what is gone goes out.
    Sync {
        /// The base.
        base: String,
        /// The folder.
        folder: PathBuf,
        /// In which language the base is read (en, id, ar ...); absent: told from each file.
        #[arg(long, value_parser = language)]
        language: Option<String>,
    },
    /// Lists the bases, or the sources of one.
    List {
        /// The base.
        base: Option<String>,
    },
    /// Removes a base, or sources from it.
    Remove {
        /// The base.
        base: String,
        /// Sources, as `list` names them; absent: the base as a whole.
        sources: Vec<String>,
    },
    /// Asks a base, as a step would.
    Search {
        /// The base.
        base: String,
        /// The question.
        #[arg(required_unless_present = "jsonl")]
        question: Option<String>,
        /// Takes questions from standard input, one a line, as text or as `{"id","text"}`; answers with one JSON object a line.
        #[arg(long, conflicts_with = "question")]
        jsonl: bool,
        /// Passages at most.
        #[arg(long, default_value_t = 5)]
        count: usize,
    },
    /// Measures a base: questions with the places of their answers, one JSON object a line: `{"text", "relevant": ["faq.md#hours"]}`; an empty
    /// list means that the base has no answer.
    Eval {
        /// The base.
        base: String,
        /// The questions.
        questions: PathBuf,
    },
}

fn language(code: &str) -> Result<String, String> {
    let known = Language::from_code(code).map(|language| language.code().to_owned());
    known.ok_or_else(|| format!("there is no language `{code}`: {} are known", Language::codes().join(", ")))
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::Add { base, paths, language } => add(context, &store, base, paths, language.as_deref()).await,
            Verb::Sync { base, folder, language } => {
                sync(&store, base, folder, language.as_deref()).await.map(|outcome| outcome.told(context, base))
            }
            Verb::List { base } => list(context, &store, base.as_deref()).await,
            Verb::Remove { base, sources } => remove(context, &store, base, sources).await,
            Verb::Search { base, question, count, .. } => {
                search::run(context, &Library::new(store.clone()), base, question.as_deref(), *count).await
            }
            Verb::Eval { base, questions } => eval::run(context, &Library::new(store.clone()), base, questions).await,
        };
        store.close().await?;
        done
    })
}

/// A coded failure as this command's error.
fn coded(failure: &Failure) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", failure.code, failure.message)
}

async fn existing(store: &Store, name: &str) -> Result<KnowledgeBase> {
    match store.knowledge_base(FIRST_WORKSPACE, name).await? {
        Some(base) => Ok(base),
        None => bail!("knowledge.unknown: there is no knowledge base `{name}`; `pointsman knowledge list` names them"),
    }
}

/// A base of this name, made if there is none.
async fn base(store: &Store, name: &str, language: Option<&str>) -> Result<KnowledgeBase> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        bail!("knowledge.name: `{name}` is no name of a base: 1 to 64 letters, digits, `-`, `_`, `.`");
    }
    Ok(store.make_knowledge_base(FIRST_WORKSPACE, ACTOR, name, language).await?)
}

async fn add(context: &Context, store: &Store, name: &str, paths: &[PathBuf], language: Option<&str>) -> Result<ExitCode> {
    let found = files::named(paths)?;
    let base = base(store, name, language).await?;
    let outcome = files::put(&Library::new(store.clone()), &base, found).await?;
    store.tidy_knowledge(FIRST_WORKSPACE).await?;
    Ok(outcome.told(context, name))
}

/// Makes a base of a folder, for the demo.
pub(super) fn fill(context: &Context, name: &str, folder: &Path) -> Result<()> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let outcome = sync(&store, name, folder, None).await;
        store.close().await?;
        match outcome?.refusals() {
            Some(refusals) => bail!(refusals),
            None => Ok(()),
        }
    })
}

/// Makes a base the same as a folder.
async fn sync(store: &Store, name: &str, folder: &Path, language: Option<&str>) -> Result<files::Outcome> {
    if !folder.is_dir() {
        bail!("knowledge.folder: {} is no folder; `pointsman knowledge add` takes single files", folder.display());
    }
    let found = files::named(&[folder.to_path_buf()])?;
    let base = base(store, name, language).await?;
    let there: Vec<String> = found.iter().map(|file| file.name.clone()).collect();
    let mut outcome = files::put(&Library::new(store.clone()), &base, found).await?;
    for source in store.knowledge_sources(FIRST_WORKSPACE, base.id).await? {
        if !there.contains(&source.name) && store.remove_knowledge_source(FIRST_WORKSPACE, ACTOR, base.id, &source.name).await? {
            outcome.removed.push(source.name);
        }
    }
    store.tidy_knowledge(FIRST_WORKSPACE).await?;
    Ok(outcome)
}

async fn list(context: &Context, store: &Store, name: Option<&str>) -> Result<ExitCode> {
    let Some(name) = name else {
        let (mut shown, mut rows) = (Vec::new(), Vec::new());
        for base in store.knowledge_bases(FIRST_WORKSPACE).await? {
            let sources = store.knowledge_sources(FIRST_WORKSPACE, base.id).await?;
            let passages: u64 = sources.iter().map(|source| source.passages).sum();
            let changed = base.version.made_at();
            shown.push(json!({
                "name": base.name, "language": base.language, "sources": sources.len(), "passages": passages, "changed": changed,
            }));
            let language = base.language.unwrap_or_else(|| "each its own".to_owned());
            rows.push([base.name, sources.len().to_string(), passages.to_string(), language, moment(changed)]);
        }
        context.answer(&Value::Array(shown), || match rows.is_empty() {
            true => "there is no knowledge base yet; `pointsman knowledge add NAME FILE` makes one".to_owned(),
            false => table(["BASE", "SOURCES", "PASSAGES", "LANGUAGE", "CHANGED"], &rows),
        });
        return Ok(ExitCode::SUCCESS);
    };
    let sources = store.knowledge_sources(FIRST_WORKSPACE, existing(store, name).await?.id).await?;
    context.answer(&serde_json::to_value(&sources)?, || match sources.is_empty() {
        true => format!("{name} has no sources"),
        false => {
            let rows = sources.iter().map(|s| [s.name.clone(), s.kind.clone(), s.passages.to_string(), moment(s.at)]);
            table(["SOURCE", "KIND", "PASSAGES", "READ"], &rows.collect::<Vec<_>>())
        }
    });
    Ok(ExitCode::SUCCESS)
}

async fn remove(context: &Context, store: &Store, name: &str, sources: &[String]) -> Result<ExitCode> {
    let base = existing(store, name).await?;
    if sources.is_empty() {
        store.remove_knowledge_base(FIRST_WORKSPACE, ACTOR, name).await?;
        context.answer(&json!({ "base": name, "removed": true }), || format!("removed {name}"));
        return Ok(ExitCode::SUCCESS);
    }
    let (mut removed, mut unknown) = (Vec::new(), Vec::new());
    for source in sources {
        let gone = store.remove_knowledge_source(FIRST_WORKSPACE, ACTOR, base.id, source).await?;
        if gone { &mut removed } else { &mut unknown }.push(source.clone());
    }
    context.answer(&json!({ "base": name, "removed": removed, "unknown": unknown }), || {
        let gone = removed.iter().map(|source| format!("removed {name}/{source}"));
        let none = unknown.iter().map(|source| format!("knowledge.source: {name} has no source `{source}`"));
        gone.chain(none).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::from(u8::from(!unknown.is_empty())))
}
