//! The earlier legs of a step that suspended. A step runs from the top on every leg: the effects that were taken of it are
//! made again and dropped, what it read it is told again, and only what is new counts. A step that does something else this
//! time is stopped, with both sides shown by hashes.
//!
//! What a call reads is kept as it was told, without a copy, and put into the journal's form only when the call suspends.

use pointsman_core::effect::Effect;
use pointsman_core::journal::Read;
use pointsman_core::model::Completion;
use pointsman_core::ports::{ConversationInfo, HttpResponse, Passage, Refusal, Said};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a read was told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A key of the state; `None`: there is none.
    State(Option<Value>),
    /// The conversation.
    Conversation(Box<ConversationInfo>),
    /// Its last messages.
    History(Vec<Said>),
    /// Passages of a knowledge base.
    Passages(Vec<Passage>),
    /// What a model answered.
    Completion(Completion),
    /// Vectors of texts.
    Vectors(Vec<Vec<f32>>),
    /// The answer to a request.
    Answer(Box<HttpResponse>),
    /// The host did not do it.
    Refused(Refusal),
}

/// The answer to a request in the journal's form: a body that is text, as most are, stands there as text.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Text(String),
    Hex(String),
}

impl From<HttpResponse> for Kept {
    fn from(HttpResponse { status, headers, body, kept: _ }: HttpResponse) -> Self {
        let body = String::from_utf8(body).map_or_else(|bytes| Body::Hex(hex::encode(bytes.as_bytes())), Body::Text);
        Self { status, headers, body }
    }
}

impl From<Kept> for HttpResponse {
    fn from(Kept { status, headers, body }: Kept) -> Self {
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Hex(digits) => hex::decode(digits).unwrap_or_default(),
        };
        Self { status, headers, body, kept: None }
    }
}

impl Told {
    fn into_answer(self) -> Result<Value, Refusal> {
        let text = |told: serde_json::Result<Value>| told.map_err(|e| Refusal::Unavailable(format!("it cannot be kept: {e}")));
        match self {
            // A list of one, for a key may hold null.
            Self::State(value) => Ok(value.map_or(Value::Null, |value| Value::Array(vec![value]))),
            Self::Conversation(info) => text(serde_json::to_value(&info)),
            Self::History(said) => text(serde_json::to_value(&said)),
            Self::Passages(passages) => text(serde_json::to_value(&passages)),
            Self::Completion(completion) => text(serde_json::to_value(&completion)),
            Self::Vectors(vectors) => text(serde_json::to_value(&vectors)),
            Self::Answer(answer) => text(serde_json::to_value(Kept::from(*answer))),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// A read, by a hash of what was asked (FNV-1a: it finds a step that asks something else, and keeps out nobody).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question(u64);

impl Question {
    /// From the name of the import and what it was given.
    pub(crate) fn new(parts: &[&str]) -> Self {
        parts.iter().fold(Self(0xcbf2_9ce4_8422_2325), |question, part| question.and(part.as_bytes()).and(&[0]))
    }

    /// The same with more that was given.
    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// What a call did in its earlier legs, and what it read in this one.
#[derive(Debug, Default)]
pub(crate) struct Past {
    taken: Vec<String>,
    reads: Vec<Read>,
    made: usize,
    told: usize,
    live: Vec<(Question, Told)>,
    diverged: Option<String>,
}

impl Past {
    /// Of the journal.
    pub(crate) fn new(taken: Vec<String>, reads: Vec<Read>) -> Self {
        Self { taken, reads, ..Self::default() }
    }

    /// Whether this effect was taken already. An error: it is another one than was taken at this place.
    pub(crate) fn taken(&mut self, effect: &Effect) -> Result<bool, Refusal> {
        if self.diverged.is_some() {
            return Err(gone());
        }
        let Some(taken) = self.taken.get(self.made) else { return Ok(false) };
        let now = effect.fingerprint();
        if *taken != now {
            let sentence = format!("effect {} was {taken} and now is {now}", self.made + 1);
            return Err(self.diverge(sentence));
        }
        self.made += 1;
        Ok(true)
    }

    /// What a read of an earlier leg was told; `None` when this one is new.
    pub(crate) fn told<T: DeserializeOwned>(&mut self, question: Question) -> Option<Result<T, Refusal>> {
        if self.diverged.is_some() {
            return Some(Err(gone()));
        }
        let read = self.reads.get_mut(self.told)?;
        if read.call != question.hex() {
            let sentence = format!("read {} asked {} and now asks {}", self.told + 1, read.call, question.hex());
            return Some(Err(self.diverge(sentence)));
        }
        let answer = std::mem::replace(&mut read.answer, Ok(Value::Null));
        self.told += 1;
        Some(match answer {
            Ok(value) => serde_json::from_value(value).map_err(|_| {
                let sentence = format!("what read {} was told cannot be read any more", self.told);
                self.diverge(sentence)
            }),
            Err(refusal) => Err(refusal),
        })
    }

    /// What a request of an earlier leg was answered.
    pub(crate) fn told_answer(&mut self, question: Question) -> Option<Result<HttpResponse, Refusal>> {
        self.told::<Kept>(question).map(|told| told.map(HttpResponse::from))
    }

    /// The denial that an earlier leg was told at this place, if it was told one.
    pub(crate) fn denied(&mut self, question: Question) -> Option<Refusal> {
        let read = self.reads.get(self.told).filter(|read| self.diverged.is_none() && read.call == question.hex())?;
        let refusal = read.answer.clone().err()?;
        self.told += 1;
        Some(refusal)
    }

    /// Notes what a new read was told.
    pub(crate) fn note(&mut self, question: Question, told: Told) {
        self.live.push((question, told));
    }

    /// The new reads, in the journal's form.
    pub(crate) fn take_reads(&mut self) -> Vec<Read> {
        let live = std::mem::take(&mut self.live);
        live.into_iter().map(|(question, told)| Read { call: question.hex(), answer: told.into_answer() }).collect()
    }

    /// Why the call is not the one that its earlier legs were. `ended`: it came to its end or to a new wish, so it has done all
    /// that it did before.
    pub(crate) fn divergence(&self, ended: bool) -> Option<String> {
        let less = |what: &str, now: usize, before: usize| {
            (ended && now < before).then(|| format!("it {what} {now} times and did so {before} times in its earlier legs"))
        };
        self.diverged
            .clone()
            .or_else(|| less("acted", self.made, self.taken.len()))
            .or_else(|| less("read", self.told, self.reads.len()))
    }

    fn diverge(&mut self, sentence: String) -> Refusal {
        self.diverged = Some(sentence);
        gone()
    }
}

/// What a guest hears that does something else than before; the call fails even if it does not listen.
fn gone() -> Refusal {
    Refusal::Invalid("replay.diverged: this is not what an earlier leg of the step did here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tag(word: &str) -> Effect {
        Effect::Tag(word.to_owned())
    }

    #[test]
    fn what_was_taken_is_dropped_and_what_differs_is_shown() {
        let mut past = Past::new(vec![tag("a").fingerprint(), tag("b").fingerprint()], Vec::new());
        assert_eq!(past.taken(&tag("a")), Ok(true));
        assert!(past.divergence(false).is_none());
        assert!(past.divergence(true).unwrap().contains("acted 1 times and did so 2 times"));
        assert!(past.taken(&tag("c")).is_err());
        let said = past.divergence(false).unwrap();
        assert!(said.contains(&tag("b").fingerprint()) && said.contains(&tag("c").fingerprint()), "{said}");
        assert!(past.taken(&tag("b")).is_err(), "from there on nothing is taken");
        assert_eq!(Past::default().taken(&tag("a")), Ok(false));
    }

    #[test]
    fn reads_are_told_again_in_their_form() {
        let question = Question::new(&["state", "contact", "k"]);
        let mut first = Past::default();
        assert!(first.told::<Option<Value>>(question).is_none());
        let info = ConversationInfo { id: "c".into(), tags: vec!["vip".into()], ..ConversationInfo::default() };
        let extra = Some(json!({ "id": "hours" }));
        let answer = |body| HttpResponse { status: 404, headers: vec![("a".into(), "b".into())], body, kept: None };
        let passage = Passage { text: "From 9".into(), source: "a.md#hours".into(), score: 0.25, extra };
        let completion = Completion { text: "Yes".into(), input_tokens: 7, output_tokens: 1, truncated: true };
        for told in [
            Told::State(None),
            Told::State(Some(Value::Null)),
            Told::Conversation(Box::new(info.clone())),
            Told::Passages(vec![passage.clone()]),
            Told::Answer(Box::new(answer("é".into()))),
            Told::Answer(Box::new(answer(vec![0, 255]))),
            Told::Completion(completion.clone()),
            Told::Vectors(vec![vec![0.1, -2.5], vec![3.0, 0.0]]),
            Told::Refused(Refusal::Unavailable("x".into())),
        ] {
            first.note(question, told);
        }
        let reads: Vec<Read> = serde_json::from_value(json!(first.take_reads())).unwrap();
        let mut again = Past::new(Vec::new(), reads.clone());
        // A state is a list of one, or null.
        assert_eq!(again.told::<Option<Vec<Value>>>(question), Some(Ok(None)));
        assert_eq!(again.told::<Option<Vec<Value>>>(question), Some(Ok(Some(vec![Value::Null]))));
        assert_eq!(again.told::<ConversationInfo>(question), Some(Ok(info)));
        assert_eq!(again.told::<Vec<Passage>>(question), Some(Ok(vec![passage])));
        assert_eq!(again.told_answer(question), Some(Ok(answer("é".into()))));
        assert_eq!(again.told_answer(question), Some(Ok(answer(vec![0, 255]))));
        assert_eq!(again.told::<Completion>(question), Some(Ok(completion)));
        assert_eq!(again.told::<Vec<Vec<f32>>>(question), Some(Ok(vec![vec![0.1, -2.5], vec![3.0, 0.0]])));
        assert!(again.divergence(true).is_some(), "one read is missing");
        assert_eq!(again.told::<Vec<Value>>(question), Some(Err(Refusal::Unavailable("x".into()))));
        assert_eq!(again.divergence(true), None);
        assert!(again.told::<Vec<Value>>(question).is_none());
        let mut other = Past::new(Vec::new(), reads);
        assert!(other.told::<Option<Vec<Value>>>(Question::new(&["state", "contact", "l"])).unwrap().is_err());
        assert!(other.divergence(false).unwrap().starts_with("read 1 asked "));
    }
}
