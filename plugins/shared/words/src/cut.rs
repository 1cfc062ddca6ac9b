//! A text as the models see it: lower case, without what says nothing (addresses, names of accounts, the digits of a number,
//! how often a letter was repeated, vowel marks of Arabic), cut into words and signs.

/// How many characters of a text count; what follows is not looked at. A chat message is shorter, and a call must end in time.
pub const MOST: usize = 6_000;

/// Words and signs (an emoji, a mark of punctuation), in order.
#[must_use]
pub fn cut(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    each(text, |piece| all.push(piece.to_owned()));
    all
}

/// The same, one after the other, for who keeps none of them.
pub fn each(text: &str, take: impl FnMut(&str)) {
    let end = if text.len() <= MOST { text.len() } else { text.char_indices().nth(MOST).map_or(text.len(), |(at, _)| at) };
    let text = text.get(..end).unwrap_or(text);
    let mut pieces = Pieces { give: take, word: String::new(), last: ['\0'; 2] };
    for part in text.split_whitespace() {
        if is_address(part) {
            continue;
        }
        for c in part.chars() {
            // Most are, and have one small letter.
            if c.is_ascii() {
                pieces.take(c.to_ascii_lowercase());
            } else {
                c.to_lowercase().for_each(|c| pieces.take(c));
            }
        }
        pieces.end();
    }
}

/// Whether a piece begins with a letter or digit.
#[must_use]
pub fn is_word(piece: &str) -> bool {
    piece.chars().next().is_some_and(char::is_alphanumeric)
}

/// Links, and accounts that are spoken to: who they are says nothing about what is meant.
fn is_address(part: &str) -> bool {
    let handle = part.strip_prefix('@').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    handle
        || ["http://", "https://", "www."]
            .iter()
            .any(|start| part.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start)))
}

struct Pieces<F> {
    give: F,
    word: String,
    /// The last two characters, as they were taken.
    last: [char; 2],
}

impl<F: FnMut(&str)> Pieces<F> {
    fn take(&mut self, c: char) {
        let Some(c) = plain(c) else { return };
        // "sooooo" is "soo", "!!!!" is "!!": that it was drawn out counts, how far does not.
        if self.last == [c, c] {
            return;
        }
        self.last = [self.last[1], c];
        match c {
            _ if c.is_alphanumeric() => self.word.push(c),
            // don't, j'ai
            '\'' => {}
            _ => {
                self.break_off();
                (self.give)(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn break_off(&mut self) {
        if !self.word.is_empty() {
            (self.give)(&self.word);
            self.word.clear();
        }
    }

    fn end(&mut self) {
        self.break_off();
        self.last = ['\0'; 2];
    }
}

/// A character without what people vary at will; none for those that only change how another one looks.
fn plain(c: char) -> Option<char> {
    Some(match c {
        // vowel marks and the stretcher of Arabic; joiners, directions, variants and tones of emoji
        '\u{064b}'..='\u{065f}' | '\u{0670}' | '\u{0640}' => return None,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => return None,
        '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{feff}' => return None,
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        '’' | '‘' | '`' | '´' => '\'',
        '“' | '”' | '«' | '»' => '"',
        c if c.is_numeric() => '0',
        c => c,
    })
}

#[cfg(test)]
mod tests {
    use super::{MOST, cut};

    #[test]
    fn texts_as_people_write_them() {
        for (text, pieces) in [
            ("", vec![]),
            ("  \n ", vec![]),
            ("I DON'T like it!!!!", vec!["i", "dont", "like", "it", "!", "!"]),
            ("sooooo goooood 😍😍😍", vec!["soo", "good", "😍", "😍"]),
            ("👍🏽 ok❤️", vec!["👍", "ok", "❤"]),
            ("@user see https://t.co/P4m6Qy www.x.y now", vec!["see", "now"]),
            ("12.500 Rupiah", vec!["00", ".", "00", "rupiah"]),
            ("أَهْلًا وسهــلاً", vec!["اهلا", "وسهلا"]),
            ("ههههههه", vec!["هه"]),
            ("Rotine enak, regane mirah", vec!["rotine", "enak", ",", "regane", "mirah"]),
            ("São João não", vec!["são", "joão", "não"]),
            ("我要 两个", vec!["我要", "两个"]),
            ("नमस्ते", vec!["नमस", "्", "ते"]),
            ("a@b @ c", vec!["a", "@", "b", "@", "c"]),
            ("\u{202e}abc\u{200f} \u{feff}", vec!["abc"]),
        ] {
            assert_eq!(cut(text), pieces, "{text:?}");
        }
    }

    #[test]
    fn a_very_long_text_is_looked_at_as_far_as_it_counts() {
        let long = "ab ".repeat(MOST);
        assert_eq!(cut(&long).len(), MOST / 3);
        assert_eq!(cut(&"é".repeat(3 * MOST)), ["éé"]);
    }
}
