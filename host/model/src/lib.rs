//! Language models over the wire, without any IO: a question becomes a request for the broker, its answer becomes words or a coded
//! failure. The engine decides who may ask, what it may cost and where it goes; the broker alone opens the key.
//!
//! ```text
//! Settings            a connection: provider, address, model; which wire form it speaks
//! wire::chat          (connection, question) -> request;   wire::read_chat   (connection, response) -> Answer
//! wire::embed         (connection, texts) -> request;      wire::read_embed  (connection, response) -> vectors
//! schema              a subset of JSON Schema: what it does not know it refuses, so nothing passes unchecked
//! redact              phone numbers, mail addresses and card numbers out of a text, and back into the answer
//! price               what a question costs at most, and what it did cost, in billionths of the currency
//! ```
//!
//! What a model says is never trusted: it is words. No tool is offered to it, and a tool that it calls all the same is a broken answer.

mod connection;
pub mod price;
pub mod redact;
pub mod schema;
pub mod wire;

pub use connection::{KEY, Provider, Settings};
pub use price::Price;
pub use wire::Answer;
