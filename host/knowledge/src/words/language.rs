//! Languages: which there are, what is done with their words, and how one is told from a text.

use std::collections::HashSet;
use std::sync::LazyLock;

use rust_stemmers::Algorithm;
use serde::{Deserialize, Serialize};
use whatlang::{Detector, Lang};

use super::stop;

/// How the ends of words are taken off.
#[derive(Clone, Copy)]
pub(super) enum Stem {
    /// By Snowball.
    Snowball(Algorithm),
    /// By the rules of Malay, of which Indonesian is a standard.
    Malay,
    /// Not at all.
    None,
}

struct Row {
    code: &'static str,
    lang: Option<Lang>,
    stem: Stem,
    stop: &'static str,
}

const fn row(code: &'static str, lang: Lang, algorithm: Algorithm, stop: &'static str) -> Row {
    Row { code, lang: Some(lang), stem: Stem::Snowball(algorithm), stop }
}

static UNKNOWN: Row = Row { code: "und", lang: None, stem: Stem::None, stop: "" };

/// A language is its place in here: only append, for the numbers are kept.
static LANGUAGES: [Row; 19] = [
    Row { code: "und", lang: None, stem: Stem::None, stop: "" },
    row("en", Lang::Eng, Algorithm::English, stop::ENGLISH),
    // Malay is read as Indonesian: detectors cannot tell them apart, and affixes and small words are the same.
    Row { code: "id", lang: Some(Lang::Ind), stem: Stem::Malay, stop: stop::MALAY },
    row("ar", Lang::Ara, Algorithm::Arabic, stop::ARABIC),
    row("pt", Lang::Por, Algorithm::Portuguese, stop::PORTUGUESE),
    row("es", Lang::Spa, Algorithm::Spanish, stop::SPANISH),
    row("de", Lang::Deu, Algorithm::German, stop::GERMAN),
    row("fr", Lang::Fra, Algorithm::French, stop::FRENCH),
    row("nl", Lang::Nld, Algorithm::Dutch, ""),
    row("it", Lang::Ita, Algorithm::Italian, ""),
    row("ru", Lang::Rus, Algorithm::Russian, ""),
    row("tr", Lang::Tur, Algorithm::Turkish, ""),
    row("sv", Lang::Swe, Algorithm::Swedish, ""),
    row("ro", Lang::Ron, Algorithm::Romanian, ""),
    row("hu", Lang::Hun, Algorithm::Hungarian, ""),
    row("el", Lang::Ell, Algorithm::Greek, ""),
    row("fi", Lang::Fin, Algorithm::Finnish, ""),
    row("da", Lang::Dan, Algorithm::Danish, ""),
    row("ta", Lang::Tam, Algorithm::Tamil, ""),
];

/// The small words of each, in the form in which words are compared with them.
static STOPS: LazyLock<Vec<HashSet<String>>> = LazyLock::new(|| {
    let plain = |word: &str| super::plain_arabic(word).unwrap_or_else(|| word.to_owned());
    LANGUAGES.iter().map(|row| row.stop.split_ascii_whitespace().map(plain).collect()).collect()
});

/// Characters that are enough to tell a language by.
const ENOUGH: usize = 4_000;

/// Bytes from which on letters tell a language.
const TELLING: usize = 400;

/// A language that words are read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Language(u8);

impl Language {
    /// None in particular: words are taken as they stand.
    pub const UNKNOWN: Self = Self(0);

    /// By its ISO 639-1 code; `ms` is read as `id`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let code = if code == "ms" { "id" } else { code.as_str() };
        LANGUAGES.iter().position(|row| row.code == code).and_then(|n| u8::try_from(n).ok()).map(Self)
    }

    /// Its ISO 639-1 code, `und` for none.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The codes that there are.
    #[must_use]
    pub fn codes() -> Vec<&'static str> {
        LANGUAGES.iter().skip(1).map(|row| row.code).collect()
    }

    /// The language of a text. `None` where nothing speaks for one: too short, or a script without words of ours.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let end = text.char_indices().nth(ENOUGH).map_or(text.len(), |(at, _)| at);
        let known = LANGUAGES.iter().filter_map(|row| row.lang).collect();
        let text = text.get(..end).unwrap_or(text);
        let found = Detector::with_allowlist(known).detect(text);
        // Letters tell nothing sure of a short text; its small words do.
        if !found.as_ref().is_some_and(|found| found.is_reliable() && text.len() >= TELLING)
            && let Some(told) = Self::by_small_words(text)
        {
            return Some(told);
        }
        let found = found.filter(|found| found.confidence() >= 0.5)?;
        LANGUAGES.iter().position(|row| row.lang == Some(found.lang())).and_then(|n| u8::try_from(n).ok()).map(Self)
    }

    /// The language of which a text has the most small words: two at least, and more than of any other.
    fn by_small_words(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let count = |language: Self| words.iter().filter(|word| language.stops(word)).count();
        let languages = (0_u8..).take(LANGUAGES.len()).map(Self);
        let mut counted: Vec<(usize, Self)> = languages.map(|language| (count(language), language)).collect();
        counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        match counted.as_slice() {
            [(most, told), (next, _), ..] if *most >= 2 && most > next => Some(*told),
            _ => None,
        }
    }

    pub(super) fn stem(self) -> Stem {
        self.row().stem
    }

    /// Whether a word, in lower case, only holds sentences together.
    pub(super) fn stops(self, word: &str) -> bool {
        STOPS.get(usize::from(self.0)).is_some_and(|stops| stops.contains(word))
    }

    fn row(self) -> &'static Row {
        LANGUAGES.get(usize::from(self.0)).unwrap_or(&UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_its_language() {
        for (text, code) in [
            ("When are you open on Sundays, and where can I leave my car?", "en"),
            ("Kapan toko buka pada hari Minggu, dan di mana saya bisa memarkir mobil?", "id"),
            ("Bilakah kedai dibuka pada hari Ahad, dan di manakah saya boleh meletakkan kereta?", "id"),
            ("متى تفتحون يوم الأحد وأين يمكنني ترك سيارتي؟", "ar"),
            ("Quando vocês abrem aos domingos e onde posso deixar o meu carro?", "pt"),
            ("¿Cuándo abren los domingos y dónde puedo dejar mi coche?", "es"),
            ("Wann haben Sie sonntags geöffnet, und wo kann ich mein Auto abstellen?", "de"),
            ("Quand êtes-vous ouverts le dimanche, et où puis-je laisser ma voiture ?", "fr"),
        ] {
            assert_eq!(Language::of(text).map(Language::code), Some(code), "{text}");
        }
        let short =
            "# Shop\n\n## Opening hours\n\nMonday to Saturday from 9 to 18.\n\n## Returns\n\nBring it back within 30 days.\n";
        assert_eq!(Language::of(short).map(Language::code), Some("en"));
        assert_eq!(Language::of("12:30"), None);
        assert_eq!(Language::from_code("pt-BR").map(Language::code), Some("pt"));
        assert_eq!(Language::from_code("ms"), Language::from_code("id"));
        assert_eq!(Language::from_code("xx"), None);
    }
}
