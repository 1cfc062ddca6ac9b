//! For the trainers of models: a text a line in (a JSON string), what is in it a line out: `[[hash, value], ..]` of its words, of
//! its pieces of words, and the vote on its language. So that what a model learnt from is, to the bit, what the step sees.

use std::io::{BufRead as _, Write as _};

use pointsman_words::{Bag, language};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let bag = Bag::of(&text);
        writeln!(out, "{}", serde_json::json!([bag.words, bag.letters, [language::vote(&text)]]))?;
    }
    Ok(())
}
