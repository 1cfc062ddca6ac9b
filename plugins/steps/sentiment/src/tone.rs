//! The tone of a text by rated words: English words and emoji that people were asked about, turned round where they are denied,
//! stronger and weaker where they are said so. What is found is no verdict, but a list of signs for the models, which learnt how
//! far each is to be believed. Where the ratings are from: `train/MODEL.md`.

use pointsman_words::bag::hash;
use pointsman_words::cut::{cut, is_word};

/// By rising hash of a word: four bytes of it, one of its rating, as `examples/tones.rs` lays it down.
static RATINGS: &[u8] = include_bytes!("ratings.bin");

/// The bytes of one.
const ENTRY: usize = 5;

/// The best rating; a byte of 127 stands for it.
pub const BEST: f32 = 4.0;

/// Words that turn round what follows.
const DENIALS: [&str; 26] = [
    "not", "no", "never", "without", "nothing", "nobody", "none", "neither", "nor", "hardly", "barely", "rarely", "cannot",
    "cant", "dont", "doesnt", "didnt", "isnt", "wasnt", "arent", "aint", "wont", "wouldnt", "couldnt", "havent", "hasnt",
];

/// What is left of a denied word: "not good" is less bad than "bad".
const DENIED: f32 = -0.74;

/// Words that make what follows stronger, and such that make it weaker.
const STRONGER: [&str; 20] = [
    "very",
    "really",
    "so",
    "soo",
    "extremely",
    "absolutely",
    "totally",
    "completely",
    "super",
    "incredibly",
    "highly",
    "most",
    "too",
    "especially",
    "truly",
    "deeply",
    "fucking",
    "entirely",
    "exceptionally",
    "such",
];
const WEAKER: [&str; 8] = ["slightly", "somewhat", "little", "bit", "kinda", "partly", "almost", "less"];

/// What such a word, or a "!", adds to a rating.
const PUSH: f32 = 0.3;

/// So many words before a word count for it.
const BEFORE: usize = 3;

/// Faces of letters and marks, and their ratings.
const FACES: [(&str, f32); 18] = [
    (":)", 2.0),
    (":-)", 1.8),
    ("=)", 2.0),
    (":D", 2.3),
    (":-D", 2.3),
    (";)", 1.3),
    (";-)", 1.3),
    (":P", 1.3),
    (":*", 2.0),
    ("<3", 1.9),
    (":(", -1.9),
    (":-(", -1.7),
    ("=(", -1.8),
    (":'(", -2.2),
    (":/", -1.2),
    (":-/", -1.2),
    (":|", -0.6),
    ("</3", -2.4),
];

/// At so many places from -1 to 1 a tone is a sign of its own; between two it is something of both.
const PLACES: u8 = 9;

/// The signs of a text: how what is rated in it sums up, the worst of it and the best.
#[must_use]
pub fn signs(text: &str) -> Vec<(u32, f32)> {
    let pieces = cut(text);
    let mut rated = words(&pieces);
    rated.extend(text.split_whitespace().filter_map(face));
    if rated.is_empty() {
        return vec![(hash(b't', &["none"]), 1.0)];
    }
    let cries = pieces.iter().filter(|piece| *piece == "!").count().min(2) as f32;
    let sum: f32 = rated.iter().sum();
    let loud = if sum == 0.0 { 0.0 } else { sum + sum.signum() * cries * PUSH };
    let worst = rated.iter().copied().fold(0.0, f32::min);
    let best = rated.iter().copied().fold(0.0, f32::max);
    [("sum", loud), ("worst", worst), ("best", best)].into_iter().flat_map(|(of, tone)| places(of, tone)).collect()
}

/// What is rated, in order, as it counts where it stands.
fn words(pieces: &[String]) -> Vec<f32> {
    let rating = |at: usize| pieces.get(at).and_then(|piece| rating(piece));
    let mut rated: Vec<(usize, f32)> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let Some(own) = rating(at) else { continue };
        // "no problem": the denial is there for the other word.
        if DENIALS.contains(&piece.as_str()) && rating(at + 1).is_some() {
            continue;
        }
        rated.push((at, counted(own, pieces.get(at.saturating_sub(BEFORE)..at).unwrap_or_default())));
    }
    // What stands after a "but" is what is meant.
    let but = pieces.iter().position(|piece| piece == "but");
    let weight = |at: usize| but.map_or(1.0, |but| if at < but { 0.5 } else { 1.5 });
    rated.into_iter().map(|(at, value)| value * weight(at)).collect()
}

/// A rating after these words.
fn counted(own: f32, before: &[String]) -> f32 {
    let close = before.iter().rev().map(String::as_str).take_while(|piece| is_word(piece));
    close.fold(own, |value, word| {
        if DENIALS.contains(&word) {
            value * DENIED
        } else if STRONGER.contains(&word) {
            value + value.signum() * PUSH
        } else if WEAKER.contains(&word) {
            value - value.signum() * PUSH
        } else {
            value
        }
    })
}

/// The rating of the face that a part of a text is or ends in; not of a bracket that opens, as in "two (2)".
fn face(part: &str) -> Option<f32> {
    FACES.iter().filter(|(face, _)| part.ends_with(face)).max_by_key(|(face, _)| face.len()).map(|(_, rating)| *rating)
}

/// A sum of ratings at the places that it is near to.
fn places(of: &str, sum: f32) -> impl Iterator<Item = (u32, f32)> {
    let tone = sum / (sum * sum + 15.0).sqrt();
    let at = (tone + 1.0) / 2.0 * f32::from(PLACES - 1);
    (0..PLACES).filter_map(move |place| {
        let near = 1.0 - (at - f32::from(place)).abs();
        (near > 0.0).then(|| (hash(b't', &[of, &place.to_string()]), near))
    })
}

/// What a rated word is known by.
#[must_use]
pub fn name(piece: &str) -> u32 {
    hash(b'r', &[piece])
}

/// The rating of a word or emoji.
fn rating(piece: &str) -> Option<f32> {
    let wanted = name(piece);
    let entries = RATINGS.as_chunks::<ENTRY>().0;
    let at = entries.binary_search_by_key(&wanted, |[a, b, c, d, _]| u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
    let [.., rating] = entries.get(at)?;
    Some(f32::from(rating.cast_signed()) * BEST / 127.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of a text before it is made signs.
    fn tone(text: &str) -> f32 {
        words(&cut(text)).into_iter().chain(text.split_whitespace().filter_map(face)).sum()
    }

    #[test]
    fn the_ratings_are_in_order() {
        assert!(RATINGS.len().is_multiple_of(ENTRY) && RATINGS.len() > 30_000);
        let names = RATINGS.as_chunks::<ENTRY>().0.iter().map(|[a, b, c, d, _]| u32::from_le_bytes([*a, *b, *c, *d]));
        assert!(names.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_stands_before_a_word_counts() {
        let good = tone("the cake was good");
        assert!(good > 1.0);
        assert!(tone("the cake was very good") > good);
        assert!(tone("the cake was somewhat good") < good);
        assert!(tone("the cake was not good") < 0.0 && tone("the cake wasn't very good") < 0.0);
        assert!(tone("no, the cake was good") > 0.0, "a mark parts them");
        assert!(tone("the cake was good but the service terrible") < 0.0);
        assert!(tone("the service was terrible but the cake good") > 0.0);
        assert_eq!(tone("two boxes on Sunday"), 0.0);
    }

    #[test]
    fn emoji_and_faces_are_rated() {
        assert!(tone("😍") > 0.5 && tone("😡") < 0.0 && tone("👍🏽") > 0.3);
        assert!(tone("ok :)") > tone("ok") && tone("ok:(") < tone("ok"));
        assert_eq!(tone("order:(2) a/b ://"), 0.0);
    }

    #[test]
    fn a_tone_lies_between_two_places() {
        let near = |sum| places("sum", sum).map(|(_, near)| near).collect::<Vec<_>>();
        assert_eq!(near(0.0), [1.0]);
        assert_eq!(near(2.0).len(), 2);
        assert!((near(-7.0).iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert_eq!(signs("Tuesday").len(), 1);
    }
}
