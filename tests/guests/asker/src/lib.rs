//! A step that asks a model: `{"ask": 2}` asks twice, `{"wait": true}` then waits, and goes on from the top when it is told.
//! It ends well whatever it hears.

wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "step" });

use exports::pointsman::plugin::work::{Call, Guest, Outcome};
use pointsman::plugin::journal::Wish;
use pointsman::plugin::model::{self, Prompt, Role, Turn};
use pointsman::plugin::types::{Failure, Refusal};
use serde_json::{Value, json};

struct Asker;

export!(Asker);

impl Guest for Asker {
    fn run(call: Call) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&call.input).unwrap_or_default();
        let mut heard = Vec::new();
        for n in 0..input["ask"].as_u64().unwrap_or_default() {
            let turn = Turn { role: Role::User, text: format!("question {n}") };
            let schema = input["schema"].as_str().map(str::to_owned);
            let prompt = Prompt { model: None, turns: vec![turn], schema, max_tokens: Some(5), temperature: None };
            heard.push(match model::chat(&prompt) {
                Ok(answer) => json!([answer.text, answer.output_tokens]),
                Err(refusal) => json!(said(refusal)),
            });
        }
        if input["embed"] == true {
            heard.push(match model::embed(None, &["ab".to_owned(), "c".to_owned()]) {
                Ok(vectors) => json!(vectors),
                Err(refusal) => json!(said(refusal)),
            });
        }
        if input["wait"] == true && call.journal.is_empty() {
            let wish = Wish { name: "sleep".into(), arguments: "{}".into(), fingerprint: "f".into(), consumed: 0 };
            return Ok(Outcome::Suspended(wish));
        }
        Ok(Outcome::Done(json!(heard).to_string()))
    }
}

fn said(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(why) => format!("denied {why}"),
        Refusal::Limit(why) => format!("limit {why}"),
        Refusal::Invalid(why) => format!("invalid {why}"),
        Refusal::Unavailable(why) => format!("unavailable {why}"),
    }
}
