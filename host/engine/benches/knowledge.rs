//! A knowledge base of 100,000 passages (or as many as the argument says) on each database: how long it takes to put them in, how long
//! and how much memory the index takes at the first question, and how long a question takes then, with the five passages that it shows.
//! Words are drawn by Zipf's law from 200,000 made-up ones, 90 a passage, 1,000 passages a source. Each database is measured by a
//! process of its own, so that neither has the other's memory.
//!
//! `cargo xtask bench knowledge`

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pointsman_core::clock::SystemClock;
use pointsman_core::id::{Id, IdMaker, WorkspaceId};
use pointsman_embed::{Embedder, EmbedderConfig};
use pointsman_engine::knowledge::{By, Library};
use pointsman_engine::vectors::{Home, Voices};
use pointsman_knowledge::read::Kind;
use pointsman_knowledge::{Language, Passage, Reading};
use pointsman_store::{HeldKeys, Place, Store, StoreConfig};
use pointsman_vault::{Keyring, MasterKey};

/// Words that there are.
const WORDS: u64 = 200_000;
/// Words of a passage.
const LONG: usize = 90;
/// Passages of a source.
const SOURCE: usize = 1_000;
/// Questions asked.
const QUESTIONS: usize = 2_000;
/// Words of a question.
const ASKED: usize = 8;

const WS: WorkspaceId = Id(1);

struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A word of rank r with a likelihood of about 1/r.
    fn word(&mut self) -> String {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut rank = ((WORDS as f64).powf(part) as u64).min(WORDS);
        let mut word = String::new();
        for _ in 0..3 {
            word.push(char::from(*b"bdfgklmnprstvz".get((rank % 14) as usize).unwrap_or(&b'b')));
            rank /= 14;
            word.push(char::from(*b"aeiou".get((rank % 5) as usize).unwrap_or(&b'a')));
            rank /= 5;
        }
        word
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

/// Bytes of this process that lie in memory.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let count = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(100_000_usize);
    if let Some(database) = args.iter().find(|arg| matches!(arg.as_str(), "sqlite" | "postgres")) {
        return tokio::runtime::Runtime::new()?.block_on(measure(database, count));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{count} passages of {LONG} words; {QUESTIONS} questions of {ASKED} words, with 5 passages each")?;
    writeln!(out, "database   put in      index built   memory    questions p50   p99         most")?;
    for database in ["sqlite", "postgres"] {
        let status = Command::new(std::env::current_exe()?).args([database, &count.to_string()]).status()?;
        if !status.success() {
            bail!("{database}: {status}");
        }
    }
    Ok(())
}

async fn measure(database: &str, count: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = StoreConfig::in_dir(folder.path());
    if database == "postgres" {
        config.data = Place::Postgres(pointsman_postgres::database().await);
        config.keys = Place::Postgres(pointsman_postgres::database().await);
    }
    let keys = HeldKeys::new(Keyring::new(MasterKey::generate()?));
    let store = Store::open(config, keys, Arc::new(SystemClock), Arc::new(IdMaker::new(1))).await?;
    let base = store.make_knowledge_base(WS, "bench", "base", Some("en")).await?;
    let (mut draw, english) = (Draw(7), Language::from_code("en").unwrap_or_default());
    // By words alone: the base names nobody who makes vectors.
    let home = Home { embedder: Embedder::new(EmbedderConfig::new(Vec::new())), folder: folder.path().to_path_buf() };
    let library = Library::new(store.clone(), Voices::new(store.clone(), home, None));
    let mut putting = Duration::ZERO;
    for from in (0..count).step_by(SOURCE) {
        let passage = |_| Passage {
            id: String::new(),
            headings: vec![draw.text(4)],
            text: draw.text(LONG),
            whole: false,
            language: english,
        };
        let passages: Vec<Passage> = (from..(from + SOURCE).min(count)).map(passage).collect();
        let reading = Reading { kind: Kind::Text, passages, links: Vec::new(), remarks: Vec::new() };
        let name = format!("{from}.txt");
        let since = Instant::now();
        let put = library.put(WS, "bench", &base, (&name, name.as_bytes()), reading).await;
        put.map_err(|failure| anyhow::anyhow!("{}: {}", failure.code, failure.message))?;
        putting += since.elapsed();
    }
    let before = memory();
    let mut times = Vec::with_capacity(QUESTIONS);
    let mut built = Duration::ZERO;
    for n in 0..=QUESTIONS {
        let question = draw.text(ASKED);
        let since = Instant::now();
        let answer = library.search(WS, "base", &question, 5, By::Words).await;
        let answer = answer.map_err(|failure| anyhow::anyhow!("{}: {}", failure.code, failure.message))?;
        match n {
            0 => built = since.elapsed(),
            _ => times.push(since.elapsed()),
        }
        if answer.passages.is_empty() {
            bail!("nothing was found for {question}");
        }
    }
    let grown = memory().saturating_sub(before) as f64 / 1e6;
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().context("no question was asked");
    let (half, most, longest) = (at(50)?, at(99)?, at(100)?);
    writeln!(
        std::io::stdout().lock(),
        "{database:<10} {putting:<11.1?} {built:<13.2?} {:<9} {half:<15.2?} {most:<11.2?} {longest:.2?}",
        format!("{grown:.0} MB")
    )?;
    store.close().await?;
    Ok(())
}
