//! Takes values out of a text, in the form that the workflow's schema names. The host checks that form; whether the values are true nobody
//! checks: they are words from outside, and stay so.

use pointsman_ask::{Question, ask};
use pointsman_sdk::prelude::*;

/// The step plugin.
pub struct Extract;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    schema: Value,
    text: Option<String>,
    instruction: Option<String>,
    model: Option<String>,
}

/// No settings.
#[derive(Debug, Deserialize)]
pub struct Config {}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    found: bool,
    value: Value,
}

/// Characters that are looked at, at most.
const CHARACTERS: usize = 20_000;

impl Step for Extract {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(context: &Context, input: Input, _: Config) -> Result<Output, Failure> {
        let text: String = input.text.or_else(|| said(context)).unwrap_or_default().chars().take(CHARACTERS).collect();
        if text.trim().is_empty() {
            return Ok(Output { found: false, value: Value::Null });
        }
        let task = format!(
            "Take out of the text what the schema of the answer names. Where the text does not say it, leave it out, or give null where \
             the schema lets you; never guess. {}",
            input.instruction.unwrap_or_default()
        );
        let question =
            Question { model: input.model, task: &task, texts: &[("message", &text)], schema: &input.schema, max_tokens: None };
        let value = ask(context, question).needed()?;
        Ok(Output { found: value.is_some(), value: value.unwrap_or(Value::Null) })
    }
}

/// The text of the message that started the run.
fn said(context: &Context) -> Option<String> {
    match &context.event()?.body {
        EventBody::Message(message) => message.text.clone(),
        _ => None,
    }
}

export_step!(Extract);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_sdk::context::Completion;
    use pointsman_sdk::testing::{Host, run};

    #[test]
    fn what_the_schema_names_is_taken_out() {
        let mut host = Host::default();
        let text = json!({ "size": 42 }).to_string();
        host.completions.push_back(Completion { text, input_tokens: 1, output_tokens: 1, truncated: false });
        let schema = json!({ "type": "object", "properties": { "size": { "type": "integer" } } });
        let input = json!({ "schema": schema, "text": "size 42 please", "instruction": "Sizes are EU." });
        let ran = run::<Extract>(host, input, json!({}));
        assert_eq!(ran.result.unwrap(), json!({ "found": true, "value": { "size": 42 } }));
        let asked = &ran.host.prompts[0];
        assert_eq!(serde_json::from_str::<Value>(asked.schema.as_deref().unwrap()).unwrap(), schema, "the host checks the form");
        assert!(asked.turns[0].text.contains("Sizes are EU.") && !asked.turns[0].text.contains("42"));
    }

    #[test]
    fn without_a_text_or_a_model_nothing_is_found() {
        let none = json!({ "found": false, "value": null });
        let schema = json!({ "schema": { "type": "object" } });
        let ran = run::<Extract>(Host::default(), schema.clone(), json!({}));
        assert_eq!((ran.result.unwrap(), ran.host.prompts.len()), (none.clone(), 0));
        let with = json!({ "schema": { "type": "object" }, "text": "x" });
        assert_eq!(run::<Extract>(Host::default().deny("model"), with.clone(), json!({})).result.unwrap(), none);
        assert_eq!(run::<Extract>(Host::default(), with, json!({})).result.unwrap_err().code, "model");
    }
}
