//! Opening and tending the store.

use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::clock::Clock;
use pointsman_core::id::{Id, IdMaker};

use crate::conversation::Conversations;
use crate::db::postgres::listen;
use crate::db::{self, Kind, exists};
use crate::everywhere::workspaces_in;
use crate::keys::Keys;
use crate::lease::Leases;
use crate::master::{KeySource, Master};
use crate::op::Op;
use crate::sheet::row;
use crate::spare::Spares;
use crate::types::{Place, Result, Stats, StoreConfig, StoreError};
use crate::webhook::SPAN;
use crate::writer::Writer;
use crate::{Inner, Store, torn};

/// Whether a workspace has dedupe hashes of spans that are over, and what deletes some of them.
const OLD_HASHES: &str = "select 1 from dedupe where ws=? and span<? limit 1";
const FORGET_HASHES: &str = "delete from dedupe where (ws,span,h) in \
    (select ws,span,h from dedupe where ws=? and span<? limit 2000)";

/// What deletes values whose time is over.
const FORGET_VALUES: &str = "with recursive w(ws) as (select min(ws) from state where until is not null union all \
    select (select min(ws) from state where until is not null and ws>w.ws) from w where w.ws is not null) \
    delete from state where (ws,scope,owner,key_h) in (select s.ws,s.scope,s.owner,s.key_h from w cross join state s \
    where s.ws=w.ws and s.until is not null and s.until<=?)";

/// The keys of contacts among all.
const CONTACTS: &str = "kind=1";

impl Store {
    /// Opens both files, making them if there are none, and starts the writers. `WrongKey` when the key store was made under
    /// another master key, `OldKey` when its master key was replaced, `NoKeys` when there is data and the key store is gone.
    pub async fn open(config: StoreConfig, source: Arc<dyn KeySource>, clock: Arc<dyn Clock>, ids: Arc<IdMaker>) -> Result<Self> {
        if exists(&config.data).await? && !exists(&config.keys).await? {
            return Err(StoreError::NoKeys(config.keys.to_string()));
        }
        torn::tell(&config.data);
        torn::tell(&config.keys);
        let (key_db, key_pen) = db::open(&config.keys, Kind::Keys, config.readers.min(2), None).await?;
        let (key_writer, key_task) = Writer::start(key_pen);
        let keys = Keys::new(Master::of(source, clock.clone()).await?, key_db, key_writer, config.key_cache);
        let index = keys.meet().await?;
        let leases = Arc::new(Leases::new(matches!(config.data, Place::Postgres(_)), config.lease));
        let (data, pen) = db::open(&config.data, Kind::Data, config.readers, Some(leases.clone())).await?;
        let (writer, task) = Writer::start(pen);
        let listener = match &config.data {
            Place::Postgres(url) => Some(tokio::spawn(listen(url.clone(), leases.clone()))),
            Place::Sqlite(_) => None,
        };
        let store = Self(Arc::new(Inner {
            writer,
            data,
            keys,
            spares: Spares::default(),
            conversations: Conversations::new(config.conversations),
            index,
            clock,
            ids,
            leases,
            name: config.name,
            listener,
            turn: tokio::sync::Mutex::default(),
            tasks: Mutex::new(vec![task, key_task]),
        }));
        if store.shared() {
            store.join().await?;
        }
        store.outrun().await?;
        Ok(store)
    }

    /// What the writers have done since the store was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { key_commits: self.keys.writer.stats().commits, ..self.writer.stats() }
    }

    /// Tends the files: forgets dedupe hashes and values whose time is over, empties the logs, gives free pages back. To be
    /// called every few minutes.
    pub async fn maintain(&self) -> Result<()> {
        let now = self.clock.now();
        self.writer.commit(Op { other: vec![(FORGET_VALUES, row![now])], ..Op::default() }).await?;
        let (old, with_hashes) =
            (now.div_euclid(SPAN) - 2, workspaces_in("dedupe", "true") + "select ws from w where ws is not null");
        for workspace in self.data.rows(with_hashes, Vec::new()).await? {
            let args = row![workspace.get::<i64>(0)?, old];
            // A span ends all at once, and with it millions perhaps: messages are written between some of them and the next.
            while self.data.row(OLD_HASHES, args.clone()).await?.is_some() {
                self.writer.commit(Op { other: vec![(FORGET_HASHES, args.clone())], ..Op::default() }).await?;
            }
        }
        for workspace in self.workspaces().await? {
            self.fold_spends(workspace.id).await?;
        }
        self.data.tend().await?;
        self.keys.db.tend().await
    }

    /// Waits until everything that was asked for so far is on disk, or refused.
    pub async fn written(&self) -> Result<()> {
        self.writer.commit(Op::default()).await.map(|_| ())
    }

    /// Waits until the disk could not keep what it had taken. The writer has ended then and everything is refused: the process
    /// must end, and a new one begin with what is on disk. For one who waits.
    pub async fn lost(&self) {
        tokio::select! {
            () = self.writer.lost() => {}
            () = self.keys.writer.lost() => {}
        }
    }

    /// Waits until everything that was asked for is on disk, and ends the writers. Whatever is asked later is refused.
    pub async fn close(&self) -> Result<()> {
        self.writer.close();
        self.keys.writer.close();
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let _ = task.await;
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "could not leave the other hosts; what this one had becomes theirs when its time is over");
        }
        self.data.close().await?;
        self.keys.db.close().await
    }

    /// Makes sure that no id is given twice, even when the clock was set back since the last start.
    async fn outrun(&self) -> Result<()> {
        let data = ["webhook", "event", "run", "send", "contact", "conversation", "channel", "note", "audit"];
        let tables = data.map(|table| (&self.data, table, "true"));
        // A key may have an id whose contact never came.
        for (database, table, of) in tables.into_iter().chain([(&self.keys.db, "data_key", CONTACTS)]) {
            let newest = format!("select coalesce(max((select max(id) from {table} t where t.ws=w.ws and {of})),0) from w");
            let row = database.row([workspaces_in(table, "true"), newest].concat(), Vec::new()).await?;
            let last = row.map_or(Ok(Id(0)), |row| row.id(0))?;
            if last.0 > 0 {
                self.ids.next(last.made_at() + 1);
            }
        }
        Ok(())
    }
}
