//! For `train/sure.py`: a set a line in (`{"train": [[intent, text], ..], "ask": [text, ..]}`; an intent may be null), and for each
//! text a line out: the best guess and its signs.

use std::io::{BufRead as _, Write as _};

use pointsman_intent::{near::Examples, sure::signs};
use serde::Deserialize;

#[derive(Deserialize)]
struct Set {
    train: Vec<(Option<String>, String)>,
    ask: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let set: Set = serde_json::from_str(&line?)?;
        let mut examples = Examples::new(set.train.iter().map(|(intent, text)| (intent.as_deref(), text.as_str())));
        for text in &set.ask {
            let near = examples.near(text);
            let told = near.map(|near| serde_json::json!([near.votes.first().map(|(intent, _)| *intent), signs(&near)]));
            writeln!(out, "{}", serde_json::json!(told))?;
        }
    }
    Ok(())
}
