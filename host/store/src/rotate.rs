//! Another master key, while hosts run: from [`Store::begin_rotation`] on everybody seals under the new one (the triggers of both
//! schemas refuse the old), then what lies under the old one is sealed anew in small batches, and [`Store::end_rotation`] takes the
//! way from one key to the other out of the key store. Each step is one transaction and can be done again: whoever is interrupted
//! begins where the tables say. A row is changed only if it is still what was read, so what is erased meanwhile stays erased.

use pointsman_core::clock::Instant;
use pointsman_core::id::WorkspaceId;
use pointsman_vault::{KeyKind, KeyName, Succession, key_id};
use serde::Serialize;

use crate::Store;
use crate::db::{Database, Record, Transaction};
use crate::keys::unreadable;
use crate::master::{CURRENT, MASTERS, OUTGOING, REPLACED, read, stored, succession};
use crate::sheet::row;
use crate::types::{CredentialRow, Result, StoreError};

/// How far a replacement of the master key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The id of the key that goes.
    pub old: u32,
    /// The id of the key that comes.
    pub new: u32,
    /// When it began.
    pub begun: Instant,
    /// Keys of contacts, days and channels that are still under the old one.
    pub keys: u64,
    /// Credentials that are.
    pub credentials: u64,
}

/// Where a batch ended.
pub type KeyPlace = (i64, i64, i64);

/// Before the first.
const START: KeyPlace = (i64::MIN, 0, 0);

impl Store {
    /// The master key that seals, by its id, and the replacement that is under way.
    pub async fn rotation(&self) -> Result<(u32, Option<Rotation>)> {
        let known = self.keys.masters().await?;
        let current = known.iter().find(|known| known.state == CURRENT).ok_or(StoreError::Missing("master key"))?;
        let Some(link) = succession(&known) else { return Ok((current.id, None)) };
        let under = |table: &str, column: &str| format!("select count(*) from {table} where substr({column},3,4)=?");
        let count = |row: Option<Record>| row.map_or(Ok(0), |row| row.get::<i64>(0)).map(|n| u64::try_from(n).unwrap_or(0));
        let keys = count(self.keys.db.row(under("data_key", "wrapped"), row![stored(link.old)]).await?)?;
        let credentials = count(self.data.row(under("credential", "sealed"), row![stored(link.old)]).await?)?;
        Ok((current.id, Some(Rotation { old: link.old, new: link.new, begun: current.at, keys, credentials })))
    }

    /// Begins to replace the master key, or goes on: from now on nothing is sealed under the old one. `ws` is whose audit tells of it.
    pub async fn begin_rotation(&self, ws: WorkspaceId, actor: &str, link: &Succession) -> Result<()> {
        let mut t = self.keys.db.begin().await?;
        match begin(&mut t, &self.keys.db, link, self.clock.now()).await {
            Ok(()) => t.commit().await?,
            Err(error) => {
                t.roll_back().await;
                return Err(error);
            }
        }
        let (actor, old, detail) = (actor.to_owned(), stored(link.old), format!("{:08x} to {:08x}", link.old, link.new));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                if store.shared() {
                    // Whoever is in the middle of sealing a credential is waited for; who comes later is refused.
                    c.run("lock table credential in share row exclusive mode", Vec::new()).await?;
                }
                if c.rows("select 1 from replaced_key where key_id=?", row![old.clone()]).await?.is_empty() {
                    c.run("insert into replaced_key(key_id,at) values (?,?)", row![old, store.clock.now()]).await?;
                    store.audit_within(c, ws, &actor, "key.rotate", &detail).await?;
                }
                Ok(())
            })
        })
        .await?;
        self.follow_keys().await
    }

    /// Wraps the next keys that are under the old master key anew, at most `limit`. Gives how many, and where to go on; `None`:
    /// nothing is left behind this place.
    pub async fn rewrap_keys(&self, after: Option<KeyPlace>, limit: usize) -> Result<(u64, Option<KeyPlace>)> {
        let content = self.keys.content();
        let (ws, kind, id) = after.unwrap_or(START);
        let sql = "select ws,kind,id,wrapped from data_key where (ws,kind,id)>(?,?,?) order by ws,kind,id limit ?";
        let rows = self.keys.db.rows(sql, row![ws, kind, id, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        let (mut anew, mut last) = (Vec::new(), None);
        for row in &rows {
            let (place, wrapped): (KeyPlace, Vec<u8>) = ((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?);
            last = Some(place);
            // Zeros: it is being erased.
            if key_id(&wrapped).is_some_and(|id| id != content.key_id() && content.knows(id)) {
                let name = KeyName { workspace: place.0, kind: kind_of(place.1)?, id: place.2 };
                anew.push((place, content.rewrap(name, &wrapped).map_err(unreadable)?, wrapped));
            }
        }
        let count = anew.len() as u64;
        if count > 0 {
            let mut t = self.keys.db.begin().await?;
            let sql = "update data_key set wrapped=? where ws=? and kind=? and id=? and wrapped=?";
            for ((ws, kind, id), wrapped, before) in anew {
                if let Err(error) = t.run(sql, row![wrapped, ws, kind, id, before]).await {
                    t.roll_back().await;
                    return Err(error);
                }
            }
            t.commit().await?;
        }
        Ok((count, last.filter(|_| rows.len() == limit)))
    }

    /// Seals credentials that are under the old master key anew, at most `limit`; `seal` does it. Gives how many there were.
    pub async fn reseal_credentials<F>(&self, old: u32, limit: usize, seal: F) -> Result<u64>
    where
        F: Fn(&CredentialRow) -> Result<Vec<u8>>,
    {
        let sql = "select ws,owner,slot,hosts,sealed from credential where substr(sealed,3,4)=? limit ?";
        let rows = self.data.rows(sql, row![stored(old), i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let rows = rows.iter().map(|row| -> Result<CredentialRow> {
            let hosts = serde_json::from_str(&row.get::<String>(3)?).map_err(|e| StoreError::Unreadable(e.to_string()))?;
            Ok(CredentialRow { workspace: row.id(0)?, owner: row.id(1)?, slot: row.get(2)?, hosts, sealed: row.get(4)? })
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let count = rows.len() as u64;
        let anew = rows.into_iter().map(|row| -> Result<_> { Ok((seal(&row)?, row)) }).collect::<Result<Vec<_>>>()?;
        let mut t = self.data.begin().await?;
        let sql = "update credential set sealed=? where ws=? and owner=? and slot=? and sealed=?";
        for (sealed, row) in anew {
            if let Err(error) = t.run(sql, row![sealed, row.workspace, row.owner, row.slot, row.sealed]).await {
                t.roll_back().await;
                return Err(error);
            }
        }
        t.commit().await?;
        Ok(count)
    }

    /// Ends the replacement: the way from one key to the other is taken out of the key store, and the old key opens nothing any more.
    /// `Rotation` when something is left under it.
    pub async fn end_rotation(&self, ws: WorkspaceId, actor: &str) -> Result<()> {
        let (_, Some(rotation)) = self.rotation().await? else { return Ok(()) };
        if rotation.keys + rotation.credentials > 0 {
            return Err(StoreError::Rotation(
                "something is still sealed under the old master key: run `pointsman key rotate` again",
            ));
        }
        let mut t = self.keys.db.begin().await?;
        let now = self.clock.now();
        for (sql, args) in [
            ("update master set state=?,at=?,link=null where state=?", row![REPLACED, now, OUTGOING]),
            ("update master set link=null where state=?", row![CURRENT]),
        ] {
            if let Err(error) = t.run(sql, args).await {
                t.roll_back().await;
                return Err(error);
            }
        }
        t.commit().await?;
        self.audit(ws, actor, "key.retire", &format!("{:08x}", rotation.old)).await?;
        if let Err(error) = self.keys.db.empty_log().await {
            tracing::warn!(%error, "the log of the key store could not be emptied; it is at the next tidying");
        }
        Ok(())
    }
}

async fn begin(t: &mut Transaction<'_>, db: &Database, link: &Succession, now: Instant) -> Result<()> {
    if matches!(db, Database::Postgres(_)) {
        // Whoever is in the middle of wrapping a key is waited for; who comes later is refused, and wraps it again.
        t.run("lock table master,data_key in share row exclusive mode", Vec::new()).await?;
    }
    let known = t.rows(MASTERS, Vec::new()).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
    match succession(&known) {
        Some(under_way) if under_way == *link => return Ok(()),
        Some(_) => return Err(StoreError::Rotation("another master key is replacing this one already: let that end first")),
        None => {}
    }
    if known.iter().any(|known| known.id == link.new) {
        return Err(StoreError::Rotation("the new master key was in use before: make another"));
    }
    if !known.iter().any(|known| known.id == link.old && known.state == CURRENT) {
        return Err(StoreError::WrongKey);
    }
    let outgoing = "update master set state=?,at=?,link=? where key_id=?";
    t.run(outgoing, row![OUTGOING, now, link.forth.clone(), stored(link.old)]).await?;
    let insert = "insert into master(key_id,state,at,link) values (?,?,?,?)";
    t.run(insert, row![stored(link.new), CURRENT, now, link.back.clone()]).await
}

fn kind_of(kind: i64) -> Result<KeyKind> {
    [KeyKind::Contact, KeyKind::Day, KeyKind::Channel, KeyKind::Index]
        .into_iter()
        .find(|known| *known as i64 == kind)
        .ok_or_else(|| StoreError::Unreadable(format!("a key has kind {kind}")))
}
