//! `pointsman knowledge`: the texts that steps answer from. Files, pages and products go into a base and are read again only when they
//! changed; a running host sees a change at its next search. `search` and `eval` ask a base as a step would.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::failure::Failure;
use pointsman_engine::knowledge::By;
use pointsman_knowledge::Language;
use pointsman_store::{KnowledgeBase, Store};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::config::Config;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

mod embed;
mod eval;
mod files;
mod intake;
mod pages;
mod search;

use intake::{Intake, Outcome};
use pages::Site;

/// Who does it, in the audit.
const ACTOR: &str = "cli";

/// Example: `pointsman knowledge add faq faq.md returns.html prices.csv`
///
/// Exit codes: 0 done, 1 something was refused (a file or page that cannot be read) or has no vector that should have one, 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Puts files, those in folders, and pages of the web into a base, which is made if there is none. What is there under the same name
    /// is replaced.
    Add {
        /// The base.
        base: String,
        /// Markdown, text, HTML, PDF, CSV or JSON; folders of these; addresses (https://...) of pages, sitemaps, or of a shop's products.json.
        #[arg(required = true)]
        sources: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Makes a base the same as a folder, or as a site: what is new or changed goes in, what is gone goes out. What did not come from there
    /// stays.
    Sync {
        /// The base.
        base: String,
        /// The folder, or the address.
        source: String,
        #[command(flatten)]
        how: How,
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
        /// By words, by meaning, or as a step would: by both, where the base has vectors.
        #[arg(long, value_enum, default_value = "both")]
        by: Searched,
    },
    /// Makes vectors of a base's passages, so that it is found by what is meant, in any language. From then on `add` and `sync` keep them.
    Embed {
        /// The base.
        base: String,
        /// The connection that makes them, as `pointsman model list` names it; absent: as before.
        #[arg(long)]
        model: Option<String>,
        /// No vectors any more.
        #[arg(long, conflicts_with = "model")]
        none: bool,
    },
    /// Measures a base: questions with the places of their answers, one JSON object a line: `{"text", "relevant": ["faq.md#hours"]}`; an empty
    /// list means that the base has no answer.
    Eval {
        /// The base.
        base: String,
        /// The questions.
        questions: PathBuf,
        /// By words, by meaning, or as a step would: by both, where the base has vectors.
        #[arg(long, value_enum, default_value = "both")]
        by: Searched,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// In which language the base is read (en, id, ar ...); absent: told from each source.
    #[arg(long, value_parser = language)]
    language: Option<String>,
    /// Pages that are read of a site at most: those that a page or sitemap leads to, on the same host. Absent: 1, or all of a shop's products.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=500))]
    pages: Option<u16>,
}

/// [`By`], as it is typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Searched {
    /// By words alone.
    Words,
    /// By meaning alone.
    Meaning,
    /// By both, as the languages of question and base want it.
    Both,
}

impl Searched {
    fn by(self) -> By {
        match self {
            Self::Words => By::Words,
            Self::Meaning => By::Meaning,
            Self::Both => By::Both,
        }
    }
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
            Verb::Add { base, sources, how } => {
                add(&config, &store, base, sources, how).await.map(|outcome| outcome.told(context, base))
            }
            Verb::Sync { base, source, how } => {
                sync(&config, &store, base, source, how).await.map(|outcome| outcome.told(context, base))
            }
            Verb::List { base } => list(context, &store, base.as_deref()).await,
            Verb::Remove { base, sources } => remove(context, &store, base, sources).await,
            Verb::Embed { base, model, none } => embed::run(context, &config, &store, base, model.as_deref(), *none).await,
            Verb::Search { base, question, count, by, .. } => {
                let library = wiring::library(&config, &store).await?;
                search::run(context, &library, base, question.as_deref(), (*count, by.by())).await
            }
            Verb::Eval { base, questions, by } => {
                eval::run(context, &wiring::library(&config, &store).await?, (base.as_str(), by.by()), questions).await
            }
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

async fn add(config: &Config, store: &Store, name: &str, sources: &[String], how: &How) -> Result<Outcome> {
    let (sites, files): (Vec<&String>, Vec<&String>) = sources.iter().partition(|source| pages::is_address(source));
    let files = files::named(&files.into_iter().map(PathBuf::from).collect::<Vec<_>>())?;
    let sites = sites.into_iter().map(|site| pages::address(site)).collect::<Result<Vec<_>>>()?;
    let mut intake = Intake::new(config, store, base(store, name, how.language.as_deref()).await?).await?;
    files::put(&mut intake, files).await?;
    for site in sites {
        Site::new(wiring::broker(config)?, site, how.pages).put(&mut intake).await?;
    }
    intake.end().await
}

/// Makes a base of a folder, for the demo.
pub(super) fn fill(context: &Context, name: &str, folder: &Path) -> Result<()> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let how = How { language: None, pages: None };
        let outcome = sync(&config, &store, name, &folder.to_string_lossy(), &how).await;
        store.close().await?;
        match outcome?.refusals() {
            Some(refusals) => bail!(refusals),
            None => Ok(()),
        }
    })
}

/// Makes a base the same as a folder or a site.
async fn sync(config: &Config, store: &Store, name: &str, source: &str, how: &How) -> Result<Outcome> {
    if pages::is_address(source) {
        let site = Site::new(wiring::broker(config)?, pages::address(source)?, how.pages);
        let mut intake = Intake::new(config, store, base(store, name, how.language.as_deref()).await?).await?;
        site.sync(&mut intake).await?;
        return intake.end().await;
    }
    let folder = PathBuf::from(source);
    if !folder.is_dir() {
        bail!("knowledge.folder: {} is no folder; `pointsman knowledge add` takes single files", folder.display());
    }
    let found = files::named(&[folder])?;
    let mut intake = Intake::new(config, store, base(store, name, how.language.as_deref()).await?).await?;
    let there = files::put(&mut intake, found).await?;
    for gone in intake.had().iter().filter(|name| !there.contains(name) && !pages::is_address(name)) {
        intake.remove(gone).await?;
    }
    intake.end().await
}

async fn list(context: &Context, store: &Store, name: Option<&str>) -> Result<ExitCode> {
    let Some(name) = name else {
        let (mut shown, mut rows) = (Vec::new(), Vec::new());
        for base in store.knowledge_bases(FIRST_WORKSPACE).await? {
            let sources = store.knowledge_sources(FIRST_WORKSPACE, base.id).await?;
            let passages: u64 = sources.iter().map(|source| source.passages).sum();
            let changed = base.version.made_at();
            shown.push(json!({
                "name": base.name, "language": base.language, "embed": base.embed, "sources": sources.len(), "passages": passages, "changed": changed,
            }));
            let language = base.language.unwrap_or_else(|| "each its own".to_owned());
            let vectors = base.embed.unwrap_or_else(|| "-".to_owned());
            rows.push([base.name, sources.len().to_string(), passages.to_string(), language, vectors, moment(changed)]);
        }
        context.answer(&Value::Array(shown), || match rows.is_empty() {
            true => "there is no knowledge base yet; `pointsman knowledge add NAME FILE` makes one".to_owned(),
            false => table(["BASE", "SOURCES", "PASSAGES", "LANGUAGE", "VECTORS BY", "CHANGED"], &rows),
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
