//! What the steps about words share: a text cut into words and pieces of words, linear models over these, and the language of
//! a text. All of it is plain arithmetic over tables that lie in the component as they are: nothing is read or built at a start.

pub mod bag;
pub mod cut;
pub mod language;
pub mod linear;

pub use bag::Bag;
