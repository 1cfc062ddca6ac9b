//! Contacts and their identities: who is meant by the ids that an event carries.

use std::sync::Arc;

use pointsman_core::event::Event;
use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::conversation::{Birth, ConversationRef, Fresh, IdentityName};
use crate::db::Transaction;
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
        let _alone = self.conversations.alone(names.iter().map(shard)).await;
        if let Some(found) = self.conversations.by_identities(&names) {
            return Ok(Some(found));
        }

        let (mut known, mut found) = self.named(ws, channel, &names).await?;
        // Where several hosts share the data, whoever is new is born in a transaction of its own: two hosts that meet the same
        // person at the same moment agree on one contact.
        let mut birth = None;
        if self.shared() && (found.is_none() || known.contains(&None)) {
            birth = Some(self.alone_with_names(&names).await?);
            (known, found) = self.named(ws, channel, &names).await?;
        }
        let thread = event.thread.as_deref().filter(|t| !t.is_empty()).unwrap_or(first);
        let conversation = match (found, known.iter().flatten().next()) {
            (Some(found), _) => found,
            (None, Some(contact)) => {
                let key = self.keys.contact(ws.0, *contact).await?;
                self.converse(ws, channel, Id(*contact), key, thread, now, Vec::new())?
            }
            (None, None) => self.born(ws, channel, event, thread, now).await?,
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
        if let Some(birth) = birth
            && let Err(error) = bear(birth, &conversation).await
        {
            self.conversations.forget(&conversation);
            return Err(error);
        }
        for (name, known) in names.into_iter().zip(known) {
            // A name that belongs to somebody else stays theirs.
            if known.is_none_or(|c| c == conversation.contact.0) {
                self.conversations.name(name, &conversation);
            }
        }
        Ok(Some(conversation))
    }

    /// The conversation of whoever has this id on a channel, if there is one. Nobody is born by asking.
    pub async fn conversation_of(&self, ws: WorkspaceId, channel: Id, id: &str) -> Result<Option<Arc<ConversationRef>>> {
        let name = (ws.0, channel.0, self.index.lookup_parts(ws.0, "identity", &[&channel.to_string(), id]));
        if let Some(found) = self.conversations.by_identities(std::slice::from_ref(&name)) {
            return Ok(Some(found));
        }
        Ok(self.named(ws, channel, &[name]).await?.1)
    }

    /// Whom these names name, and the conversation of the first of them on this channel.
    async fn named(
        &self,
        ws: WorkspaceId,
        channel: Id,
        names: &[IdentityName],
    ) -> Result<(Vec<Option<i64>>, Option<Arc<ConversationRef>>)> {
        let mut known = Vec::with_capacity(names.len());
        for name in names {
            known.push(self.contact_named(name).await?);
        }
        let found = match known.iter().flatten().next() {
            Some(contact) => self.conversation_with(ws, channel, *contact).await?,
            None => None,
        };
        Ok((known, found))
    }

    /// A transaction in which nobody else, on any host, gives birth to somebody of these names.
    async fn alone_with_names(&self, names: &[IdentityName]) -> Result<Transaction<'_>> {
        let mut locks: Vec<i64> = names.iter().map(|name| shard(name) as i64).collect();
        locks.sort_unstable();
        locks.dedup();
        let mut transaction = self.data.begin().await?;
        for lock in locks {
            transaction.rows("select pg_advisory_xact_lock(?)", row![lock]).await?;
        }
        Ok(transaction)
    }

    /// Whom an identity names: in memory (it may not be on disk yet), then on disk.
    async fn contact_named(&self, name: &IdentityName) -> Result<Option<i64>> {
        if let Some(found) = self.conversations.by_identities(std::slice::from_ref(name)) {
            return Ok(Some(found.contact.0));
        }
        let sql = "select contact from identity where ws=? and channel=? and h=?";
        let found = self.data.row(sql, row![name.0, name.1, name.2]).await?;
        found.map(|row| row.get(0)).transpose()
    }

    /// The conversation of a known contact on this channel.
    async fn conversation_with(&self, ws: WorkspaceId, channel: Id, contact: i64) -> Result<Option<Arc<ConversationRef>>> {
        let sql = "select id from conversation where ws=? and channel=? and contact=?";
        if let Some(row) = self.data.row(sql, row![ws, channel, contact]).await?
            && let Some(found) = self.conversation(ws, row.id(0)?).await?
        {
            return Ok(Some(found));
        }
        // In memory but not on disk yet: named by another of its identities.
        Ok(self.conversations.with_contact(ws.0, channel.0, contact))
    }

    async fn born(&self, ws: WorkspaceId, channel: Id, event: &Event, thread: &str, now: i64) -> Result<Arc<ConversationRef>> {
        let (contact, key) = self.stranger(ws, now).await?;
        let body = ContactBody { person: event.contact(), ..ContactBody::default() };
        let sealed = Sealer { key: key.clone(), owner: contact.0 }.seal_json(ws.0, "contact", contact.0, &body)?;
        let born = self.converse(ws, channel, contact, key, thread, now, vec![(Sheet::Contact, row![ws, contact, sealed])])?;
        if !self.shared() {
            // Elsewhere another host may write it.
            born.set_newborn(body);
        }
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
        let found = self.data.row("select body from contact where ws=? and id=?", row![c.workspace, c.contact]).await?;
        match found.map(|row| row.get::<Option<Vec<u8>>>(0)).transpose()?.flatten() {
            Some(sealed) => c.sealer()?.open_json(c.workspace.0, "contact", c.contact.0, &sealed),
            None => Ok(ContactBody::default()),
        }
    }
}

/// The first half of a name's hash.
fn shard(name: &IdentityName) -> u64 {
    name.2.iter().take(8).fold(0_u64, |n, b| n << 8 | u64::from(*b))
}

/// Writes what a conversation was born with.
async fn bear(mut transaction: Transaction<'_>, conversation: &ConversationRef) -> Result<()> {
    let births = conversation.births();
    for (sheet, args) in births.iter().flat_map(|b| &b.rows) {
        transaction.put(*sheet, args).await?;
    }
    transaction.commit().await?;
    births.iter().for_each(|b| b.set_done());
    Ok(())
}
