//! The table of phrases, by what they are for. A phrase stands as people write it; `|` parts phrases.

mod actions;
mod fields;
mod numbers;
mod talk;

use crate::lexicon::Tag;

/// Meanings with their phrases.
pub(crate) const TABLES: [&[(Tag, &str)]; 4] = [numbers::TABLE, actions::TABLE, fields::TABLE, talk::TABLE];
