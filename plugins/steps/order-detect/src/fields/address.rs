//! Addresses: from a word that begins or ends a street, from "address:", or what follows "deliver to"; up to the end of the
//! sentence or to where another field begins.

use super::Found;
use crate::lexicon::Tag;
use crate::read::Text;
use crate::text::Kind;

/// Longest address, in tokens.
const LONGEST: usize = 30;
/// After these a full stop does not end a sentence.
const SHORTENED: [&str; 22] = [
    "jl", "jln", "no", "st", "col", "av", "avda", "c", "r", "str", "apt", "rt", "rw", "kec", "kel", "kab", "gg", "blvd", "rd",
    "ste", "nr", "kp",
];
/// Words that begin a street by themselves; the others need a number or a word of delivery.
const CLEAR: [&str; 19] = [
    "jl",
    "jln",
    "jalan",
    "calle",
    "c",
    "avenida",
    "av",
    "rua",
    "rue",
    "شارع",
    "حي",
    "طريق",
    "gang",
    "perum",
    "perumahan",
    "avda",
    "travessa",
    "lorong",
    "alameda",
];
/// What ends an address and is no other field.
const THANKS: [&str; 22] = [
    "thanks", "thank", "please", "pls", "thx", "makasih", "tolong", "ya", "gracias", "porfa", "favor", "obrigado", "obrigada",
    "pf", "pfv", "danke", "bitte", "merci", "svp", "شكرا", "لو", "kak",
];

/// The address, and takes it.
pub(super) fn read(text: &mut Text, asked: bool, is_thing: &[bool]) -> Found {
    let (from, sure) = start(text, asked)?;
    let to = trimmed(text, from, end(text, from, is_thing));
    if to < from + 2 {
        return None;
    }
    let said = text.span(from, to).to_owned();
    text.take(from, to);
    Some((said, sure))
}

fn start(text: &Text, asked: bool) -> Option<(usize, f32)> {
    let sent = |from: usize| (0..from).any(|at| text.has(at, Tag::Delivery).is_some() || text.has(at, Tag::AddressCue).is_some());
    for at in 0..text.len() {
        if text.is_taken(at) {
            continue;
        }
        if let Some(len) = text.has(at, Tag::StreetFirst) {
            let word = text.token(at).map_or("", |t| t.text.as_str());
            let next = at + len + usize::from(text.is(at + len, "."));
            let named = text.token(next).is_some_and(|t| t.kind != Kind::Mark);
            let numbered = (next..next + 6)
                .take_while(|at| !text.is_end(*at))
                .any(|at| text.token(at).is_some_and(|t| t.kind == Kind::Number));
            if named && (CLEAR.contains(&word) || (numbered && sent(at))) {
                let house = at > 0 && text.token(at - 1).is_some_and(|t| t.kind == Kind::Number) && (at < 2 || sent(at));
                return Some((at - usize::from(house), if numbered { 0.9 } else { 0.75 }));
            }
        }
        if let Some(found) = by_last_word(text, at) {
            return Some((found, 0.9));
        }
    }
    let cued = (0..text.len()).find_map(|at| text.has(at, Tag::AddressCue).map(|len| at + len));
    if let Some(mut at) = cued {
        while [":", "is", "saya", "es", "e", "ist", "est", "ya", "ku", "هو"].iter().any(|w| text.is(at, w)) {
            at += 1;
        }
        let told = text.token(at).is_some_and(|t| t.kind == Kind::Number || t.capital || !t.text.is_ascii());
        if told && !text.is_taken(at) {
            return Some((at, 0.8));
        }
    }
    let to = |at: usize| ["to", "ke", "a", "en", "na", "no", "nach", "an", "في", "الى", "ل", ":"].iter().any(|w| text.is(at, w));
    for at in 0..text.len() {
        let Some(len) = text.has(at, Tag::Delivery) else { continue };
        let direct = text.token(at + len - 1).is_some_and(|t| t.is("to") || t.is("ke"));
        let next = at + len + usize::from(!direct && to(at + len));
        let place = text.token(next).is_some_and(|t| t.kind == Kind::Number || t.capital)
            && (direct || next > at + len)
            && !text.is_known(next);
        let numbered =
            (next..next + 8).take_while(|at| !text.is_end(*at)).any(|at| text.token(at).is_some_and(|t| t.kind == Kind::Number));
        if place && numbered && !text.is_taken(next) {
            return Some((next, 0.7));
        }
    }
    (asked && text.token(0).is_some() && !text.is_taken(0)).then_some((0, 0.7))
}

/// "45 Oak Street", "Hauptstraße 12": where it begins, if a number is here or the word that ends the street.
fn by_last_word(text: &Text, at: usize) -> Option<usize> {
    let token = text.token(at)?;
    let number = token.kind == Kind::Number;
    if number && text.token(at).is_some_and(|t| t.text.len() <= 5) {
        // "Flat 2, 88 King's Road" begins at the flat.
        for words in 1..=4 {
            let last = at + words;
            if text.is_end(last) || text.is(last, ",") {
                break;
            }
            let capital = text.token(last).is_some_and(|t| t.capital);
            if words > 1
                && text.has(last, Tag::StreetLast).is_some()
                && (capital || text.token(last).is_some_and(|t| t.text.len() > 2))
            {
                let flat = at >= 3 && text.is(at - 1, ",") && text.has(at - 3, Tag::StreetFirst).is_some();
                return Some(if flat { at - 3 } else { at });
            }
        }
    }
    let compound = ["strasse", "gasse", "platz", "allee", "str", "weg"]
        .iter()
        .any(|end| token.text.len() > end.len() + 2 && token.text.ends_with(end));
    let numbered = text.token(at + 1 + usize::from(text.is(at + 1, "."))).is_some_and(|t| t.kind == Kind::Number);
    (token.kind == Kind::Word && compound && numbered).then_some(at)
}

fn end(text: &Text, from: usize, is_thing: &[bool]) -> usize {
    let other = |at: usize| {
        text.is_taken(at)
            || text.marks(at).iter().any(|mark| {
                matches!(mark.tag, Tag::Pay(_) | Tag::PhoneCue | Tag::NameCue | Tag::Day | Tag::Order | Tag::Want | Tag::Pickup)
            })
            || text.token(at).is_some_and(|t| THANKS.contains(&t.text.as_str()))
            || ["atas", "paying", "pay", "i'll", "bayar", "bayarnya", "pago", "الدفع", "zahlung"].iter().any(|w| text.is(at, w))
    };
    let thing = |at: usize| is_thing.get(at).copied().unwrap_or(false);
    let mut at = from + 1;
    while at < text.len() && at < from + LONGEST {
        let before = text.token(at - 1).map_or("", |t| t.text.as_str());
        let shortened = text.is(at, ".") && (SHORTENED.contains(&before) || text.token(at + 1).is_some_and(|t| t.glued));
        if text.is_end(at) && !shortened {
            break;
        }
        if other(at) || thing(at) || (text.number(at).is_some() && thing(at + 1)) {
            break;
        }
        at += 1;
    }
    at
}

/// Without marks and small words at the end.
fn trimmed(text: &Text, from: usize, mut to: usize) -> usize {
    let small = [
        "on", "at", "and", "y", "e", "و", "by", "in", "my", "for", "the", "a", "di", "um", "dan", "el", "para", "no", "na", "am",
        "et", "und", "is", "your",
    ];
    while to > from && text.token(to - 1).is_some_and(|t| t.kind == Kind::Mark || small.contains(&t.text.as_str())) {
        to -= 1;
    }
    to
}
