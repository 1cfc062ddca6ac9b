//! Conversations: a contact on a channel. The ones in use are kept in memory with their unwrapped key and the head of their
//! timeline; a new one rides into the database with the first webhook that names it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_vault::DataKey;

use crate::Store;
use crate::keys::Sealer;
use crate::lease::{Change, shard_of};
use crate::sheet::{Arg, Sheet, row};
use crate::types::{ContactBody, ConversationBody, ConversationRow, Result, StoreError};

/// A conversation in memory. Only the store makes one, and only one of each is alive.
pub struct ConversationRef {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// Who is on the other side.
    pub contact: Id,
    /// The channel it is on.
    pub channel: Id,
    /// The provider's name of the peer or thread: where a send goes.
    pub thread: String,
    key: RwLock<Option<DataKey>>,
    head: AtomicI64,
    last_in: AtomicI64,
    /// Rows that are not known to be on disk yet.
    births: Mutex<Vec<Arc<Birth>>>,
    /// The bodies of a conversation that was born in this process, until they are asked for or written: what is known
    /// need not be read.
    newborn: Mutex<Newborn>,
    used: AtomicBool,
}

/// What a conversation was born with.
#[derive(Debug, Default)]
struct Newborn {
    conversation: Option<ConversationBody>,
    contact: Option<ContactBody>,
}

impl fmt::Debug for ConversationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The thread is a contact's id with the provider: not for logs.
        f.debug_struct("ConversationRef").field("workspace", &self.workspace).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Rows of a new contact, alias or conversation, carried by every operation that needs them until one is committed.
#[derive(Debug)]
pub(crate) struct Birth {
    pub id: i64,
    pub rows: Vec<(Sheet, Vec<Arg>)>,
    done: AtomicBool,
}

impl Birth {
    pub(crate) fn new(id: i64, rows: Vec<(Sheet, Vec<Arg>)>) -> Self {
        Self { id, rows, done: AtomicBool::new(false) }
    }

    pub(crate) fn set_done(&self) {
        self.done.store(true, Ordering::Release);
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

/// What a new [`ConversationRef`] starts from.
pub(crate) struct Fresh {
    pub workspace: WorkspaceId,
    pub id: Id,
    pub contact: Id,
    pub channel: Id,
    pub thread: String,
    pub key: DataKey,
    pub head: i64,
    pub last_in: i64,
}

impl ConversationRef {
    pub(crate) fn new(fresh: Fresh, births: Vec<Arc<Birth>>) -> Self {
        let Fresh { workspace, id, contact, channel, thread, key, head, last_in } = fresh;
        Self {
            workspace,
            id,
            contact,
            channel,
            thread,
            key: RwLock::new(Some(key)),
            head: AtomicI64::new(head),
            last_in: AtomicI64::new(last_in),
            births: Mutex::new(births),
            newborn: Mutex::default(),
            used: AtomicBool::new(true),
        }
    }

    /// When the contact last wrote, as the provider says.
    #[must_use]
    pub fn last_inbound(&self) -> Option<Instant> {
        Some(self.last_in.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// What seals this contact's words.
    pub(crate) fn sealer(&self) -> Result<Sealer> {
        Ok(Sealer { key: self.key.read().clone().ok_or(StoreError::Erased)?, owner: self.contact.0 })
    }

    /// Notes what a conversation was born with.
    pub(crate) fn set_newborn(&self, contact: ContactBody) {
        *self.newborn.lock() = Newborn { conversation: Some(ConversationBody::default()), contact: Some(contact) };
    }

    /// The contact's body, where it was not asked for or written since birth.
    pub(crate) fn newborn_contact(&self) -> Option<ContactBody> {
        self.newborn.lock().contact.take()
    }

    /// From now on the database knows better.
    pub(crate) fn written(&self) {
        *self.newborn.lock() = Newborn::default();
    }

    pub(crate) fn forget_key(&self) {
        *self.key.write() = None;
        self.written();
    }

    /// Sets the head of the timeline; returns the one before. The writer alone does so.
    pub(crate) fn set_head(&self, id: i64) -> i64 {
        self.head.swap(id, Ordering::AcqRel)
    }

    pub(crate) fn heard(&self, at: Instant) {
        self.last_in.fetch_max(at, Ordering::Relaxed);
    }

    pub(crate) fn carry(&self, birth: Arc<Birth>) {
        self.births.lock().push(birth);
    }

    /// Rows that the next operation must carry.
    pub(crate) fn births(&self) -> Vec<Arc<Birth>> {
        let mut births = self.births.lock();
        if births.is_empty() {
            return Vec::new();
        }
        births.retain(|b| !b.is_done());
        births.clone()
    }
}

/// An identity's name in the cache: workspace, channel, hash.
pub(crate) type IdentityName = (i64, i64, [u8; 16]);

/// The conversations in memory.
pub(crate) struct Conversations {
    maps: RwLock<Maps>,
    limit: usize,
    /// Whoever loads or makes what is not in memory holds the lock of its shard: one does it, the others find it.
    shards: Vec<tokio::sync::Mutex<()>>,
    /// The same for one conversation that is loaded by its id; may be taken while a shard is held, never the other way round.
    loading: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Maps {
    by_id: HashMap<(i64, i64), Arc<ConversationRef>>,
    by_identity: HashMap<IdentityName, Weak<ConversationRef>>,
}

const SHARDS: usize = 64;

impl Conversations {
    pub(crate) fn new(limit: usize) -> Self {
        let locks = || (0..SHARDS).map(|_| tokio::sync::Mutex::new(())).collect();
        Self { maps: RwLock::default(), limit: limit.max(64), shards: locks(), loading: locks() }
    }

    pub(crate) fn by_id(&self, workspace: i64, id: i64) -> Option<Arc<ConversationRef>> {
        let found = self.maps.read().by_id.get(&(workspace, id)).cloned();
        found.inspect(|c| c.used.store(true, Ordering::Relaxed))
    }

    /// The conversation that the first known of these names has, if all of them are known.
    pub(crate) fn by_identities(&self, names: &[IdentityName]) -> Option<Arc<ConversationRef>> {
        let maps = self.maps.read();
        let mut found = None;
        for name in names {
            let conversation = maps.by_identity.get(name)?.upgrade()?;
            found.get_or_insert(conversation);
        }
        found.inspect(|c| c.used.store(true, Ordering::Relaxed))
    }

    pub(crate) fn name(&self, name: IdentityName, conversation: &Arc<ConversationRef>) {
        self.maps.write().by_identity.insert(name, Arc::downgrade(conversation));
    }

    /// The conversation of a contact on a channel, if it is in memory. Looks at all of them: for seldom cases.
    pub(crate) fn with_contact(&self, workspace: i64, channel: i64, contact: i64) -> Option<Arc<ConversationRef>> {
        let wanted = (workspace, channel, contact);
        self.maps.read().by_id.values().find(|c| (c.workspace.0, c.channel.0, c.contact.0) == wanted).cloned()
    }

    async fn alone_with(&self, id: i64) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        // The low bits of an id are a counter, so neighbours fall apart.
        match self.loading.get(id.unsigned_abs() as usize % SHARDS) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    /// Puts it in, unless it is there: then that one is the one.
    pub(crate) fn put(&self, conversation: ConversationRef) -> Arc<ConversationRef> {
        let mut maps = self.maps.write();
        if maps.by_id.len() >= self.limit {
            maps.sweep(self.limit);
        }
        let at = (conversation.workspace.0, conversation.id.0);
        maps.by_id.entry(at).or_insert_with(|| Arc::new(conversation)).clone()
    }

    /// Forgets a contact: its keys at once, its names too.
    pub(crate) fn forget_contact(&self, workspace: i64, contact: i64) {
        let mut maps = self.maps.write();
        maps.by_id.values().filter(|c| (c.workspace.0, c.contact.0) == (workspace, contact)).for_each(|c| c.forget_key());
        maps.by_id.retain(|_, c| (c.workspace.0, c.contact.0) != (workspace, contact));
        maps.by_identity.retain(|_, c| c.upgrade().is_some_and(|c| (c.workspace.0, c.contact.0) != (workspace, contact)));
    }

    /// Forgets conversations of shards that came or went: another host may have changed them.
    pub(crate) fn forget_shards(&self, change: &Change) {
        if *change != Change::default() {
            let moved = |c: &ConversationRef| {
                let shard = shard_of(c.id.0);
                change.gained.contains(&shard) || change.lost.contains(&shard)
            };
            self.maps.write().by_id.retain(|_, c| !moved(c));
        }
    }

    /// Forgets one conversation, whose birth failed.
    pub(crate) fn forget(&self, c: &ConversationRef) {
        self.maps.write().by_id.remove(&(c.workspace.0, c.id.0));
    }

    /// Locks the shards of these numbers, always in the same order.
    pub(crate) async fn alone(&self, numbers: impl Iterator<Item = u64>) -> Vec<tokio::sync::MutexGuard<'_, ()>> {
        let mut wanted: Vec<usize> = numbers.map(|n| (n % SHARDS as u64) as usize).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut guards = Vec::with_capacity(wanted.len());
        for shard in wanted.into_iter().filter_map(|n| self.shards.get(n)) {
            guards.push(shard.lock().await);
        }
        guards
    }
}

impl Maps {
    /// Makes room: what nobody holds and nobody used since the last sweep goes. One that is held, or not yet on disk, stays:
    /// two of the same conversation would tie two timelines.
    fn sweep(&mut self, limit: usize) {
        for hard in [false, true] {
            self.by_id.retain(|_, c| {
                let used = c.used.swap(false, Ordering::Relaxed);
                Arc::strong_count(c) > 1 || !c.births().is_empty() || (used && !hard)
            });
            if self.by_id.len() < limit - limit / 8 {
                break;
            }
        }
        self.by_identity.retain(|_, c| c.strong_count() > 0);
    }
}

impl Store {
    /// A conversation by its id.
    pub async fn conversation(&self, ws: WorkspaceId, id: Id) -> Result<Option<Arc<ConversationRef>>> {
        if let Some(found) = self.conversations.by_id(ws.0, id.0) {
            return Ok(Some(found));
        }
        let _alone = self.conversations.alone_with(id.0).await;
        if let Some(found) = self.conversations.by_id(ws.0, id.0) {
            return Ok(Some(found));
        }
        let sql = "select channel,contact,last,last_in,thread from conversation where ws=? and id=?";
        let Some(row) = self.data.row(sql, row![ws, id]).await? else { return Ok(None) };
        let contact = row.get(1)?;
        let key = self.keys.contact(ws.0, contact).await?;
        let sealer = Sealer { key: key.clone(), owner: contact };
        let thread = match row.get::<Option<Vec<u8>>>(4)? {
            Some(sealed) => String::from_utf8_lossy(&sealer.open(ws.0, "conversation.thread", id.0, &sealed)?).into_owned(),
            None => return Err(StoreError::Erased),
        };
        let (channel, head, last_in) = (row.id(0)?, row.get(2)?, row.get(3)?);
        let fresh = Fresh { workspace: ws, id, contact: Id(contact), channel, thread, key, head, last_in };
        Ok(Some(self.conversations.put(ConversationRef::new(fresh, Vec::new()))))
    }

    /// As [`Store::conversation`]; 0 is none, and one that was erased is none too.
    pub(crate) async fn conversation_of_row(&self, ws: i64, id: i64) -> Result<Option<Arc<ConversationRef>>> {
        if id == 0 { Ok(None) } else { self.conversation(Id(ws), Id(id)).await }
    }

    /// A conversation's body.
    pub async fn conversation_body(&self, c: &ConversationRef) -> Result<ConversationBody> {
        let newborn = c.newborn.lock().conversation.take();
        if let Some(body) = newborn {
            return Ok(body);
        }
        let found = self.data.row("select body from conversation where ws=? and id=?", row![c.workspace, c.id]).await?;
        match found.map(|row| row.get::<Option<Vec<u8>>>(0)).transpose()?.flatten() {
            Some(sealed) => c.sealer()?.open_json(c.workspace.0, "conversation.body", c.id.0, &sealed),
            None => Ok(ConversationBody::default()),
        }
    }

    /// The conversations in which something happened last, newest first. Erased ones are left out.
    pub async fn conversations(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<ConversationRow>> {
        let sql = "select id,last_at,last_in from conversation where ws=? and thread is not null order by last_at desc, id desc limit ?";
        let mut list = Vec::new();
        for row in self.data.rows(sql, row![ws, limit as i64]).await? {
            let conversation = match self.conversation(ws, row.id(0)?).await {
                Ok(Some(conversation)) => conversation,
                Ok(None) | Err(StoreError::Erased) => continue,
                Err(error) => return Err(error),
            };
            let body = self.conversation_body(&conversation).await?;
            let contact = self.contact_body(&conversation).await?;
            list.push(ConversationRow {
                last_at: row.get(1)?,
                last_inbound: Some(row.get(2)?).filter(|at| *at > 0),
                conversation,
                body,
                contact,
            });
        }
        Ok(list)
    }
}
