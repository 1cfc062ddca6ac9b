//! How near a text is to examples. Words, pairs of words and pieces of words count by how rare they are among the examples
//! (TF-IDF). Of the most similar examples a small kernel machine is made, for this text alone: it weighs them against each other,
//! so that ten examples that say the same do not outvote one that says it better; how like all examples of an intent the text is
//! counts too. That is nearly as good as a classifier trained on all examples, and costs milliseconds.

use std::collections::BTreeMap;
use std::ops::Range;

use pointsman_words::bag;
use pointsman_words::cut::cut;

/// Places for what is counted; two things that share one are taken for the same.
const SLOTS: usize = 1 << 17;

/// So many of the most similar examples are weighed.
const NEAR: usize = 160;

/// How little an example is believed by itself: its label may be wrong, its words chance.
const DOUBT: f32 = 0.3;

/// The examples, made ready: which slots are in each, and how much each slot weighs. Nothing is laid out but what a call needs,
/// so that a thousand examples cost a few milliseconds.
pub struct Examples<'a> {
    /// The intent of each; none for an example of what is none of them.
    intents: Vec<Option<&'a str>>,
    /// The slots of all, one after the other.
    slots: Vec<u32>,
    /// Of each the part that are its words, and the part that are its pieces of words.
    lists: Vec<[List; 2]>,
    weigh: Weigh,
}

/// A part of the slots, and what every weight of it is multiplied with, so that words and pieces of words weigh alike and the
/// length of a text is 1.
type List = (Range<usize>, f32);

/// What is near a text.
#[derive(Debug)]
pub struct Near<'a> {
    /// For each intent that was near, best first: 1 and more where examples say just that, about 0 where nothing does.
    pub votes: Vec<(&'a str, f32)>,
    /// The same for what is none of them.
    pub other: f32,
    /// How similar the most similar example is, 0 to 1.
    pub nearest: f32,
}

impl<'a> Examples<'a> {
    /// Counts what is in the examples.
    pub fn new(examples: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> Self {
        let mut counter = Counter::new();
        let mut slots = Vec::new();
        let (intents, ranges): (Vec<_>, Vec<_>) = examples.map(|(intent, text)| (intent, counter.take(text, &mut slots))).unzip();
        let weigh = Weigh::of(&counter.texts, ranges.len());
        let lists = ranges.into_iter().map(|pair| pair.map(|range| weigh.list(&slots, range))).collect();
        Self { intents, slots, lists, weigh }
    }

    /// What is near a text; none when the text has no words, or no example has any.
    #[must_use]
    pub fn near(&self, text: &str) -> Option<Near<'a>> {
        let mut asked = Vec::new();
        let asked_lists = Counter::new().take(text, &mut asked).map(|range| self.weigh.list(&asked, range));
        // What a slot of the text adds to the likeness of an example that has it.
        let mut gain = vec![0.0_f32; SLOTS];
        for (slot, weight) in self.weigh.row(&asked, &asked_lists) {
            if let Some(cell) = gain.get_mut(slot as usize) {
                *cell += weight * self.weigh.weight(slot);
            }
        }
        let mut near: Vec<(f32, usize)> =
            self.lists.iter().enumerate().map(|(at, lists)| (self.likeness(lists, &gain), at)).collect();
        let intent = |at: usize| self.intents.get(at).copied().flatten();
        // How like an intent's examples the text is at the mean, each as far as it is; summed up, and how many there are.
        let mut means: BTreeMap<Option<&'a str>, (f32, f32)> = BTreeMap::new();
        for (likeness, at) in &near {
            let mean = means.entry(intent(*at)).or_default();
            *mean = (mean.0 + likeness, mean.1 + 1.0);
        }
        // By likeness, and by place among those alike: the same on every machine.
        near.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.truncate(NEAR);
        let nearest = near.first().filter(|_| !asked.is_empty())?.0;
        let rows = near.iter().filter_map(|(_, at)| self.lists.get(*at)).map(|lists| self.weigh.row(&self.slots, lists));
        let likeness: Vec<f32> = near.iter().map(|(likeness, _)| *likeness).collect();
        let weights = solve(alike(rows), &likeness);

        let mut votes: BTreeMap<Option<&'a str>, f32> = BTreeMap::new();
        for ((_, at), weight) in near.iter().zip(&weights) {
            *votes.entry(intent(*at)).or_default() += weight;
        }
        for (intent, vote) in &mut votes {
            *vote += means.get(intent).map_or(0.0, |(sum, count)| sum / count);
        }
        let other = votes.remove(&None).unwrap_or_default();
        let mut votes: Vec<(&str, f32)> = votes.into_iter().filter_map(|(intent, vote)| Some((intent?, vote))).collect();
        votes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        Some(Near { votes, other, nearest })
    }

    fn likeness(&self, lists: &[List; 2], gain: &[f32]) -> f32 {
        let sum = |slots: &[u32]| slots.iter().filter_map(|slot| gain.get(*slot as usize)).sum::<f32>();
        lists.iter().map(|(range, factor)| sum(self.slots.get(range.clone()).unwrap_or_default()) * factor).sum()
    }
}

/// How alike each pair of rows is, the lower half by rows, each row up to itself. Only rows that share a slot meet: from each slot
/// a chain leads back through those that have it.
fn alike(rows: impl Iterator<Item = impl Iterator<Item = (u32, f32)>>) -> Vec<Vec<f32>> {
    struct Link {
        /// The link before, plus one; 0 for none.
        before: usize,
        row: usize,
        weight: f32,
    }
    let mut last = vec![0_usize; SLOTS];
    let mut links: Vec<Link> = Vec::new();
    let mut lower: Vec<Vec<f32>> = Vec::new();
    for (row, entries) in rows.enumerate() {
        let mut products = vec![0.0; row + 1];
        for (slot, weight) in entries {
            let Some(last) = last.get_mut(slot as usize) else { continue };
            if let Some(own) = products.last_mut() {
                *own += weight * weight;
            }
            let mut at = *last;
            while let Some(link) = at.checked_sub(1).and_then(|at| links.get(at)) {
                if let Some(product) = products.get_mut(link.row) {
                    *product += weight * link.weight;
                }
                at = link.before;
            }
            links.push(Link { before: *last, row, weight });
            *last = links.len();
        }
        lower.push(products);
    }
    lower
}

/// Solves (alike + doubt) x = right by Cholesky's way: the matrix is positive definite, for doubt stands on its diagonal.
fn solve(mut lower: Vec<Vec<f32>>, right: &[f32]) -> Vec<f32> {
    let mut x: Vec<f32> = Vec::with_capacity(right.len());
    for at in 0..lower.len() {
        let (above, rest) = lower.split_at_mut(at);
        let Some(row) = rest.first_mut() else { break };
        for (column, done) in above.iter().enumerate() {
            let sum = dot(row, done, column);
            if let (Some(cell), Some(pivot)) = (row.get_mut(column), done.get(column)) {
                *cell = (*cell - sum) / pivot;
            }
        }
        let square = dot(row, row, at);
        let Some(pivot) = row.get_mut(at) else { break };
        *pivot = (*pivot + DOUBT - square).max(f32::MIN_POSITIVE).sqrt();
        let pivot = *pivot;
        let known = dot(row, &x, at);
        x.push((right.get(at).copied().unwrap_or_default() - known) / pivot);
    }
    // Back through the same triangle, seen from the other side.
    for at in (0..lower.len()).rev() {
        let Some(row) = lower.get(at) else { break };
        let (before, from) = x.split_at_mut(at);
        let (Some(value), Some(pivot)) = (from.first_mut(), row.get(at)) else { break };
        *value /= pivot;
        for (earlier, cell) in before.iter_mut().zip(row) {
            *earlier -= cell * *value;
        }
    }
    x
}

/// The product of the first so many.
fn dot(a: &[f32], b: &[f32], count: usize) -> f32 {
    a.iter().zip(b).take(count).map(|(a, b)| a * b).sum()
}

/// Counts in how many texts a slot is.
struct Counter {
    /// For each slot the last text that had it, plus one.
    seen: Vec<u32>,
    texts: Vec<u32>,
    count: u32,
}

impl Counter {
    fn new() -> Self {
        Self { seen: vec![0; SLOTS], texts: vec![0; SLOTS], count: 0 }
    }

    /// Adds the slots of a text, each once: first those of its words, then those of its pieces of words.
    fn take(&mut self, text: &str, slots: &mut Vec<u32>) -> [Range<usize>; 2] {
        let mut letters = Vec::new();
        let start = slots.len();
        self.count += 1;
        let slot = |hash: u32| hash & (SLOTS as u32 - 1);
        bag::each(&cut(text), |hash| slots.push(slot(hash)), |hash| letters.push(slot(hash)));
        let mut kept = start;
        for at in start..slots.len() {
            let Some(slot) = slots.get(at).copied().filter(|slot| self.is_new(*slot)) else { continue };
            if let Some(place) = slots.get_mut(kept) {
                *place = slot;
                kept += 1;
            }
        }
        slots.truncate(kept);
        slots.extend(letters.into_iter().filter(|slot| self.is_new(*slot)));
        [start..kept, kept..slots.len()]
    }

    /// Whether the text at hand had no such slot yet.
    fn is_new(&mut self, slot: u32) -> bool {
        let slot = slot as usize;
        let (Some(seen), Some(texts)) = (self.seen.get_mut(slot), self.texts.get_mut(slot)) else { return false };
        if *seen == self.count {
            return false;
        }
        *seen = self.count;
        *texts += 1;
        true
    }
}

/// How much each slot weighs: the rarer among the examples, the more.
struct Weigh(Vec<f32>);

impl Weigh {
    fn of(texts: &[u32], all: usize) -> Self {
        // What no example has makes a text longer, and so less like any of them: it weighs most.
        let weight = |count: u32| ((1.0 + all as f32) / (1.0 + count as f32)).ln() + 1.0;
        let known: Vec<f32> = (0..256).map(weight).collect();
        Self(texts.iter().map(|count| known.get(*count as usize).copied().unwrap_or_else(|| weight(*count))).collect())
    }

    fn weight(&self, slot: u32) -> f32 {
        self.0.get(slot as usize).copied().unwrap_or_default()
    }

    fn list(&self, slots: &[u32], range: Range<usize>) -> List {
        let squares = slots.get(range.clone()).unwrap_or_default().iter().map(|slot| self.weight(*slot).powi(2));
        let length = squares.sum::<f32>().sqrt();
        (range, std::f32::consts::FRAC_1_SQRT_2 / length.max(f32::MIN_POSITIVE))
    }

    /// The slots of a text and what each weighs in it.
    fn row<'s>(&'s self, slots: &'s [u32], lists: &'s [List; 2]) -> impl Iterator<Item = (u32, f32)> + 's {
        let list = move |(range, factor): &'s List| {
            let own = slots.get(range.clone()).unwrap_or_default();
            own.iter().map(move |slot| (*slot, self.weight(*slot) * factor))
        };
        lists.iter().flat_map(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_solves() {
        let lower = vec![vec![1.0], vec![0.5, 1.0], vec![0.2, 0.1, 1.0]];
        let whole = [[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 1.0]];
        let right = [0.9, 0.4, 0.1];
        let x = solve(lower, &right);
        for (at, row) in whole.iter().enumerate() {
            let sum: f32 = row.iter().zip(&x).map(|(a, x)| a * x).sum::<f32>() + DOUBT * x[at];
            assert!((sum - right[at]).abs() < 1e-5, "{x:?}");
        }
        assert!(solve(Vec::new(), &[]).is_empty());
    }

    #[test]
    fn what_is_said_alike_is_near() {
        let texts = [
            (Some("hours"), "when are you open"),
            (Some("hours"), "opening hours please"),
            (Some("price"), "how much is a cake"),
            (Some("price"), "what does the bread cost"),
            (None, "you are funny"),
        ];
        let examples = Examples::new(texts.into_iter());
        let near = examples.near("How much is the bread?").unwrap();
        assert_eq!(near.votes[0].0, "price");
        assert!(near.votes[0].1 > 3.0 * near.votes[1].1.max(near.other), "{near:?}");
        let same = examples.near("when are you open").unwrap();
        assert!((same.nearest - 1.0).abs() < 1e-4 && same.votes[0].0 == "hours", "{same:?}");
        let far = examples.near("zxqv wkjp").unwrap();
        assert!(far.nearest < 0.05 && far.votes.iter().all(|(_, vote)| vote.abs() < 0.05), "{far:?}");
        assert!(examples.near(" ").is_none());
    }

    #[test]
    fn the_nearest_and_the_mean_both_count() {
        let texts = [(Some("a"), "open now"), (Some("b"), "closed"), (Some("b"), "open now")];
        let vote = |count: usize| Examples::new(texts.into_iter().take(count)).near("open now").unwrap().votes;
        assert!((vote(1)[0].1 - (1.0 / (1.0 + DOUBT) + 1.0)).abs() < 1e-4, "{:?}", vote(1));
        let votes = vote(3);
        assert!(votes[0].0 == "a" && votes[0].1 - votes[1].1 > 0.3, "all that a says is alike, of b only half: {votes:?}");
    }

    #[test]
    fn an_example_said_often_does_not_drown_another() {
        let mut texts = vec![(Some("a"), "where is my parcel"); 300];
        texts.push((Some("b"), "where is my refund"));
        let near = Examples::new(texts.into_iter()).near("where is my refund").unwrap();
        assert_eq!(near.votes[0].0, "b", "{near:?}");
    }
}
