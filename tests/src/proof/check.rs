//! Joins what the three witnesses wrote down, and counts what must not be.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::journal::Journal;
use super::provider::Log;
use super::sender::{Message, Times};

/// Begins a message that is meant to be parked: no reply is expected to it.
pub const PARKED: &str = "park";
/// Begins a message whose run waits a while: its reply may be overtaken by those to later messages.
pub const LATER: &str = "later";

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Messages that were said.
    pub said: usize,
    /// Those that were acknowledged.
    pub acknowledged: usize,
    /// Acknowledged, and never answered.
    pub lost: usize,
    /// Messages that were answered by two different sends, events with two runs, step results that stand twice.
    pub doubled: usize,
    /// Answers in another order than their messages were acknowledged in.
    pub reordered: usize,
    /// Requests that the provider took beyond the first of their key.
    pub double_sends: usize,
    /// Sends that were taken twice and do not say that they may have been.
    pub unmarked: usize,
    /// Sends whose host does not know what became of them.
    pub unresolved: usize,
    /// Lines of the books without an explanation.
    pub unexplained: usize,
    /// What is open at the end: events, runs, sends.
    pub open: usize,
    /// Hosts that were killed.
    pub kills: usize,
    /// Sends with an intent on disk and no outcome when a host was killed.
    pub in_flight: usize,
    /// Requests that the provider had under way when a host was killed.
    pub under_way: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, doubled, reordered, double_sends, unmarked, unresolved, unexplained, .. } = self;
        write!(f, "{acknowledged} acknowledged: {lost} lost, {doubled} doubled results, {reordered} reordered, ")?;
        write!(f, "{double_sends} sent twice ({unmarked} unmarked), {unresolved} unresolved, {unexplained} unexplained")?;
        if self.open > 0 {
            write!(f, ", {} open", self.open)?;
        }
        if self.kills > 0 {
            write!(f, "; {} kills, {} in flight ({} at the provider)", self.kills, self.in_flight, self.under_way)?;
        }
        Ok(())
    }
}

impl Seen {
    /// Whether nothing is wrong that never may be, whatever went wrong around the host.
    #[must_use]
    pub fn sound(&self) -> bool {
        let never = [self.lost, self.doubled, self.reordered, self.unmarked, self.unresolved, self.unexplained, self.open];
        self.said == self.acknowledged && never.iter().all(|count| *count == 0)
    }

    /// Joins the provider's log, the sender's, and the host's journal.
    #[must_use]
    pub fn join(provider: &Log, sender: &HashMap<Message, Times>, journal: &Journal) -> Self {
        let mut seen = Self { acknowledged: sender.len(), doubled: journal.doubled, ..Self::default() };
        // The first time that the provider took an answer to a message, and by how many sends it was answered.
        let mut answered: HashMap<&str, (usize, HashSet<&str>)> = HashMap::new();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (place, taken) in provider.taken.iter().enumerate() {
            if let Some(mark) = mark(&taken.text) {
                answered.entry(mark).or_insert_with(|| (place, HashSet::new())).1.insert(&taken.key);
            }
            *times.entry(&taken.key).or_default() += 1;
        }
        for (key, times) in times.into_iter().filter(|(_, times)| *times > 1) {
            seen.double_sends += times - 1;
            seen.unmarked += usize::from(!journal.sends.get(key).is_some_and(|send| send.marked));
        }
        seen.unresolved = journal.sends.values().filter(|s| ["ready", "sending", "unknown"].contains(&s.state.as_str())).count();
        let mut strands: HashMap<&str, Vec<(Times, usize)>> = HashMap::new();
        for (message, times) in sender {
            let parked = message.text.starts_with(PARKED);
            match mark(&message.text).and_then(|mark| answered.get(mark)) {
                None => seen.lost += usize::from(!parked),
                Some((place, keys)) => {
                    seen.doubled += keys.len() - 1 + usize::from(parked);
                    if !message.text.starts_with(LATER) {
                        strands.entry(&message.contact).or_default().push((*times, *place));
                    }
                }
            }
        }
        seen.reordered = strands.into_values().map(reordered).sum();
        seen
    }
}

/// Pairs of which one was acknowledged before the other one was on its way, and answered after it.
fn reordered(mut strand: Vec<(Times, usize)>) -> usize {
    strand.sort_by_key(|(_, place)| *place);
    let late = |n: usize| strand.get(n..).unwrap_or_default().iter();
    strand.iter().enumerate().map(|(n, (first, _))| late(n + 1).filter(|(then, _)| then.acknowledged < first.begun).count()).sum()
}

/// `#contact-place`, at the end of what was said.
fn mark(text: &str) -> Option<&str> {
    text.rfind('#').and_then(|at| text.get(at..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::journal::Told;
    use crate::proof::provider::Taken;

    /// Messages of one contact, each acknowledged before the next; answers by (key, place).
    fn join(said: usize, answers: &[(&str, usize)], marked: &[&str]) -> Seen {
        let message = |place| Message::new(1, place, "order");
        let sender = (0..said).map(|n| (message(n), Times { begun: n as u64 * 10, acknowledged: n as u64 * 10 + 5 })).collect();
        let taken = |(key, place): &(&str, usize)| Taken {
            key: (*key).to_owned(),
            text: format!("Noted: {}", message(*place).text),
            to: message(*place).contact,
            at: 0,
            us: 0,
        };
        let log = Log { taken: answers.iter().map(taken).collect(), requests: Vec::new() };
        let told = |key: &str| (key.to_owned(), Told { marked: marked.contains(&key), state: "sent".to_owned() });
        let sends = answers.iter().map(|(key, _)| told(key)).collect();
        Seen { said, ..Seen::join(&log, &sender, &Journal { sends, ..Journal::default() }) }
    }

    #[test]
    fn each_thing_that_must_not_be_is_counted() {
        assert!(join(3, &[("a", 0), ("b", 1), ("c", 2)], &[]).sound());
        assert_eq!(join(3, &[("a", 0), ("c", 2)], &[]).lost, 1);
        assert_eq!(join(2, &[("a", 0), ("b", 1), ("c", 1)], &[]).doubled, 1, "two sends for one message");
        let twice = join(2, &[("a", 0), ("b", 1), ("a", 0)], &[]);
        assert_eq!((twice.double_sends, twice.unmarked, twice.sound()), (1, 1, false));
        let marked = join(2, &[("a", 0), ("b", 1), ("a", 0)], &["a"]);
        assert_eq!((marked.double_sends, marked.unmarked, marked.sound()), (1, 0, true));
        let late = join(3, &[("b", 1), ("c", 2), ("a", 0)], &[]);
        assert_eq!((late.reordered, late.sound()), (2, false), "the first message was answered behind two later ones");
    }

    #[test]
    fn what_was_under_way_together_has_no_order() {
        let times = |begun, acknowledged| Times { begun, acknowledged };
        assert_eq!(reordered(vec![(times(0, 9), 1), (times(5, 8), 0)]), 0);
        assert_eq!(reordered(vec![(times(0, 4), 1), (times(5, 8), 0)]), 1);
    }
}
