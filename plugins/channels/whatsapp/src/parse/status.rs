//! How far a message of ours has come. The platform tells in no order; the host ranks the states and never goes back.

use pointsman_sdk::prelude::*;

use super::{Place, said};
use crate::{faults, wire};

pub(super) fn event(place: &Place, s: &wire::Status, _raw: &str) -> Result<Event, &'static str> {
    let id = s.id.as_deref().filter(|id| !id.is_empty()).ok_or("a status names no message")?;
    let word = s.status.as_deref().unwrap_or_default();
    let state = match word {
        "sent" => Delivery::Sent,
        "delivered" => Delivery::Delivered,
        // A voice message that was played has been read.
        "read" | "played" => Delivery::Read,
        "failed" => Delivery::Failed,
        "deleted" => Delivery::Deleted,
        _ => return Err("an unknown status"),
    };
    let error = s.errors.iter().flatten().find_map(|e| e.value.as_ref());
    let failure = error.map(|e| faults::by_code(e.code.unwrap_or_default(), false, 400));
    let recipient = said(s.recipient_id.as_ref()).or_else(|| said(s.recipient_user_id.as_ref()));
    let mut extra = json!({ "recipient_id": recipient });
    if let (Some(e), Some(extra)) = (error, extra.as_object_mut()) {
        let details = e.error_data.as_ref().and_then(|d| d.details.as_deref());
        extra.insert("error".into(), json!({ "code": e.code, "title": e.title.as_deref(), "details": details }));
    }
    let body = EventBody::Status(Status {
        message: id.into(),
        state,
        key: said(s.biz_opaque_callback_data.as_ref()),
        failure: failure.filter(|_| state == Delivery::Failed),
    });
    let mut event = place.event(format!("{id}#{word}"), s.timestamp.as_ref(), body);
    event.thread = recipient;
    event.extra = Some(extra.to_string());
    Ok(event)
}
