//! The form of `/chat/completions` and `/embeddings`, as OpenAI, Azure, Ollama, vLLM and llama.cpp speak it.
//! Source: platform.openai.com/docs/api-reference/chat (streaming: `chat.completion.chunk`, ended by `[DONE]`).

use pointsman_core::failure::Failure;
use pointsman_core::model::{Prompt, Role};
use serde_json::{Value, json};

use super::stream::{self, Came};
use super::{Answer, cut, garbage, refused};
use crate::connection::Provider;

/// The event that ends a stream.
const DONE: &str = "[DONE]";

pub(super) fn chat(provider: Provider, model: &str, prompt: &Prompt, max_tokens: u32) -> Value {
    let turns: Vec<Value> = prompt.turns.iter().map(|turn| json!({ "role": role(turn.role), "content": turn.text })).collect();
    let mut body = json!({ "model": model, "messages": turns, "stream": true, "stream_options": { "include_usage": true } });
    let mut set = |name: &str, value: Value| body.as_object_mut().and_then(|body| body.insert(name.to_owned(), value));
    // The newer name counts hidden reasoning too, so it is a bound on what is paid; others know the older one alone.
    set(if provider.at_home() { "max_tokens" } else { "max_completion_tokens" }, json!(max_tokens));
    if let Some(temperature) = prompt.temperature {
        set("temperature", json!(temperature));
    }
    if provider.no_training().is_some() {
        set("store", json!(false));
    }
    if let Some(schema) = &prompt.schema {
        set(
            "response_format",
            json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema, "strict": false } }),
        );
    }
    body
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// Puts the pieces together.
pub(super) fn read(body: &[u8]) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let mut finish = None;
    let pieces = match stream::read(body)? {
        Came::Whole(whole) => {
            take(&whole, "message", &mut answer, &mut finish)?;
            if finish.is_none() {
                return Err(garbage("it names no reason for its end"));
            }
            Vec::new()
        }
        Came::Events(events) => {
            if events.last().map(String::as_str) != Some(DONE) {
                // What came before the break may hold an error that says more.
                for event in &events {
                    take(&stream::json(event)?, "delta", &mut Answer::default(), &mut finish)?;
                }
                return Err(cut());
            }
            events
        }
    };
    for event in pieces.iter().filter(|event| *event != DONE) {
        take(&stream::json(event)?, "delta", &mut answer, &mut finish)?;
    }
    match finish.as_deref() {
        Some("content_filter") => return Err(refused()),
        Some("length") => answer.truncated = true,
        Some("tool_calls" | "function_call") => return Err(garbage("it calls a tool, and none was offered")),
        Some(_) => {}
        None => return Err(cut()),
    }
    Ok(answer)
}

/// One piece, or the whole.
fn take(piece: &Value, part: &str, answer: &mut Answer, finish: &mut Option<String>) -> Result<(), Failure> {
    if piece.get("error").is_some_and(|error| !error.is_null()) {
        return Err(garbage("it is an error in the place of an answer"));
    }
    if let Some(usage) = piece.get("usage")
        && let (Some(input), Some(output)) = (stream::count(usage, "prompt_tokens"), stream::count(usage, "completion_tokens"))
    {
        answer.used = Some((input, output));
    }
    let choices = piece.get("choices").and_then(Value::as_array).ok_or_else(|| garbage("it has no choices"))?;
    let Some(choice) = choices.first() else { return Ok(()) };
    if let Some(said) = choice.get(part) {
        if said.get("refusal").is_some_and(|refusal| refusal.as_str().is_some_and(|words| !words.is_empty())) {
            return Err(refused());
        }
        if said.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty()) {
            return Err(garbage("it calls a tool, and none was offered"));
        }
        match said.get("content") {
            Some(Value::String(text)) => answer.text.push_str(text),
            None | Some(Value::Null) => {}
            Some(_) => return Err(garbage("its content is no text")),
        }
    }
    if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
        *finish = Some(reason.to_owned());
    }
    Ok(())
}

pub(super) fn embed(model: &str, texts: &[String]) -> Value {
    json!({ "model": model, "input": texts, "encoding_format": "float" })
}

pub(super) fn read_embed(count: usize, body: &[u8]) -> Result<(Vec<Vec<f32>>, Option<u32>), Failure> {
    let Came::Whole(whole) = stream::read(body)? else { return Err(garbage("it is a stream")) };
    let data = whole.get("data").and_then(Value::as_array).ok_or_else(|| garbage("it has no data"))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (at, one) in data.iter().enumerate() {
        let index = stream::count(one, "index").map_or(at, |index| index as usize);
        let numbers = one.get("embedding").and_then(Value::as_array).ok_or_else(|| garbage("it has no vector"))?;
        let vector = numbers.iter().map(|n| n.as_f64().map(|n| n as f32).filter(|n| n.is_finite())).collect::<Option<Vec<f32>>>();
        let place = vectors.get_mut(index).ok_or_else(|| garbage("it has more vectors than there were texts"))?;
        *place = Some(vector.filter(|v| !v.is_empty()).ok_or_else(|| garbage("a vector of it is none"))?);
    }
    let used = whole.get("usage").and_then(|usage| stream::count(usage, "prompt_tokens"));
    let vectors =
        vectors.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| garbage("it has fewer vectors than there were texts"))?;
    if vectors.windows(2).any(|two| matches!(two, [a, b] if a.len() != b.len())) {
        return Err(garbage("its vectors have different lengths"));
    }
    Ok((vectors, used))
}
