//! Questions and answers, or titled texts, as rows (CSV) or objects (JSON). A column is found by its name in several languages.

use csv::ReaderBuilder;
use pointsman_core::failure::Failure;
use serde_json::Value;

use super::outline::squeezed;
use super::{Entry, products, refused};
use crate::words::Language;

/// What the columns may be called.
const QUESTION: [&str; 14] = [
    "question",
    "questions",
    "title",
    "heading",
    "q",
    "pertanyaan",
    "soalan",
    "judul",
    "pergunta",
    "pregunta",
    "frage",
    "titre",
    "سؤال",
    "السؤال",
];
const ANSWER: [&str; 16] = [
    "answer",
    "answers",
    "text",
    "content",
    "body",
    "a",
    "jawaban",
    "jawapan",
    "isi",
    "resposta",
    "respuesta",
    "antwort",
    "réponse",
    "reponse",
    "جواب",
    "الجواب",
];
const ID: [&str; 3] = ["id", "key", "slug"];
const LANGUAGE: [&str; 4] = ["language", "lang", "bahasa", "locale"];

/// The cure of a table that is not understood.
const WANTED: &str =
    "a column `answer` (or `text`), best with one `question` (or `title`); `id` and `language` may stand beside them";

/// One row, by the names of its columns.
fn entry(name: &str, place: &str, cells: &[(String, String)], number: usize) -> Result<Entry, Failure> {
    let cell = |names: &[&str]| {
        let found = cells.iter().find(|(column, _)| names.contains(&column.trim().to_lowercase().as_str()));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    if !cells.iter().any(|(column, _)| ANSWER.contains(&column.trim().to_lowercase().as_str())) {
        return Err(refused("columns", format!("{name}, {place}: no column holds what to answer; there must be {WANTED}")));
    }
    let language = cell(&LANGUAGE).map(|code| Language::from_code(code).unwrap_or_default());
    let paragraphs = cell(&ANSWER).unwrap_or_default().split("\n\n").map(squeezed).filter(|text| !text.is_empty()).collect();
    Ok(Entry {
        id: cell(&ID).map_or_else(|| number.to_string(), str::to_owned),
        headings: cell(&QUESTION).map(squeezed).into_iter().collect(),
        paragraphs,
        whole: true,
        language,
    })
}

pub(super) fn csv(name: &str, text: &str) -> Result<Vec<Entry>, Failure> {
    let head = text.lines().next().unwrap_or_default();
    let separator = [b',', b';', b'\t', b'|'].into_iter().max_by_key(|c| (head.bytes().filter(|b| b == c).count(), *c == b','));
    let mut reader = ReaderBuilder::new().delimiter(separator.unwrap_or(b',')).flexible(true).from_reader(text.as_bytes());
    let broken = |e: csv::Error| refused("csv", format!("{name} is not CSV: {e}"));
    let columns: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
    let mut entries = Vec::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() != columns.len() {
            let text = format!(
                "{name}, line {line}: {} cells under {} columns; put texts with separators into quotes",
                row.len(),
                columns.len()
            );
            return Err(refused("csv", text));
        }
        let cells: Vec<(String, String)> = columns.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
        entries.push(entry(name, &format!("line {line}"), &cells, number + 1)?);
    }
    Ok(entries)
}

pub(super) fn json(name: &str, text: &str) -> Result<Vec<Entry>, Failure> {
    let value: Value = serde_json::from_str(text).map_err(|e| broken(name, 0, &e))?;
    match value {
        Value::Array(list) => {
            list.iter().enumerate().map(|(n, one)| object(name, &format!("item {}", n + 1), one, n + 1)).collect()
        }
        Value::Object(map) if map.get("products").is_some_and(Value::is_array) => products::read(name, &map),
        // Questions as keys, answers as values.
        Value::Object(map) if map.values().all(Value::is_string) => {
            let cells = |(question, answer): (&String, &Value)| {
                vec![
                    ("question".to_owned(), question.clone()),
                    ("answer".to_owned(), answer.as_str().unwrap_or_default().to_owned()),
                ]
            };
            map.iter().map(cells).enumerate().map(|(n, cells)| entry(name, "the object", &cells, n + 1)).collect()
        }
        _ => Err(refused("json", format!("{name} is neither a list of objects nor an object of questions and answers"))),
    }
}

pub(super) fn json_lines(name: &str, text: &str) -> Result<Vec<Entry>, Failure> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| {
            let value: Value = serde_json::from_str(line).map_err(|e| broken(name, n + 1, &e))?;
            object(name, &format!("line {}", n + 1), &value, n + 1)
        })
        .collect()
}

fn object(name: &str, place: &str, value: &Value, number: usize) -> Result<Entry, Failure> {
    let Value::Object(map) = value else {
        return Err(refused("json", format!("{name}, {place}: it is no object; there must be {WANTED}")));
    };
    let cells: Vec<(String, String)> = map
        .iter()
        .filter_map(|(key, value)| match value {
            Value::String(text) => Some((key.clone(), text.clone())),
            Value::Number(number) => Some((key.clone(), number.to_string())),
            _ => None,
        })
        .collect();
    entry(name, place, &cells, number)
}

fn broken(name: &str, line: usize, error: &serde_json::Error) -> Failure {
    let line = if line > 0 { line } else { error.line() };
    refused("json", format!("{name} is not JSON: line {line}, column {}", error.column()))
}
