//! What stands below a message (`reply_markup`): what the Bot API complains about, and the buttons that the contact sees.

use serde_json::{Value, json};

use crate::talk::Button;

/// The payload of a button has at most so many bytes.
const DATA: usize = 64;

/// Checks it. Gives the buttons that the contact sees, and the keyboard that stays with the message.
pub(super) fn check(markup: Option<&Value>) -> Result<(Vec<Button>, Option<Value>), String> {
    let Some(markup) = markup else { return Ok((Vec::new(), None)) };
    let Some(fields) = markup.as_object() else { return Err("object expected as reply markup".to_owned()) };
    if let Some(rows) = fields.get("inline_keyboard") {
        let buttons = rows_of(rows, "inline keyboard", inline)?;
        return Ok((buttons, Some(json!({ "inline_keyboard": rows }))));
    }
    if let Some(rows) = fields.get("keyboard") {
        let buttons = rows_of(rows, "keyboard", |button| {
            let title = button.as_str().or_else(|| button.get("text").and_then(Value::as_str)).filter(|t| !t.is_empty());
            let title = title.ok_or_else(|| "can't parse keyboard button: Can't find field \"text\"".to_owned())?;
            Ok(Button { title: title.to_owned(), payload: title.to_owned(), url: None })
        })?;
        return Ok((buttons, None));
    }
    if fields.contains_key("remove_keyboard") || fields.contains_key("force_reply") {
        return Ok((Vec::new(), None));
    }
    Err("can't parse reply keyboard markup JSON object".to_owned())
}

fn rows_of(rows: &Value, what: &str, read: impl Fn(&Value) -> Result<Button, String>) -> Result<Vec<Button>, String> {
    let list = rows.as_array().ok_or_else(|| format!("field \"{what}\" must be of type Array"))?;
    let mut buttons = Vec::new();
    for row in list {
        let row = row.as_array().ok_or_else(|| format!("field \"{what}\" must be an Array of Arrays"))?;
        for button in row {
            buttons.push(read(button)?);
        }
    }
    if buttons.len() > 100 {
        return Err("REPLY_MARKUP_TOO_LONG".to_owned());
    }
    Ok(buttons)
}

fn inline(button: &Value) -> Result<Button, String> {
    let text = |field: &str| button.get(field).and_then(Value::as_str).filter(|t| !t.is_empty());
    let failed = |why: &str| format!("can't parse inline keyboard button: {why}");
    let title = text("text").ok_or_else(|| failed("Can't find field \"text\""))?.to_owned();
    match (text("callback_data"), text("url")) {
        (Some(data), _) if data.len() > DATA => Err("BUTTON_DATA_INVALID".to_owned()),
        (Some(data), _) => Ok(Button { title, payload: data.to_owned(), url: None }),
        (None, Some(url)) if ["http://", "https://", "tg://"].iter().any(|scheme| url.starts_with(scheme)) => {
            Ok(Button { title, payload: String::new(), url: Some(url.to_owned()) })
        }
        (None, Some(url)) => Err(format!("inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")),
        (None, None) => Err(failed("Text buttons are unallowed in the inline keyboard")),
    }
}
