//! How near a text is to examples. Words, pairs of words and pieces of words count by how rare they are among the examples
//! (TF-IDF). Of the most similar examples a small kernel machine is made, for this text alone: it weighs them against each other,
//! so that ten examples that say the same do not outvote one that says it better. That is nearly as good as a classifier trained
//! on all examples, and costs milliseconds.

use std::collections::BTreeMap;

use pointsman_words::bag;
use pointsman_words::cut::cut;

/// Places for what is counted; two things that share one are taken for the same.
const SLOTS: usize = 1 << 17;

/// So many of the most similar examples are weighed.
const NEAR: usize = 160;

/// How little an example is believed by itself: its label may be wrong, its words chance.
const DOUBT: f32 = 0.3;

/// What is counted and how much it weighs; the length of all is 1.
type Row = Vec<(u32, f32)>;

/// The examples, made ready.
pub struct Examples<'a> {
    /// The intent of each; none for an example of what is none of them.
    intents: Vec<Option<&'a str>>,
    rows: Vec<Row>,
    weigh: Weigh,
}

/// What is near a text.
#[derive(Debug)]
pub struct Near<'a> {
    /// For each intent that was near, best first: about 1 where examples say just that, about 0 where nothing does.
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
        let (intents, counts): (Vec<_>, Vec<_>) = examples.map(|(intent, text)| (intent, counter.count(text))).unzip();
        let weigh = Weigh::of(&counts);
        let rows = counts.into_iter().map(|count| weigh.row(count)).collect();
        Self { intents, rows, weigh }
    }

    /// What is near a text; none when the text has no words, or no example has any.
    #[must_use]
    pub fn near(&self, text: &str) -> Option<Near<'a>> {
        let row = self.weigh.row(Counter::new().count(text));
        let mut dense = Dense::new();
        let mut near: Vec<(f32, usize)> =
            dense.with(&row, |dense| self.rows.iter().enumerate().map(|(at, row)| (dense.dot(row), at)).collect());
        // By likeness, and by place among those alike: the same on every machine.
        near.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.truncate(NEAR);
        let nearest = near.first().filter(|_| !row.is_empty())?.0;
        let rows: Vec<&Row> = near.iter().filter_map(|(_, at)| self.rows.get(*at)).collect();
        let likeness: Vec<f32> = near.iter().map(|(likeness, _)| *likeness).collect();
        let weights = solve(alike(&rows, &mut dense), &likeness);

        let mut votes: BTreeMap<Option<&'a str>, f32> = BTreeMap::new();
        for ((_, at), weight) in near.iter().zip(&weights) {
            *votes.entry(self.intents.get(*at).copied().flatten()).or_default() += weight;
        }
        let other = votes.remove(&None).unwrap_or_default();
        let mut votes: Vec<(&str, f32)> = votes.into_iter().filter_map(|(intent, vote)| Some((intent?, vote))).collect();
        votes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        Some(Near { votes, other, nearest })
    }
}

/// How alike each pair is, the lower half by rows, each row up to itself.
fn alike(rows: &[&Row], dense: &mut Dense) -> Vec<Vec<f32>> {
    rows.iter()
        .enumerate()
        .map(|(at, row)| dense.with(row, |dense| rows.iter().take(at + 1).map(|other| dense.dot(other)).collect()))
        .collect()
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

/// One text's counts: the slots of its words and of its pieces of words, and how often.
struct Counts([Vec<(u32, u16)>; 2]);

/// Counts without sorting: a table of all slots, wiped by what was put in.
struct Counter(Vec<u16>);

impl Counter {
    fn new() -> Self {
        Self(vec![0; SLOTS])
    }

    fn count(&mut self, text: &str) -> Counts {
        let (mut words, mut letters) = (Vec::new(), Vec::new());
        let slot = |hash: u32| hash & (SLOTS as u32 - 1);
        bag::each(&cut(text), |hash| words.push(slot(hash)), |hash| letters.push(slot(hash)));
        Counts([words, letters].map(|slots| self.counted(&slots)))
    }

    fn counted(&mut self, slots: &[u32]) -> Vec<(u32, u16)> {
        let mut found = Vec::with_capacity(slots.len());
        for slot in slots {
            let Some(count) = self.0.get_mut(*slot as usize) else { continue };
            if *count == 0 {
                found.push((*slot, 0));
            }
            *count = count.saturating_add(1);
        }
        for (slot, times) in &mut found {
            *times = self.0.get_mut(*slot as usize).map(std::mem::take).unwrap_or_default();
        }
        found
    }
}

/// How much each slot weighs: the rarer among the examples, the more.
struct Weigh {
    idf: Vec<f32>,
    unseen: f32,
}

impl Weigh {
    fn of(all: &[Counts]) -> Self {
        let mut idf = vec![0.0_f32; SLOTS];
        for (slot, _) in all.iter().flat_map(|counts| &counts.0).flatten() {
            if let Some(count) = idf.get_mut(*slot as usize) {
                *count += 1.0;
            }
        }
        let weight = |count: f32| ((1.0 + all.len() as f32) / (1.0 + count)).ln() + 1.0;
        let logs: Vec<f32> = (0..256_u16).map(|count| weight(f32::from(count))).collect();
        for count in &mut idf {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count is whole and positive")]
            let known = logs.get(*count as usize).copied();
            *count = if *count == 0.0 { 0.0 } else { known.unwrap_or_else(|| weight(*count)) };
        }
        Self { idf, unseen: weight(0.0) }
    }

    fn weight(&self, slot: u32) -> f32 {
        self.idf.get(slot as usize).copied().unwrap_or_default()
    }

    /// Words and pieces of words weigh alike.
    fn row(&self, counts: Counts) -> Row {
        let mut row = Row::with_capacity(counts.0.iter().map(Vec::len).sum());
        for list in counts.0 {
            let start = row.len();
            let times = |times: u16| if times == 1 { 1.0 } else { 1.0 + f32::from(times).ln() };
            // What no example has makes the text longer, and so less like any of them.
            row.extend(list.into_iter().map(|(slot, count)| {
                let weight = self.weight(slot);
                (slot, times(count) * if weight == 0.0 { self.unseen } else { weight })
            }));
            let own = row.get_mut(start..).unwrap_or_default();
            let length = own.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
            let factor = std::f32::consts::FRAC_1_SQRT_2 / length.max(f32::MIN_POSITIVE);
            own.iter_mut().for_each(|(_, value)| *value *= factor);
        }
        row
    }
}

/// One row laid out over all slots, for products with many others.
struct Dense(Vec<f32>);

impl Dense {
    fn new() -> Self {
        Self(vec![0.0; SLOTS])
    }

    /// Lays the row out, and takes it away again.
    fn with<T>(&mut self, row: &Row, work: impl FnOnce(&Self) -> T) -> T {
        // Words and pieces may share a slot: both are laid there.
        for (slot, weight) in row {
            if let Some(cell) = self.0.get_mut(*slot as usize) {
                *cell += weight;
            }
        }
        let done = work(self);
        for (slot, _) in row {
            if let Some(cell) = self.0.get_mut(*slot as usize) {
                *cell = 0.0;
            }
        }
        done
    }

    fn dot(&self, row: &Row) -> f32 {
        row.iter().map(|(slot, weight)| self.0.get(*slot as usize).copied().unwrap_or_default() * weight).sum()
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
    fn an_example_said_often_does_not_drown_another() {
        let mut texts = vec![(Some("a"), "where is my parcel"); 300];
        texts.push((Some("b"), "where is my refund"));
        let near = Examples::new(texts.into_iter()).near("where is my refund").unwrap();
        assert_eq!(near.votes[0].0, "b", "{near:?}");
    }
}
