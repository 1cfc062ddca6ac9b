//! Guests that are kept warm. Only those that the host ships, only for the workspace that they served, a script's only for
//! that script; at most so many in all, the longest unused goes first. The attack this stops: a memory that has seen one
//! workspace's words serving another.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::id::WorkspaceId;

use crate::instance::Instance;

/// Whom a kept guest may serve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) workspace: WorkspaceId,
    /// The plugin's number.
    pub(crate) plugin: u64,
    /// The script's hash.
    pub(crate) script: Option<Arc<str>>,
}

/// The kept guests.
pub(crate) struct Pool {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    guests: HashMap<Key, Vec<(u64, Instance)>>,
    count: usize,
    /// Goes up with every guest put back: the smaller, the longer unused.
    clock: u64,
}

impl Pool {
    /// A pool of at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// A guest that served this key before.
    pub(crate) fn take(&self, key: &Key) -> Option<Instance> {
        let mut kept = self.kept.lock();
        let (_, guest) = kept.guests.get_mut(key)?.pop()?;
        kept.count -= 1;
        Some(guest)
    }

    /// Keeps one.
    pub(crate) fn put(&self, key: Key, guest: Instance) {
        let mut dropped = None;
        {
            let mut kept = self.kept.lock();
            if self.most == 0 {
                dropped = Some(guest);
            } else {
                if kept.count >= self.most {
                    dropped = kept.oldest();
                }
                kept.clock += 1;
                kept.count += 1;
                let now = kept.clock;
                kept.guests.entry(key).or_default().push((now, guest));
            }
        }
        // Outside of the lock: giving its memory back takes a while.
        drop(dropped);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.kept.lock().count
    }
}

impl Kept {
    /// Takes out the one that was unused for longest, and the keys that have none.
    fn oldest(&mut self) -> Option<Instance> {
        self.guests.retain(|_, guests| !guests.is_empty());
        // The first of each list is its oldest.
        let key = self.guests.iter().min_by_key(|(_, guests)| guests.first().map(|(at, _)| *at))?.0.clone();
        let guests = self.guests.get_mut(&key)?;
        self.count -= 1;
        Some(guests.remove(0).1)
    }
}
