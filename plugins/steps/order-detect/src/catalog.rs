//! The catalogue, and which of its things a text names: exactly, in another form, mistyped, or by a word that only one has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

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
struct Name {
    words: Vec<Word>,
    /// All of it in one word.
    whole: String,
}

#[derive(Debug, Clone)]
struct Word {
    text: String,
    forms: Vec<String>,
    /// The lexicon knows it: it must be written as it is, for what is near it means something else.
    common: bool,
    /// As it is written, where its accents alone tell it from a small word: "thé" and "the".
    accents: Option<String>,
    /// Its letters and how many, to see at once that another word is too far from it.
    letters: (u64, usize),
}

#[derive(Debug)]
struct Ready {
    names: Vec<Rc<Name>>,
    variants: Vec<Vec<Rc<Name>>>,
    options: Vec<Vec<Rc<Name>>>,
    /// The size that each variant means.
    sizes: Vec<Option<u8>>,
}

/// The catalogue made ready.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) items: Vec<Item>,
    ready: Vec<Ready>,
    /// Things and their names by how the first word sounds first: a large catalogue is not gone through for every word.
    index: HashMap<char, Vec<(usize, usize)>>,
    /// All names of variants, each once, and which sizes are among them.
    variants: Vec<Rc<Name>>,
    sizes: BTreeSet<u8>,
    /// Words that occur in the names of exactly one thing, and that thing.
    only: HashMap<char, Vec<(Word, usize, bool)>>,
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

/// How alike a variant or an option must be; it stands in no list of its own where a slip would show.
const ALIKE: f32 = 0.85;

/// Words that may be missing in a name, or stand in it.
const SMALL: [&str; 15] = ["de", "do", "da", "of", "al", "la", "le", "du", "des", "the", "with", "a", "mit", "con", "com"];

impl Name {
    fn new(text: &str) -> Self {
        let words = tokens(text).into_iter().filter(|token| token.kind != Kind::Mark).filter_map(|token| {
            let said = text.get(token.start..token.end).unwrap_or_default().to_lowercase();
            let small = SMALL.contains(&token.text.as_str());
            let accents = (small && said != token.text).then_some(said);
            let (forms, common, letters) = (forms(&token.text), knows(&token.text), letters(&token.text));
            let word = Word { forms, common, letters, text: token.text, accents };
            (!small || word.accents.is_some()).then_some(word)
        });
        let words: Vec<Word> = words.collect();
        let whole = words.iter().map(|word| word.text.as_str()).collect();
        Self { words, whole }
    }

    /// How far the text at `at` is this name: tokens, likeness.
    fn at(&self, text: &Text, at: usize) -> Option<(usize, f32)> {
        let mut to = at;
        let mut sum = 0.0;
        for (nth, word) in self.words.iter().enumerate() {
            if nth > 0 && !word.fits(text, to) && text.token(to).is_some_and(|token| SMALL.contains(&token.text.as_str())) {
                to += 1;
            }
            sum += word.likeness(text, to)?;
            to += 1;
        }
        let count = self.words.len();
        #[expect(clippy::cast_precision_loss, reason = "a name has few words")]
        let whole = (count > 0).then(|| (to - at, sum / count as f32));
        whole
    }

    /// The name written in one word where it has two, or the other way round: "nasigoreng", "cheese burger".
    fn joined(&self, said: &[(usize, Vec<String>)]) -> Option<(usize, f32)> {
        if self.whole.len() < 5 {
            return None;
        }
        let fits = |(count, said): &&(usize, Vec<String>)| *count != self.words.len() && said.contains(&self.whole);
        said.iter().find(fits).map(|(count, _)| (*count, 0.95))
    }
}

/// One, two and three words from here as one, with its other forms.
fn joins(text: &Text, at: usize) -> Vec<(usize, Vec<String>)> {
    let words = (1..=3).map_while(|count| {
        let said = text.tokens.get(at..at + count)?;
        let words = said.iter().all(|token| token.kind == Kind::Word);
        let said: String = said.iter().map(|token| token.text.as_str()).collect();
        words.then(|| (count, forms(&said).into_iter().chain([said]).collect()))
    });
    words.collect()
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
        let (mask, long) = self.letters;
        let slips = match long {
            0..=3 => return None,
            4..=6 => 1,
            _ => 2,
        };
        if sound(&self.text) != sound(said) {
            return None;
        }
        let near = |said: &&str| {
            let (other, count) = letters(said);
            count.abs_diff(long) <= slips && (mask ^ other).count_ones() as usize <= 2 * slips
        };
        let said_or_form = text.forms(at).iter().map(String::as_str).chain([said]).filter(near);
        let distance = said_or_form.map(|said| strsim::osa_distance(said, &self.text)).min()?;
        let other = said.chars().count();
        // In four letters a letter in the place of another makes another word: "sate" and "satu", "cake" and "came".
        let another = long == 4 && long == other && distance == 1 && !swapped(&self.text, said) && !sounds(&self.text, said);
        #[expect(clippy::cast_precision_loss, reason = "words are short")]
        let likeness = 1.0 - 0.5 * distance as f32 / long as f32 * 2.0;
        (distance <= slips && !another).then_some(likeness)
    }
}

/// The letters of a word as a set, and how many there are.
fn letters(word: &str) -> (u64, usize) {
    word.chars().fold((0, 0), |(mask, count), c| (mask | 1 << (u32::from(c) % 64), count + 1))
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

/// Names, each made ready once: things of a shop come in the same sizes, with the same options.
#[derive(Default)]
struct Names<'a> {
    names: HashMap<&'a str, Rc<Name>>,
    sizes: HashMap<&'a str, Option<u8>>,
}

impl<'a> Names<'a> {
    fn name(&mut self, text: &'a str) -> Rc<Name> {
        Rc::clone(self.names.entry(text).or_insert_with(|| Rc::new(Name::new(text))))
    }

    /// All names of each.
    fn choices(&mut self, choices: &'a [Choice]) -> Vec<Vec<Rc<Name>>> {
        let all = |choice: &'a Choice| std::iter::once(&choice.name).chain(&choice.aliases).map(|name| self.name(name)).collect();
        choices.iter().map(all).collect()
    }

    fn size(&mut self, text: &'a str) -> Option<u8> {
        *self.sizes.entry(text).or_insert_with(|| size_of(text))
    }
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
        let mut known = Names::default();
        let ready: Vec<Ready> = items
            .iter()
            .map(|item| Ready {
                names: std::iter::once(&item.name)
                    .chain(&item.aliases)
                    .map(|name| known.name(name))
                    .filter(|name| !name.words.is_empty())
                    .collect(),
                variants: known.choices(&item.variants),
                options: known.choices(&item.options),
                sizes: item.variants.iter().map(|variant| known.size(&variant.name)).collect(),
            })
            .collect();
        drop(known);
        let mut only: HashMap<char, Vec<(Word, usize, bool)>> = HashMap::new();
        for part in parts(&ready) {
            if let Some(first) = sound(&part.0.text) {
                only.entry(first).or_default().push(part);
            }
        }
        let mut index: HashMap<char, Vec<(usize, usize)>> = HashMap::new();
        let mut variants: BTreeMap<String, Rc<Name>> = BTreeMap::new();
        for (item, ready) in ready.iter().enumerate() {
            for (nth, name) in ready.names.iter().enumerate() {
                if let Some(first) = name.words.first().and_then(|word| sound(&word.text)) {
                    index.entry(first).or_default().push((item, nth));
                }
            }
            variants.extend(ready.variants.iter().flatten().map(|name| (name.whole.clone(), Rc::clone(name))));
        }
        let sizes = ready.iter().flat_map(|ready| &ready.sizes).copied().flatten().collect();
        Self { items, ready, index, variants: variants.into_values().collect(), sizes, only }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many names there are to compare with.
    pub(crate) fn names(&self) -> usize {
        self.ready.iter().map(|ready| ready.names.len()).sum()
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
        let said = text.token(at).map(|token| token.text.as_str());
        let sounds: BTreeSet<char> =
            said.into_iter().chain(text.forms(at).iter().map(String::as_str)).filter_map(sound).collect();
        let joined = joins(text, at);
        for (item, nth) in sounds.iter().filter_map(|sound| self.index.get(sound)).flatten().copied() {
            let Some(name) = self.ready.get(item).and_then(|ready| ready.names.get(nth)) else { continue };
            if let Some((len, score)) = name.at(text, at).or_else(|| name.joined(&joined)) {
                let hit = Hit { item, len, score, part: false };
                if score >= 0.6 && best.is_none_or(|b| (hit.len, hit.score) > (b.len, b.score)) {
                    best = Some(hit);
                }
            }
        }
        best.or_else(|| self.part(text, at, &sounds))
    }

    /// A word that only one thing has in its name.
    fn part(&self, text: &Text, at: usize, sounds: &BTreeSet<char>) -> Option<Hit> {
        let mut near = sounds.iter().filter_map(|sound| self.only.get(sound)).flatten();
        let (_, item, head) = near.find(|(word, ..)| word.likeness(text, at).is_some_and(|l| l > 0.9))?;
        // The rest of its name may follow.
        Some(Hit { item: *item, len: 1, score: if *head { 0.8 } else { 0.7 }, part: true })
    }

    /// The variant of the thing that is named here.
    pub(crate) fn variant(&self, item: usize, text: &Text, at: usize) -> Option<(usize, usize)> {
        let ready = self.ready.get(item)?;
        let exact = choice(&ready.variants, text, at);
        exact.or_else(|| {
            let (size, len) = text.find(at, |t| if let Tag::Size(size) = t { Some(size) } else { None })?;
            let nth = ready.sizes.iter().position(|have| *have == Some(size))?;
            Some((nth, len))
        })
    }

    /// Whether any thing has a variant that is named here, and how many tokens name it.
    pub(crate) fn any_variant(&self, text: &Text, at: usize) -> Option<usize> {
        let named =
            self.variants.iter().filter_map(|name| name.at(text, at)).filter(|(_, score)| *score > ALIKE).map(|(len, _)| len);
        let size = text.find(at, |t| if let Tag::Size(size) = t { self.sizes.contains(&size).then_some(()) } else { None });
        named.chain(size.map(|(_, len)| len)).max()
    }

    /// The option of the thing that is named here.
    pub(crate) fn option(&self, item: usize, text: &Text, at: usize) -> Option<(usize, usize)> {
        choice(&self.ready.get(item)?.options, text, at)
    }
}

fn choice(names: &[Vec<Rc<Name>>], text: &Text, at: usize) -> Option<(usize, usize)> {
    let all = names.iter().enumerate().flat_map(|(nth, names)| names.iter().map(move |name| (nth, name)));
    let fits = all.filter_map(|(nth, name)| name.at(text, at).filter(|(_, score)| *score > ALIKE).map(|(len, _)| (nth, len)));
    fits.max_by_key(|(_, len)| *len)
}

/// Words that only one thing has in its name, and whether its name begins with it.
fn parts(ready: &[Ready]) -> Vec<(Word, usize, bool)> {
    let names = || ready.iter().enumerate().flat_map(|(item, ready)| ready.names.iter().map(move |name| (item, name)));
    let mut seen = HashSet::new();
    let choices = ready.iter().flat_map(|ready| ready.variants.iter().chain(&ready.options)).flatten();
    let choices = choices.filter(|name| seen.insert(Rc::as_ptr(name))).flat_map(|name| &name.words);
    // Which thing has a word; none where several have it, or where it names a variant.
    let mut owners: HashMap<&str, Option<usize>> = choices.map(|word| (word.text.as_str(), None)).collect();
    for (item, name) in names() {
        for said in name.words.iter().flat_map(|word| word.forms.iter().chain([&word.text])) {
            owners.entry(said).and_modify(|owner| *owner = owner.filter(|owner| *owner == item)).or_insert(Some(item));
        }
    }
    let mut out: BTreeMap<&str, (Word, usize, bool)> = BTreeMap::new();
    for (item, name) in names().filter(|(_, name)| name.words.len() > 1) {
        for (nth, word) in name.words.iter().enumerate() {
            let alone = owners.get(word.text.as_str()).is_some_and(|owner| *owner == Some(item));
            if alone && word.letters.1 >= 3 && !word.common {
                out.entry(&word.text).or_insert_with(|| (word.clone(), item, nth == 0));
            }
        }
    }
    out.into_values().collect()
}
