//! Under which master key the key store is. This room holds no master key, only the content subkeys that come from one: whoever
//! has it (the broker's process, or a verb of the command line) is asked for them as [`KeySource`]. While another master key
//! replaces it, the key store holds both, each sealed under the other ([`Succession`]): the source opens that, and whoever meets
//! something that was sealed under a key which he does not know asks again. So nobody has to be told in time, and nothing fails.

use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::clock::{Clock, Instant, Millis};
use pointsman_core::failure::Failure;
use pointsman_vault::{ContentVault, IndexKey, KeyKind, KeyName, Keyring, StoreKeys, Succession, key_id};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::Store;
use crate::db::Record;
use crate::keys::Keys;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{Result, StoreError};

/// How long a key that was replaced is kept in memory for what is under way. No request of the broker's takes longer than half of it.
const KEEP: Millis = 60_000;

/// The key of the house's names for lookups.
const NAMES: KeyName = KeyName { workspace: 0, kind: KeyKind::Index, id: 0 };

/// The content subkeys, or why there are none.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<StoreKeys, Failure>> + Send + 'a>>;

/// Who has the master key.
pub trait KeySource: Send + Sync {
    /// The content subkeys: with a succession, those of both of its keys; without one, that of the newest key alone, and an earlier
    /// one is forgotten.
    fn keys<'a>(&'a self, succession: Option<&'a Succession>) -> Asked<'a>;
}

/// A master key in this process.
#[derive(Debug)]
pub struct HeldKeys(Mutex<Keyring>);

impl HeldKeys {
    /// Of this key.
    #[must_use]
    pub fn new(keyring: Keyring) -> Arc<Self> {
        Arc::new(Self(Mutex::new(keyring)))
    }

    /// Does something with the keys.
    pub fn with<T>(&self, work: impl FnOnce(&mut Keyring) -> T) -> T {
        work(&mut self.0.lock())
    }
}

impl KeySource for HeldKeys {
    fn keys<'a>(&'a self, succession: Option<&'a Succession>) -> Asked<'a> {
        let keys: Result<StoreKeys, Failure> = self.with(|keyring| {
            match succession {
                Some(succession) => keyring.follow(succession)?,
                None => keyring.forget(),
            }
            Ok(keyring.store_keys())
        });
        Box::pin(std::future::ready(keys))
    }
}

/// The source, and what this process heard of it.
pub(crate) struct Master {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    following: AsyncMutex<()>,
    /// The key store is under a key that the source cannot have any more.
    outlived: Notify,
}

impl Master {
    pub(crate) async fn of(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Result<(ContentVault, Self)> {
        let content = source.keys(None).await.map_err(refused)?.content();
        Ok((content, Self { source, clock, following: AsyncMutex::default(), outlived: Notify::new() }))
    }
}

fn refused(failure: Failure) -> StoreError {
    StoreError::Unreadable(failure.message)
}

/// What the key store says of a master key.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub id: u32,
    pub state: i64,
    pub at: Instant,
    pub link: Option<Vec<u8>>,
}

/// The states of a master key.
pub(crate) const CURRENT: i64 = 1;
pub(crate) const OUTGOING: i64 = 2;
pub(crate) const REPLACED: i64 = 3;

/// The id as the tables have it.
pub(crate) fn stored(id: u32) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

pub(crate) const MASTERS: &str = "select key_id,state,at,link from master";

pub(crate) fn read(row: &Record) -> Result<Known> {
    let id: Vec<u8> = row.get(0)?;
    let id = id.try_into().map_err(|_| StoreError::Unreadable("the id of a master key has four bytes".to_owned()))?;
    Ok(Known { id: u32::from_be_bytes(id), state: row.get(1)?, at: row.get(2)?, link: row.get(3)? })
}

/// The replacement that is under way.
pub(crate) fn succession(known: &[Known]) -> Option<Succession> {
    let in_state = |state| known.iter().find(|known| known.state == state);
    let (new, old) = (in_state(CURRENT)?, in_state(OUTGOING)?);
    Some(Succession { new: new.id, old: old.id, forth: old.link.clone()?, back: new.link.clone()? })
}

impl Keys {
    pub(crate) async fn masters(&self) -> Result<Vec<Known>> {
        self.db.rows(MASTERS, Vec::new()).await?.iter().map(read).collect()
    }

    /// Says whether the master key is that of this key store, or makes it so where that is new. Gives the key of names.
    pub(crate) async fn meet(&self) -> Result<IndexKey> {
        let ours = self.content().key_id();
        let mut known = self.masters().await?;
        if known.is_empty() {
            let insert = "insert into master(key_id,state,at) values (?,?,?)";
            let args = row![stored(ours), CURRENT, self.master.clock.now()];
            match self.writer.commit(Op { other: vec![(insert, args)], ..Op::default() }).await {
                // Another host was quicker.
                Ok(_) | Err(StoreError::Taken(_)) => known = self.masters().await?,
                Err(error) => return Err(error),
            }
        }
        match known.iter().find(|known| known.id == ours) {
            None => return Err(StoreError::WrongKey),
            Some(own) if own.state == REPLACED => return Err(old_key(&known)),
            Some(_) => self.follow().await?,
        }
        // What opens this is the right master key, whatever its id.
        let names = self.find_or_make(NAMES).await.map_err(|error| match error {
            StoreError::Unreadable(_) => StoreError::WrongKey,
            other => other,
        })?;
        Ok(names.index())
    }

    /// Asks the source again, when what was sealed under a key that we do not know is met.
    pub(crate) async fn know_the_key_of(&self, sealed: &[u8]) -> Result<()> {
        match key_id(sealed) {
            Some(id) if !self.content().knows(id) => self.follow().await,
            _ => Ok(()),
        }
    }

    /// Takes up what the key store says of the master key: both keys while one replaces the other, the new one alone a while after.
    pub(crate) async fn follow(&self) -> Result<()> {
        let _alone = self.master.following.lock().await;
        let (known, content) = (self.masters().await?, self.content());
        let current = known.iter().find(|known| known.state == CURRENT);
        let wanted = match succession(&known) {
            Some(both) if content.key_id() == both.new && content.knows(both.old) => return Ok(()),
            Some(both) => Some(both),
            None if current.is_some_and(|current| current.id != content.key_id()) => {
                self.master.outlived.notify_one();
                return Err(old_key(&known));
            }
            None => {
                let now = self.master.clock.now();
                let over = |known: &Known| known.state == REPLACED && content.knows(known.id) && known.at + KEEP < now;
                if !known.iter().any(over) {
                    return Ok(());
                }
                None
            }
        };
        self.set_content(self.master.source.keys(wanted.as_ref()).await.map_err(refused)?.content());
        Ok(())
    }
}

fn old_key(known: &[Known]) -> StoreError {
    known.iter().find(|known| known.state == CURRENT).map_or(StoreError::WrongKey, |new| StoreError::OldKey { new: new.id })
}

impl Store {
    /// Takes up what others did to the master key. To be called at the bell, and every few minutes.
    pub async fn follow_keys(&self) -> Result<()> {
        self.keys.follow().await
    }

    /// Waits until the master key was replaced while this process stood still: it can read nothing new any more, and must be started
    /// again. For one who waits.
    pub async fn outlived(&self) {
        self.keys.master.outlived.notified().await;
    }

    /// The replacement of the master key that is under way.
    pub async fn succession(&self) -> Result<Option<Succession>> {
        self.keys.masters().await.map(|known| succession(&known))
    }
}
