//! News about the account itself: templates, quality, restrictions, opt-outs.

use pointsman_sdk::prelude::*;

use super::{Place, parsed, said};
use crate::wire;

/// The fields that an operator or a workflow may act on. Others are ignored, not refused.
const FIELDS: &[&str] = &[
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "business_capability_update",
    "business_status_update",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "template_category_update",
];

/// The value of a field without people's messages. Its account is the business account: no phone number is named.
pub(super) fn event(place: &Place, raw: &str) -> Event {
    let Some(field) = FIELDS.iter().find(|f| **f == place.field) else {
        return place.ignored(raw, "an unknown field");
    };
    let detail = match parsed(raw) {
        Value::Object(fields) => fields.into_iter().map(|(k, v)| rename(k, v)).collect(),
        other => other,
    };
    let word = field.strip_prefix("message_").unwrap_or(field);
    let data = json!({ "event": word, "detail": detail }).to_string();
    let body = EventBody::Other(OtherEvent { kind: "account_event".into(), id: None, text: None, data });
    place.event(place.key_of(raw), None, body)
}

/// `message_template_id` is `template_id`, and ids are text.
fn rename(key: String, value: Value) -> (String, Value) {
    let value = match value {
        Value::Number(n) if key.ends_with("_id") => Value::String(n.to_string()),
        other => other,
    };
    match key.strip_prefix("message_template_") {
        Some("id") => ("template_id".into(), value),
        Some(rest) => (rest.into(), value),
        None => (key, value),
    }
}

/// A contact's choice about marketing messages.
pub(super) fn preference(place: &Place, p: &wire::Preference, raw: &str) -> Result<Event, &'static str> {
    let who = said(p.wa_id.as_ref()).or_else(|| said(p.user_id.as_ref())).ok_or("a preference names nobody")?;
    let word = match p.value.as_deref() {
        Some("stop") => "opt_out",
        Some("resume") => "opt_in",
        _ => return Err("an unknown preference"),
    };
    let data = json!({ "event": word, "category": p.category.as_deref(), "detail": p.detail.as_deref() }).to_string();
    let body = EventBody::Other(OtherEvent { kind: "subscription".into(), id: None, text: None, data });
    let mut event = place.event(place.key_of(raw), p.timestamp.as_ref(), body);
    event.sender = Some(Person::new(who.clone()));
    event.thread = Some(who);
    Ok(event)
}

/// An error that stands beside messages: of the account, not of one of them.
pub(super) fn error(place: &Place, e: &wire::ErrorInfo, raw: &str) -> Result<Event, &'static str> {
    let details = e.error_data.as_ref().and_then(|d| d.details.as_deref());
    let error = json!({ "code": e.code, "title": e.title.as_deref(), "details": details });
    let data = json!({ "event": "error", "error": error }).to_string();
    let body = EventBody::Other(OtherEvent { kind: "account_event".into(), id: None, text: None, data });
    Ok(place.event(place.key_of(raw), None, body))
}
