//! Answers from a knowledge base. Where the step may ask a model, that one words the answer from the passages that were found, and what it
//! quotes is looked up in them; without one, or when its quotes do not stand there, the answer is the passage's own words. Either has the
//! place where they stand. When the evidence is weak it says so: `found` is false, and `suggestion` holds what a person could send after a
//! look at it.

mod model;
mod words;

use model::Worded;
use pointsman_sdk::context::Passage;
use pointsman_sdk::prelude::*;

/// The step plugin.
pub struct RagAnswer;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    knowledge: String,
    question: Option<String>,
    threshold: Option<f64>,
    count: Option<u32>,
    language: Option<String>,
    model: Option<String>,
}

/// No settings.
#[derive(Debug, Deserialize)]
pub struct Config {}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    found: bool,
    text: Option<String>,
    suggestion: Option<String>,
    confidence: f64,
    language: String,
    citations: Vec<Citation>,
    by: &'static str,
}

/// Where something stands.
#[derive(Debug, Serialize)]
pub struct Citation {
    source: String,
    heading: Option<String>,
    quote: String,
    score: f64,
}

/// What the host tells of a passage.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extra {
    headings: Vec<String>,
    quote: Option<String>,
    confidence: f64,
}

/// From here on an answer counts as found.
const THRESHOLD: f64 = 0.5;

/// A passage that is less sure than this is not worth a person's look.
const NEAREST: f64 = 0.1;

/// Citations beside the first must come this near to it.
const BESIDE: f32 = 0.6;

impl Step for RagAnswer {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(context: &Context, input: Input, _: Config) -> Result<Output, Failure> {
        let question = input.question.or_else(|| said(context)).unwrap_or_default();
        let language = match input.language.as_deref().map(words::known) {
            Some(Some(language)) => language,
            Some(None) => return Err(Failure::rejected("language", "`language` is one of en, id, ms, ar, pt, es, de, fr")),
            None => words::of(&question),
        };
        let passages = match question.trim() {
            "" => Vec::new(),
            asked => context.search(&input.knowledge, asked, input.count.unwrap_or(4)).map_err(|refusal| refused(&refusal))?,
        };
        let extras: Vec<Extra> = passages.iter().map(extra).collect();
        let confidence = extras.first().map_or(0.0, |extra| extra.confidence);
        let best = passages.first().map_or(0.0, |passage| passage.score);
        let worded = match confidence >= NEAREST {
            true => model::worded(context, input.model, (&question, language), &passages),
            false => Worded::Not,
        };
        let (by, citations): (_, Vec<Citation>) = match &worded {
            Worded::Answer { quotes, .. } => {
                let one = |(n, quote): &(usize, String)| {
                    passages.get(*n).zip(extras.get(*n)).map(|(passage, extra)| citation(passage, extra, Some(quote)))
                };
                ("model", quotes.iter().filter_map(one).collect())
            }
            _ => {
                let near = passages.iter().zip(&extras).filter(|(passage, _)| passage.score >= best * BESIDE);
                ("words", near.map(|(passage, extra)| citation(passage, extra, None)).collect())
            }
        };
        let sure = confidence >= input.threshold.unwrap_or(THRESHOLD) && !citations.is_empty();
        let nearest = citations.first().map(|citation| citation.quote.clone());
        let text = match worded {
            Worded::Answer { text, .. } => Some(text),
            // The model has read the passages, and they do not say it.
            Worded::NoAnswer => None,
            Worded::Not => nearest.clone().filter(|_| sure),
        };
        let found = text.is_some();
        let suggestion = (!found).then(|| words::unsure(language, nearest.as_deref().filter(|_| confidence >= NEAREST)));
        Ok(Output { found, text, suggestion, confidence, language: language.to_owned(), citations, by })
    }
}

/// The text of the message that started the run.
fn said(context: &Context) -> Option<String> {
    match &context.event()?.body {
        EventBody::Message(message) => message.text.clone(),
        _ => None,
    }
}

fn extra(passage: &Passage) -> Extra {
    passage.extra.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn citation(passage: &Passage, extra: &Extra, quote: Option<&String>) -> Citation {
    Citation {
        source: passage.source.clone(),
        heading: extra.headings.last().cloned(),
        quote: quote.or(extra.quote.as_ref()).unwrap_or(&passage.text).clone(),
        score: f64::from(passage.score),
    }
}

/// A base that does not exist is the author's mistake; anything else may be over when it is tried again.
fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Unavailable(why) => Failure::retryable("knowledge", why.clone()),
        Refusal::Denied(why) | Refusal::Limit(why) | Refusal::Invalid(why) => Failure::rejected("knowledge", why.clone()),
    }
}

export_step!(RagAnswer);

#[cfg(test)]
mod tests;
