//! Words as they are compared: lower case, without endings and accents, as 32-bit hashes. What is written without spaces (Chinese,
//! Japanese, Korean, Thai and their neighbours) is taken in pairs of characters.
//!
//! Hashes are what is kept and searched: a base of 300,000 different words has one that stands for two in one question of 14,000,
//! and no table holds a word in plain.

mod language;
mod malay;
mod stop;

use rust_stemmers::Stemmer;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub use language::Language;
use language::Stem;

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Its hash.
    pub hash: u32,
    /// The hash under which it is found too by those who write without accents, where that is another.
    pub bare: Option<u32>,
}

/// The words of a text that mean something, in their order. A text of nothing but small words keeps them.
#[must_use]
pub fn words(text: &str, language: Language) -> Vec<Word> {
    let mut reader = Reader { language, stemmer: stemmer(language), kept: Vec::new(), stopped: Vec::new() };
    let lower = text.nfkc().flat_map(char::to_lowercase);
    let mut run = String::new();
    let mut pair: Option<char> = None;
    let mut single = false;
    for c in lower {
        if unspaced(c) {
            reader.take(&mut run);
            match pair {
                Some(before) => {
                    reader.keep(&[before, c].iter().collect::<String>());
                    single = false;
                }
                None => single = true,
            }
            pair = Some(c);
            continue;
        }
        if let Some(alone) = pair.take().filter(|_| single) {
            reader.keep(&alone.to_string());
        }
        if c.is_alphanumeric() || (is_combining_mark(c) && !run.is_empty()) {
            run.push(c);
        } else {
            reader.take(&mut run);
        }
    }
    if let Some(alone) = pair.filter(|_| single) {
        reader.keep(&alone.to_string());
    }
    reader.take(&mut run);
    if reader.kept.is_empty() { reader.stopped } else { reader.kept }
}

fn stemmer(language: Language) -> Option<Stemmer> {
    match language.stem() {
        Stem::Snowball(algorithm) => Some(Stemmer::create(algorithm)),
        Stem::Malay | Stem::None => None,
    }
}

struct Reader {
    language: Language,
    stemmer: Option<Stemmer>,
    kept: Vec<Word>,
    stopped: Vec<Word>,
}

impl Reader {
    /// Takes a run of letters as a word, and empties it.
    fn take(&mut self, run: &mut String) {
        if run.is_empty() {
            return;
        }
        let plain = plain_arabic(run);
        let word = plain.as_deref().unwrap_or(run);
        let made = self.word(word);
        if self.language.stops(word) {
            self.stopped.push(made);
        } else {
            self.kept.push(made);
        }
        run.clear();
    }

    fn keep(&mut self, pair: &str) {
        self.kept.push(Word { hash: hash(pair), bare: None });
    }

    fn word(&self, word: &str) -> Word {
        let own = hash(&folded(&self.stem(word)));
        if word.is_ascii() {
            return Word { hash: own, bare: None };
        }
        let bare = hash(&folded(&self.stem(&folded(word))));
        Word { hash: own, bare: Some(bare).filter(|bare| *bare != own) }
    }

    fn stem(&self, word: &str) -> String {
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(word).into_owned(),
            None if matches!(self.language.stem(), Stem::Malay) => malay::stem(word),
            None => word.to_owned(),
        }
    }
}

/// What is written without spaces between its words.
fn unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3105}'..='\u{318f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Arabic without vowel signs and stretching, and with one alef: people write them or leave them out.
fn plain_arabic(word: &str) -> Option<String> {
    word.chars().any(|c| matches!(c, '\u{0600}'..='\u{06ff}')).then(|| {
        let kept = word.chars().filter(|c| !matches!(c, '\u{064b}'..='\u{065f}' | '\u{0670}' | '\u{0640}'));
        kept.map(|c| if matches!(c, 'أ' | 'إ' | 'آ' | 'ٱ') { 'ا' } else { c }).collect()
    })
}

/// Latin and Greek letters without their accents; marks of other scripts are letters of their own there and stay.
fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut base = ' ';
    let bare = word.nfd().filter(move |c| {
        if !is_combining_mark(*c) {
            base = *c;
            return true;
        }
        !matches!(base, 'a'..='z' | '\u{00c0}'..='\u{024f}' | '\u{0370}'..='\u{03ff}')
    });
    bare.nfc().map(|c| if c == 'ς' { 'σ' } else { c }).collect::<String>().replace('ß', "ss")
}

/// FNV-1a, its halves folded into one.
fn hash(word: &str) -> u32 {
    let whole =
        word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u32::try_from((whole >> 32) ^ (whole & 0xffff_ffff)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, code: &str) -> Vec<Word> {
        words(text, Language::from_code(code).unwrap_or_default())
    }

    fn shares(a: &str, b: &str, code: &str) -> bool {
        let (a, b) = (read(a, code), read(b, code));
        let found = |word: &Word| b.iter().any(|other| other.hash == word.hash || other.bare == Some(word.hash));
        !a.is_empty() && a.iter().all(found)
    }

    #[test]
    fn forms_of_a_word_meet() {
        for (asked, said, code) in [
            ("opening", "We open at nine", "en"),
            ("DELIVERIES", "delivery", "en"),
            ("kapan pengiriman", "Pesanan dikirim besok", "id"),
            ("الطلبات", "طلب", "ar"),
            ("أسعار", "الاسعار", "ar"),
            ("كِتَاب", "كتاب", "ar"),
            ("entregas", "A entrega é grátis", "pt"),
            ("informacao", "Informação", "pt"),
            ("envio", "El envío cuesta", "es"),
            ("Häuser", "Haus", "de"),
            ("strasse", "Straße", "de"),
            ("livraisons", "la livraison", "fr"),
            ("l'adresse", "adresse", "fr"),
            ("営業時間", "営業時間は九時から", "und"),
            ("퇴근", "퇴근시간", "und"),
        ] {
            assert!(shares(asked, said, code), "{asked} / {said}");
        }
        assert!(!shares("open", "closed", "en"));
    }

    #[test]
    fn small_words_count_only_where_there_is_nothing_else() {
        assert_eq!(read("Where is the bakery?", "en").len(), 1);
        assert_eq!(read("who are you", "en").len(), 3);
        assert_eq!(read("", "en"), []);
        assert_eq!(read("?!… 👍", "en"), []);
    }

    #[test]
    fn what_has_no_spaces_is_taken_in_pairs() {
        assert_eq!(read("東京都", "und").len(), 2);
        assert_eq!(read("犬", "und").len(), 1);
        assert_eq!(read("東京 tower", "und").len(), 2);
    }
}
