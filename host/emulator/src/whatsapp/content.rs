//! What stands in a message of ours: what Graph would complain about, what the contact sees of it, and what comes back when
//! one of its buttons is pressed.

use serde_json::{Value, json};

use crate::talk::{Button, By, Line};

/// Error code and words of Graph.
type Problem = (u32, &'static str);

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn within(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
}

/// To whom: a number or group, or a business-scoped id.
pub(super) fn to(body: &Value) -> Option<&str> {
    body.get("to").or_else(|| body.get("recipient")).and_then(Value::as_str)
}

/// What Graph would complain about.
pub(super) fn problem(body: &Value) -> Option<Problem> {
    const MISSING: u32 = 131_008;
    if text(body, "/messaging_product") != "whatsapp" {
        return Some((MISSING, "(#100) The parameter messaging_product is required."));
    }
    if body.get("status").is_some() {
        return body.get("message_id").is_none().then_some((MISSING, "(#100) The parameter message_id is required."));
    }
    if to(body).is_none() {
        return Some((MISSING, "(#100) The parameter to is required."));
    }
    let Some(kind) = body.get("type").and_then(Value::as_str) else {
        return Some((MISSING, "(#100) The parameter type is required."));
    };
    let Some(content) = body.get(kind) else { return Some((MISSING, "(#131008) Required parameter is missing")) };
    match kind {
        "text" if text(content, "/body").chars().count() > 4096 => {
            Some((MISSING, "(#100) Param text['body'] must be at most 4096 characters long."))
        }
        "template" if text(content, "/name").is_empty() || text(content, "/language/code").is_empty() => {
            Some((MISSING, "(#131008) Required parameter is missing: template name and language code"))
        }
        "interactive" => interactive_problem(content),
        _ => None,
    }
}

fn interactive_problem(content: &Value) -> Option<Problem> {
    const INVALID: u32 = 131_009;
    if !within(text(content, "/body/text"), 1024) {
        return Some((INVALID, "(#131009) Parameter value is not valid: body text length invalid, min 1, max 1024"));
    }
    let wrong = match text(content, "/type") {
        "button" => {
            let buttons = list(content, "/action/buttons");
            let ids: std::collections::BTreeSet<&str> = buttons.iter().map(|b| text(b, "/reply/id")).collect();
            let fits = |b: &Value| within(text(b, "/reply/title"), 20) && within(text(b, "/reply/id"), 256);
            !(1..=3).contains(&buttons.len()) || ids.len() < buttons.len() || !buttons.iter().all(fits)
        }
        "list" => {
            let rows: Vec<&Value> = list(content, "/action/sections").iter().flat_map(|s| list(s, "/rows")).collect();
            let fits = |r: &&Value| within(text(r, "/title"), 24) && within(text(r, "/id"), 200);
            !within(text(content, "/action/button"), 20) || !(1..=10).contains(&rows.len()) || !rows.iter().all(fits)
        }
        "cta_url" => text(content, "/action/parameters/url").is_empty(),
        _ => false,
    };
    wrong.then_some((INVALID, "(#131009) Parameter value is not valid: buttons of the interactive message"))
}

fn button(title: &str, payload: &str, url: Option<&str>) -> Button {
    Button { title: title.to_owned(), payload: payload.to_owned(), url: url.map(str::to_owned) }
}

/// What the contact sees; nothing for a reaction, which is put under another line.
pub(super) fn line(body: &Value, id: &str) -> Option<Line> {
    let contact = to(body)?;
    let kind = body.get("type").and_then(Value::as_str)?;
    let content = body.get(kind)?;
    let (shown, words) = match kind {
        "reaction" => return None,
        "text" => ("text", text(content, "/body").to_owned()),
        "interactive" => ("text", text(content, "/body/text").to_owned()),
        "document" => ("file", text(content, "/caption").to_owned()),
        "location" => ("location", [text(content, "/name"), text(content, "/address")].join(" ").trim().to_owned()),
        "template" => {
            let parameters = list(content, "/components").iter().flat_map(|c| list(c, "/parameters"));
            let told: Vec<&str> = parameters.map(|p| text(p, "/text")).filter(|t| !t.is_empty()).collect();
            ("template", format!("[{}] {}", text(content, "/name"), told.join(", ")).trim().to_owned())
        }
        other => (other, text(content, "/caption").to_owned()),
    };
    let mut line = Line::new(By::Business, contact, shown, &words, id);
    let some = |at: &str| Some(text(content, at)).filter(|t| !t.is_empty()).map(str::to_owned);
    line.media = some("/link").or_else(|| some("/id")).filter(|_| !matches!(kind, "text" | "interactive" | "template"));
    line.reply_to = Some(text(body, "/context/message_id")).filter(|t| !t.is_empty()).map(str::to_owned);
    line.key = Some(text(body, "/biz_opaque_callback_data")).filter(|t| !t.is_empty()).map(str::to_owned);
    if kind == "interactive" {
        let replies = list(content, "/action/buttons").iter();
        line.buttons.extend(replies.map(|b| button(text(b, "/reply/title"), text(b, "/reply/id"), None)));
        let rows = list(content, "/action/sections").iter().flat_map(|s| list(s, "/rows"));
        line.buttons.extend(rows.map(|r| button(text(r, "/title"), text(r, "/id"), None)));
        if let Some(url) = some("/action/parameters/url") {
            line.buttons.push(button(text(content, "/action/parameters/display_text"), "", Some(&url)));
        }
    }
    Some(line)
}

/// The `interactive` object of the webhook that follows when `button` of the message `body` is pressed.
pub(super) fn pressed(body: &Value, button: &Button) -> Value {
    if text(body, "/interactive/type") != "list" {
        return json!({ "type": "button_reply", "button_reply": { "id": button.payload, "title": button.title } });
    }
    let mut reply = json!({ "id": button.payload, "title": button.title });
    let mut rows = list(body, "/interactive/action/sections").iter().flat_map(|s| list(s, "/rows"));
    let description = rows.find(|r| text(r, "/id") == button.payload).and_then(|r| r.get("description"));
    if let (Some(description), Some(reply)) = (description, reply.as_object_mut()) {
        reply.insert("description".to_owned(), description.clone());
    }
    json!({ "type": "list_reply", "list_reply": reply })
}
