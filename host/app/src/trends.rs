//! What contacts felt, week by week, in the form in which it is shown: by channel, and by the tags that workflows put beside it.

use std::collections::BTreeMap;

use pointsman_core::clock::Instant;
use pointsman_core::event::v1;
use pointsman_core::id::Id;
use pointsman_store::{ChannelRow, Trend};
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;

/// A week of a channel and a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    /// Its Monday, `2026-08-03` (UTC).
    pub week: String,
    /// The channel's id.
    pub channel: Id,
    /// What people call it; its id, where it is gone.
    pub name: String,
    /// A tag; empty: all messages.
    pub topic: String,
    /// How often each was felt: positive, neutral, negative.
    pub felt: [i64; 3],
}

/// The Monday of a day (days since 1970, a Thursday).
fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

/// The first day of so many weeks, this one among them.
#[must_use]
pub fn since(weeks: u32, now: Instant) -> i64 {
    monday(now.div_euclid(DAY)) - 7 * i64::from(weeks.saturating_sub(1))
}

/// Adds days up to weeks: the newest first; in each by channel, all messages before the topics.
#[must_use]
pub fn weeks(felt: &[Trend], channels: &[ChannelRow]) -> Vec<Week> {
    let mut sums: BTreeMap<(i64, Id, &str), [i64; 3]> = BTreeMap::new();
    for one in felt {
        // From the newest on.
        let [positive, neutral, negative] = sums.entry((-monday(one.day), one.channel, one.topic.as_str())).or_default();
        match one.label.as_str() {
            "positive" => *positive += one.count,
            "negative" => *negative += one.count,
            _ => *neutral += one.count,
        }
    }
    let name = |id: Id| channels.iter().find(|channel| channel.id == id).map_or_else(|| id.to_string(), |c| c.name.clone());
    let date = |day: i64| v1::timestamp(day * DAY).unwrap_or_default().chars().take(10).collect();
    let week = |((day, channel, topic), felt): ((i64, Id, &str), [i64; 3])| Week {
        week: date(-day),
        channel,
        name: name(channel),
        topic: topic.to_owned(),
        felt,
    };
    sums.into_iter().map(week).collect()
}

/// As `/api/v1/trends` and `--json` show it.
#[must_use]
pub fn json(week: &Week) -> Value {
    let [positive, neutral, negative] = week.felt;
    let topic = Some(&week.topic).filter(|topic| !topic.is_empty());
    json!({
        "week": week.week, "channel": week.channel, "channel_name": week.name, "topic": topic,
        "positive": positive, "neutral": neutral, "negative": negative,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_weeks_that_begin_on_monday() {
        // 1970-01-01 was a Thursday; 20,668 days later, on 2026-08-03, it is a Monday.
        let felt = |day: i64, topic: &str, label: &str, count: i64| Trend {
            day,
            channel: Id(7),
            topic: topic.to_owned(),
            label: label.to_owned(),
            count,
        };
        let all = [
            felt(20_667, "", "negative", 1),
            felt(20_668, "", "negative", 2),
            felt(20_674, "", "positive", 3),
            felt(20_674, "", "neutral", 4),
            felt(20_668, "order", "negative", 5),
            felt(20_675, "", "negative", 6),
        ];
        let shown: Vec<(String, String, [i64; 3])> =
            weeks(&all, &[]).into_iter().map(|week| (week.week, week.topic, week.felt)).collect();
        let wanted = [
            ("2026-08-10", "", [0, 0, 6]),
            ("2026-08-03", "", [3, 4, 2]),
            ("2026-08-03", "order", [0, 0, 5]),
            ("2026-07-27", "", [0, 0, 1]),
        ];
        assert_eq!(shown, wanted.map(|(week, topic, felt)| (week.to_owned(), topic.to_owned(), felt)));
        assert_eq!((since(1, 20_674 * DAY), since(2, 20_674 * DAY)), (20_668, 20_661));
    }
}
