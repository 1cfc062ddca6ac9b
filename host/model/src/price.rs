//! What a call costs. Amounts are whole billionths of the operator's currency, so that sums are exact: a price of 0.15 for a million tokens
//! is 150 billionths for one.
//!
//! Before a call an amount is reserved that it cannot exceed: no tokenizer makes more tokens of a text than it has bytes, and the answer is
//! asked for with a bound. After it, what the provider counted takes that amount's place.

use pointsman_core::model::Prompt;
use serde::{Deserialize, Serialize};

/// Billionths of the currency.
pub type Amount = i64;

/// One of the currency.
pub const ONE: Amount = 1_000_000_000;

/// Tokens that a wire form adds to a turn, at most.
const PER_TURN: i64 = 64;

/// Tokens that a wire form adds to a question, at most.
const PER_CALL: i64 = 512;

/// What a model costs, in the operator's currency for a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of what it reads.
    pub input: f64,
    /// Of what it writes.
    #[serde(default)]
    pub output: f64,
}

impl Price {
    /// What so many tokens cost, rounded up.
    #[must_use]
    pub fn of(self, input: i64, output: i64) -> Amount {
        tokens(self.input, input).saturating_add(tokens(self.output, output))
    }
}

fn tokens(price: f64, count: i64) -> Amount {
    // A price for a million in billionths for one; exact to a thousandth of a billionth.
    let each = (price.max(0.0) * 1_000_000.0).round() as i64;
    each.saturating_mul(count.max(0)).div_euclid(1_000).saturating_add(i64::from(each.saturating_mul(count.max(0)) % 1_000 != 0))
}

/// An amount as people write it.
#[must_use]
pub fn amount(value: f64) -> Amount {
    (value.max(0.0) * ONE as f64).round() as i64
}

/// An amount for people: `0.0123`.
#[must_use]
pub fn shown(amount: Amount) -> String {
    let text = format!("{}{}.{:09}", if amount < 0 { "-" } else { "" }, (amount / ONE).abs(), (amount % ONE).abs());
    let short = text.trim_end_matches('0');
    let decimals = short.split('.').next_back().map_or(0, str::len);
    format!("{short}{}", "0".repeat(2_usize.saturating_sub(decimals)))
}

/// Tokens that a question has at most.
#[must_use]
pub fn bound(prompt: &Prompt) -> i64 {
    let turns: i64 = prompt.turns.iter().map(|turn| bytes(turn.text.len()) + PER_TURN).sum();
    PER_CALL + turns + prompt.schema.as_ref().map_or(0, |schema| bytes(schema.to_string().len()))
}

/// Tokens that texts have at most.
#[must_use]
pub fn bound_of(texts: &[String]) -> i64 {
    texts.iter().map(|text| bytes(text.len()) + PER_TURN).sum()
}

fn bytes(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::model::{Role, Turn};

    #[test]
    fn amounts_are_exact_and_never_too_small() {
        let price = Price { input: 0.15, output: 0.6 };
        assert_eq!(price.of(1, 0), 150);
        assert_eq!(price.of(1_000_000, 1_000_000), amount(0.75));
        assert_eq!(Price { input: 0.000_1, output: 0.0 }.of(1, 0), 1, "a tenth of a billionth is reserved as a whole one");
        assert_eq!(Price { input: -1.0, output: 0.0 }.of(5, 5), 0);
        assert_eq!([amount(5.0), amount(0.0123), amount(-2.0)], [5 * ONE, 12_300_000, 0]);
        assert_eq!(["5.00", "0.0123", "0.000000001", "0.10"].map(str::to_owned), [5 * ONE, 12_300_000, 1, ONE / 10].map(shown));
    }

    #[test]
    fn a_question_has_at_most_as_many_tokens_as_bytes() {
        let turn = |text: &str| Turn { role: Role::User, text: text.to_owned() };
        let prompt = Prompt { turns: vec![turn("مرحبا"), turn("")], ..Prompt::default() };
        assert_eq!(bound(&prompt), 512 + 2 * 64 + 10);
        let with = Prompt { schema: Some(serde_json::json!({ "type": "object" })), ..prompt };
        assert_eq!(bound(&with), 512 + 2 * 64 + 10 + 17);
        assert_eq!(bound_of(&["ab".into(), "c".into()]), 3 + 2 * 64);
    }
}
