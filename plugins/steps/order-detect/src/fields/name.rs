//! Names of people: after "my name is", "a/n", "soy"; under a message; or as the answer to the question.

use super::Found;
use crate::lexicon::Tag;
use crate::read::Text;
use crate::text::Kind;

/// The name, and takes it.
pub(super) fn read(text: &mut Text, asked: bool, is_thing: &[bool]) -> Found {
    let (from, to, sure) =
        cued(text, is_thing).or_else(|| asked.then(|| answer(text)).flatten()).or_else(|| signed(text, is_thing))?;
    let said = text.span(from, to).to_owned();
    text.take(from, to);
    Some((said, sure))
}

fn cued(text: &Text, is_thing: &[bool]) -> Option<(usize, usize, f32)> {
    for at in 0..text.len() {
        if let Some(len) = text.has(at, Tag::NameCue) {
            let mut next = at + len;
            let told = next;
            while [":", "is", "saya", "ya", "es", "e", "ist", "est", "هو", "يا"].iter().any(|w| text.is(next, w)) {
                next += 1;
            }
            let short = len == 1 && next == told;
            let capital = text.token(next).is_some_and(|t| t.capital);
            let plain = text.token(at).is_some_and(|t| ["name", "nom"].contains(&t.text.as_str()));
            if !(short && plain && !capital)
                && let Some(to) = words(text, next)
            {
                return Some((next, to, 0.95));
            }
        }
        if let Some(len) = text.has(at, Tag::NameHint) {
            let next = at + len + usize::from(text.is(at + len, ",") || text.is(at + len, "!"));
            let capital = |at: usize| {
                text.token(at).is_some_and(|t| t.capital) && !text.is_known(at) && text.is_word(at) && !text.is_taken(at)
            };
            let to = (next..next + 3).take_while(|at| capital(*at)).count() + next;
            let over = text.is_end(to) || text.is(to, ",") || text.is_taken(to) || text.is_known(to);
            if to > next && over && !(next..to).any(|at| is_thing.get(at).copied().unwrap_or(false)) {
                return Some((next, to, 0.8));
            }
        }
    }
    None
}

/// The words of a name from here: those of one, two or three that are no words of the lexicon, or are written large.
fn words(text: &Text, from: usize) -> Option<usize> {
    let honorific = |at: usize| text.has(at, Tag::Honorific).is_some();
    let mut to = from;
    let large = text.token(from + usize::from(honorific(from))).is_some_and(|t| t.capital);
    while to < from + 4 && text.is_word(to) && !text.is_taken(to) {
        let token = text.token(to)?;
        let title = to == from && honorific(to);
        if !title && !token.capital && (large || text.is_known(to)) {
            break;
        }
        to += 1;
        if text.is(to, ".") && title {
            to += 1;
        }
    }
    (to > from && !(to == from + 1 && honorific(from) && text.is_known(from))).then_some(to)
}

/// A whole message as an answer.
fn answer(text: &Text) -> Option<(usize, usize, f32)> {
    let skips = |at: usize| {
        text.is_known(at) && text.token(at).is_some_and(|t| !t.capital) && text.has(at, Tag::Honorific).is_none()
            || text.token(at).is_some_and(|t| t.kind == Kind::Mark)
    };
    let mut from = (0..text.len()).take_while(|at| skips(*at)).count();
    // "Atas nama Budi" begins with a capital that is none.
    while text.has(from, Tag::NameHint).is_some()
        || text.find(from, |t| matches!(t, Tag::Stop | Tag::Inquiry | Tag::Want).then_some(())).is_some()
    {
        from += 1;
    }
    let to = words(text, from)?;
    let rest = (to..text.len()).all(|at| text.is_end(at) || text.is_known(at) || text.is_taken(at) || text.is(at, ","));
    rest.then_some((from, to, 0.85))
}

/// One to three words, each written large and unknown, in a sentence of their own at the end.
fn signed(text: &Text, is_thing: &[bool]) -> Option<(usize, usize, f32)> {
    let mut to = text.len();
    while to > 0 && text.token(to - 1).is_some_and(|t| t.kind == Kind::Mark) {
        to -= 1;
    }
    let from = (0..to).rev().find(|at| text.is_end(*at)).map(|at| at + 1)?;
    let named = |at: usize| {
        text.is_word(at)
            && text.token(at).is_some_and(|t| t.capital)
            && !text.is_known(at)
            && !text.is_taken(at)
            && !is_thing.get(at).copied().unwrap_or(false)
    };
    ((1..=3).contains(&(to - from)) && (from..to).all(named)).then_some((from, to, 0.65))
}
