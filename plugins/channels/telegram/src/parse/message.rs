//! What people wrote, what they changed, and what is said on behalf of a business account.

use std::collections::BTreeMap;

use pointsman_sdk::prelude::*;
use serde::de::IgnoredAny;

use super::{
    Extra, Facts, account, address, attachment, entity, event, id, moment, object, other, person, said, several, speaking, title,
};
use crate::address::Address;
use crate::wire;

/// Fields that say who, where, when, how, and in answer to what: a message that has nothing else says nothing.
const ABOUT: &str = "author_signature business_connection_id caption caption_entities chat date direct_messages_topic edit_date \
    effect_id entities external_reply forward_date forward_from forward_from_chat forward_from_message_id forward_origin \
    forward_sender_name forward_signature from has_media_spoiler has_protected_content is_automatic_forward is_from_offline \
    is_paid_post is_topic_message link_preview_options media_group_id message_id message_thread_id paid_star_count quote \
    reply_markup reply_to_checklist_task_id reply_to_message reply_to_story sender_boost_count sender_business_bot sender_chat \
    show_caption_above_media suggested_post_info text via_bot";

/// What a chat tells about itself: nobody said it.
const SERVICE: &str = "boost_added channel_chat_created chat_background_set chat_shared checklist_tasks_added \
    checklist_tasks_done connected_website delete_chat_photo direct_message_price_changed forum_topic_closed \
    forum_topic_created forum_topic_edited forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden gift \
    giveaway_completed giveaway_created group_chat_created left_chat_member left_chat_participant \
    message_auto_delete_timer_changed new_chat_member new_chat_members new_chat_participant new_chat_photo new_chat_title \
    paid_message_price_changed passport_data pinned_message proximity_alert_triggered refunded_payment \
    suggested_post_approval_failed suggested_post_approved suggested_post_declined suggested_post_paid \
    suggested_post_refunded supergroup_chat_created unique_gift users_shared user_shared video_chat_ended \
    video_chat_participants_invited video_chat_scheduled video_chat_started write_access_allowed";

/// A message with everything around it.
struct Told {
    place: Address,
    sender: Option<Person>,
    message: Message,
    extra: Extra,
}

/// A new message, of whomever.
pub(super) fn new(m: &wire::Message, raw: &str) -> Facts {
    if let Some(news) = account::migration(m) {
        return Ok(vec![news]);
    }
    let (mut told, at) = (told(m, raw)?, moment(*m.date));
    if told.ours(m) {
        told.extra.insert("recipient_id".into(), json!(told.place.chat));
        let body = EventBody::Echo(std::mem::take(&mut told.message));
        return Ok(vec![told.event(at, false, body)]);
    }
    let mine = told.message.id.clone();
    let body = if let Some(web) = m.web_app_data.as_ref() {
        told.extra.insert("interaction".into(), json!("form"));
        let payload = said(&web.data).unwrap_or_default();
        EventBody::Interaction(Interaction { id: mine, title: said(&web.button_text), payload, source: None, answer: None })
    } else if let Some(p) = m.successful_payment.as_ref() {
        let payment = json!({
            "currency": said(&p.currency),
            "total_amount": *p.total_amount,
            "payload": said(&p.invoice_payload),
            "charge_id": id(&p.telegram_payment_charge_id),
            "provider_charge_id": id(&p.provider_payment_charge_id),
        });
        other("order", mine, &json!({ "event": "payment", "payment": payment }))
    } else {
        EventBody::Message(std::mem::take(&mut told.message))
    };
    Ok(vec![told.event(at, true, body)])
}

/// What a channel published. A channel is no person who asks something, so it starts nothing.
pub(super) fn posted(m: &wire::Message, raw: &str) -> Facts {
    let mut told = told(m, raw)?;
    let body = EventBody::Message(std::mem::take(&mut told.message));
    Ok(vec![told.event(moment(*m.date), false, body)])
}

/// A message as it stands after it was changed.
pub(super) fn edited(m: &wire::Message, raw: &str) -> Facts {
    let mut told = told(m, raw)?;
    let message = std::mem::take(&mut told.message);
    let body = if told.ours(m) {
        let body = other("echo_edit", message.id, &json!({}));
        let EventBody::Other(echo) = body else { return Err("an echo that says nothing".into()) };
        EventBody::Other(OtherEvent { text: message.text, ..echo })
    } else {
        EventBody::MessageEdit(message)
    };
    Ok(vec![told.event(moment(m.edit_date.or(*m.date)), false, body)])
}

/// Messages that are gone from a business account's chat.
pub(super) fn deleted(d: &wire::Deleted) -> Facts {
    let place = address(&d.chat).ok_or("a deletion names no chat")?;
    let thread = Address { business: id(&d.business_connection_id), ..place }.thread();
    let ids = d.message_ids.iter().flatten().filter_map(id);
    let events: Vec<Event> =
        ids.map(|id| Event { thread: Some(thread.clone()), ..event(EventBody::MessageDelete(id)) }).collect();
    if events.is_empty() { Err("a deletion names no message".into()) } else { Ok(events) }
}

/// Where a message was written.
pub(super) fn place(m: &wire::Message) -> Option<Address> {
    // Where it is no topic, the number of the thread only says which message began a row of answers.
    let topic = m.message_thread_id.filter(|_| m.is_topic_message.is_some_and(|f| f.0));
    Some(Address { topic, business: id(&m.business_connection_id), ..address(&m.chat)? })
}

fn told(m: &wire::Message, raw: &str) -> Result<Told, String> {
    let place = place(m).ok_or("a message names no chat")?;
    let mut extra = Extra::new();
    several(&m.chat, &mut extra);
    let mut message = content(m, raw, &mut extra)?;
    message.id = id(&m.message_id);
    // In a forum every message "answers" the one that began its topic.
    let began = |target: &String| place.topic.is_some_and(|topic| target.parse() == Ok(topic));
    message.reply_to = m.reply_to_message.as_ref().and_then(|r| id(&r.message_id)).filter(|target| !began(target));
    for (key, value) in [("media_group_id", said(&m.media_group_id)), ("business_connection_id", place.business.clone())] {
        extra.extend(value.map(|v| (key.to_owned(), json!(v))));
    }
    if place.business.is_some() {
        // The customer of a business account, who is not the same conversation as somebody who writes to the bot.
        extra.extend(m.chat.as_ref().and_then(title).map(|t| ("thread_name".into(), json!(t))));
    }
    extra.extend(place.topic.map(|t| ("topic_id".into(), json!(t.to_string()))));
    extra.extend(m.quote.as_ref().and_then(|q| said(&q.text)).map(|q| ("quote".into(), json!(q))));
    if m.forward_origin.is_some() || m.forward_date.is_some() {
        extra.insert("forwarded".into(), json!(true));
    }
    let channel = m.chat.as_ref().is_some_and(|c| c.kind.as_deref() == Some("channel"));
    let sender = speaking(&m.sender_chat).or_else(|| person(&m.from));
    let sender = sender.or_else(|| speaking(&m.chat).filter(|_| channel));
    Ok(Told { place, sender, message, extra })
}

impl Told {
    /// Whether our own side wrote it: in a business account's private chat everybody but the customer, whose id is the chat's.
    fn ours(&mut self, m: &wire::Message) -> bool {
        let customer = self.sender.as_ref().is_some_and(|s| s.id == self.place.chat);
        let private = m.chat.as_ref().and_then(|c| c.kind.as_deref()).is_none_or(|kind| kind == "private");
        let ours = self.place.business.is_some() && (m.sender_business_bot.is_some() || private && !customer);
        if let (true, Some(sender)) = (ours, &mut self.sender) {
            sender.automated = true;
        }
        ours
    }

    fn event(self, at: i64, trigger: bool, body: EventBody) -> Event {
        let trigger = trigger && self.sender.as_ref().is_some_and(|s| !s.automated);
        let (thread, extra) = (Some(self.place.thread()), object(self.extra));
        Event { thread, sender: self.sender, at, trigger, extra, ..event(body) }
    }
}

/// Words and files. An error is the reason why there are none.
fn content(m: &wire::Message, raw: &str, extra: &mut Extra) -> Result<Message, String> {
    let none = Vec::new();
    let (text, entities) = match said(&m.text) {
        Some(text) => (Some(text), m.entities.as_ref().unwrap_or(&none)),
        None => (said(&m.caption), m.caption_entities.as_ref().unwrap_or(&none)),
    };
    if let Some(text) = &text {
        entity::told(text, entities, extra);
    }
    let mut out = Message { text, attachments: attachment::all(m), ..Message::default() };
    let says = out.text.is_some() || !out.attachments.is_empty();
    if !says && m.web_app_data.is_none() && m.successful_payment.is_none() {
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_str(raw).unwrap_or_default();
        let among = |list: &str, field: &str| list.split_whitespace().any(|known| known == field);
        if let Some(service) = fields.keys().find(|field| among(SERVICE, field)) {
            return Err(format!("{service}: news of the chat, said by nobody"));
        }
        let what = fields.keys().find(|field| !among(ABOUT, field)).ok_or("it says nothing")?;
        out.attachments.push(attachment::unsupported(what, Extra::new()));
    }
    Ok(out)
}
