//! `[templates]`: what templates cost that a provider takes money for. Caps are those of `[models]`.

use std::collections::BTreeMap;

use pointsman_model::price::{self, Amount};
use serde::Deserialize;

/// Templates that cost money.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// For one message, by the template's name; `*`: every other. Empty: none costs anything.
    #[serde(default)]
    pub prices: BTreeMap<String, f64>,
}

impl Templates {
    /// As the engine takes it.
    #[must_use]
    pub fn engine(&self) -> BTreeMap<String, Amount> {
        self.prices.iter().map(|(name, price)| (name.clone(), price::amount(*price))).collect()
    }
}
