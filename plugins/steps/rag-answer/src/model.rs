//! A model words the answer. It is believed as far as its quotes go: each must stand in the passage that it names, letter for letter but for
//! space; an answer without one, or with one that stands nowhere, is not used.

use pointsman_ask::{Asked, Question, ask};
use pointsman_sdk::context::Passage;
use pointsman_sdk::prelude::*;

/// What a model made of the passages.
#[derive(Debug)]
pub(crate) enum Worded {
    /// An answer, and its quotes: in which passage, and what.
    Answer {
        /// Its words.
        text: String,
        /// At least one.
        quotes: Vec<(usize, String)>,
    },
    /// The passages do not answer the question.
    NoAnswer,
    /// No model was asked, or what it gave is not used.
    Not,
}

/// Letters that a quote has at least: one of a few stands everywhere.
const QUOTE: usize = 8;

#[derive(Debug, Deserialize)]
struct Reply {
    answer: Option<String>,
    quotes: Vec<Quoted>,
}

#[derive(Debug, Deserialize)]
struct Quoted {
    passage: usize,
    quote: String,
}

/// Has the answer worded.
pub(crate) fn worded(
    context: &Context,
    model: Option<String>,
    (question, language): (&str, &str),
    passages: &[Passage],
) -> Worded {
    let names: Vec<String> = (1..=passages.len()).map(|n| format!("passage {n}")).collect();
    let mut texts = vec![("question", question)];
    texts.extend(names.iter().map(String::as_str).zip(passages.iter().map(|passage| passage.text.as_str())));
    let task = format!(
        "Answer the question from the passages alone, in the language with the code `{language}`, in at most four sentences. In `quotes` \
         copy, letter for letter, the words of the passages on which the answer rests, each with the number of its passage. When the \
         passages do not answer the question, give null as `answer` and no quotes; never answer from what you know otherwise."
    );
    let schema = json!({
        "type": "object", "required": ["answer", "quotes"], "additionalProperties": false,
        "properties": {
            "answer": { "type": ["string", "null"], "maxLength": 2_000 },
            "quotes": {
                "type": "array", "maxItems": 10,
                "items": {
                    "type": "object", "required": ["passage", "quote"], "additionalProperties": false,
                    "properties": {
                        "passage": { "type": "integer", "minimum": 1, "maximum": passages.len() },
                        "quote": { "type": "string", "minLength": QUOTE },
                    },
                },
            },
        },
    });
    match ask(context, Question { model, task: &task, texts: &texts, schema: &schema, max_tokens: Some(700) }) {
        Asked::Answer(reply) => serde_json::from_value(reply).map_or(Worded::Not, |reply| looked_up(context, reply, passages)),
        Asked::NoModel => Worded::Not,
        Asked::Away(why) | Asked::No(why) => {
            // The host's own sentence: no words of a contact.
            context.warn(format!("answers with the passage's own words: {why}"));
            Worded::Not
        }
    }
}

/// Looks the quotes up.
fn looked_up(context: &Context, reply: Reply, passages: &[Passage]) -> Worded {
    let Some(text) = reply.answer.filter(|text| !text.trim().is_empty()) else { return Worded::NoAnswer };
    let stands = |quoted: &Quoted| {
        let quote = spaced(&quoted.quote);
        let passage = quoted.passage.checked_sub(1).and_then(|n| passages.get(n));
        quote.chars().count() >= QUOTE && passage.is_some_and(|passage| spaced(&passage.text).contains(&quote))
    };
    if reply.quotes.is_empty() || !reply.quotes.iter().all(stands) {
        context.warn("the model's answer is not used: it quotes what does not stand in the passages");
        return Worded::Not;
    }
    Worded::Answer { text, quotes: reply.quotes.into_iter().map(|quoted| (quoted.passage - 1, quoted.quote)).collect() }
}

/// A text with one space wherever it had some.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
