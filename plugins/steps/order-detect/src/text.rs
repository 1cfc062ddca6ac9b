//! Text as tokens: what people leave out or vary when they type (capitals, accents, the article of Arabic, digits of other
//! scripts) makes no difference, and every token knows where it stands in what was said.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A word, a number, or a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Folded.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// Bytes of the text in which it stands.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Nothing stands between it and the token before.
    pub(crate) glued: bool,
    /// It begins with a capital letter.
    pub(crate) capital: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    Mark,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Ends a sentence.
    pub(crate) fn is_end(&self) -> bool {
        self.kind == Kind::Mark && matches!(self.text.as_str(), "." | "!" | "?" | ";" | "\n")
    }
}

/// Arabic words that begin with the letter of "and" and do not mean it.
const WAW: [&str; 12] = ["واحد", "واحده", "واحدة", "وين", "وجبه", "وجبات", "ورق", "وصل", "وصلني", "وقت", "والله", "وسط"];

/// Splits a text. An Arabic "and" that is written with its word becomes a token of its own.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        let glued = out.last().is_some_and(|before| before.end == start);
        if let Some(half) = half_sign(c) {
            out.push(Token { text: half.into(), kind: Kind::Number, start, end, glued, capital: false });
        } else if digit(c).is_some() {
            let mut number = String::new();
            number.extend(digit(c));
            while let Some(&(at, next)) = chars.peek() {
                let joins = matches!(next, '.' | ',' | ':' | '٫')
                    && text.get(at + next.len_utf8()..).and_then(|t| t.chars().next()).is_some_and(|n| digit(n).is_some());
                match digit(next) {
                    Some(d) => number.push(d),
                    None if joins => number.push(if next == '٫' { '.' } else { next }),
                    None => break,
                }
                end = at + next.len_utf8();
                chars.next();
            }
            out.push(Token { text: number, kind: Kind::Number, start, end, glued, capital: false });
        } else if c.is_alphabetic() || is_combining_mark(c) {
            while let Some(&(at, next)) = chars.peek() {
                let inner = matches!(next, '\'' | '’')
                    && text.get(at + next.len_utf8()..).and_then(|t| t.chars().next()).is_some_and(char::is_alphabetic);
                if !(next.is_alphabetic() || is_combining_mark(next) || next == 'ـ' || inner) {
                    break;
                }
                end = at + next.len_utf8();
                chars.next();
            }
            word(text, start, end, glued, &mut out);
        } else if let Some(mark) = mark(c) {
            out.push(Token { text: mark.into(), kind: Kind::Mark, start, end, glued, capital: false });
        }
    }
    out
}

fn word(text: &str, start: usize, end: usize, glued: bool, out: &mut Vec<Token>) {
    let said = text.get(start..end).unwrap_or_default();
    let folded = fold(said);
    let capital = said.chars().next().is_some_and(char::is_uppercase);
    let splits = folded.starts_with('و') && folded.chars().count() >= 4 && !WAW.contains(&folded.as_str());
    if let Some(rest) = folded.strip_prefix('و').filter(|_| splits) {
        let inner = start + said.chars().next().map_or(0, char::len_utf8);
        out.push(Token { text: "و".into(), kind: Kind::Word, start, end: inner, glued, capital });
        out.push(Token { text: rest.into(), kind: Kind::Word, start: inner, end, glued: true, capital });
    } else if !folded.is_empty() {
        out.push(Token { text: folded, kind: Kind::Word, start, end, glued, capital });
    }
}

/// The value of a decimal digit of the scripts that are met.
pub(crate) fn digit(c: char) -> Option<char> {
    let base = match c {
        '0'..='9' => return Some(c),
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        _ => return None,
    };
    char::from_digit(u32::from(c) - u32::from(base), 10)
}

fn half_sign(c: char) -> Option<&'static str> {
    match c {
        '½' => Some("0.5"),
        '¼' => Some("0.25"),
        '¾' => Some("0.75"),
        _ => None,
    }
}

fn mark(c: char) -> Option<&'static str> {
    Some(match c {
        '.' | '…' => ".",
        ',' | '،' => ",",
        ';' | '؛' => ";",
        '!' | '¡' => "!",
        '?' | '؟' | '¿' => "?",
        '\n' => "\n",
        ':' => ":",
        '+' => "+",
        '&' => "&",
        '/' => "/",
        '(' | ')' | '[' | ']' | '"' | '“' | '”' | '–' | '—' | '•' | '*' => ",",
        '×' => "x",
        '@' => "@",
        '#' => "#",
        // An emoji stands where people end a thought.
        '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}' => ".",
        _ => return None,
    })
}

/// Lower case without accents; Arabic without vowel signs, with one alif, ya and ha; letters drawn out are said once.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Most words by far, and all but few of the lexicon: nothing to take apart.
    if text.is_ascii() && !text.as_bytes().windows(3).any(|three| three.iter().all(|byte| Some(byte) == three.first())) {
        return text.to_ascii_lowercase();
    }
    let (mut last, mut times) = (' ', 0);
    for c in text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        times = if c == last { times + 1 } else { 1 };
        last = c;
        match c {
            _ if times >= 3 && c.is_alphabetic() => {
                // "pleaseee" is "please": the second of three is taken back as well.
                if times == 3 {
                    out.pop();
                }
            }
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'ı' => out.push('i'),
            'أ' | 'إ' | 'آ' | 'ٱ' => out.push('ا'),
            'ى' => out.push('ي'),
            'ة' => out.push('ه'),
            'ـ' => {}
            '’' => out.push('\''),
            other => out.push(other),
        }
    }
    out
}

/// What else a folded word may be: without its plural, its article, "-nya". The word itself is not among them.
pub(crate) fn forms(word: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |form: String| {
        if form.chars().count() >= 2 && form != word && !out.contains(&form) {
            out.push(form);
        }
    };
    for (ending, instead) in [
        ("oes", "ao"),
        ("aes", "ao"),
        ("eis", "el"),
        ("ais", "al"),
        ("ies", "y"),
        ("aezinhos", "ao"),
        ("oezinhos", "ao"),
        ("zinhos", ""),
        ("zinho", ""),
        ("ves", "f"),
        ("nya", ""),
        ("ns", "m"),
        ("ces", "z"),
        ("es", ""),
        ("s", ""),
        ("en", ""),
        ("n", ""),
        ("e", ""),
        ("er", ""),
        ("ات", "ه"),
        ("ات", ""),
        ("ين", ""),
        ("تين", "ه"),
        ("ه", ""),
        ("s'", ""),
        ("'s", ""),
        ("in", ""),
        ("x", ""),
    ] {
        let enough = match ending {
            "oes" | "aes" | "eis" | "ais" => 1,
            "s" => 2,
            _ if ending.len() <= 1 => 4,
            _ => 3,
        };
        if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.chars().count() >= enough) {
            add(format!("{stem}{instead}"));
        }
    }
    for article in ["ال", "لل", "بال", "ب", "l'", "d'"] {
        if let Some(stem) = word.strip_prefix(article).filter(|stem| stem.chars().count() >= 3) {
            add(stem.to_owned());
            for (ending, instead) in [("ات", "ه"), ("ين", "")] {
                if let Some(stem) = stem.strip_suffix(ending) {
                    add(format!("{stem}{instead}"));
                }
            }
        }
    }
    out
}
