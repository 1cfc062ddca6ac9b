//! Webhooks that were kept and not read, because the box was busy. Behind such a one everything of its workspace stays unread, so that
//! each comes in its place; the other workspaces notice nothing of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use pointsman_core::ports::{Method, Webhook};
use pointsman_store::{Parsed, StoreError, UnreadWebhook};
use tokio::sync::Notify;

use crate::Engine;
use crate::catalog::Channel;
use crate::intake::unreadable;

/// Webhooks of a workspace that are taken from the store at once: the others may have read theirs, and wait for it.
const AT_ONCE: usize = 16;

/// Which workspaces are behind.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    behind: Mutex<HashMap<WorkspaceId, Behind>>,
    look: Notify,
}

#[derive(Debug, Default)]
struct Behind {
    /// Webhooks that are just being kept.
    keeping: usize,
    /// Those before them.
    kept: usize,
}

/// A webhook that stays unread, while it is kept.
#[derive(Debug)]
pub(crate) struct Left<'a>(&'a Unread, WorkspaceId);

impl Unread {
    /// Whether there is something unread in a workspace: what comes now comes behind it.
    pub(crate) fn behind(&self, workspace: WorkspaceId) -> bool {
        self.behind.lock().contains_key(&workspace)
    }

    /// A webhook stays unread.
    pub(crate) fn leave(&self, workspace: WorkspaceId) -> Left<'_> {
        self.behind.lock().entry(workspace).or_default().keeping += 1;
        Left(self, workspace)
    }

    /// It is time for a look.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    /// Those who have nothing that is just being kept, and how much was kept in all: taken before a look at the store.
    fn at_rest(&self) -> Vec<(WorkspaceId, usize)> {
        let behind = self.behind.lock();
        behind.iter().filter(|(_, one)| one.keeping == 0).map(|(workspace, one)| (*workspace, one.kept)).collect()
    }

    /// Nothing was found of this workspace: it is behind no more, if nothing came since it was at rest.
    fn all_read(&self, (workspace, kept): (WorkspaceId, usize)) {
        let mut behind = self.behind.lock();
        if behind.get(&workspace).is_some_and(|one| one.keeping == 0 && one.kept == kept) {
            behind.remove(&workspace);
        }
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(one) = self.0.behind.lock().get_mut(&self.1) {
            one.keeping -= 1;
            one.kept += 1;
        }
        self.0.look();
    }
}

impl Engine {
    /// Reads what was kept unread whenever there is some. Runs for ever.
    pub(crate) async fn read_the_unread(self) {
        loop {
            self.unread.look.notified().await;
            while let Err(error) = self.read_unread_now().await {
                if error == StoreError::Closed {
                    return;
                }
                tracing::error!(%error, "unread webhooks could not be normalized; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// Reads everything that is unread now: of each workspace one after the other, oldest first.
    pub(crate) async fn read_unread_now(&self) -> Result<(), StoreError> {
        loop {
            let at_rest = self.unread.at_rest();
            let mut of_each: BTreeMap<WorkspaceId, Vec<UnreadWebhook>> = BTreeMap::new();
            for webhook in self.store.unread(AT_ONCE).await? {
                of_each.entry(webhook.workspace).or_default().push(webhook);
            }
            at_rest
                .into_iter()
                .filter(|(workspace, _)| !of_each.contains_key(workspace))
                .for_each(|one| self.unread.all_read(one));
            if of_each.is_empty() {
                return Ok(());
            }
            try_join_all(of_each.into_values().map(|webhooks| self.read_in_order(webhooks))).await?;
        }
    }

    async fn read_in_order(&self, webhooks: Vec<UnreadWebhook>) -> Result<(), StoreError> {
        for webhook in webhooks {
            let parsed = match self.catalog.channel(webhook.channel) {
                Some(channel) => self.read(&channel, &webhook).await,
                None => Parsed::Parked(Failure::new(
                    Class::Permanent,
                    "channel.disconnected",
                    "the channel was disconnected before this could be read; connect it again, then retry",
                )),
            };
            self.points.reach("unread.before");
            let ticket = self.feed.ticket();
            let kept = self.store.normalize(webhook, parsed).await?;
            self.points.reach("unread.after");
            self.enqueue(kept, ticket);
        }
        Ok(())
    }

    async fn read(&self, channel: &Channel, webhook: &UnreadWebhook) -> Parsed {
        let hook = Webhook {
            method: Method::Post,
            path: String::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::copy_from_slice(&webhook.raw),
            received: webhook.at,
        };
        match self.channels.parse(channel.workspace, &channel.plugin.id, &hook, &channel.account).await {
            Ok(Ok(reception)) => Parsed::Events(reception.events),
            Ok(Err(_sentence)) => Parsed::Parked(unreadable()),
            Err(failure) => Parsed::Parked(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::id::Id;

    use super::*;

    const ONE: WorkspaceId = Id(1);
    const OTHER: WorkspaceId = Id(2);

    #[test]
    fn a_workspace_is_behind_until_all_that_was_left_is_kept_and_read() {
        let unread = Unread::default();
        let left = unread.leave(ONE);
        assert!(unread.behind(ONE) && !unread.behind(OTHER));
        assert_eq!(unread.at_rest(), [], "the store may not have it yet: that it is not found there says nothing");
        drop(left);
        let seen = unread.at_rest();
        assert_eq!(seen.len(), 1);
        // Another comes while the store is asked.
        drop(unread.leave(ONE));
        seen.into_iter().for_each(|one| unread.all_read(one));
        assert!(unread.behind(ONE));
        let (seen, left) = (unread.at_rest(), unread.leave(ONE));
        seen.into_iter().for_each(|one| unread.all_read(one));
        assert!(unread.behind(ONE));
        drop(left);
        unread.at_rest().into_iter().for_each(|one| unread.all_read(one));
        assert!(!unread.behind(ONE));
    }
}
