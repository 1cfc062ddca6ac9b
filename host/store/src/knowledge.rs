//! Knowledge bases: the operator's own texts, in passages, sealed with the workspace's key. What the bytes of a passage and the counted
//! words of a source mean is the caller's matter; nothing is searched here, so both databases give the same answers.
//!
//! A source is written beside the line: its passages in commits of a few, under a new id that nobody knows yet; then, in one
//! transaction, the source takes that id, the base another version, and the audit a line. What it had before is deleted
//! afterwards. What a crash leaves behind is deleted when the base is next tidied.

use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::db::{Record, Transaction};
use crate::keys::Sealer;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{KnowledgeBase, KnowledgeSource, NewSource, Result, StoreError, VectorRow};

/// Passages in one commit: small, because what comes in waits behind it.
const AT_ONCE: usize = 64;

/// How old passages without a source must be to count as left behind: whoever writes them may still be at it.
const LEFT_BEHIND: i64 = 3_600_000;

const BASE: &str = "select id,name,language,embed,at,version from knowledge_base where ws=?";

impl Store {
    /// The knowledge bases of a workspace, by name.
    pub async fn knowledge_bases(&self, ws: WorkspaceId) -> Result<Vec<KnowledgeBase>> {
        let rows = self.data.rows([BASE, " order by name"].concat(), row![ws]).await?;
        rows.iter().map(read_base).collect()
    }

    /// One by its name.
    pub async fn knowledge_base(&self, ws: WorkspaceId, name: &str) -> Result<Option<KnowledgeBase>> {
        let row = self.data.row([BASE, " and name=?"].concat(), row![ws, name.to_owned()]).await?;
        row.as_ref().map(read_base).transpose()
    }

    /// The base of this name, made if there is none. A language that is given holds from now on.
    pub async fn make_knowledge_base(
        &self,
        ws: WorkspaceId,
        actor: &str,
        name: &str,
        language: Option<&str>,
    ) -> Result<KnowledgeBase> {
        let as_wanted = |base: &KnowledgeBase| language.is_none() || base.language.as_deref() == language;
        if let Some(base) = self.knowledge_base(ws, name).await?.filter(as_wanted) {
            return Ok(base);
        }
        let (actor, named, language) = (actor.to_owned(), name.to_owned(), language.map(str::to_owned));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let id = store.ids.next(store.clock.now());
                let sql = "insert into knowledge_base(ws,id,name,language,at,version) values (?,?,?,?,?,?) \
                           on conflict (ws,name) do update set language=coalesce(excluded.language,knowledge_base.language)";
                c.run(sql, row![ws, id, named.clone(), language, store.clock.now(), id]).await?;
                store.audit_within(c, ws, &actor, "knowledge.base", &named).await
            })
        })
        .await?;
        self.knowledge_base(ws, name).await?.ok_or(StoreError::Missing("knowledge base"))
    }

    /// The sources of a base, by name.
    pub async fn knowledge_sources(&self, ws: WorkspaceId, base: Id) -> Result<Vec<KnowledgeSource>> {
        let sql = "select name,id,hash,kind,at,passages from knowledge_source where ws=? and base=? order by name";
        let read = |row: &Record| -> Result<KnowledgeSource> {
            let (name, id, hash, kind, at) = (row.get(0)?, row.id(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(KnowledgeSource { name, id, hash, kind, at, passages: row.get::<i64>(5)?.unsigned_abs() })
        };
        self.data.rows(sql, row![ws, base]).await?.iter().map(read).collect()
    }

    /// The counted words of a source; `None` when it is another by now.
    pub async fn knowledge_words(&self, ws: WorkspaceId, base: Id, source: &KnowledgeSource) -> Result<Option<Vec<u8>>> {
        let sql = "select words from knowledge_source where ws=? and base=? and name=? and id=?";
        let Some(row) = self.data.row(sql, row![ws, base, source.name.clone(), source.id]).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.get(0)?;
        self.knowledge_sealer(ws, source.id).await?.open(ws.0, "knowledge.words", 0, &sealed).map(Some)
    }

    /// A passage; `None` when its source is another by now.
    pub async fn knowledge_passage(&self, ws: WorkspaceId, source: Id, n: u32) -> Result<Option<Vec<u8>>> {
        let sql = "select body from knowledge_passage where ws=? and source=? and n=?";
        let Some(row) = self.data.row(sql, row![ws, source, i64::from(n)]).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.get(0)?;
        self.knowledge_sealer(ws, source).await?.open(ws.0, "knowledge.passage", i64::from(n), &sealed).map(Some)
    }

    /// Puts a source into a base, in place of the one of its name.
    pub async fn put_knowledge_source(&self, ws: WorkspaceId, actor: &str, base: Id, new: NewSource) -> Result<()> {
        let id = self.ids.next(self.clock.now());
        let sealer = self.knowledge_sealer(ws, id).await?;
        let sql = "insert into knowledge_passage(ws,source,n,body) values (?,?,?,?)";
        let count = i64::try_from(new.passages.len()).unwrap_or(i64::MAX);
        for (batch, from) in new.passages.chunks(AT_ONCE).zip((0_i64..).step_by(AT_ONCE)) {
            let mut other = Vec::with_capacity(batch.len());
            for (body, n) in batch.iter().zip(from..) {
                other.push((sql, row![ws, id, n, sealer.seal(ws.0, "knowledge.passage", n, body)?]));
            }
            self.writer.commit(Op { other, ..Op::default() }).await?;
        }
        for VectorRow { n, model, body } in new.vectors {
            let body = sealer.seal(ws.0, "knowledge.vectors", n.into(), &body)?;
            let sql = "insert into knowledge_vector(ws,source,n,model,body) values (?,?,?,?,?)";
            let other = vec![(sql, row![ws, id, i64::from(n), model, body])];
            self.writer.commit(Op { other, ..Op::default() }).await?;
        }
        let words = sealer.seal(ws.0, "knowledge.words", 0, &new.words)?;
        let actor = actor.to_owned();
        let before = self
            .alone(ws, move |store, c| {
                Box::pin(async move {
                    let name = hold(c, ws, base).await?;
                    let before = source(c, ws, base, &new.name).await?;
                    let sql = "insert into knowledge_source(ws,base,name,id,hash,kind,at,passages,words) values (?,?,?,?,?,?,?,?,?) \
                               on conflict (ws,base,name) do update set id=excluded.id,hash=excluded.hash,kind=excluded.kind,\
                               at=excluded.at,passages=excluded.passages,words=excluded.words";
                    let mut args = row![ws, base, new.name.clone(), id, new.hash, new.kind, store.clock.now()];
                    args.extend(row![count, words]);
                    c.run(sql, args).await?;
                    store.changed(c, ws, base, (&actor, "knowledge.put"), &format!("{name}/{}", new.name)).await?;
                    Ok(before)
                })
            })
            .await?;
        match before {
            Some(before) => self.drop_passages(ws, before).await,
            None => Ok(()),
        }
    }

    /// Takes a source out of a base. False: there is none of this name.
    pub async fn remove_knowledge_source(&self, ws: WorkspaceId, actor: &str, base: Id, name: &str) -> Result<bool> {
        let (actor, name) = (actor.to_owned(), name.to_owned());
        let before = self
            .alone(ws, move |store, c| {
                Box::pin(async move {
                    let called = hold(c, ws, base).await?;
                    let before = source(c, ws, base, &name).await?;
                    if before.is_some() {
                        let sql = "delete from knowledge_source where ws=? and base=? and name=?";
                        c.run(sql, row![ws, base, name.clone()]).await?;
                        store.changed(c, ws, base, (&actor, "knowledge.remove"), &format!("{called}/{name}")).await?;
                    }
                    Ok(before)
                })
            })
            .await?;
        match before {
            Some(before) => self.drop_passages(ws, before).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes a base with all its sources. False: there is none of this name.
    pub async fn remove_knowledge_base(&self, ws: WorkspaceId, actor: &str, name: &str) -> Result<bool> {
        let (actor, named) = (actor.to_owned(), name.to_owned());
        let sources = self
            .alone(ws, move |store, c| {
                Box::pin(async move {
                    let sql = "select id from knowledge_base where ws=? and name=?";
                    let Some(base) = c.hold_one(sql, row![ws, named.clone()]).await? else { return Ok(None) };
                    let base = base.id(0)?;
                    let held = c.hold("select id from knowledge_source where ws=? and base=?", row![ws, base]).await?;
                    let sources = held.iter().map(|row| row.id(0)).collect::<Result<Vec<Id>>>()?;
                    c.run("delete from knowledge_source where ws=? and base=?", row![ws, base]).await?;
                    c.run("delete from knowledge_base where ws=? and id=?", row![ws, base]).await?;
                    store.audit_within(c, ws, &actor, "knowledge.drop", &named).await?;
                    Ok(Some(sources))
                })
            })
            .await?;
        let Some(sources) = sources else { return Ok(false) };
        for source in sources {
            self.drop_passages(ws, source).await?;
        }
        Ok(true)
    }

    /// Deletes passages whose source never came to be, because whoever wrote them was ended. Returns of how many sources.
    pub async fn tidy_knowledge(&self, ws: WorkspaceId) -> Result<usize> {
        let sql = "with recursive s(source) as (select min(source) from knowledge_passage where ws=?1 union all \
                   select (select min(source) from knowledge_passage where ws=?1 and source>s.source) from s where s.source is not null) \
                   select s.source from s where s.source is not null and s.source not in (select id from knowledge_source where ws=?1)";
        let mut left = Vec::new();
        for row in self.data.rows(sql, row![ws]).await? {
            left.push(row.id(0)?);
        }
        left.retain(|source| source.made_at() < self.clock.now() - LEFT_BEHIND);
        for source in &left {
            self.drop_passages(ws, *source).await?;
        }
        Ok(left.len())
    }

    /// Says which connection makes vectors of a base's passages; `None`: none does. Vectors that are there stay until others take their place.
    pub async fn set_knowledge_embed(&self, ws: WorkspaceId, actor: &str, base: Id, embed: Option<&str>) -> Result<()> {
        let (actor, embed) = (actor.to_owned(), embed.map(str::to_owned));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let name = hold(c, ws, base).await?;
                c.run("update knowledge_base set embed=? where ws=? and id=?", row![embed.clone(), ws, base]).await?;
                let detail = format!("{name} {}", embed.as_deref().unwrap_or("-"));
                store.changed(c, ws, base, (&actor, "knowledge.embed"), &detail).await
            })
        })
        .await
    }

    /// The vectors of a source's passages, in their order.
    pub async fn knowledge_vectors(&self, ws: WorkspaceId, source: Id) -> Result<Vec<VectorRow>> {
        let sql = "select n,model,body from knowledge_vector where ws=? and source=? order by n";
        let rows = self.data.rows(sql, row![ws, source]).await?;
        let sealer = self.knowledge_sealer(ws, source).await?;
        let read = |row: &Record| -> Result<VectorRow> {
            let (n, sealed): (i64, Vec<u8>) = (row.get(0)?, row.get(2)?);
            let body = sealer.open(ws.0, "knowledge.vectors", n, &sealed)?;
            Ok(VectorRow { n: u32::try_from(n).unwrap_or(u32::MAX), model: row.get(1)?, body })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps vectors of a source's passages in place of those that are there, if the source is still there.
    pub async fn put_knowledge_vectors(&self, ws: WorkspaceId, base: Id, source: Id, row: VectorRow) -> Result<()> {
        let VectorRow { n, model, body } = row;
        let body = self.knowledge_sealer(ws, source).await?.seal(ws.0, "knowledge.vectors", n.into(), &body)?;
        let sql = "insert into knowledge_vector(ws,source,n,model,body) \
                   select s.ws,s.id,cast(? as bigint),cast(? as text),? from knowledge_source s where s.ws=? and s.base=? and s.id=? \
                   on conflict (ws,source,n) do update set model=excluded.model,body=excluded.body";
        let other = vec![(sql, row![i64::from(n), model, body, ws, base, source])];
        self.writer.commit(Op { other, ..Op::default() }).await.map(drop)
    }

    /// Gives a base another version: vectors were made, and whoever keeps an index reads them.
    pub async fn renew_knowledge_base(&self, ws: WorkspaceId, actor: &str, base: Id, detail: &str) -> Result<()> {
        let (actor, detail) = (actor.to_owned(), detail.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let name = hold(c, ws, base).await?;
                store.changed(c, ws, base, (&actor, "knowledge.vectors"), &format!("{name} {detail}")).await
            })
        })
        .await
    }

    /// The workspace's own key, bound to a source: what is sealed with it cannot take the place of another source's.
    async fn knowledge_sealer(&self, ws: WorkspaceId, source: Id) -> Result<Sealer> {
        Ok(Sealer { owner: source.0, ..self.keys.house(ws.0).await? })
    }

    async fn drop_passages(&self, ws: WorkspaceId, source: Id) -> Result<()> {
        let other = vec![
            ("delete from knowledge_passage where ws=? and source=?", row![ws, source]),
            ("delete from knowledge_vector where ws=? and source=?", row![ws, source]),
        ];
        self.writer.commit(Op { other, ..Op::default() }).await.map(drop)
    }

    /// Gives a base another version, with a line in the audit.
    async fn changed(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        base: Id,
        (actor, action): (&str, &str),
        detail: &str,
    ) -> Result<()> {
        let version = self.audit_within(c, ws, actor, action, detail).await?;
        c.run("update knowledge_base set version=? where ws=? and id=?", row![version, ws, base]).await
    }
}

async fn hold(c: &mut Transaction<'_>, ws: WorkspaceId, base: Id) -> Result<String> {
    let found = c.hold_one("select name from knowledge_base where ws=? and id=?", row![ws, base]).await?;
    found.ok_or(StoreError::Missing("knowledge base"))?.get(0)
}

async fn source(c: &mut Transaction<'_>, ws: WorkspaceId, base: Id, name: &str) -> Result<Option<Id>> {
    let sql = "select id from knowledge_source where ws=? and base=? and name=?";
    c.hold_one(sql, row![ws, base, name.to_owned()]).await?.map(|row| row.id(0)).transpose()
}

fn read_base(row: &Record) -> Result<KnowledgeBase> {
    let (id, name, language, embed) = (row.id(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(KnowledgeBase { id, name, language, embed, at: row.get(4)?, version: row.id(5)? })
}
