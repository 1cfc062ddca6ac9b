//! What a workflow sees of the world when it starts: the base of its names.

use serde_json::{Map, Value, json};

use crate::clock::Instant;
use crate::id::Id;
use crate::mark::Marked;
use crate::ports::{ConversationInfo, Names};

/// What a workflow may know of its workspace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkspaceInfo {
    /// Its name.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// BCP 47.
    pub language: String,
}

/// The base names of a run. `event` is the flat form of [`crate::event::v1`] and is moved, not copied; `contact` is the
/// contact's own id. `event`, `contact` and `conversation` are marked: names and tags may hold words from outside.
#[must_use]
pub fn names(
    event: Value,
    contact: Id,
    conversation: &ConversationInfo,
    opted_out: bool,
    workspace: &WorkspaceInfo,
    now: Instant,
) -> Names {
    let attributes = match &conversation.attributes {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    let person = json!({
        "id": contact,
        "name": conversation.contact.name,
        "language": conversation.contact.language,
        "attributes": attributes,
        "tags": conversation.tags,
        "opted_out": opted_out,
    });
    let talk = json!({
        "id": conversation.id,
        "channel": conversation.channel,
        "tags": conversation.tags,
        "assignee": conversation.assigned,
        "window_open": conversation.window_ends.is_none_or(|end| now < end),
        "window_closes_at": conversation.window_ends,
    });
    let house = json!({ "name": workspace.name, "time_zone": workspace.time_zone, "language": workspace.language });
    Names::from([
        ("event".to_owned(), Marked::outside(event)),
        ("contact".to_owned(), Marked::outside(person)),
        ("conversation".to_owned(), Marked::outside(talk)),
        ("workspace".to_owned(), Marked::own(house)),
    ])
}

/// The base names of a run outside of any conversation: `contact` and `conversation` are `()`.
#[must_use]
pub fn homeless(event: Value, workspace: &WorkspaceInfo) -> Names {
    let nobody = ConversationInfo::default();
    let mut names = names(event, Id(0), &nobody, false, workspace, 0);
    for absent in ["contact", "conversation"] {
        names.insert(absent.to_owned(), Marked::own(Value::Null));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Person;

    #[test]
    fn every_name_of_the_guide_is_there_and_carries_its_mark() {
        let info = ConversationInfo {
            id: "7".into(),
            channel: "whatsapp".into(),
            contact: Person { name: Some("Ann".into()), ..Person::default() },
            tags: vec!["vip".into()],
            window_ends: Some(100),
            ..ConversationInfo::default()
        };
        let names = names(json!({"text": "hi"}), Id(9), &info, false, &WorkspaceInfo::default(), 100);
        assert_eq!(names["event"], Marked::outside(json!({"text": "hi"})));
        assert_eq!(names["contact"].value["id"], "9");
        assert_eq!(names["contact"].value["attributes"], json!({}));
        assert_eq!(names["conversation"].value["window_open"], false);
        assert_eq!(names["conversation"].value["tags"], json!(["vip"]));
        assert!(names["contact"].marked && names["conversation"].marked && !names["workspace"].marked);
    }
}
