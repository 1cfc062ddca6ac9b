//! What words mean when people order: a table of phrases in eight languages, looked up at every place of a text.
//!
//! The languages share one table. People mix them, and a word that means two things is told apart by what stands beside it.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::text::{Token, tokens};
use crate::words::TABLES;

/// What a phrase means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// "a", "un": one, if a thing follows.
    Article,
    /// A number, in thousandths.
    Num(i64),
    Half,
    Quarter,
    /// "and a half", behind a number or a unit.
    AndHalf,
    /// Multiplies the number before it, or one: a dozen, "puluh", hundred.
    Times(i64),
    /// "belas": ten more.
    Teen,
    Unit(Unit),
    /// "I want", "can I get": needs a thing.
    Want,
    /// "order", "I'll have": an order even without a thing.
    Order,
    /// The noun: "my order".
    OrderNoun,
    /// Asks something that is no order.
    Inquiry,
    /// Tells of what was, thanks or complains.
    Past,
    /// Belongs to another trade: a taxi, a list, a recipe.
    Elsewhere,
    Cancel,
    Remove,
    Set,
    Replace,
    /// Between what goes and what comes, after `Replace`.
    Into,
    More,
    /// Begins an order of its own.
    Another,
    Ordinal(usize),
    All,
    Without,
    With,
    And,
    Delivery,
    Pickup,
    DineIn,
    Pay(Pay),
    NameCue,
    /// A word that needs something like a name after it: "soy", "this is".
    NameHint,
    Honorific,
    PhoneCue,
    AddressCue,
    /// Begins an address: "Jl.", "Rua", "calle".
    StreetFirst,
    /// Ends the name of a street: "Street", "Ave".
    StreetLast,
    /// Before a time of the clock.
    ClockCue,
    /// "in the evening": part of a time.
    DayPart,
    /// A time by itself: noon.
    Moment,
    Day,
    Month,
    /// "next", "this", before a day.
    DayLead,
    /// Says which people: "people", "adults".
    People,
    /// A size, which many catalogues have under another word: the number says which are the same.
    Size(u8),
    /// Means nothing here.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Kilo,
    Gram,
    Litre,
    Millilitre,
    /// Pieces, portions, bags.
    Piece,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pay {
    Cash,
    Card,
    Transfer,
    Online,
}

impl Pay {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Transfer => "transfer",
            Self::Online => "online",
        }
    }
}

/// A phrase that begins at a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) tag: Tag,
    /// Tokens.
    pub(crate) len: usize,
}

/// First word of a phrase -> its other words and its meaning.
type Phrases = HashMap<String, Vec<(Vec<String>, Tag)>>;

static LEXICON: LazyLock<Phrases> = LazyLock::new(|| {
    let mut out = Phrases::new();
    for (tag, phrases) in TABLES.into_iter().flatten() {
        for phrase in phrases.split('|') {
            let mut words = tokens(phrase).into_iter().map(|token| token.text);
            if let Some(first) = words.next() {
                out.entry(first).or_default().push((words.collect(), *tag));
            }
        }
    }
    out
});

/// All phrases that begin at each token.
pub(crate) fn marks(tokens: &[Token]) -> Vec<Vec<Mark>> {
    (0..tokens.len()).map(|at| at_token(tokens.get(at..).unwrap_or_default())).collect()
}

fn at_token(tokens: &[Token]) -> Vec<Mark> {
    let mut out = Vec::new();
    let Some((first, rest)) = tokens.split_first() else { return out };
    let bare = first.text.strip_prefix("ال").filter(|bare| bare.chars().count() >= 2);
    for key in [Some(first.text.as_str()), bare].into_iter().flatten() {
        for (words, tag) in LEXICON.get(key).into_iter().flatten() {
            let fits = words.len() <= rest.len() && words.iter().zip(rest).all(|(word, token)| token.is(word));
            if fits {
                out.push(Mark { tag: *tag, len: words.len() + 1 });
            }
        }
    }
    out
}

/// Whether a word is in the table, alone or as the beginning of a phrase.
pub(crate) fn knows(word: &str) -> bool {
    LEXICON.get(word).is_some_and(|entries| entries.iter().any(|(rest, _)| rest.is_empty()))
}
