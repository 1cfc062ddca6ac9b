//! What was said in a conversation. Events and sends form one chain per conversation: each names the one before it, the
//! conversation names the last. No index is entered at a random place when a message comes in.

use std::collections::HashMap;

use pointsman_core::event::{EventBody, Message};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::{Operation, Said, Speaker};

use crate::Store;
use crate::conversation::ConversationRef;
use crate::sheet::row;
use crate::types::{Item, NoteRow, Result};

/// How far one look back goes at most.
const FAR: usize = 1_000;

impl Store {
    /// The last things that happened in a conversation, oldest first.
    pub async fn timeline(&self, c: &ConversationRef, limit: usize) -> Result<Vec<Item>> {
        let sql = "with recursive chain(id,n) as (select last,1 from conversation where ws=?1 and id=?2 union all \
                   select coalesce((select e.prev from event e where e.ws=?1 and e.id=chain.id),\
                   (select s.prev from send s where s.ws=?1 and s.id=chain.id)),chain.n+1 \
                   from chain where chain.n<?3 and chain.id>0) select id from chain where id>0";
        let limit = limit.min(FAR);
        let rows = self.data.rows(sql, row![c.workspace, c.id, limit as i64]).await?;
        let ids = rows.iter().map(|r| r.get::<i64>(0)).collect::<Result<Vec<_>>>()?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = String::from(" where ws=? and id in (");
        (0..ids.len()).for_each(|n| sql.push_str(if n == 0 { "?" } else { ",?" }));
        sql.push(')');
        let values: Vec<i64> = std::iter::once(c.workspace.0).chain(ids.iter().copied()).collect();
        let mut found: HashMap<i64, Item> = HashMap::with_capacity(ids.len());
        found.extend(self.events_where(&sql, &values).await?.into_iter().map(|e| (e.id.0, Item::Event(e))));
        found.extend(self.sends_where(&sql, &values).await?.into_iter().map(|s| (s.id.0, Item::Send(s))));
        Ok(ids.iter().rev().filter_map(|id| found.remove(id)).collect())
    }

    /// The last messages, oldest first: what a step or a model may read.
    pub async fn history(&self, c: &ConversationRef, count: usize) -> Result<Vec<Said>> {
        // Receipts stand in the chain too, about three for each message of ours.
        let items = self.timeline(c, (count * 6 + 10).min(FAR)).await?;
        let mut said: Vec<Said> = items.into_iter().rev().filter_map(said).take(count).collect();
        said.reverse();
        Ok(said)
    }

    /// Internal notes, oldest first.
    pub async fn notes(&self, c: &ConversationRef, limit: usize) -> Result<Vec<NoteRow>> {
        let sql = "select id,written_by,marked,body from note where ws=? and conversation=? order by id desc limit ?";
        let sealer = c.sealer()?;
        let mut notes = Vec::new();
        for row in self.data.rows(sql, row![c.workspace, c.id, limit as i64]).await? {
            let id = row.id(0)?;
            let text = sealer.open(c.workspace.0, "note", id.0, &row.get::<Vec<u8>>(3)?)?;
            notes.push(NoteRow {
                id,
                at: id.made_at(),
                by: row.get(1)?,
                text: String::from_utf8_lossy(&text).into_owned(),
                marked: row.flag(2)?,
            });
        }
        notes.reverse();
        Ok(notes)
    }
}

/// What an item says, if it says something.
fn said(item: Item) -> Option<Said> {
    match item {
        Item::Event(event) => {
            let (by, message) = match &event.event.body {
                EventBody::Message(message) => (Speaker::Contact, message.clone()),
                EventBody::Interaction(pressed) => {
                    (Speaker::Contact, Message::text(pressed.title.as_ref().unwrap_or(&pressed.payload).clone()))
                }
                EventBody::Echo(message) => (Speaker::Agent, message.clone()),
                _ => return None,
            };
            let told = event.event.at;
            Some(Said { by, at: if told == 0 { event.at } else { told }, message })
        }
        Item::Send(send) => {
            if matches!(send.state, SendState::Parked | SendState::Dropped) {
                return None;
            }
            let message = match send.operation {
                Operation::Send(message) => message,
                Operation::SendTemplate(template) => Message { extra: serde_json::to_value(template).ok(), ..Message::default() },
                _ => return None,
            };
            Some(Said { by: Speaker::Bot, at: send.id.made_at(), message })
        }
    }
}
