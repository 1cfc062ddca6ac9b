//! Which intents a text is near. The text is compared with every example (`alike`); the examples of the intents that are nearest are
//! then weighed against each other for this text alone (`solve`): so ten examples that say the same do not outvote one that says it
//! better, and what tells these few intents apart counts, not what tells them from all the others. Nothing is learnt beforehand; it is
//! as good as a classifier trained on all examples, and costs milliseconds.

use std::collections::BTreeMap;

use crate::alike::{Among, alike};
use crate::solve::{COMMON, solve};
use crate::terms::{Terms, Text};

/// So many intents are weighed against each other,
const INTENTS: usize = 10;

/// with so many examples each, the most similar,
const EXAMPLES: usize = 40;

/// and so many terms in all: long examples are fewer, so that a call ends in time.
const TERMS: usize = 20_000;

/// The examples, made ready.
pub struct Examples<'a> {
    terms: Terms,
    texts: Vec<Text>,
    /// Of each intent, the places of its examples; none for what is none of them.
    intents: BTreeMap<Option<&'a str>, Vec<usize>>,
}

/// What is near a text.
#[derive(Debug)]
pub struct Near<'a> {
    /// For the intents that are nearest, best first: about 1 where examples say just that, 0 where others do.
    pub votes: Vec<(&'a str, f32)>,
    /// What the examples of the best say by themselves: about 0 where the text is like none of them, however few intents there are.
    pub said: f32,
    /// How far the best is before the next, or before what is none of them.
    pub lead: f32,
    /// How similar the most similar example is, 0 to 1.
    pub nearest: f32,
    /// How much of the text the weighed examples have together, 0 to 1.
    pub known: f32,
}

impl<'a> Examples<'a> {
    /// Reads the examples.
    pub fn new(examples: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> Self {
        let mut intents: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        let (terms, texts) = Terms::of_examples(examples.enumerate().map(|(at, (intent, text))| {
            intents.entry(intent).or_default().push(at);
            text
        }));
        Self { terms, texts, intents }
    }

    /// What is near a text; none when the text has no words, or no example has any.
    pub fn near(&mut self, text: &str) -> Option<Near<'a>> {
        let asked = self.terms.ask(text);
        if self.terms.numbers(&asked).is_empty() {
            return None;
        }
        let candidates = self.candidates(&alike(&self.terms, &asked, &self.texts));
        let (chosen, texts) = self.chosen(&candidates);
        let right = alike(&self.terms, &asked, &texts);
        let nearest = right.iter().copied().reduce(f32::max)?;
        let mut among = Among::new(&self.terms, &texts);
        let said = solve(|amounts| among.times(amounts), &right);
        let always = solve(|amounts| among.times(amounts), &vec![COMMON; right.len()]);

        let mut votes: Vec<Vote> =
            candidates.iter().map(|candidate| Vote { intent: candidate.intent, said: 0.0, all: 0.0 }).collect();
        for (candidate, (said, always)) in chosen.iter().zip(said.iter().zip(&always)) {
            if let Some(vote) = votes.get_mut(*candidate) {
                vote.said += said;
                vote.all += said + always;
            }
        }
        votes.sort_by(|a, b| b.all.total_cmp(&a.all));
        let at = votes.iter().position(|vote| vote.intent.is_some())?;
        let best = votes.get(at).copied()?;
        let rival = votes.iter().enumerate().find(|(other, _)| *other != at).map(|(_, vote)| vote.all);
        Some(Near {
            votes: votes.iter().filter_map(|vote| Some((vote.intent?, vote.all))).collect(),
            said: best.said,
            lead: rival.map_or(best.said, |rival| best.all - rival),
            nearest,
            known: said.iter().zip(&right).map(|(said, right)| said * right).sum(),
        })
    }

    /// The intents that are nearest, by the most similar example and by all at the mean.
    fn candidates(&self, likeness: &[f32]) -> Vec<Candidate<'a>> {
        let like = |at: &usize| likeness.get(*at).copied().unwrap_or_default();
        let mut all: Vec<Candidate> = self
            .intents
            .iter()
            .map(|(intent, places)| {
                let mean = places.iter().map(like).sum::<f32>() / places.len() as f32;
                let mut places = places.clone();
                // By likeness, and by place among those alike: the same on every machine.
                places.sort_unstable_by(|a, b| like(b).total_cmp(&like(a)).then(a.cmp(b)));
                Candidate { intent: *intent, near: 2.0 * mean + places.first().map(like).unwrap_or_default(), places }
            })
            .collect();
        all.sort_by(|a, b| b.near.total_cmp(&a.near));
        all.truncate(INTENTS);
        all
    }

    /// The examples that are weighed: the nearest of each candidate, then the second nearest of each, and so on. Of each the candidate's
    /// number, and the text.
    fn chosen(&self, candidates: &[Candidate]) -> (Vec<usize>, Vec<Text>) {
        let mut left = TERMS;
        let mut room = vec![0.0; self.terms.places()];
        let (mut of, mut texts) = (Vec::new(), Vec::new());
        for rank in 0..EXAMPLES {
            for (number, candidate) in candidates.iter().enumerate() {
                let Some(text) = candidate.places.get(rank).and_then(|at| self.texts.get(*at)) else { continue };
                let terms = self.terms.numbers(text).len();
                if terms <= left {
                    left -= terms;
                    of.push(number);
                    texts.push(self.terms.measure(text, &mut room));
                }
            }
        }
        (of, texts)
    }
}

/// An intent that may be meant.
struct Candidate<'a> {
    intent: Option<&'a str>,
    near: f32,
    /// Its examples, the most similar first.
    places: Vec<usize>,
}

/// What the examples of a candidate say.
#[derive(Clone, Copy)]
struct Vote<'a> {
    intent: Option<&'a str>,
    /// Of this text,
    said: f32,
    /// and with what they would say of any text: what is said in many ways is likelier than what is said in one.
    all: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_alike_is_near() {
        let texts = [
            (Some("hours"), "when are you open"),
            (Some("hours"), "opening hours please"),
            (Some("price"), "how much is a cake"),
            (Some("price"), "what does the bread cost"),
            (None, "you are funny"),
        ];
        let mut examples = Examples::new(texts.into_iter());
        let near = examples.near("How much is the bread?").unwrap();
        assert_eq!(near.votes[0].0, "price");
        assert!(near.votes[0].1 > 2.0 * near.votes[1].1, "{near:?}");
        let same = examples.near("when are you open").unwrap();
        assert!((same.nearest - 1.0).abs() < 1e-4 && same.votes[0].0 == "hours", "{same:?}");
        let far = examples.near("zxqv wkjp").unwrap();
        assert!(far.nearest < 0.05 && far.known < 0.05 && far.said.abs() < 0.05, "{far:?}");
        assert!(examples.near(" ").is_none());
        assert_eq!(
            format!("{:?}", examples.near("when are you open").unwrap()),
            format!("{same:?}"),
            "what was asked leaves no trace"
        );
    }

    #[test]
    fn long_examples_leave_room_for_the_others() {
        let word = |number: usize| (0..4).map(|digit| char::from(b'a' + (number / 26_usize.pow(digit) % 26) as u8)).collect();
        let long: Vec<String> =
            (0..40).map(|at| (500 * at..500 * at + 500).map(word).collect::<Vec<String>>().join(" ")).collect();
        let mut texts: Vec<_> = long.iter().map(|text| (Some("a"), text.as_str())).collect();
        texts.push((Some("b"), "where is my refund"));
        let examples = Examples::new(texts.into_iter());
        let (_, chosen) = examples.chosen(&examples.candidates(&vec![0.1; 41]));
        assert!(chosen.len() < 41 && chosen.iter().any(|text| examples.terms.numbers(text).len() == 7), "{}", chosen.len());
        assert!(chosen.iter().map(|text| examples.terms.numbers(text).len()).sum::<usize>() <= TERMS);
    }

    #[test]
    fn an_example_said_often_does_not_drown_another() {
        let mut texts = vec![(Some("a"), "where is my parcel"); 300];
        texts.push((Some("b"), "where is my refund"));
        let near = Examples::new(texts.into_iter()).near("where is my refund").unwrap();
        assert_eq!(near.votes[0].0, "b", "{near:?}");
    }
}
