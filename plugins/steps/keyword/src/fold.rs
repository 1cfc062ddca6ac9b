//! Text without what people leave out when they type: capitals, accents, the difference between a word's forms in Unicode.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, and Latin and Greek letters without their accents. Marks of other scripts are letters of their own there
/// (й is not и, が is not か) and stay.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut base = ' ';
    let bare = text.nfd().filter(move |c| {
        if !is_combining_mark(*c) {
            base = *c;
            return true;
        }
        !carries_accents(base)
    });
    let mut out = String::with_capacity(text.len());
    for c in bare.nfc().flat_map(char::to_lowercase) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' => out.push('d'),
            'ı' => out.push('i'),
            'ς' => out.push('σ'),
            other => out.push(other),
        }
    }
    out
}

fn carries_accents(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{00c0}'..='\u{024f}' | '\u{0370}'..='\u{03ff}' | '\u{1e00}'..='\u{1fff}')
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn what_people_leave_out_makes_no_difference() {
        for (text, folded) in [
            ("Hello", "hello"),
            ("CAFÉ", "cafe"),
            ("cafe\u{301}", "cafe"),
            ("Straße", "strasse"),
            ("Łódź", "lodz"),
            ("İSTANBUL", "istanbul"),
            ("Ελλάδα", "ελλαδα"),
            ("ΛΌΓΟΣ", "λογοσ"),
            ("tiếng Việt", "tieng viet"),
            ("Мой", "мой"),
            ("がか", "がか"),
            ("한국", "한국"),
            ("👍🏽", "👍🏽"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
        assert_ne!(fold("мой"), fold("мои"));
    }
}
