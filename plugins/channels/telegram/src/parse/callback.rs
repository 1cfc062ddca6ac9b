//! A pressed button. Telegram wants every press answered: until then the button shows that it waits. The answer rides in the
//! response to the webhook itself, so that it costs no request.

use pointsman_sdk::channel::Answer;
use pointsman_sdk::prelude::*;

use super::{Extra, Facts, event, id, message, object, person, said, several};
use crate::wire::{Callback, Markup};

/// The message under the button is ours; who pressed stands beside it. When is not told.
pub(super) fn pressed(c: &Callback, answer: &mut Option<Answer>) -> Facts {
    let query = id(&c.id).ok_or("a press without an id")?;
    *answer = Some(taken(&query));
    let presser = person(&c.from).ok_or("a press names nobody")?;
    let Some(payload) = c.data.as_deref() else {
        return Err(if c.game_short_name.is_some() { "games are not played".into() } else { "a press says nothing".into() });
    };
    let mut extra = Extra::new();
    extra.insert("interaction".into(), json!("callback"));
    // Under a message that was sent into a chat where the bot is not, no chat is told: then it is answered in the presser's own.
    let place = c.message.as_ref().and_then(message::place);
    if let (Some(_), Some(m)) = (&place, c.message.as_ref()) {
        several(&m.chat, &mut extra);
    }
    extra.extend(said(&c.inline_message_id).map(|i| ("inline_message_id".into(), json!(i))));
    let body = EventBody::Interaction(Interaction {
        title: c.message.as_ref().and_then(|m| title(m.reply_markup.as_ref()?, payload)),
        payload: payload.into(),
        source: c.message.as_ref().and_then(|m| id(&m.message_id)),
        id: Some(query.clone()),
        answer: Some(query),
    });
    let thread = place.map_or_else(|| presser.id.clone(), |p| p.thread());
    let trigger = !presser.automated;
    Ok(vec![Event { thread: Some(thread), sender: Some(presser), trigger, extra: object(extra), ..event(body) }])
}

/// What the button said.
fn title(markup: &Markup, payload: &str) -> Option<String> {
    let mut buttons = markup.inline_keyboard.iter().flatten().flatten().flatten();
    said(&buttons.find(|b| b.callback_data.as_deref() == Some(payload))?.text)
}

/// The method call that says that the press was taken.
fn taken(query: &str) -> Answer {
    let body = json!({ "method": "answerCallbackQuery", "callback_query_id": query });
    Answer {
        status: 200,
        headers: vec![Header { name: "content-type".into(), value: "application/json".into() }],
        body: body.to_string().into_bytes(),
    }
}
