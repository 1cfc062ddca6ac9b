//! Keys for strangers. A contact's key is on the disk before the first word that it seals; made when she writes, it costs her
//! message a commit of its own. So some are made beforehand, each with the id that its contact will have: one in a workspace
//! where few strangers come, more at a time the faster they come. What a host has not given away when it ends names nobody, and
//! does no harm.

use std::collections::HashMap;

use parking_lot::Mutex;
use pointsman_core::clock::{Instant, Millis};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_vault::{DataKey, KeyKind, KeyName};

use crate::Store;
use crate::types::{Result, StoreError};

/// Keys that are made together at most.
const MOST: usize = 64;

/// Strangers who come within such a time of each other come fast.
const FAST: Millis = 10_000;

/// Workspaces whose keys are remembered. Beyond, all are forgotten; their keys stay on the disk and name nobody.
const WORKSPACES: usize = 4_096;

/// What is ready, by workspace.
#[derive(Default)]
pub(crate) struct Spares(Mutex<HashMap<WorkspaceId, Spare>>);

struct Spare {
    ready: Vec<(Id, DataKey)>,
    /// How many were made together last, and when that was asked for.
    batch: usize,
    asked: Instant,
    /// Whether more are on their way.
    coming: bool,
}

impl Spares {
    /// One that is ready, and how many to make, if more are wanted now: always some before the last is gone.
    fn take(&self, ws: WorkspaceId, now: Instant) -> (Option<(Id, DataKey)>, Option<usize>) {
        let mut all = self.0.lock();
        if all.len() >= WORKSPACES && !all.contains_key(&ws) {
            all.clear();
        }
        let spare = all.entry(ws).or_insert_with(|| Spare { ready: Vec::new(), batch: 0, asked: now - FAST, coming: false });
        let taken = spare.ready.pop();
        if spare.coming || spare.ready.len() * 2 > spare.batch {
            return (taken, None);
        }
        spare.batch = if now - spare.asked < FAST { (spare.batch * 2).min(MOST) } else { 1 };
        spare.asked = now;
        spare.coming = true;
        (taken, Some(spare.batch))
    }

    fn put(&self, ws: WorkspaceId, made: Vec<(Id, DataKey)>) {
        if let Some(spare) = self.0.lock().get_mut(&ws) {
            // In the order of their ids.
            spare.ready.splice(0..0, made.into_iter().rev());
            spare.coming = false;
        }
    }
}

impl Store {
    /// The id and the key of whoever is new in a workspace.
    pub(crate) async fn stranger(&self, ws: WorkspaceId, now: Instant) -> Result<(Id, DataKey)> {
        let (ready, more) = self.spares.take(ws, now);
        if let Some(count) = more {
            let store = self.clone();
            tokio::spawn(async move {
                let made = store.strangers(ws, now, count).await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "no keys could be made beforehand; the next stranger's is made when it is needed");
                    Vec::new()
                });
                store.spares.put(ws, made);
            });
        }
        let (id, key) = match ready {
            Some(ready) => ready,
            None => self.strangers(ws, now, 1).await?.pop().ok_or(StoreError::Missing("key"))?,
        };
        self.keys.remember(name(ws, id), &key);
        Ok((id, key))
    }

    /// New ids with their keys, which are on the disk.
    async fn strangers(&self, ws: WorkspaceId, now: Instant, count: usize) -> Result<Vec<(Id, DataKey)>> {
        let ids: Vec<Id> = (0..count).map(|_| self.ids.next(now)).collect();
        let names: Vec<KeyName> = ids.iter().map(|id| name(ws, *id)).collect();
        Ok(ids.into_iter().zip(self.keys.make(&names).await?).collect())
    }
}

fn name(ws: WorkspaceId, id: Id) -> KeyName {
    KeyName { workspace: ws.0, kind: KeyKind::Contact, id: id.0 }
}
