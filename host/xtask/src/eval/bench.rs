//! What an eval works with: the labelled lines, the real program, and baselines.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::python;

/// Where everything is.
pub(super) struct Bench {
    data: PathBuf,
    binary: PathBuf,
}

/// What a step gave, an item a text, in order.
pub(super) struct Answers {
    /// Its output.
    pub(super) outputs: Vec<Value>,
    /// Microseconds of the call in the box.
    pub(super) micros: Vec<f64>,
    /// Whether the box ended the call at its limit of time at first.
    pub(super) late: Vec<bool>,
}

/// How often a call is asked again that ran into its limit of time: on a busy machine it may have waited, not worked.
const AGAIN: usize = 8;

/// What a baseline learnt: lines to learn from, and texts to judge.
pub(super) struct Lesson<'a> {
    /// `lr` (logistic regression, classes weighed alike) or `svm` (linear).
    pub(super) model: &'a str,
    /// Text and label.
    pub(super) train: Vec<(&'a str, &'a str)>,
    pub(super) test: Vec<&'a str>,
}

/// What it said of the texts, in order.
pub(super) struct Judged {
    pub(super) labels: Vec<String>,
    /// How sure it was of that label: a probability of `lr`, a margin of `svm`.
    pub(super) scores: Vec<f64>,
    /// Microseconds a text, when all are judged at once.
    pub(super) micros: f64,
}

impl Bench {
    pub(super) fn new(data: PathBuf, binary: PathBuf) -> Self {
        Self { data, binary }
    }

    /// The program that is measured.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// The lines of a file of labelled texts, such as `sentiment/en-nusax.train.jsonl`.
    pub(super) fn lines(&self, name: &str) -> Result<Vec<Value>> {
        read(&self.data.join(name))
    }

    /// Asks a bundled step, an input a line, with the operator's settings: in the real box, all in one process. What ran into its
    /// limit of time is asked again, and marked.
    ///
    /// # Errors
    /// When a call fails: an eval measures answers.
    pub(super) fn step(&self, step: &str, config: &Value, inputs: impl IntoIterator<Item = Value>) -> Result<Answers> {
        let scratch = Scratch::new(step)?;
        let settings = scratch.0.join("config.json");
        std::fs::write(&settings, config.to_string())?;
        let settings = format!("file:{}", settings.display());
        let args = ["--json", "plugin", "try", step, "run", "--config", &settings, "--jsonl"];
        let lines: Vec<String> = inputs.into_iter().map(|input| json!({ "input": input }).to_string()).collect();
        let mut results = self.pointsman(&args, &lines)?;
        let late: Vec<bool> = results.iter().map(is_late).collect();
        for _ in 0..AGAIN {
            let (places, again): (Vec<usize>, Vec<String>) = lines
                .iter()
                .enumerate()
                .filter(|(at, _)| results.get(*at).is_some_and(is_late))
                .map(|(at, line)| (at, line.clone()))
                .unzip();
            if again.is_empty() {
                break;
            }
            for (at, result) in places.into_iter().zip(self.pointsman(&args, &again)?) {
                if let Some(place) = results.get_mut(at) {
                    *place = result;
                }
            }
        }
        let mut answers = Answers { outputs: Vec::new(), micros: Vec::new(), late };
        for (line, mut result) in lines.iter().zip(results) {
            let Some(output) = result.get_mut("output").map(Value::take) else {
                bail!(
                    "{step}: {} for {}",
                    result.get("error").unwrap_or(&Value::Null),
                    line.chars().take(300).collect::<String>()
                );
            };
            answers.outputs.push(output);
            answers.micros.push(number(&result, "/usage/wall_us"));
        }
        Ok(answers)
    }

    /// Runs a verb of the real program that takes a line and gives a line; as many must come back.
    pub(super) fn pointsman(&self, args: &[&str], lines: &[String]) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.binary);
        command.args(args);
        let told = piped(&mut command, lines.join("\n")).with_context(|| format!("pointsman {}", args.join(" ")))?;
        let results: Vec<Value> =
            told.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("a result is no JSON")?;
        ensure!(results.len() == lines.len(), "{} lines in, {} out", lines.len(), results.len());
        Ok(results)
    }

    /// Has the baseline of words and letters learn and judge: TF-IDF of words (1-2) and of letters within words (2-5).
    pub(super) fn learn(&self, lessons: &[Lesson]) -> Result<Vec<Judged>> {
        let jobs: Vec<Value> = lessons.iter().map(|l| json!({ "model": l.model, "train": l.train, "test": l.test })).collect();
        let told = self.python("baseline.py", &json!(jobs))?;
        let read = |judged: &Value| {
            let list = |name: &str| judged.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            Judged {
                labels: list("labels").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                scores: list("scores").iter().filter_map(Value::as_f64).collect(),
                micros: number(judged, "/micros"),
            }
        };
        let all: Vec<Judged> = told.as_array().map(|all| all.iter().map(read).collect()).unwrap_or_default();
        ensure!(all.len() == lessons.len(), "the baseline answered {} of {} lessons", all.len(), lessons.len());
        for (judged, lesson) in all.iter().zip(lessons) {
            ensure!(
                judged.labels.len() == lesson.test.len() && judged.scores.len() == lesson.test.len(),
                "the baseline left texts out"
            );
        }
        Ok(all)
    }

    /// Runs a script of `tests/evals` in the private Python: JSON in, JSON out.
    pub(super) fn python(&self, script: &str, job: &Value) -> Result<Value> {
        let told = piped(&mut python::command(script)?, job.to_string()).context(script.to_owned())?;
        serde_json::from_str(&told).with_context(|| format!("{script} gives no JSON"))
    }
}

/// Whether a call was ended at its limit of time.
fn is_late(result: &Value) -> bool {
    result.pointer("/error/code").and_then(Value::as_str) == Some("limit.cpu")
}

/// A file of JSON lines.
pub(super) fn read(file: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(serde_json::from_str).collect::<Result<_, _>>().with_context(|| format!("{} is no JSON lines", file.display()))
}

/// A field that is text; "" where there is none.
pub(super) fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer (`/usage/wall_us`); 0 where there is none.
pub(super) fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_default()
}

/// Runs a command with this as its input and returns what it prints.
fn piped(command: &mut Command, input: String) -> Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("it cannot be run")?;
    let mut pipe = child.stdin.take().context("it has no input")?;
    // On a thread of its own: both pipes may fill. Who does not read to the end says why by its exit code.
    let writing = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output()?;
    drop(writing.join());
    ensure!(output.status.success(), "it ended with {}", output.status);
    String::from_utf8(output.stdout).context("it prints no text")
}

/// A folder for a file that is handed over; gone afterwards.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("pointsman-eval-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
