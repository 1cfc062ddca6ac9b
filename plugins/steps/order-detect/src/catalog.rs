//! The catalogue, and which of its things a text names: exactly, in another form, mistyped, or by a word that only one has.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::lexicon::{Tag, knows, marks};
use crate::read::Text;
use crate::text::{Kind, forms, tokens};

/// A thing that can be ordered, as the workflow gives it. Prices are whole numbers of the smallest unit that the shop counts in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) price: Option<i64>,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) variants: Vec<Choice>,
    #[serde(default)]
    pub(crate) options: Vec<Choice>,
    pub(crate) unit: Option<String>,
}

/// A variant or an option.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub(crate) name: String,
    pub(crate) price: Option<i64>,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
}

/// Words of a name, with their other forms.
#[derive(Debug, Clone)]
struct Name(Vec<Word>);

#[derive(Debug, Clone)]
struct Word {
    text: String,
    forms: Vec<String>,
    /// The lexicon knows it: it must be written as it is, for what is near it means something else.
    common: bool,
    /// As it is written, where its accents alone tell it from a small word: "thé" and "the".
    accents: Option<String>,
}

#[derive(Debug)]
struct Ready {
    names: Vec<Name>,
    variants: Vec<Vec<Name>>,
    options: Vec<Vec<Name>>,
}

/// The catalogue made ready.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) items: Vec<Item>,
    ready: Vec<Ready>,
    /// Words that occur in the names of exactly one thing, and that thing.
    only: Vec<(Word, usize, bool)>,
}

/// A thing of the catalogue, named at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) item: usize,
    pub(crate) len: usize,
    pub(crate) score: f32,
    /// Only a word of its name: it counts when nothing unknown stands beside it.
    pub(crate) part: bool,
}

/// Words that may be missing in a name, or stand in it.
const SMALL: [&str; 15] = ["de", "do", "da", "of", "al", "la", "le", "du", "des", "the", "with", "a", "mit", "con", "com"];

impl Name {
    fn new(text: &str) -> Self {
        let words = tokens(text).into_iter().filter(|token| token.kind != Kind::Mark).filter_map(|token| {
            let said = text.get(token.start..token.end).unwrap_or_default().to_lowercase();
            let small = SMALL.contains(&token.text.as_str());
            let accents = (small && said != token.text).then_some(said);
            let word = Word { forms: forms(&token.text), common: knows(&token.text), text: token.text, accents };
            (!small || word.accents.is_some()).then_some(word)
        });
        Self(words.collect())
    }

    /// How far the text at `at` is this name: tokens, likeness.
    fn at(&self, text: &Text, at: usize) -> Option<(usize, f32)> {
        let mut to = at;
        let mut sum = 0.0;
        for (nth, word) in self.0.iter().enumerate() {
            if nth > 0 && !word.fits(text, to) && text.token(to).is_some_and(|token| SMALL.contains(&token.text.as_str())) {
                to += 1;
            }
            sum += word.likeness(text, to)?;
            to += 1;
        }
        let count = self.0.len();
        #[expect(clippy::cast_precision_loss, reason = "a name has few words")]
        let whole = (count > 0).then(|| (to - at, sum / count as f32));
        whole
    }

    /// The name written in one word where it has two, or the other way round: "nasigoreng", "cheese burger".
    fn joined(&self, text: &Text, at: usize) -> Option<(usize, f32)> {
        let whole: String = self.0.iter().map(|word| word.text.as_str()).collect();
        if whole.chars().count() < 5 {
            return None;
        }
        (1..=3).filter(|count| *count != self.0.len()).find_map(|count| {
            let said = text.tokens.get(at..at + count)?;
            let words = said.iter().all(|token| token.kind == Kind::Word && !text.is_taken(at));
            let said: String = said.iter().map(|token| token.text.as_str()).collect();
            let same = said == whole || (said.len() > whole.len() && forms(&said).contains(&whole));
            (words && same).then_some((count, 0.95))
        })
    }
}

impl Word {
    fn fits(&self, text: &Text, at: usize) -> bool {
        self.likeness(text, at).is_some()
    }

    /// 1 for the word itself, less for another form or a slip of the fingers.
    fn likeness(&self, text: &Text, at: usize) -> Option<f32> {
        let token = text.token(at).filter(|token| token.kind != Kind::Mark && !text.is_taken(at))?;
        let said = token.text.as_str();
        if let Some(accents) = &self.accents {
            let said = text.span(at, at + 1).to_lowercase();
            return (said == *accents || said.strip_suffix('s') == Some(accents)).then_some(1.0);
        }
        if said == self.text {
            return Some(1.0);
        }
        if token.kind == Kind::Number || said.starts_with('\'') {
            return None;
        }
        if self.forms.iter().any(|form| form == said) || text.forms(at).contains(&self.text) {
            return Some(0.97);
        }
        if self.common || text.is_known(at) {
            return None;
        }
        let (long, other) = (self.text.chars().count(), said.chars().count());
        let slips = match long {
            0..=3 => return None,
            4..=6 => 1,
            _ => 2,
        };
        if long.abs_diff(other) > slips || sound(&self.text) != sound(said) {
            return None;
        }
        let distance =
            text.forms(at).iter().map(String::as_str).chain([said]).map(|said| strsim::osa_distance(said, &self.text)).min()?;
        // In four letters a letter in the place of another makes another word: "sate" and "satu", "cake" and "came".
        let another = long == 4 && long == other && distance == 1 && !swapped(&self.text, said) && !sounds(&self.text, said);
        #[expect(clippy::cast_precision_loss, reason = "words are short")]
        let likeness = 1.0 - 0.5 * distance as f32 / long as f32 * 2.0;
        (distance <= slips && !another).then_some(likeness)
    }
}

/// What a word begins with, to the ear.
fn sound(word: &str) -> Option<char> {
    word.chars().next().map(|c| match c {
        'k' | 'q' => 'c',
        'z' => 's',
        'ß' => 's',
        'v' => 'b',
        'غ' => 'ج',
        other => other,
    })
}

/// The same word to the ear.
fn sounds(a: &str, b: &str) -> bool {
    a.chars().zip(b.chars()).all(|(a, b)| sound(a.encode_utf8(&mut [0; 4])) == sound(b.encode_utf8(&mut [0; 4])))
}

/// Two letters in the wrong order.
fn swapped(a: &str, b: &str) -> bool {
    let (mut a, mut b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    a.sort_unstable();
    b.sort_unstable();
    a == b
}

/// The words that mean the same size, for a catalogue that calls it by one of them.
fn choice_names(choice: &Choice) -> Vec<Name> {
    let mut names = vec![Name::new(&choice.name)];
    names.extend(choice.aliases.iter().map(|alias| Name::new(alias)));
    names
}

/// The size that a name means, if it means one.
fn size_of(name: &str) -> Option<u8> {
    let words = tokens(name);
    let marks = marks(&words);
    if words.len() != 1 {
        return None;
    }
    marks.first()?.iter().find_map(|mark| if let Tag::Size(size) = mark.tag { Some(size) } else { None })
}

impl Catalog {
    pub(crate) fn new(items: Vec<Item>) -> Self {
        let ready: Vec<Ready> = items
            .iter()
            .map(|item| Ready {
                names: std::iter::once(&item.name)
                    .chain(&item.aliases)
                    .map(|name| Name::new(name))
                    .filter(|name| !name.0.is_empty())
                    .collect(),
                variants: item.variants.iter().map(choice_names).collect(),
                options: item.options.iter().map(choice_names).collect(),
            })
            .collect();
        let only = only(&items, &ready);
        Self { items, ready, only }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn item(&self, index: usize) -> Option<&Item> {
        self.items.get(index)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<usize> {
        self.items.iter().position(|item| item.id == id)
    }

    /// The thing that is named at this token: the longest name, then the one most alike.
    pub(crate) fn at(&self, text: &Text, at: usize) -> Option<Hit> {
        if text.is_taken(at) || text.token(at).is_none_or(|token| token.kind == Kind::Mark) {
            return None;
        }
        let mut best: Option<Hit> = None;
        for (item, ready) in self.ready.iter().enumerate() {
            for name in &ready.names {
                if let Some((len, score)) = name.at(text, at).or_else(|| name.joined(text, at)) {
                    let hit = Hit { item, len, score, part: false };
                    if score >= 0.6 && best.is_none_or(|b| (hit.len, hit.score) > (b.len, b.score)) {
                        best = Some(hit);
                    }
                }
            }
        }
        best.or_else(|| self.part(text, at))
    }

    /// A word that only one thing has in its name.
    fn part(&self, text: &Text, at: usize) -> Option<Hit> {
        let (_, item, head) =
            self.only.iter().find(|(word, ..)| !word.common && word.likeness(text, at).is_some_and(|l| l > 0.9))?;
        // The rest of its name may follow.
        Some(Hit { item: *item, len: 1, score: if *head { 0.8 } else { 0.7 }, part: true })
    }

    /// The variant of the thing that is named here.
    pub(crate) fn variant(&self, item: usize, text: &Text, at: usize) -> Option<(usize, usize)> {
        let ready = self.ready.get(item)?;
        let exact = choice(&ready.variants, text, at);
        exact.or_else(|| {
            let (size, len) = text.find(at, |t| if let Tag::Size(size) = t { Some(size) } else { None })?;
            let variants = &self.items.get(item)?.variants;
            let nth = variants.iter().position(|variant| size_of(&variant.name) == Some(size))?;
            Some((nth, len))
        })
    }

    /// Whether any thing has a variant that is named here, and how many tokens name it.
    pub(crate) fn any_variant(&self, text: &Text, at: usize) -> Option<usize> {
        (0..self.items.len()).filter_map(|item| self.variant(item, text, at)).map(|(_, len)| len).max()
    }

    /// The option of the thing that is named here.
    pub(crate) fn option(&self, item: usize, text: &Text, at: usize) -> Option<(usize, usize)> {
        choice(&self.ready.get(item)?.options, text, at)
    }
}

fn choice(names: &[Vec<Name>], text: &Text, at: usize) -> Option<(usize, usize)> {
    let all = names.iter().enumerate().flat_map(|(nth, names)| names.iter().map(move |name| (nth, name)));
    let fits = all.filter_map(|(nth, name)| name.at(text, at).filter(|(_, score)| *score > 0.85).map(|(len, _)| (nth, len)));
    fits.max_by_key(|(_, len)| *len)
}

fn only(items: &[Item], ready: &[Ready]) -> Vec<(Word, usize, bool)> {
    let mut out: Vec<(Word, usize, bool)> = Vec::new();
    let mut choices = BTreeSet::new();
    for ready in ready {
        choices
            .extend(ready.variants.iter().chain(&ready.options).flatten().flat_map(|name| &name.0).map(|word| word.text.clone()));
    }
    for (index, _) in items.iter().enumerate() {
        let Some(names) = ready.get(index).map(|ready| &ready.names) else { continue };
        for name in names.iter().filter(|name| name.0.len() > 1) {
            for (nth, word) in name.0.iter().enumerate() {
                let elsewhere = |(other, ready): (usize, &Ready)| {
                    other != index
                        && ready
                            .names
                            .iter()
                            .flat_map(|name| &name.0)
                            .any(|w| w.text == word.text || w.forms.contains(&word.text))
                };
                let alone = !ready.iter().enumerate().any(elsewhere) && !choices.contains(&word.text);
                if alone && word.text.chars().count() >= 3 && !out.iter().any(|(w, ..)| w.text == word.text) {
                    out.push((word.clone(), index, nth == 0));
                }
            }
        }
    }
    out
}
