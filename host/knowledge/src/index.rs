//! The passages of a base in memory, ranked by BM25 (k1 1.2, b 0.75). Every language has its own counts and its own average length,
//! and a question is read in each language that the base has: a word that is common in one is not rare because it is missing in another.
//!
//! What is kept of a source are its words, counted and hashed ([`pack`]); an index is put together from them when a base is first
//! asked or was changed. Texts stay in the store.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::cut::Passage;
use crate::words::{Language, Word, words};

/// How words are read. Grows whenever the same text would give other words: what was packed before is then packed anew.
pub const READING: u32 = 1;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A base of a few passages says little about how rare a word is: it counts as one of so many.
const FEW: u32 = 200;

/// How often a word counts that stands in a passage's own heading.
const HEADING: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Packed {
    reading: u32,
    passages: Vec<Counted>,
}

/// One passage: how many words it has, and how often each.
#[derive(Serialize, Deserialize)]
struct Counted {
    language: Language,
    length: u32,
    words: Vec<(u32, u8)>,
}

/// The words of a source, as they are kept.
#[must_use]
pub fn pack(passages: &[Passage]) -> Vec<u8> {
    let packed = Packed { reading: READING, passages: passages.iter().map(counted).collect() };
    postcard::to_allocvec(&packed).unwrap_or_default()
}

fn counted(passage: &Passage) -> Counted {
    let mut counts: BTreeMap<u32, u8> = BTreeMap::new();
    let mut length = 0_u32;
    let mut add = |found: &[Word], times: u8| {
        for word in found {
            for hash in [Some(word.hash), word.bare].into_iter().flatten() {
                let count = counts.entry(hash).or_default();
                *count = count.saturating_add(times);
            }
            length = length.saturating_add(u32::from(times));
        }
    };
    let language = passage.language;
    if let Some((own, above)) = passage.headings.split_last() {
        add(&words(own, language), HEADING);
        above.iter().for_each(|heading| add(&words(heading, language), 1));
    }
    add(&words(&passage.text, language), 1);
    Counted { language, length, words: counts.into_iter().collect() }
}

/// Where a passage is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The source, by the number it was given.
    pub source: i64,
    /// The passage within it, from 0.
    pub n: u32,
}

/// A base, ready to be asked.
#[derive(Default)]
pub struct Index {
    places: Vec<Place>,
    tongues: BTreeMap<Language, Tongue>,
}

/// The passages of one language.
#[derive(Default)]
struct Tongue {
    count: u32,
    total: u64,
    /// By word: where its occurrences begin and end.
    words: HashMap<u32, (u32, u32)>,
    passages: Vec<u32>,
    times: Vec<u8>,
    /// By passage of the base: its words; 0 for one in another language.
    lengths: Vec<u32>,
}

/// A word of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Asked {
    pub(crate) hash: u32,
    /// What it tells: the rarer, the more.
    pub(crate) weight: f32,
}

/// A ranked passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Where it is kept.
    pub place: Place,
    /// BM25.
    pub score: f32,
    /// The score as a share of what a passage could reach that repeats every word of the question: 0 to 1.
    pub share: f32,
    /// In which language it was found; unknown where no word of it was.
    pub language: Language,
    /// How near it lies to the question, where both have vectors.
    pub cosine: Option<f32>,
}

/// What was found for a question.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Share of the question's weight that stands in the best passage, 0 to 1.
    pub coverage: f32,
    /// How many words of the question it has, and how many there are.
    pub matched: (usize, usize),
    pub(crate) asked: BTreeMap<Language, Vec<Asked>>,
}

impl Index {
    /// From the packed sources of a base, each with its number. `Err`: the number of one that was packed by another [`READING`], or
    /// is broken.
    pub fn build<'a>(sources: impl IntoIterator<Item = (i64, &'a [u8])>) -> Result<Self, i64> {
        let (mut index, mut all) = (Self::default(), BTreeMap::<Language, Vec<(u32, Counted)>>::new());
        for (source, bytes) in sources {
            let packed: Packed = postcard::from_bytes(bytes).map_err(|_| source)?;
            if packed.reading != READING {
                return Err(source);
            }
            for (n, counted) in (0..).zip(packed.passages) {
                let number = u32::try_from(index.places.len()).map_err(|_| source)?;
                index.places.push(Place { source, n });
                all.entry(counted.language).or_default().push((number, counted));
            }
        }
        index.tongues = all.into_iter().map(|(language, passages)| (language, Tongue::build(passages))).collect();
        Ok(index)
    }

    /// How many passages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The languages of its passages.
    pub(crate) fn languages(&self) -> impl Iterator<Item = Language> {
        self.tongues.keys().copied()
    }

    /// Bytes that it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tongue = |t: &Tongue| t.words.capacity() * 14 + t.passages.len() * 4 + t.times.len() + t.lengths.len() * 4;
        self.places.len() * size_of::<Place>() + self.tongues.values().map(tongue).sum::<usize>()
    }

    /// The passages that fit a question best, at most `count`. Equal scores keep the order of the base.
    #[must_use]
    pub fn search(&self, question: &str, count: usize) -> Found {
        let mut found = Found::default();
        for (language, tongue) in &self.tongues {
            let asked = tongue.ask(words(question, *language));
            let reach: f32 = asked.iter().map(|word| word.weight * (K1 + 1.0)).sum();
            let hits = tongue.rank(&asked, count).into_iter().filter_map(|(number, score)| {
                let place = *self.places.get(usize::try_from(number).ok()?)?;
                Some((
                    number,
                    Hit { place, score, share: if reach > 0.0 { score / reach } else { 0.0 }, language: *language, cosine: None },
                ))
            });
            let hits: Vec<(u32, Hit)> = hits.collect();
            if let Some((number, hit)) = hits.first()
                && found.hits.iter().all(|other| other.share < hit.share)
            {
                (found.coverage, found.matched) = tongue.covered(&asked, *number);
            }
            found.hits.extend(hits.into_iter().map(|(_, hit)| hit));
            found.asked.insert(*language, asked);
        }
        // Scores of two languages are comparable as shares only.
        found.hits.sort_by(|a, b| b.share.total_cmp(&a.share));
        found.hits.truncate(count);
        found
    }
}

impl Tongue {
    fn build(passages: Vec<(u32, Counted)>) -> Self {
        let mut tongue = Self { count: u32::try_from(passages.len()).unwrap_or(u32::MAX), ..Self::default() };
        tongue.lengths = vec![0; passages.last().map_or(0, |(number, _)| *number as usize + 1)];
        for (number, counted) in &passages {
            tongue.total += u64::from(counted.length);
            if let Some(length) = tongue.lengths.get_mut(*number as usize) {
                *length = counted.length.max(1);
            }
            for (hash, _) in &counted.words {
                tongue.words.entry(*hash).or_default().1 += 1;
            }
        }
        let mut end = 0;
        for (from, to) in tongue.words.values_mut() {
            let count = *to;
            (*from, *to) = (end, end);
            end += count;
        }
        (tongue.passages, tongue.times) = (vec![0; end as usize], vec![0; end as usize]);
        for (number, counted) in passages {
            for (hash, times) in counted.words {
                let Some((_, to)) = tongue.words.get_mut(&hash) else { continue };
                let at = *to as usize;
                *to += 1;
                if let (Some(passage), Some(count)) = (tongue.passages.get_mut(at), tongue.times.get_mut(at)) {
                    (*passage, *count) = (number, times);
                }
            }
        }
        tongue
    }

    /// The occurrences of a word: passages in their order, and how often.
    fn occurrences(&self, hash: u32) -> (&[u32], &[u8]) {
        let Some((from, to)) = self.words.get(&hash) else { return (&[], &[]) };
        let range = *from as usize..*to as usize;
        (self.passages.get(range.clone()).unwrap_or_default(), self.times.get(range).unwrap_or_default())
    }

    /// The words of a question with their weights, each once. One that is not known as it was written is looked for without accents.
    fn ask(&self, words: Vec<Word>) -> Vec<Asked> {
        let mut asked: Vec<Asked> = Vec::new();
        for word in words {
            let known = |hash: u32| self.words.contains_key(&hash);
            let hash = if known(word.hash) { word.hash } else { word.bare.filter(|bare| known(*bare)).unwrap_or(word.hash) };
            if asked.iter().any(|other| other.hash == hash) {
                continue;
            }
            let (all, having) = (self.count.max(FEW) as f32, self.occurrences(hash).0.len() as f32);
            asked.push(Asked { hash, weight: (1.0 + (all - having + 0.5) / (having + 0.5)).ln() });
        }
        asked
    }

    fn rank(&self, asked: &[Asked], count: usize) -> Vec<(u32, f32)> {
        let mean = self.total as f32 / (self.count as f32).max(1.0);
        let mut scores = vec![0.0_f32; self.lengths.len()];
        for word in asked {
            let (passages, times) = self.occurrences(word.hash);
            for (number, times) in passages.iter().zip(times) {
                let (Some(score), Some(length)) = (scores.get_mut(*number as usize), self.lengths.get(*number as usize)) else {
                    continue;
                };
                let times = f32::from(*times);
                let norm = K1 * (1.0 - B + B * (*length as f32) / mean.max(1.0));
                *score += word.weight * times * (K1 + 1.0) / (times + norm);
            }
        }
        let mut ranked: Vec<(u32, f32)> = (0_u32..).zip(scores).filter(|(_, score)| *score > 0.0).collect();
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if ranked.len() > count && count > 0 {
            ranked.select_nth_unstable_by(count - 1, order);
        }
        ranked.truncate(count);
        ranked.sort_by(order);
        ranked
    }

    fn covered(&self, asked: &[Asked], number: u32) -> (f32, (usize, usize)) {
        let there = asked.iter().filter(|word| self.occurrences(word.hash).0.binary_search(&number).is_ok());
        let (weight, matched) = there.fold((0.0, 0), |(weight, matched), word| (weight + word.weight, matched + 1));
        let all: f32 = asked.iter().map(|word| word.weight).sum();
        (if all > 0.0 { weight / all } else { 0.0 }, (matched, asked.len()))
    }
}

#[cfg(test)]
mod tests;
