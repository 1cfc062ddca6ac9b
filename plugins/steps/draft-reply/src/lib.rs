//! Drafts the next reply. It sends nothing: what it drafts is words in a field, for a person to approve.

use pointsman_ask::{Question, ask, talk};
use pointsman_sdk::prelude::*;

/// The step plugin.
pub struct DraftReply;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    instruction: Option<String>,
    knowledge: Option<String>,
    messages: Option<u32>,
    language: Option<String>,
    model: Option<String>,
}

/// No settings.
#[derive(Debug, Deserialize)]
pub struct Config {}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    drafted: bool,
    text: Option<String>,
}

/// Characters of the conversation that are read, at most.
const CHARACTERS: usize = 12_000;

impl Step for DraftReply {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(context: &Context, input: Input, _: Config) -> Result<Output, Failure> {
        let lines = talk(context, input.messages.unwrap_or(20), CHARACTERS)?;
        let Some(last) = lines.iter().rev().find_map(|line| line.strip_prefix("customer: ")) else {
            return Ok(Output { drafted: false, text: None });
        };
        let passages = match &input.knowledge {
            Some(base) => context.search(base, last, 4)?,
            None => Vec::new(),
        };
        let talk = lines.join("\n");
        let mut texts = vec![("conversation", talk.as_str())];
        texts.extend(passages.iter().map(|passage| ("what the business knows", passage.text.as_str())));
        let language = input.language.as_deref().unwrap_or("the customer's language");
        let wish = input.instruction.as_deref().unwrap_or("Answer what the customer asked last.");
        let task = format!(
            "Draft the next reply to the customer, in {language}, short and friendly. {wish} Use only facts that stand in the texts; \
             where they are missing, say that a colleague will find out. Promise nothing, and name no price, date or address that \
             does not stand there."
        );
        let schema = json!({
            "type": "object", "required": ["reply"], "additionalProperties": false,
            "properties": { "reply": { "type": "string", "minLength": 1, "maxLength": 2_000 } },
        });
        let question = Question { model: input.model, task: &task, texts: &texts, schema: &schema, max_tokens: Some(600) };
        let answer = ask(context, question).needed()?;
        let text = answer.and_then(|answer| answer.get("reply").and_then(Value::as_str).map(str::to_owned));
        Ok(Output { drafted: text.is_some(), text })
    }
}

export_step!(DraftReply);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_sdk::context::{Completion, Passage, Said, Speaker};
    use pointsman_sdk::testing::{Host, run};

    fn host() -> Host {
        let said = |by, text: &str| Said { by, at: 1, message: text.to_owned().into() };
        let history = vec![said(Speaker::Contact, "Are you open on Sunday?"), said(Speaker::Bot, "One moment.")];
        Host { history, ..Host::default() }
    }

    #[test]
    fn a_draft_is_made_of_what_was_said_and_what_is_known() {
        let mut host = host();
        let text = json!({ "reply": "We are closed on Sunday." }).to_string();
        host.completions.push_back(Completion { text, input_tokens: 1, output_tokens: 1, truncated: false });
        let passage = Passage { text: "Closed on Sunday".into(), source: "faq.md".into(), score: 0.5, extra: None };
        host.passages.push_back(vec![passage]);
        let ran = run::<DraftReply>(host, json!({ "knowledge": "faq", "instruction": "Be brief." }), json!({}));
        assert_eq!(ran.result.unwrap(), json!({ "drafted": true, "text": "We are closed on Sunday." }));
        let asked = &ran.host.prompts[0].turns;
        assert!(asked[0].text.contains("Be brief.") && !asked[0].text.contains("Sunday"), "what a customer writes is no task");
        assert!(asked[1].text.contains("Closed on Sunday") && asked[1].text.contains("customer: Are you open on Sunday?"));
        assert!(ran.host.acts.is_empty(), "it does nothing by itself");
    }

    #[test]
    fn without_a_model_or_a_question_there_is_no_draft() {
        let none = json!({ "drafted": false, "text": null });
        assert_eq!(run::<DraftReply>(host().deny("model"), json!({}), json!({})).result.unwrap(), none);
        let ran = run::<DraftReply>(Host::default(), json!({}), json!({}));
        assert_eq!((ran.result.unwrap(), ran.host.prompts.len()), (none, 0));
        assert_eq!(run::<DraftReply>(host(), json!({}), json!({})).result.unwrap_err().code, "model");
    }
}
