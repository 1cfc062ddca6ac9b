//! Reads orders: what is ordered, how many, for whom, where to and for when, checked against the shop's catalogue; and what
//! later messages change. Rules and word lists in eight languages, no model, no network. It never names a thing that the
//! catalogue lacks: what it does not find there is listed as unknown.
//!
//! A workflow that gives each message gets the order as it stands after it, for the step keeps the open orders in the small
//! store of the conversation (under `order-detect`, two hours if `remember` says nothing else). They are written with the
//! step's result, so they are there after a restart and the same when it is played again.

mod catalog;
mod fields;
mod judge;
mod lexicon;
mod lines;
mod output;
mod read;
mod talk;
mod text;
mod words;

use catalog::{Catalog, Item};
use fields::Asked;
use output::{Output, Told};
use pointsman_sdk::prelude::*;
use talk::{Intent, Talk};

/// The step plugin.
pub struct OrderDetect;

/// What the workflow passes.
#[derive(Debug, Default, Deserialize)]
pub struct Input {
    /// The message.
    text: Option<String>,
    /// A whole conversation instead of a message; nothing is remembered then.
    turns: Option<Vec<Said>>,
    catalog: Option<Vec<Item>>,
    currency: Option<String>,
    country: Option<String>,
    require: Option<Vec<Asked>>,
    asked: Option<Asked>,
    /// The output of an earlier call, instead of what is remembered.
    previous: Option<Previous>,
    #[serde(default)]
    forget: bool,
    remember: Option<u64>,
}

/// A line of a conversation.
#[derive(Debug, Deserialize)]
pub struct Said {
    #[serde(default)]
    by: By,
    text: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    Contact,
    Business,
}

/// Of an earlier output only the orders are read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Previous {
    #[serde(default)]
    orders: Vec<Told>,
}

/// The operator's settings; they count where the input says nothing.
#[derive(Debug, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    catalog: Vec<Item>,
    currency: Option<String>,
    country: Option<String>,
}

/// Where the orders are remembered.
const KEY: &str = "order-detect";
/// Seconds that they are remembered.
const REMEMBER: u64 = 2 * 60 * 60;
/// Bytes of a conversation that are read at most: twice the largest message of a provider.
const LONGEST: usize = 8_000;
/// And at least, however large the catalogue is.
const SHORTEST: usize = 1_000;
/// Names of a catalogue times bytes of text that are compared within the time of a call.
const COMPARED: usize = 1_000_000;

impl Step for OrderDetect {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(ctx: &Context, input: Input, config: Config) -> Result<Output, Failure> {
        let catalog = Catalog::new(checked(input.catalog.unwrap_or(config.catalog))?);
        let country = input.country.or(config.country).unwrap_or_default();
        if !country.is_empty() && !fields::phone::knows(&country) {
            let message = format!("the country {country:?} is not known: give two letters as in \"ID\", or leave it out");
            return Err(Failure::rejected("unknown-country", message));
        }
        let keeps = input.turns.is_none() && input.previous.is_none();
        let store = ctx.state(Scope::Conversation);
        let remembered = if keeps && !input.forget { store.get::<Previous>(KEY).unwrap_or_default() } else { None };
        let before = input.previous.or(remembered).unwrap_or_default().orders;
        let had = !before.is_empty();
        let required = input.require.unwrap_or_else(|| vec![Asked::Fulfilment, Asked::Name]);
        // What is missing first is what a workflow asks for next.
        let awaited = before.iter().rfind(|order| !order.is_cancelled()).and_then(Told::awaits);
        let mut talk = Talk::new(&catalog, &country, before.into_iter().map(|order| order.read(&catalog)).collect());
        let mut asked = input.asked.or(awaited);
        let turns = input.turns.unwrap_or_else(|| vec![Said { by: By::Contact, text: input.text }]);
        let mut left = (COMPARED / catalog.names().max(1)).clamp(SHORTEST, LONGEST);
        let mut truncated = false;
        for turn in &turns {
            let text = turn.text.as_deref().unwrap_or_default();
            if turn.by == By::Business {
                asked = talk::asks(text);
                continue;
            }
            let said = head(text, left);
            left -= said.len();
            truncated |= said.len() < text.len();
            talk.hear(said, asked.take());
        }
        let output = output::tell(&talk, &catalog, input.currency.or(config.currency), &required, truncated)?;
        if keeps {
            remember(store, &output, had || input.forget, input.remember.unwrap_or(REMEMBER));
        }
        Ok(output)
    }
}

/// Keeps the open orders, or forgets them. Without the store (outside of a conversation, or not granted) the step reads each
/// message by itself.
fn remember(store: pointsman_sdk::context::State, output: &Output, had: bool, seconds: u64) {
    let orders: Vec<Told> = output.orders.iter().filter(|order| !order.is_cancelled()).cloned().collect();
    if orders.is_empty() || seconds == 0 {
        if had {
            drop(store.delete(KEY));
        }
    } else if output.intent != Intent::None || !had {
        drop(store.set_for(KEY, Previous { orders }, seconds.saturating_mul(1000)));
    }
}

fn checked(items: Vec<Item>) -> Result<Vec<Item>, Failure> {
    for (at, item) in items.iter().enumerate() {
        let prices = item.variants.iter().chain(&item.options).map(|choice| choice.price).chain([item.price]).flatten();
        if prices.into_iter().any(|price| price < 0) {
            return Err(Failure::rejected("negative-price", format!("a price of {:?} is below zero", item.id)));
        }
        if items.iter().take(at).any(|other| other.id == item.id) {
            return Err(Failure::rejected(
                "same-id",
                format!("two things of the catalogue have the id {:?}: give each its own", item.id),
            ));
        }
    }
    Ok(items)
}

/// The beginning of a text that fits into so many bytes.
fn head(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

export_step!(OrderDetect);

#[cfg(test)]
mod tests;
