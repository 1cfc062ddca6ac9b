//! Phone numbers, mail addresses and card numbers stay in the house: each becomes a word (`[PHONE_1]`) before a text leaves, and the word
//! becomes what it stood for in what comes back. The same number has the same word everywhere in a question, so the model can still tell who is
//! who. Attack stopped here: a prompt that carries more of a person than the answer needs.
//!
//! It errs on the side of too much: a number that only looks like one is put back all the same.

/// What stands for what, in one question.
#[derive(Debug, Default)]
pub struct Redaction {
    found: Vec<(String, String)>,
}

/// Digits of a phone number at least and at most (E.164 has fifteen at most).
const PHONE: std::ops::RangeInclusive<usize> = 8..=15;

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

impl Redaction {
    /// A text with words in the place of what stays here.
    pub fn hide(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let found = match before {
                // Neither begins in the middle of a word.
                Some(before) if joins(before) => None,
                _ => mail(rest).map(|length| ("MAIL", length)).or_else(|| number(rest)),
            };
            match found.and_then(|(kind, length)| rest.split_at_checked(length).map(|(found, after)| (kind, found, after))) {
                Some((kind, found, after)) => {
                    out.push_str(&self.word(kind, found));
                    before = found.chars().next_back();
                    rest = after;
                }
                None => {
                    out.push(first);
                    before = Some(first);
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
            }
        }
        out
    }

    /// A text with what the words stand for.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        // Words end with a bracket: none is the beginning of another.
        self.found.iter().fold(text.to_owned(), |text, (word, found)| text.replace(word.as_str(), found))
    }

    /// How many things were hidden.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }

    fn word(&mut self, kind: &str, found: &str) -> String {
        if let Some((word, _)) = self.found.iter().find(|(_, known)| known == found) {
            return word.clone();
        }
        let number = self.found.iter().filter(|(word, _)| word.starts_with(&format!("[{kind}_"))).count() + 1;
        let word = format!("[{kind}_{number}]");
        self.found.push((word.clone(), found.to_owned()));
        word
    }
}

/// Whether a mail address or a number may not begin behind this.
fn joins(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '%' | '+' | '-')
}

/// The length of a mail address at the beginning of a text.
fn mail(text: &str) -> Option<usize> {
    let local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-');
    let (name, after) = text.split_at_checked(text.find(|c: char| !local(c))?)?;
    let domain = after.strip_prefix('@')?;
    let end = domain.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(domain.len());
    let domain = domain.get(..end)?.trim_end_matches(['.', '-']);
    let (host, top) = domain.rsplit_once('.')?;
    (!name.is_empty() && !host.is_empty() && top.chars().count() >= 2).then_some(name.len() + 1 + domain.len())
}

/// The kind and length of a number at the beginning of a text that names a phone or a card.
fn number(text: &str) -> Option<(&'static str, usize)> {
    let opens = text.starts_with(['+', '(']);
    let mut digits = Vec::new();
    let mut end = 0;
    let mut apart = 0;
    for (at, c) in text.char_indices() {
        if digits.len() > *CARD.end() {
            break;
        }
        match digit(c) {
            Some(value) => {
                digits.push(value);
                end = at + c.len_utf8();
                apart = 0;
            }
            None if at == 0 && opens => {}
            None if matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/') && !digits.is_empty() && apart < 2 => apart += 1,
            None => break,
        }
    }
    if digits.is_empty() || text.get(end..)?.chars().next().is_some_and(char::is_alphabetic) {
        return None;
    }
    if CARD.contains(&digits.len()) && luhn(&digits) {
        return Some(("CARD", end));
    }
    // Without a sign that it is one, a short number is rather an amount, a date or an order.
    let told = opens || digits.first() == Some(&0) || digits.len() >= 10;
    (PHONE.contains(&digits.len()) && told && !date(text)).then_some(("PHONE", end))
}

/// ASCII, Arabic and Persian digits.
fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => c.to_digit(10),
        '\u{660}'..='\u{669}' => Some(u32::from(c) - 0x660),
        '\u{6f0}'..='\u{6f9}' => Some(u32::from(c) - 0x6f0),
        _ => None,
    }
}

/// Whether a text begins with a date as `2026-11-22` or `2026/11/22`.
fn date(text: &str) -> bool {
    let text = text.char_indices().nth(10).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    let mut parts = text.splitn(3, ['-', '/', '.']);
    let all = |part: Option<&str>, count: usize| part.is_some_and(|p| p.len() == count && p.bytes().all(|b| b.is_ascii_digit()));
    let year = parts.next();
    let third = |part: &str| part.bytes().take(2).filter(u8::is_ascii_digit).count() == 2;
    year.is_some_and(|y| y.starts_with("19") || y.starts_with("20"))
        && all(year, 4)
        && all(parts.next(), 2)
        && parts.next().is_some_and(third)
}

/// The check digit of card numbers.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([false, true].into_iter().cycle())
        .map(|(digit, double)| match digit * 2 {
            _ if !double => *digit,
            twice if twice > 9 => twice - 9,
            twice => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_person_stays_and_comes_back() {
        for (text, hidden) in [
            ("call me: +62 812-3456-7890 please", "call me: [PHONE_1] please"),
            ("0812 3456 7890 or (030) 123456-78.", "[PHONE_1] or [PHONE_2]."),
            ("رقمي ٠١٢٣٤٥٦٧٨٩٠", "رقمي [PHONE_1]"),
            ("ana.b+shop@mail.example.com, thanks", "[MAIL_1], thanks"),
            ("card 4111 1111 1111 1111 exp 12/29", "card [CARD_1] exp 12/29"),
            ("wa.me/6281234567890", "wa.me/[PHONE_1]"),
            ("a@b.co and a@b.co and c@d.co", "[MAIL_1] and [MAIL_1] and [MAIL_2]"),
        ] {
            let mut redaction = Redaction::default();
            let out = redaction.hide(text);
            assert_eq!(out, hidden);
            assert_eq!(redaction.restore(&out), text);
        }
    }

    #[test]
    fn what_names_nobody_goes_out_as_it_is() {
        for text in [
            "2 loaves at 45.000, table 12",
            "on 2026-11-22 14:45",
            "order 12345678",
            "we're @home",
            "a@b",
            "v1.2.3.4",
            "AB0123456789",
            "",
            "🍞🍞",
        ] {
            let mut redaction = Redaction::default();
            assert_eq!(redaction.hide(text), text);
            assert_eq!(redaction.count(), 0, "{text}");
        }
    }

    #[test]
    fn a_tenth_word_does_not_hold_the_first() {
        let text: Vec<String> = (0..12).map(|n| format!("p{n}@shop.example")).collect();
        let mut redaction = Redaction::default();
        let out = redaction.hide(&text.join(" "));
        assert!(out.ends_with("[MAIL_11] [MAIL_12]"), "{out}");
        assert_eq!(redaction.restore(&out), text.join(" "));
    }
}
