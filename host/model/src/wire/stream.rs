//! Server-sent events: the data of each event, in order.

use serde_json::Value;

use super::garbage;
use pointsman_core::failure::Failure;

/// What came: one document, or the events of a stream. The last of a stream is left out when its end (an empty line) did not come.
#[derive(Debug)]
pub(super) enum Came {
    /// In one piece.
    Whole(Value),
    /// In events.
    Events(Vec<String>),
}

/// Reads a body, whatever its header says that it is.
pub(super) fn read(body: &[u8]) -> Result<Came, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| garbage("it is no text"))?.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map(Came::Whole).map_err(|_| garbage("it is no JSON"));
    }
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in text.lines() {
        match line.strip_prefix("data:") {
            Some(more) => {
                let more = more.strip_prefix(' ').unwrap_or(more);
                match &mut data {
                    Some(data) => data.extend(["\n", more]),
                    None => data = Some(more.to_owned()),
                }
            }
            None if line.is_empty() => events.extend(data.take()),
            None if line.starts_with(':') || ["event:", "id:", "retry:"].iter().any(|field| line.starts_with(field)) => {}
            None => return Err(garbage("it is neither JSON nor a stream of events")),
        }
    }
    if events.is_empty() && data.is_none() {
        return Err(garbage("it is empty"));
    }
    Ok(Came::Events(events))
}

/// An event as JSON.
pub(super) fn json(event: &str) -> Result<Value, Failure> {
    serde_json::from_str(event).map_err(|_| garbage("an event of it is no JSON"))
}

/// A count of tokens.
pub(super) fn count(of: &Value, name: &str) -> Option<u32> {
    of.get(name).and_then(Value::as_u64).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}
