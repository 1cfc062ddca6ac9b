//! `cargo xtask eval`: how well the AI steps do on real, labelled texts, beside simple baselines that learn from the same lines
//! in the same run and beside published figures. Ours come from the shipped components in the real box.
//!
//! An eval is a file here and a line in [`EVALS`]: a function from the [`Bench`] to [`Row`]s. It reads its lines with
//! [`Bench::lines`], asks a step with [`Bench::step`] (or any verb of `pointsman` with [`Bench::pointsman`]), a baseline with
//! [`Bench::learn`] (or any script of `tests/evals` with [`Bench::python`]), and weighs what came back with [`measure`].

mod bench;
mod intent;
mod language;
mod measure;
mod orders;
mod python;
mod retrieval;
mod sentiment;
mod table;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::house::{self, EVERYTHING, cargo, must, root, tell};

use bench::Bench;
use table::Row;

/// One task that is measured.
struct Eval {
    /// The name on the command line and the heading in the results.
    name: &'static str,
    /// What is asked, of which lines, and how it is counted: stands above the table.
    about: &'static str,
    run: fn(&Bench) -> Result<Vec<Row>>,
}

/// Every eval, in the order of the results.
const EVALS: [Eval; 5] = [
    Eval { name: "language", about: language::ABOUT, run: language::run },
    Eval { name: "sentiment", about: sentiment::ABOUT, run: sentiment::run },
    Eval { name: "intent", about: intent::ABOUT, run: intent::run },
    Eval { name: "orders", about: orders::ABOUT, run: orders::run },
    Eval { name: "retrieval", about: retrieval::ABOUT, run: retrieval::run },
];

/// The results, from the root of the checkout.
const RESULTS: &str = "tests/evals/RESULTS.md";

/// The variable that names the folder of the labelled texts.
const DATA: &str = "POINTSMAN_EVALS";

/// `cargo xtask eval [name..] [--data DIR] [--binary FILE] [--dry]`
pub fn run(args: &[String]) -> Result<ExitCode> {
    let asked = Asked::read(args)?;
    let data = asked.data.clone().unwrap_or_else(|| root().join("../shared/evals"));
    if !data.is_dir() {
        tell(&format!(
            "there are no labelled texts in {}: name their folder with --data DIR or {DATA}. It holds a folder a task \
             (sentiment, intents, langid, ..) of JSON lines; they are not part of the checkout.",
            data.display()
        ));
        return Ok(ExitCode::from(2));
    }
    let binary = match &asked.binary {
        Some(binary) => binary.clone(),
        None => {
            must(cargo().args(EVERYTHING), "build")?;
            house::target()?.join("debug/pointsman")
        }
    };
    let bench = Bench::new(data, binary);
    let command = std::iter::once("cargo xtask eval").chain(asked.names.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let measured = format!("Measured {} by `{command}`.", today()?);
    for eval in EVALS.iter().filter(|eval| asked.names.is_empty() || asked.names.iter().any(|name| name == eval.name)) {
        tell(&format!("== {}", eval.name));
        let rows = (eval.run)(&bench).with_context(|| format!("the eval {}", eval.name))?;
        let section = table::section(eval.name, eval.about, &measured, &rows);
        print(&section);
        if !asked.dry {
            let file = root().join(RESULTS);
            let before = std::fs::read_to_string(&file).unwrap_or_default();
            let names: Vec<&str> = EVALS.iter().map(|eval| eval.name).collect();
            std::fs::write(&file, table::put(&before, &names, eval.name, &section))?;
            tell(&format!("written into {RESULTS}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The command line, read.
#[derive(Default)]
struct Asked {
    names: Vec<String>,
    data: Option<PathBuf>,
    binary: Option<PathBuf>,
    dry: bool,
}

impl Asked {
    fn read(args: &[String]) -> Result<Self> {
        let mut asked = Self { data: house::variable(DATA).map(PathBuf::from), ..Self::default() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut path = || args.next().map(PathBuf::from).with_context(|| format!("{arg} wants a path"));
            match arg.as_str() {
                "--data" => asked.data = Some(path()?),
                "--binary" => asked.binary = Some(path()?),
                "--dry" => asked.dry = true,
                name if EVALS.iter().any(|eval| eval.name == name) => asked.names.push(name.to_owned()),
                other => {
                    let names: Vec<&str> = EVALS.iter().map(|eval| eval.name).collect();
                    bail!("there is no eval `{other}`; there are {}, --data DIR, --binary FILE and --dry", names.join(", "));
                }
            }
        }
        Ok(asked)
    }
}

/// The day, as the machine names it.
fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("cannot run date")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "the tables are what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
