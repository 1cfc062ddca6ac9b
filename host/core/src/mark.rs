//! Words from outside carry a mark (invariant 10). What a contact, a provider or a model said is *marked*; what is computed
//! from something marked is marked too; a sink that could steer the house (a recipient, a URL, a tool, an amount, a
//! template's name) takes [`Trusted`], which is built from unmarked values only. The attack this stops: text in a message
//! that talks a workflow into writing to somebody else.

use serde::{Deserialize, Serialize};

/// A value and whether words from outside had a part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked<T> {
    /// The value itself.
    pub value: T,
    /// True when something from outside flowed into it.
    pub marked: bool,
}

impl<T> Marked<T> {
    /// A value that came from outside.
    pub fn outside(value: T) -> Self {
        Self { value, marked: true }
    }

    /// A value that the customer or the house wrote.
    pub fn own(value: T) -> Self {
        Self { value, marked: false }
    }
}

/// A value that a sink may act on: it holds no word from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted<T>(T);

impl<T> Trusted<T> {
    /// Takes an unmarked value; gives a marked one back.
    pub fn new(value: Marked<T>) -> Result<Self, Marked<T>> {
        if value.marked { Err(value) } else { Ok(Self(value.value)) }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, taken out.
    pub fn into_inner(self) -> T {
        self.0
    }
}
