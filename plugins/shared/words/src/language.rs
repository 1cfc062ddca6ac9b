//! Which language a text is in: by its script where that decides, and among the languages of Latin letters by a linear model over
//! its words, its pieces of words, and what `whichlang` takes it for (which knows eleven of them, and no language of Indonesia).
//! How the model was made, and of what: `train/LANGUAGE.md`.

use crate::bag::{Bag, hash};
use crate::cut::MOST;
use crate::linear::{Linear, softmax};

/// The languages of Latin letters, in the order of the model's classes. Arabic as people type it in chats is one of them.
const LATIN: [&str; 17] = ["ar", "de", "en", "es", "fr", "id", "it", "jv", "ms", "nl", "pl", "pt", "su", "sv", "tl", "tr", "vi"];

static MODEL: &[u8] = include_bytes!("language.bin");

/// Characters in which another language of the same script shows itself. Gaf and pe are in use in North Africa too; the Persian
/// kaf and ye are on no Arabic keyboard.
const PERSIAN: &str = "کی";
const URDU: &str = "ٹڈڑںے";
const UKRAINIAN: &str = "іїєґ";

/// A language (ISO 639-1) and how sure that is, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// The language.
    pub language: &'static str,
    /// Its part of one.
    pub confidence: f32,
}

/// Every language that can be told.
pub fn known() -> impl Iterator<Item = &'static str> {
    LATIN.into_iter().chain(["fa", "ur", "ru", "uk", "el", "he", "hi", "bn", "ta", "th", "ko", "ja", "zh"])
}

/// The likeliest languages first; none for a text without letters, or in a script of which no language is `among` those asked
/// for. With an empty `among` all are.
#[must_use]
pub fn detect(text: &str, bag: &Bag, among: &[String]) -> Vec<Guess> {
    let wanted = |language: &str| among.is_empty() || among.iter().any(|one| one == language);
    let (latin, others) = scripts(text);
    let all = latin + others.iter().map(|(_, count)| count).sum::<f32>();
    if all == 0.0 {
        return Vec::new();
    }
    let mut guesses: Vec<Guess> = others
        .into_iter()
        .filter(|(language, _)| wanted(language))
        .map(|(language, count)| Guess { language, confidence: count / all })
        .collect();
    if let Some(model) = Linear::new(MODEL, LATIN.len()).filter(|_| latin > 0.0) {
        let words: Vec<(u32, f32)> = bag.words.iter().copied().chain([vote(text)]).collect();
        let (names, scores): (Vec<&str>, Vec<f32>) =
            LATIN.into_iter().zip(model.scores(&[&words, &bag.letters])).filter(|(language, _)| wanted(language)).unzip();
        for (language, part) in names.into_iter().zip(softmax(&scores)) {
            let confidence = part * latin / all;
            match guesses.iter_mut().find(|guess| guess.language == language) {
                Some(guess) => guess.confidence += confidence,
                None => guesses.push(Guess { language, confidence }),
            }
        }
    }
    guesses.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.language.cmp(b.language)));
    guesses
}

/// What another detector takes the text for: one word more, that counts as two.
#[must_use]
pub fn vote(text: &str) -> (u32, f32) {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(at, _)| at);
    let language = whichlang::detect_language(text.get(..end).unwrap_or(text));
    (hash(b'v', &[language.three_letter_code()]), 2.0)
}

/// How many letters are Latin, and how many there are of each language that has a script of its own.
fn scripts(text: &str) -> (f32, Vec<(&'static str, f32)>) {
    let has = |signs: &str| text.chars().any(|c| signs.contains(c));
    let arabic = if has(URDU) {
        "ur"
    } else if has(PERSIAN) {
        "fa"
    } else {
        "ar"
    };
    let cyrillic = if has(UKRAINIAN) { "uk" } else { "ru" };
    let han = if text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}')) { "ja" } else { "zh" };
    let mut latin = 0.0;
    let mut counts: Vec<(&'static str, f32)> = Vec::new();
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        // A sign of Chinese says about as much as two letters.
        let (language, weight) = match c {
            '\u{0370}'..='\u{03ff}' | '\u{1f00}'..='\u{1fff}' => ("el", 1.0),
            '\u{0400}'..='\u{052f}' => (cyrillic, 1.0),
            '\u{0590}'..='\u{05ff}' => ("he", 1.0),
            '\u{0600}'..='\u{06ff}' | '\u{0750}'..='\u{077f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' => {
                (arabic, 1.0)
            }
            '\u{0900}'..='\u{097f}' => ("hi", 1.0),
            '\u{0980}'..='\u{09ff}' => ("bn", 1.0),
            '\u{0b80}'..='\u{0bff}' => ("ta", 1.0),
            '\u{0e00}'..='\u{0e7f}' => ("th", 1.0),
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7a3}' => ("ko", 2.0),
            '\u{3040}'..='\u{30ff}' => ("ja", 2.0),
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => (han, 2.0),
            '\0'..='\u{024f}' | '\u{1e00}'..='\u{1eff}' => {
                latin += 1.0;
                continue;
            }
            _ => continue,
        };
        match counts.iter_mut().find(|(known, _)| *known == language) {
            Some((_, count)) => *count += weight,
            None => counts.push((language, weight)),
        }
    }
    (latin, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str, among: &[&str]) -> Option<&'static str> {
        let among: Vec<String> = among.iter().map(|one| (*one).to_owned()).collect();
        detect(text, &Bag::of(text), &among).first().map(|guess| guess.language)
    }

    #[test]
    fn the_model_fits_its_languages() {
        assert!(Linear::new(MODEL, LATIN.len()).is_some());
        let mut all: Vec<&str> = known().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), known().count());
    }

    #[test]
    fn messages_of_customers() {
        for (text, language) in [
            ("Hi, do you deliver to the city centre on Sundays?", "en"),
            ("Kak, pesanan saya kok belum sampai ya? Sudah tiga hari", "id"),
            ("Regane pira, Mas? Aku arep tuku loro", "jv"),
            ("Hatur nuhun, kadaharanana raos pisan", "su"),
            ("¿Cuánto cuesta el envío a Madrid? Quiero dos camisetas", "es"),
            ("Quanto custa a entrega? Queria duas camisetas, por favor", "pt"),
            ("Wann wird meine Bestellung endlich geliefert?", "de"),
            ("Bonjour, je voudrais commander deux gâteaux pour samedi", "fr"),
            ("Buongiorno, vorrei ordinare due torte per sabato", "it"),
            ("كم سعر التوصيل الى الرياض؟", "ar"),
            ("قیمت این محصول چند است؟", "fa"),
            ("Сколько стоит доставка?", "ru"),
            ("Скільки коштує доставка і коли її чекати?", "uk"),
            ("配送多少钱？", "zh"),
            ("配送料はいくらですか", "ja"),
            ("배송비가 얼마예요?", "ko"),
            ("डिलीवरी कितने की है?", "hi"),
            ("ค่าส่งเท่าไหร่", "th"),
        ] {
            assert_eq!(first(text, &[]), Some(language), "{text}");
        }
    }

    #[test]
    fn only_what_is_asked_for() {
        let text = "Berapa harga roti ini?";
        assert_eq!(first(text, &["en", "id"]), Some("id"));
        assert!(first(text, &["ar", "en"]).is_some(), "something of Latin letters");
        assert_eq!(first("كم السعر؟", &["en", "id"]), None);
        assert_eq!(first("كم السعر؟", &["en", "ar"]), Some("ar"));
    }

    #[test]
    fn nothing_to_tell_and_too_much() {
        for text in ["", "  ", "👍👍", "12.500 !!!", "https://t.co/abc"] {
            let guesses = detect(text, &Bag::of(text), &[]);
            assert!(guesses.is_empty() || text.contains("://"), "{text}: {guesses:?}");
        }
        let long = "Where is my order? ".repeat(20_000);
        assert_eq!(first(&long, &[]), Some("en"));
        let mixed = "Saya mau pesan 2 box كعك untuk besok pagi ya kak, terima kasih";
        assert_eq!(first(mixed, &[]), Some("id"));
        let sum: f32 = detect(mixed, &Bag::of(mixed), &[]).iter().map(|guess| guess.confidence).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }
}
