//! Day, time and number of people, as they were said: "tomorrow", "half past 6", "8 de la noche".

use super::Asked;
use crate::lexicon::Tag;
use crate::read::Text;
use crate::text::Kind;

/// Tokens from and to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) sure: f32,
}

/// Words that say themselves that a clock is meant.
const CLOCK: [&str; 11] = ["jam", "pukul", "pkl", "jm", "الساعه", "ساعه", "a las", "a la", "sobre las", "la pelas", "umas"];
/// Parts of a day that need no such word before the number.
const PLAIN: [&str; 20] = [
    "am",
    "pm",
    "a",
    "p",
    "o'clock",
    "oclock",
    "o",
    "uhr",
    "h",
    "hs",
    "hrs",
    "horas",
    "heures",
    "heure",
    "de",
    "da",
    "du",
    "ish",
    "صباحا",
    "مساء",
];
/// Leads that are part of the day.
const LEADS: [&str; 10] =
    ["next", "this", "coming", "proximo", "proxima", "nachsten", "kommenden", "prochain", "diesen", "early"];
/// Short names of days that also are other words.
const SHORT: [&str; 6] = ["mon", "sun", "sat", "wed", "mar", "dom"];

/// Date, time, people; their tokens are taken.
pub(super) fn read(text: &mut Text, asked: Option<Asked>) -> (Option<Span>, Option<Span>, Option<Span>) {
    let (mut date, mut time, mut people) = (None, None, None);
    let mut at = 0;
    while at < text.len() {
        if text.is_taken(at) {
            at += 1;
            continue;
        }
        let found = if let Some(span) = day(text, at) {
            (&mut date, span)
        } else if let Some(span) = clock(text, at, asked) {
            (&mut time, span)
        } else if let Some(span) = party(text, at, asked) {
            (&mut people, span)
        } else {
            at += 1;
            continue;
        };
        let (place, span) = found;
        *place = Some(span);
        text.take(span.from, span.to);
        at = span.to;
    }
    (date, time, people)
}

fn span(from: usize, to: usize, sure: f32) -> Option<Span> {
    Some(Span { from, to, sure })
}

/// The number of a small count at a token: digits or a word.
fn small(text: &Text, at: usize, most: i64) -> Option<usize> {
    let token = text.token(at)?;
    let value = match token.kind {
        Kind::Number => token.text.parse::<i64>().ok()? * 1000,
        Kind::Word => text.find(at, |t| if let Tag::Num(value) = t { Some(value) } else { None }).filter(|(_, len)| *len == 1)?.0,
        Kind::Mark => return None,
    };
    (value > 0 && value <= most * 1000).then_some(at + 1)
}

/// "23", "23rd".
fn nth(text: &Text, at: usize) -> Option<usize> {
    text.token(at).filter(|token| token.kind == Kind::Number)?;
    let to = small(text, at, 31)?;
    let ending = ["st", "nd", "rd", "th"].iter().any(|ending| text.is(to, ending)) && text.token(to).is_some_and(|t| t.glued);
    Some(to + usize::from(ending))
}

fn is_ordinal(text: &Text, at: usize) -> bool {
    nth(text, at).is_some_and(|to| to > at + 1)
}

fn year(text: &Text, at: usize) -> Option<usize> {
    let comma = usize::from(text.is(at, ","));
    let token = text.token(at + comma).filter(|token| token.kind == Kind::Number)?;
    (token.text.len() == 4 && (token.text.starts_with("20") || token.text.starts_with("19"))).then_some(at + comma + 1)
}

fn day(text: &Text, at: usize) -> Option<Span> {
    let lead = usize::from(text.token(at).is_some_and(|t| LEADS.contains(&t.text.as_str())));
    if let Some(len) = text.has(at + lead, Tag::Day) {
        let to = at + lead + len;
        let word = text.token(at + lead)?;
        let led = at > 0 && ["on", "this", "next", "for"].iter().any(|w| text.is(at - 1, w));
        if len == 1 && SHORT.contains(&word.text.as_str()) && !led && nth(text, to).is_none() {
            return None;
        }
        return span(at, calendar(text, to), 0.9);
    }
    if lead > 0 && ["week", "weekend", "month"].iter().any(|w| text.is(at + 1, w)) {
        return span(at, at + 2, 0.8);
    }
    // "in 15 days", "in two weeks".
    if text.is(at, "in") {
        let to = small(text, at + 1, 400)?;
        return ["days", "day", "weeks", "week", "months", "month"].iter().any(|w| text.is(to, w)).then_some(Span {
            from: at,
            to: to + 1,
            sure: 0.9,
        });
    }
    // "9 days from now".
    if let Some(to) = small(text, at, 400)
        .filter(|to| ["days", "day", "weeks", "week"].iter().any(|w| text.is(*to, w)) && text.is(to + 1, "from"))
    {
        return span(at, to + 3, 0.9).filter(|_| ["now", "today"].iter().any(|w| text.is(to + 2, w)));
    }
    // "23rd of July", "August 23rd", "4 aug 2018", "24/12", "2018/04/24".
    if let Some(to) = nth(text, at) {
        let of = usize::from(["of", "de"].iter().any(|of| text.is(to, of)));
        if text.has(to + of, Tag::Month).is_some() {
            let to = to + of + 1;
            let of = usize::from(text.is(to, "de"));
            return span(at, year(text, to + of).unwrap_or(to), 0.95);
        }
    }
    if text.has(at, Tag::Month).is_some() {
        let to = nth(text, at + 1)?;
        return span(at, year(text, to).unwrap_or(to), 0.95);
    }
    let number =
        |at: usize| text.token(at).filter(|t| t.kind == Kind::Number && t.text.len() <= 4 && t.text.parse::<u32>().is_ok());
    if number(at).is_some() && text.is(at + 1, "/") && number(at + 2).is_some() && text.token(at + 1).is_some_and(|t| t.glued) {
        let long = text.is(at + 3, "/") && number(at + 4).is_some();
        let first = number(at).is_some_and(|t| t.text.len() == 4);
        let half = text.is(at, "1") && (text.is(at + 2, "2") || text.is(at + 2, "4"));
        return if long { span(at, at + 5, 0.95) } else { span(at, at + 3, 0.7).filter(|_| !first && !half) };
    }
    // "the 25th".
    let led = at > 0 && ["the", "on"].iter().any(|w| text.is(at - 1, w));
    (led && is_ordinal(text, at)).then(|| nth(text, at)).flatten().and_then(|to| span(at, to, 0.7))
}

/// What follows a day of the week and is still the date.
fn calendar(text: &Text, to: usize) -> usize {
    let comma = usize::from(text.is(to, ","));
    let the = comma + usize::from(text.is(to + comma, "the"));
    let next = to + the;
    if text.has(next, Tag::Month).is_some()
        && let Some(end) = nth(text, next + 1)
    {
        return year(text, end).unwrap_or(end);
    }
    if let Some(end) = nth(text, next) {
        let of = usize::from(["of", "de"].iter().any(|of| text.is(end, of)));
        if text.has(end + of, Tag::Month).is_some() {
            let end = end + of + 1;
            return year(text, end).unwrap_or(end);
        }
        if is_ordinal(text, next) {
            return end;
        }
    }
    to
}

fn clock(text: &Text, at: usize, asked: Option<Asked>) -> Option<Span> {
    if let Some(len) = text.has(at, Tag::Moment) {
        return span(at, at + len, 0.85);
    }
    // "half past 6", "quarter to seven".
    let half = ["half", "quarter"].iter().any(|w| text.is(at, w));
    if half && ["past", "to", "after", "before"].iter().any(|w| text.is(at + 1, w)) {
        let to = small(text, at + 2, 12)?;
        return span(at, part(text, to, true), 0.95);
    }
    let token = text.token(at)?;
    let colon = token.kind == Kind::Number && is_clock(&token.text, ':');
    let point = token.kind == Kind::Number && is_clock(&token.text, '.');
    if colon {
        return span(at, part(text, at + 1, true), 0.95);
    }
    let to = if point { at + 1 } else { small(text, at, 24)? };
    let cued = cue(text, at);
    let plain = text.find(to, |t| (t == Tag::DayPart).then_some(())).is_some_and(|(_, len)| {
        let short = text.token(to).is_some_and(|t| t.text.chars().count() <= 2 && !["am", "pm"].contains(&t.text.as_str()));
        text.token(to).is_some_and(|t| PLAIN.contains(&t.text.as_str()) && (len > 1 || !short || t.glued))
    });
    if plain || (cued == Cue::Strong && text.unit(to).is_none_or(|_| text.has(to, Tag::DayPart).is_some())) {
        return span(at, part(text, to, cued != Cue::None), 0.95);
    }
    if point && cued != Cue::None {
        return span(at, part(text, to, true), 0.9);
    }
    let alone = text.is_end(to)
        || text.is(to, ",")
        || text.is_taken(to)
        || day(text, to).is_some()
        || ["on", "this", "for", "please"].iter().any(|w| text.is(to, w));
    let at_the_clock = at > 0 && ["at", "by", "around", "about", "until"].iter().any(|w| text.is(at - 1, w));
    if at_the_clock && alone {
        return span(at, to, 0.8);
    }
    (asked == Some(Asked::Time) && text.len() <= to + 2).then_some(Span { from: at, to, sure: 0.8 })
}

#[derive(Debug, PartialEq, Eq)]
enum Cue {
    None,
    Weak,
    Strong,
}

/// The word before a time: "jam", "at".
fn cue(text: &Text, at: usize) -> Cue {
    for len in [2, 1] {
        let Some(from) = at.checked_sub(len) else { continue };
        if text.has(from, Tag::ClockCue) == Some(len) {
            let words: Vec<&str> = text.tokens.get(from..at).unwrap_or_default().iter().map(|t| t.text.as_str()).collect();
            return if CLOCK.contains(&words.join(" ").as_str()) { Cue::Strong } else { Cue::Weak };
        }
    }
    Cue::None
}

fn is_clock(number: &str, mark: char) -> bool {
    let Some((hours, minutes)) = number.split_once(mark) else { return false };
    let below = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|n| n < most);
    hours.len() <= 2 && minutes.len() == 2 && below(hours, 25) && below(minutes, 60)
}

/// The part of the day after a time: "pm", "h30", "de la noche".
fn part(text: &Text, mut to: usize, cued: bool) -> usize {
    for _ in 0..2 {
        let Some(len) = text.has(to, Tag::DayPart) else { break };
        let word = text.token(to).map_or("", |t| t.text.as_str());
        let glued = text.token(to).is_some_and(|t| t.glued);
        if !cued && !PLAIN.contains(&word) {
            break;
        }
        if word.chars().count() == 1 && len == 1 && !glued && !["ص", "م", "h"].contains(&word) {
            break;
        }
        to += len;
        if word == "h" && text.token(to).is_some_and(|t| t.kind == Kind::Number && t.glued && t.text.len() == 2) {
            to += 1;
        }
    }
    to
}

fn party(text: &Text, at: usize, asked: Option<Asked>) -> Option<Span> {
    let to = small(text, at, 500)?;
    if text.has(to, Tag::People).is_some() {
        return span(at, to + text.has(to, Tag::People).unwrap_or(0), 0.9);
    }
    let before = |words: &[&str]| {
        words.iter().rev().enumerate().all(|(back, word)| at.checked_sub(back + 1).is_some_and(|place| text.is(place, word)))
    };
    let table = [
        &["table", "for"][..],
        &["party", "of"],
        &["group", "of"],
        &["table", "of"],
        &["family", "of"],
        &["seating", "for"],
        &["mesa", "para"],
        &["meja", "untuk"],
        &["booking", "for"],
        &["reservation", "for"],
    ];
    let alone = text.is_end(to) || ["at", "on", "please", ","].iter().any(|w| text.is(to, w));
    if table.iter().any(|words| before(words)) && alone {
        return span(at, to, 0.85);
    }
    (asked == Some(Asked::People) && text.len() <= to + 2).then_some(Span { from: at, to, sure: 0.8 })
}
