//! Buttons below a message, one a row: a press comes back as an interaction, or opens a URL.

use pointsman_sdk::prelude::*;

/// Buttons of one message at most.
const BUTTONS: usize = 100;
/// Bytes behind a button at most.
const PAYLOAD: usize = 64;

/// The `reply_markup` of these choices.
pub(super) fn keyboard(choices: &[Choice]) -> Result<Value, Failure> {
    if choices.len() > BUTTONS {
        return Err(Failure::rejected("buttons", format!("Telegram takes at most {BUTTONS} buttons")));
    }
    let rows = choices.iter().map(|c| button(c).map(|b| json!([b]))).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "inline_keyboard": rows }))
}

fn button(c: &Choice) -> Result<Value, Failure> {
    if c.title.trim().is_empty() {
        return Err(Failure::rejected("button-title", "a button needs a title"));
    }
    if let Some(url) = &c.url {
        return Ok(json!({ "text": c.title, "url": url }));
    }
    let payload = if c.payload.is_empty() { &c.title } else { &c.payload };
    if payload.len() > PAYLOAD {
        let why = format!("what comes back when a button is pressed may have {PAYLOAD} bytes: give the button a short payload");
        return Err(Failure::rejected("button-payload", why));
    }
    Ok(json!({ "text": c.title, "callback_data": payload }))
}
