//! Anthropic's form, `/messages`. A schema becomes the one tool that the model must use: so its answer is JSON, and nothing is carried out.
//! Source: docs.anthropic.com/en/api/messages-streaming (`message_start` .. `message_stop`).

use pointsman_core::failure::Failure;
use pointsman_core::model::{Prompt, Role};
use serde_json::{Value, json};

use super::stream::{self, Came};
use super::{Answer, cut, garbage, refused};

/// The name of that tool.
const TOOL: &str = "answer";

pub(super) fn chat(model: &str, prompt: &Prompt, max_tokens: u32) -> Value {
    let system: Vec<&str> = prompt.turns.iter().filter(|turn| turn.role == Role::System).map(|turn| turn.text.as_str()).collect();
    let said = prompt.turns.iter().filter(|turn| turn.role != Role::System).map(|turn| {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        json!({ "role": role, "content": turn.text })
    });
    let said: Vec<Value> = said.collect();
    let mut body = json!({ "model": model, "max_tokens": max_tokens, "messages": said, "stream": true });
    let mut set = |name: &str, value: Value| body.as_object_mut().and_then(|body| body.insert(name.to_owned(), value));
    if !system.is_empty() {
        set("system", json!(system.join("\n\n")));
    }
    if let Some(temperature) = prompt.temperature {
        set("temperature", json!(temperature));
    }
    if let Some(schema) = &prompt.schema {
        set("tools", json!([{ "name": TOOL, "description": "Gives the answer.", "input_schema": schema }]));
        set("tool_choice", json!({ "type": "tool", "name": TOOL }));
    }
    body
}

/// What was heard so far.
#[derive(Default)]
struct Heard {
    text: String,
    json: String,
    input: Option<u32>,
    output: Option<u32>,
    stop: Option<String>,
    ended: bool,
}

/// Puts the pieces together. `structured`: the answer is what the tool was given.
pub(super) fn read(structured: bool, body: &[u8]) -> Result<Answer, Failure> {
    let mut heard = Heard::default();
    match stream::read(body)? {
        Came::Whole(whole) => {
            if whole.get("type").and_then(Value::as_str) != Some("message") {
                return Err(garbage("it is no message"));
            }
            for block in whole.get("content").and_then(Value::as_array).into_iter().flatten() {
                match block.get("input") {
                    Some(input) => heard.json.push_str(&input.to_string()),
                    None => heard.text.push_str(block.get("text").and_then(Value::as_str).unwrap_or_default()),
                }
            }
            heard.counts(&whole);
            heard.stop = whole.get("stop_reason").and_then(Value::as_str).map(str::to_owned);
            heard.ended = true;
        }
        Came::Events(events) => {
            for event in &events {
                heard.event(&stream::json(event)?)?;
            }
        }
    }
    if !heard.ended {
        return Err(cut());
    }
    let truncated = match heard.stop.as_deref() {
        Some("refusal") => return Err(refused()),
        Some("max_tokens" | "model_context_window_exceeded") => true,
        Some("tool_use") if !structured => return Err(garbage("it calls a tool, and none was offered")),
        Some(_) => false,
        None => return Err(cut()),
    };
    let text = if structured && !heard.json.is_empty() { heard.json } else { heard.text };
    Ok(Answer { text, used: heard.input.zip(heard.output), truncated })
}

impl Heard {
    fn counts(&mut self, of: &Value) {
        let Some(usage) = of.get("usage") else { return };
        let cached = stream::count(usage, "cache_read_input_tokens").unwrap_or(0)
            + stream::count(usage, "cache_creation_input_tokens").unwrap_or(0);
        if let Some(input) = stream::count(usage, "input_tokens") {
            self.input = Some(input.saturating_add(cached));
        }
        self.output = stream::count(usage, "output_tokens").or(self.output);
    }

    fn event(&mut self, event: &Value) -> Result<(), Failure> {
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "error" => return Err(garbage("it is an error in the place of an answer")),
            "message_start" => self.counts(event.get("message").unwrap_or(&Value::Null)),
            "content_block_delta" => {
                let delta = event.get("delta").unwrap_or(&Value::Null);
                let piece = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
                self.text.push_str(piece("text"));
                self.json.push_str(piece("partial_json"));
            }
            "message_delta" => {
                self.counts(event);
                if let Some(reason) = event.pointer("/delta/stop_reason").and_then(Value::as_str) {
                    self.stop = Some(reason.to_owned());
                }
            }
            "message_stop" => self.ended = true,
            // Pings, the beginnings and ends of blocks, and what will be added one day.
            _ => {}
        }
        Ok(())
    }
}
