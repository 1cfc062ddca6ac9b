//! For `train/train.py`. Without an argument: a text a line in (a JSON string), what the models see of it a line out, `[[hash,
//! value], ..]` of its words, its pieces of words and its tone. With the path of a file: rated words in, `[word, rating]` a line
//! (-4 to 4), and that file written as `src/tone.rs` reads it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use pointsman_sentiment::tone;
use pointsman_words::{Bag, cut::cut};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = std::io::stdin().lock().lines();
    if let Some(file) = std::env::args().nth(1) {
        let mut ratings: BTreeMap<u32, i8> = BTreeMap::new();
        for line in lines {
            let (word, rating): (String, f32) = serde_json::from_str(&line?)?;
            // Of words that are written alike once they are cut, the first counts; what is several pieces is no word.
            if let [piece] = cut(&word).as_slice() {
                let step = (rating / tone::BEST * 127.0).round().clamp(-127.0, 127.0);
                #[expect(clippy::cast_possible_truncation, reason = "it lies between the bounds")]
                ratings.entry(tone::name(piece)).or_insert(step as i8);
            }
        }
        let bytes = ratings.iter().flat_map(|(name, rating)| name.to_le_bytes().into_iter().chain(rating.to_le_bytes()));
        return Ok(std::fs::write(file, bytes.collect::<Vec<u8>>())?);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        let text: String = serde_json::from_str(&line?)?;
        let bag = Bag::of(&text);
        writeln!(out, "{}", serde_json::json!([bag.words, bag.letters, tone::signs(&text)]))?;
    }
    Ok(())
}
