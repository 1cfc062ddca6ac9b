//! The spend ledger in the form in which it is shown: what models and paid templates cost today and this month against the caps, by which
//! model, the newest calls, and what is left of months of which the calls are not kept any more. The command line and the pages read it here.

use std::collections::BTreeMap;

use pointsman_core::clock::Instant;
use pointsman_core::id::WorkspaceId;
use pointsman_model::price::{self, Amount};
use pointsman_store::{Caps, SpendRow, SpendSum, SpendTotal, Store, StoreError};
use serde_json::{Value, json};

use crate::words::moment;

/// The ledger of a workspace at a moment.
#[derive(Debug)]
pub struct Ledger {
    /// The day, `2026-08-03` (UTC).
    pub day: String,
    /// What stands against each cap: of the day, the month, workflows, contacts; the largest first in each kind.
    pub sums: Vec<Sum>,
    /// Sums that [`Ledger::largest`] left out.
    pub more: usize,
    /// How many calls are not settled, and what is reserved for them, whatever their day.
    pub unsettled: (usize, Amount),
    /// What each model cost today, the dearest first.
    pub models: Vec<SpendTotal>,
    /// The newest calls.
    pub calls: Vec<SpendRow>,
    /// What each model cost in months of which the calls are not kept any more, newest first.
    pub months: Vec<SpendTotal>,
}

/// A sum, and what it may grow to.
#[derive(Debug)]
pub struct Sum {
    /// The sum.
    pub sum: SpendSum,
    /// Its cap, where it has one.
    pub cap: Option<Amount>,
}

impl Sum {
    /// What may still be spent, where there is a cap.
    #[must_use]
    pub fn left(&self) -> Option<Amount> {
        self.cap.map(|cap| cap.saturating_sub(self.sum.amount).max(0))
    }
}

impl Ledger {
    /// Reads it, with so many of the newest calls.
    pub async fn read(store: &Store, ws: WorkspaceId, caps: Caps, now: Instant, calls: usize) -> Result<Self, StoreError> {
        let cap_of = |scope: &str| match scope {
            "day" => caps.day,
            "month" => caps.month,
            "workflow" => caps.workflow,
            _ => caps.contact,
        };
        let sums = store.spend_sums(ws, now).await?;
        let open = store.open_spends(ws, Instant::MAX).await?;
        Ok(Self {
            day: date(now),
            sums: sums.into_iter().map(|sum| Sum { cap: cap_of(sum.scope), sum }).collect(),
            more: 0,
            unsettled: (open.len(), open.iter().map(|row| row.amount).sum()),
            models: store.spend_models(ws, now).await?,
            calls: store.spends(ws, calls).await?,
            months: store.spend_totals(ws).await?,
        })
    }

    /// Keeps the largest sums of each kind, and counts the others: a busy day has a sum for each of very many contacts.
    #[must_use]
    pub fn largest(mut self, most: usize) -> Self {
        let (all, mut kinds) = (self.sums.len(), BTreeMap::<&str, usize>::new());
        self.sums.retain(|one| {
            let count = kinds.entry(one.sum.scope).or_default();
            *count += 1;
            *count <= most
        });
        self.more = all - self.sums.len();
        self
    }

    /// Whether nothing was spent, reserved or refused this month, and nothing is known of older ones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && self.calls.is_empty() && self.months.is_empty()
    }

    /// As `/api/v1/spend` and `--json` show it. Amounts are decimals in the operator's currency, as text, for they are exact.
    #[must_use]
    pub fn json(&self) -> Value {
        let shown = price::shown;
        let sum = |one: &Sum| {
            json!({
                "scope": one.sum.scope, "of": one.sum.owner, "spent": shown(one.sum.amount), "reserved": shown(one.sum.reserved),
                "cap": one.cap.map(shown), "left": one.left().map(shown), "refused": one.sum.refused,
            })
        };
        let call = |row: &SpendRow| {
            json!({
                "id": row.id, "at": row.at, "run": row.run, "workflow": row.workflow, "contact": row.contact, "model": row.model,
                "state": row.state, "amount": shown(row.amount), "input_tokens": row.input, "output_tokens": row.output,
                "no_training": row.flag,
            })
        };
        let total = |one: &SpendTotal| {
            json!({
                "model": one.model, "calls": one.calls, "amount": shown(one.amount), "input_tokens": one.input,
                "output_tokens": one.output,
            })
        };
        let of_month = |one: &SpendTotal| {
            let mut line = total(one);
            if let Some(object) = line.as_object_mut() {
                object.insert("month".to_owned(), month(one).into());
            }
            line
        };
        json!({
            "day": self.day,
            "sums": self.sums.iter().map(sum).collect::<Vec<Value>>(),
            "more": self.more,
            "unsettled": { "calls": self.unsettled.0, "amount": shown(self.unsettled.1) },
            "models": self.models.iter().map(total).collect::<Vec<Value>>(),
            "calls": self.calls.iter().map(call).collect::<Vec<Value>>(),
            "months": self.months.iter().map(of_month).collect::<Vec<Value>>(),
        })
    }
}

/// `2026-08`
#[must_use]
pub fn month(of: &SpendTotal) -> String {
    date(of.since).chars().take(7).collect()
}

/// `2026-08-03`
fn date(at: Instant) -> String {
    moment(at).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_each_kind_are_kept_and_what_is_left_is_never_below_nothing() {
        let sum = |scope, amount| Sum {
            sum: SpendSum { scope, owner: String::new(), amount, reserved: 0, refused: 0 },
            cap: Some(price::ONE),
        };
        let sums = vec![sum("day", 7), sum("contact", 3 * price::ONE), sum("contact", 2), sum("contact", 1)];
        let ledger = Ledger {
            day: date(1_790_000_000_123),
            sums,
            more: 0,
            unsettled: (0, 0),
            models: Vec::new(),
            calls: Vec::new(),
            months: Vec::new(),
        };
        let shown = ledger.largest(2).json();
        let kept: Vec<(&str, &str)> = shown["sums"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| (s["scope"].as_str().unwrap(), s["left"].as_str().unwrap()))
            .collect();
        assert_eq!(kept, [("day", "0.999999993"), ("contact", "0.00"), ("contact", "0.999999998")]);
        assert_eq!((&shown["more"], &shown["day"]), (&1.into(), &"2026-09-21".into()));
    }
}
