//! Contacts and their identities: who is meant by the ids that an event carries.

use std::sync::Arc;

use pointsman_core::event::Event;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_vault::{KeyKind, KeyName};
use sqlx::Row as _;

use crate::Store;
use crate::conversation::{Birth, ConversationRef, Fresh, IdentityName};
use crate::fault::meaning;
use crate::keys::Sealer;
use crate::sheet::{Sheet, row};
use crate::types::{ContactBody, Result};

/// Ids of one person that are looked at; a payload cannot make us look for more.
const IDENTITIES: usize = 8;

impl Store {
    /// The conversation that an event belongs to: whoever its ids name, on this channel. The first id that is known names the
    /// contact, the others become aliases; when none is known, a contact is born. Its rows ride with the caller's operation.
    pub(crate) async fn place(
        &self,
        ws: WorkspaceId,
        channel: Id,
        event: &Event,
        now: i64,
    ) -> Result<Option<Arc<ConversationRef>>> {
        let mut ids = event.identities();
        ids.truncate(IDENTITIES);
        let Some(first) = ids.first() else { return Ok(None) };
        let domain = channel.to_string();
        let name = |id: &str| -> IdentityName { (ws.0, channel.0, self.index.lookup_parts(ws.0, "identity", &[&domain, id])) };
        let names: Vec<IdentityName> = ids.iter().map(|id| name(id)).collect();
        if let Some(found) = self.conversations.by_identities(&names) {
            return Ok(Some(found));
        }
        let shard = |name: &IdentityName| name.2.iter().take(8).fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let _alone = self.conversations.alone(names.iter().map(shard)).await;
        if let Some(found) = self.conversations.by_identities(&names) {
            return Ok(Some(found));
        }

        let mut known = Vec::with_capacity(names.len());
        for name in &names {
            known.push(self.contact_named(name).await?);
        }
        let thread = event.thread.as_deref().filter(|t| !t.is_empty()).unwrap_or(first);
        let conversation = match known.iter().flatten().next() {
            Some(contact) => self.conversation_with(ws, channel, *contact, thread, now).await?,
            None => self.born(ws, channel, event, thread, now).await?,
        };
        let sealer = conversation.sealer()?;
        let mut rows = Vec::new();
        for ((id, name), known) in ids.iter().zip(&names).zip(&known) {
            if known.is_none() {
                let body = sealer.seal(ws.0, "identity", shard(name) as i64, id.as_bytes())?;
                rows.push((Sheet::Identity, row![ws, channel, name.2, conversation.contact, body]));
            }
        }
        if !rows.is_empty() {
            conversation.carry(Arc::new(Birth::new(self.ids.next(now).0, rows)));
        }
        for (name, known) in names.into_iter().zip(known) {
            // A name that belongs to somebody else stays theirs.
            if known.is_none_or(|c| c == conversation.contact.0) {
                self.conversations.name(name, &conversation);
            }
        }
        Ok(Some(conversation))
    }

    /// Whom an identity names: in memory (it may not be on disk yet), then on disk.
    async fn contact_named(&self, name: &IdentityName) -> Result<Option<i64>> {
        if let Some(found) = self.conversations.by_identities(std::slice::from_ref(name)) {
            return Ok(Some(found.contact.0));
        }
        let query = sqlx::query("select contact from identity where ws=? and channel=? and h=?");
        let query = query.bind(name.0).bind(name.1).bind(name.2.as_slice());
        let found = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))?;
        found.map(|row| row.try_get(0).map_err(|e| meaning(&e))).transpose()
    }

    /// The conversation of a known contact on this channel.
    async fn conversation_with(
        &self,
        ws: WorkspaceId,
        channel: Id,
        contact: i64,
        thread: &str,
        now: i64,
    ) -> Result<Arc<ConversationRef>> {
        let query = sqlx::query("select id from conversation where ws=? and channel=? and contact=?");
        let query = query.bind(ws.0).bind(channel.0).bind(contact);
        if let Some(row) = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))? {
            let id: i64 = row.try_get(0).map_err(|e| meaning(&e))?;
            if let Some(found) = self.conversation(ws, Id(id)).await? {
                return Ok(found);
            }
        }
        // In memory but not on disk yet: named by another of its identities.
        if let Some(found) = self.conversations.with_contact(ws.0, channel.0, contact) {
            return Ok(found);
        }
        let key = self.keys.contact(ws.0, contact).await?;
        self.converse(ws, channel, Id(contact), key, thread, now, Vec::new())
    }

    async fn born(&self, ws: WorkspaceId, channel: Id, event: &Event, thread: &str, now: i64) -> Result<Arc<ConversationRef>> {
        let contact = self.ids.next(now);
        // The key is on disk before anything that needs it; a key whose contact never came to be does no harm.
        let key = self.keys.make(KeyName { workspace: ws.0, kind: KeyKind::Contact, id: contact.0 }).await?;
        let body = ContactBody { person: event.contact(), ..ContactBody::default() };
        let sealed = Sealer { key: key.clone(), owner: contact.0 }.seal_json(ws.0, "contact", contact.0, &body)?;
        let born = self.converse(ws, channel, contact, key, thread, now, vec![(Sheet::Contact, row![ws, contact, sealed])])?;
        born.set_newborn(body);
        Ok(born)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one new row")]
    fn converse(
        &self,
        ws: WorkspaceId,
        channel: Id,
        contact: Id,
        key: pointsman_vault::DataKey,
        thread: &str,
        now: i64,
        mut rows: Vec<(Sheet, Vec<crate::sheet::Arg>)>,
    ) -> Result<Arc<ConversationRef>> {
        let id = self.ids.next(now);
        let sealer = Sealer { key: key.clone(), owner: contact.0 };
        let sealed = sealer.seal(ws.0, "conversation.thread", id.0, thread.as_bytes())?;
        rows.push((Sheet::Conversation, row![ws, id, channel, contact, sealed]));
        let fresh = Fresh { workspace: ws, id, contact, channel, thread: thread.to_owned(), key, head: 0, last_in: 0 };
        Ok(self.conversations.put(ConversationRef::new(fresh, vec![Arc::new(Birth::new(id.0, rows))])))
    }

    /// What is known of a conversation's contact.
    pub async fn contact_body(&self, c: &ConversationRef) -> Result<ContactBody> {
        if let Some(body) = c.newborn_contact() {
            return Ok(body);
        }
        let query = sqlx::query("select body from contact where ws=? and id=?").bind(c.workspace.0).bind(c.contact.0);
        let found = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))?;
        let sealed: Option<Vec<u8>> = match found {
            Some(row) => row.try_get(0).map_err(|e| meaning(&e))?,
            None => None,
        };
        match sealed {
            Some(sealed) => c.sealer()?.open_json(c.workspace.0, "contact", c.contact.0, &sealed),
            None => Ok(ContactBody::default()),
        }
    }
}
