//! The key store: a contact's words live as long as the contact's key. Keys are wrapped by the vault, written before the data
//! that needs them, and kept unwrapped in a bounded cache.

use std::collections::HashMap;

use parking_lot::{Mutex, RwLock};
use pointsman_vault::{Aad, ContentVault, DataKey, KeyKind, KeyName, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex as AsyncMutex;

use crate::db::Database;
use crate::master::Master;
use crate::op::{Op, Row};
use crate::sheet::{Sheet, row};
use crate::types::{Result, StoreError};
use crate::writer::Writer;

/// Milliseconds of a day; a day key seals what belongs to nobody.
const DAY: i64 = 86_400_000;

/// The id under which the workspace's own key stands, beside those of its channels.
const HOUSE: i64 = 0;

/// A key and the owner that goes into the seal.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    pub key: DataKey,
    pub owner: i64,
}

impl Sealer {
    pub(crate) fn seal(&self, workspace: i64, table: &'static str, row: i64, plain: &[u8]) -> Result<Vec<u8>> {
        self.key.seal(&Aad { workspace, table, row, owner: self.owner }, plain).map_err(unreadable)
    }

    pub(crate) fn open(&self, workspace: i64, table: &'static str, row: i64, sealed: &[u8]) -> Result<Vec<u8>> {
        let plain = self.key.open(&Aad { workspace, table, row, owner: self.owner }, sealed).map_err(unreadable)?;
        Ok(plain.to_vec())
    }
}

impl Sealer {
    pub(crate) fn seal_json<T: Serialize>(&self, workspace: i64, table: &'static str, row: i64, value: &T) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(value).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        self.seal(workspace, table, row, &plain)
    }

    pub(crate) fn open_json<T: DeserializeOwned>(
        &self,
        workspace: i64,
        table: &'static str,
        row: i64,
        sealed: &[u8],
    ) -> Result<T> {
        let plain = self.open(workspace, table, row, sealed)?;
        // The parser's words may quote the text: only the place is told.
        serde_json::from_slice(&plain).map_err(|e| {
            StoreError::Unreadable(format!("{table} {row} is not the JSON it should be, near {}:{}", e.line(), e.column()))
        })
    }
}

pub(crate) fn unreadable(error: VaultError) -> StoreError {
    StoreError::Unreadable(error.to_string())
}

/// The keys, and the doors to their database.
pub(crate) struct Keys {
    content: RwLock<ContentVault>,
    pub(crate) master: Master,
    pub(crate) writer: Writer,
    pub(crate) db: Database,
    cache: Mutex<Cache>,
    /// So that two who need the same new key make one.
    making: AsyncMutex<()>,
}

/// Unwrapped keys in two generations: a hit moves to the young one; when that is full, the old one is dropped.
struct Cache {
    young: HashMap<(i64, i64, i64), DataKey>,
    old: HashMap<(i64, i64, i64), DataKey>,
    half: usize,
}

impl Cache {
    fn get(&mut self, at: &(i64, i64, i64)) -> Option<DataKey> {
        if let Some(key) = self.young.get(at) {
            return Some(key.clone());
        }
        let key = self.old.remove(at)?;
        self.put(*at, key.clone());
        Some(key)
    }

    fn put(&mut self, at: (i64, i64, i64), key: DataKey) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(at, key);
    }
}

fn place(name: KeyName) -> (i64, i64, i64) {
    (name.workspace, i64::from(name.kind as u8), name.id)
}

impl Keys {
    pub(crate) fn new((content, master): (ContentVault, Master), db: Database, writer: Writer, cache: usize) -> Self {
        let cache = Cache { young: HashMap::new(), old: HashMap::new(), half: (cache / 2).max(8) };
        Self { content: RwLock::new(content), master, writer, db, cache: Mutex::new(cache), making: AsyncMutex::new(()) }
    }

    pub(crate) fn content(&self) -> ContentVault {
        self.content.read().clone()
    }

    pub(crate) fn set_content(&self, content: ContentVault) {
        *self.content.write() = content;
    }

    /// Makes keys, in one commit, and has them on disk before they are used.
    pub(crate) async fn make(&self, names: &[KeyName]) -> Result<Vec<DataKey>> {
        match self.try_make(names).await {
            // The master key was replaced, and this process had not heard of it.
            Err(StoreError::StaleKey) => {
                self.follow().await?;
                self.try_make(names).await
            }
            made => made,
        }
    }

    async fn try_make(&self, names: &[KeyName]) -> Result<Vec<DataKey>> {
        let content = self.content();
        let (mut keys, mut rows) = (Vec::with_capacity(names.len()), Vec::with_capacity(names.len()));
        for name in names {
            let (key, wrapped) = content.new_key(*name).map_err(unreadable)?;
            let (ws, kind, id) = place(*name);
            rows.push(Row::new(Sheet::Key, row![ws, kind, id, wrapped]));
            keys.push(key);
        }
        self.writer.commit(Op { rows, ..Op::default() }).await?;
        Ok(keys)
    }

    /// Keeps a key at hand.
    pub(crate) fn remember(&self, name: KeyName, key: &DataKey) {
        self.cache.lock().put(place(name), key.clone());
    }

    /// A key that exists, or `None`.
    pub(crate) async fn find(&self, name: KeyName) -> Result<Option<DataKey>> {
        if let Some(key) = self.cache.lock().get(&place(name)) {
            return Ok(Some(key));
        }
        let (ws, kind, id) = place(name);
        let found = self.db.row("select wrapped from data_key where ws=? and kind=? and id=?", row![ws, kind, id]).await?;
        let Some(found) = found else { return Ok(None) };
        let wrapped: Vec<u8> = found.get(0)?;
        self.know_the_key_of(&wrapped).await?;
        let key = self.content().unwrap(name, &wrapped).map_err(unreadable)?;
        self.cache.lock().put(place(name), key.clone());
        Ok(Some(key))
    }

    /// A key, made if there is none.
    pub(crate) async fn find_or_make(&self, name: KeyName) -> Result<DataKey> {
        if let Some(key) = self.find(name).await? {
            return Ok(key);
        }
        let _alone = self.making.lock().await;
        match self.find(name).await? {
            Some(key) => Ok(key),
            None => match self.make(&[name]).await {
                Ok(made) => {
                    let key = made.into_iter().next().ok_or(StoreError::Missing("key"))?;
                    self.remember(name, &key);
                    Ok(key)
                }
                // Another host was quicker.
                Err(StoreError::Taken(_)) => self.find(name).await?.ok_or(StoreError::Missing("key")),
                Err(error) => Err(error),
            },
        }
    }

    /// The key of a contact; `Erased` when it is gone.
    pub(crate) async fn contact(&self, workspace: i64, contact: i64) -> Result<DataKey> {
        self.find(KeyName { workspace, kind: KeyKind::Contact, id: contact }).await?.ok_or(StoreError::Erased)
    }

    /// What seals a row of `at` that belongs to nobody.
    pub(crate) async fn day(&self, workspace: i64, at: i64) -> Result<Sealer> {
        let day = at.div_euclid(DAY);
        Ok(Sealer { key: self.find_or_make(KeyName { workspace, kind: KeyKind::Day, id: day }).await?, owner: day })
    }

    /// What seals a channel's account and settings.
    pub(crate) async fn channel(&self, workspace: i64, channel: i64) -> Result<Sealer> {
        Ok(Sealer { key: self.find_or_make(KeyName { workspace, kind: KeyKind::Channel, id: channel }).await?, owner: channel })
    }

    /// What seals the workspace's own memory.
    pub(crate) async fn house(&self, workspace: i64) -> Result<Sealer> {
        self.channel(workspace, HOUSE).await
    }

    /// Destroys a contact's key: overwrites it where that reaches the bytes, deletes it, forgets it. SQLite's log still has
    /// it until the next checkpoint; Postgres' log and copies have it until they are recycled. `false`: there was none.
    pub(crate) async fn destroy(&self, workspace: i64, contact: i64) -> Result<bool> {
        let name = KeyName { workspace, kind: KeyKind::Contact, id: contact };
        let (ws, kind, id) = place(name);
        let there = "select 1 from data_key where ws=? and kind=? and id=?";
        if self.db.row(there, row![ws, kind, id]).await?.is_none() {
            return Ok(false);
        }
        if matches!(self.db, Database::Sqlite(_)) {
            // Two commits: within one, the page with the zeros might never be written.
            let over = "update data_key set wrapped=zeroblob(length(wrapped)) where ws=? and kind=? and id=?";
            self.writer.commit(Op { other: vec![(over, row![ws, kind, id])], ..Op::default() }).await?;
        }
        let delete = "delete from data_key where ws=? and kind=? and id=?";
        self.writer.commit(Op { other: vec![(delete, row![ws, kind, id])], ..Op::default() }).await?;
        self.evict(workspace, contact);
        Ok(true)
    }

    /// Forgets a contact's unwrapped key.
    pub(crate) fn evict(&self, workspace: i64, contact: i64) {
        let at = place(KeyName { workspace, kind: KeyKind::Contact, id: contact });
        let mut cache = self.cache.lock();
        cache.young.remove(&at);
        cache.old.remove(&at);
    }
}
