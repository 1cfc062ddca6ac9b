//! Buttons: up to three as buttons, up to ten as a list, one with an address as a link.

use pointsman_sdk::prelude::*;
use serde_json::Map;

const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const ROWS: usize = 10;
const ROW_TITLE: usize = 24;

fn within(choices: &[Choice], count: usize, title: usize) -> bool {
    choices.len() <= count && choices.iter().all(|c| c.title.chars().count() <= title)
}

/// Whether a file may stand above these: a list takes none.
pub(super) fn takes_header(choices: &[Choice]) -> bool {
    within(choices, BUTTONS, BUTTON_TITLE)
}

/// What comes back when it is pressed.
fn payload(c: &Choice) -> &str {
    if c.payload.is_empty() { &c.title } else { &c.payload }
}

/// The `interactive` object. `extra.list_button` is the word on the button that opens a list.
pub(super) fn content(choices: &[Choice], text: &str, header: Option<(&str, Value)>, extra: &Value) -> Result<Value, Failure> {
    if choices.iter().any(|c| c.title.is_empty()) {
        return Err(Failure::rejected("button-title", "a button needs a title"));
    }
    let (kind, action) = match choices {
        [Choice { title, url: Some(url), .. }] if takes_header(choices) => {
            ("cta_url", json!({ "name": "cta_url", "parameters": { "display_text": title, "url": url } }))
        }
        all if all.iter().any(|c| c.url.is_some()) => {
            return Err(Failure::rejected(
                "button-url",
                "a button that opens a URL must be the only one, of at most 20 characters",
            ));
        }
        all if within(all, BUTTONS, BUTTON_TITLE) => {
            let buttons: Vec<Value> =
                all.iter().map(|c| json!({ "type": "reply", "reply": { "id": payload(c), "title": c.title } })).collect();
            ("button", json!({ "buttons": buttons }))
        }
        all if within(all, ROWS, ROW_TITLE) => {
            let rows: Vec<Value> = all.iter().map(|c| json!({ "id": payload(c), "title": c.title })).collect();
            let button = extra.get("list_button").and_then(Value::as_str).filter(|b| !b.is_empty()).unwrap_or("Menu");
            let button: String = button.chars().take(BUTTON_TITLE).collect();
            ("list", json!({ "button": button, "sections": [{ "rows": rows }] }))
        }
        all if all.len() > ROWS => {
            return Err(Failure::rejected("buttons", "WhatsApp takes at most 3 buttons, or 10 as a list"));
        }
        _ => return Err(Failure::rejected("button-title", "a title may have 20 characters on a button, 24 in a list")),
    };
    let mut out = Map::new();
    out.insert("type".into(), json!(kind));
    if let Some((word, file)) = header {
        out.insert("header".into(), json!({ "type": word, word: file }));
    }
    out.insert("body".into(), json!({ "text": text }));
    out.insert("action".into(), action);
    Ok(Value::Object(out))
}
