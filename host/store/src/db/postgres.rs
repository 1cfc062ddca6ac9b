//! A database of Postgres: its connections, migrations, and texts. Everything runs at `read committed`: what a transaction must
//! not see changed it locks.

pub(crate) mod pen;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::RwLock;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions, PgTypeInfo, Postgres,
};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Encode, Row as _, Type};
use tokio::runtime::Handle;

use super::fault::{Fault, meaning};
use super::{Kind, Migration, Record, Sql, missing};
use crate::lease::Leases;
use crate::sheet::{ALL, Arg, SHEETS, Sheet};
use crate::types::{Result, StoreError};

const DATA: &[Migration] = &[(1, include_str!("../../migrations/postgres/0001_init.sql"))];
const KEYS: &[Migration] = &[(1, include_str!("../../migrations/keys_postgres/0001_init.sql"))];

/// On which everybody hears that something was kept.
const CHANNEL: &str = "pointsman";

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is asked what became of a commit in whose middle the connection broke, and how.
const ASK: Duration = Duration::from_millis(100);
const COMMITTED: &str = "select pg_xact_status(?::xid8)";

/// Transactions beside the writer at the same time.
const ACTS: u32 = 4;

/// Texts that stay prepared on a connection, unless the address says otherwise.
const PREPARED: usize = 256;

/// Begins a transaction that writes. A host that stands still or is cut off in the middle of one holds its rows, and with them the
/// lanes that others are to take over: after ten seconds the server ends it.
const BEGIN: &str = "begin;set local idle_in_transaction_session_timeout=10000";

/// Whoever brings the schema up to date takes this lock.
const MIGRATING: i64 = 0x706f_696e_7474;

/// One database.
pub(crate) struct Server {
    readers: PgPool,
    /// Where the connections live. Guests ask from threads of their own, which know no sockets.
    home: Handle,
    acts: PgPool,
    /// Reads are repeated as often as broken connections may be in hand.
    repeats: u32,
    texts: RwLock<HashMap<String, Arc<str>>>,
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let mut options = PgConnectOptions::from_str(url).map_err(|e| meaning(&e))?;
    options = sqlx::ConnectOptions::disable_statement_logging(options);
    if options.get_application_name().is_none() {
        options = options.application_name("pointsman");
    }
    // A pooler that hands connections round by the transaction wants 0.
    Ok(if url.contains("statement-cache-capacity") { options } else { options.statement_cache_capacity(PREPARED) })
}

/// The address without its secrets.
pub(crate) fn shown(url: &str) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(o) => format!("postgres://{}:{}/{}", o.get_host(), o.get_port(), o.get_database().unwrap_or_default()),
        Err(_) => "postgres://…".to_owned(),
    }
}

/// Whether the database holds anything of ours.
pub(crate) async fn exists(url: &str) -> Result<bool> {
    let mut connection = connect(&options(url)?).await?;
    let row = sqlx::query("select to_regclass('schema_version') is not null").fetch_one(&mut connection).await;
    let found = row.and_then(|row| row.try_get(0)).map_err(|e| meaning(&e))?;
    let _ = connection.close().await;
    Ok(found)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await {
        Ok(connected) => connected.map_err(|e| meaning(&e)),
        Err(_) => Err(StoreError::Disk("Postgres does not answer".to_owned())),
    }
}

/// Opens a database, bringing it up to the newest schema: its connections for reading and acts, and the pen of its writer. With
/// leases, the pen refuses what is not this host's to write.
pub(crate) async fn open(url: &str, kind: Kind, readers: u32, leases: Option<Arc<Leases>>) -> Result<(Server, pen::Pen)> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    migrate(&mut connection, if kind == Kind::Data { DATA } else { KEYS }).await?;
    let pool = |max: u32| {
        let pool = PgPoolOptions::new().max_connections(max).acquire_timeout(PATIENCE).test_before_acquire(false);
        pool.connect_lazy_with(options.clone())
    };
    let (repeats, texts) = (readers.max(1) + ACTS, RwLock::default());
    let server = Server { readers: pool(readers.max(1)), home: Handle::current(), acts: pool(ACTS), repeats, texts };
    Ok((server, pen::Pen::new(options, connection, leases)))
}

/// All migrations that are missing, in one transaction, one host at a time.
async fn migrate(connection: &mut PgConnection, migrations: &'static [Migration]) -> Result<()> {
    let fail = |e: sqlx::Error| meaning(&e);
    let mut t = connection.begin().await.map_err(fail)?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATING).execute(&mut *t).await.map_err(fail)?;
    let table = "create table if not exists schema_version (version bigint primary key, at timestamptz not null default now())";
    sqlx::raw_sql(table).execute(&mut *t).await.map_err(fail)?;
    let row = sqlx::query("select coalesce(max(version),0) from schema_version").fetch_one(&mut *t).await.map_err(fail)?;
    for (version, text) in missing(migrations, row.try_get(0).map_err(fail)?)? {
        sqlx::raw_sql(*text).execute(&mut *t).await.map_err(fail)?;
        sqlx::query("insert into schema_version(version) values ($1)").bind(*version).execute(&mut *t).await.map_err(fail)?;
    }
    t.commit().await.map_err(fail)
}

/// Wakes whoever waits for news when another host kept something. Polling is the truth; this makes it quick.
pub(crate) async fn listen(url: String, leases: Arc<Leases>) {
    loop {
        if let Err(error) = hear(&url, &leases).await {
            tracing::debug!(%error, "does not hear what other hosts keep; polls");
        }
        tokio::time::sleep(PATIENCE).await;
    }
}

async fn hear(url: &str, leases: &Leases) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options(url)?);
    let mut listener = PgListener::connect_with(&pool).await.map_err(|e| meaning(&e))?;
    listener.listen(CHANNEL).await.map_err(|e| meaning(&e))?;
    // What was kept while nobody listened.
    leases.kept.notify_one();
    while let Some(heard) = listener.try_recv().await.map_err(|e| meaning(&e))? {
        if heard.payload() != leases.token().to_string() {
            leases.kept.notify_one();
        }
    }
    Ok(())
}

/// A null whose type the statement decides.
struct Nothing;

impl Type<Postgres> for Nothing {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Nothing {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn bound(values: &[Arg]) -> Result<PgArguments, sqlx::Error> {
    let mut args = PgArguments::default();
    for value in values {
        match value {
            Arg::Null => args.add(Nothing),
            Arg::Int(n) => args.add(*n),
            Arg::Word(s) => args.add(*s),
            Arg::Text(s) => args.add(s.as_str()),
            Arg::Blob(b) => args.add(b.as_slice()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(args)
}

/// `?` and `?N` become `$N`.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut count = 0;
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('?') {
        text.push_str(before);
        rest = after;
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            text.push('$');
        } else {
            count += 1;
            let _ = write!(text, "${count}");
        }
    }
    text.push_str(rest);
    text
}

/// The types of columns: a name means the same in every sheet.
fn column_type(name: &str) -> &'static str {
    match name {
        "reason" | "rule" | "kind" | "workflow" | "waiting" | "path" | "written_by" => "text",
        "body" | "h" | "thread" | "why" | "owners" | "raw" | "journal" | "key" | "ids" | "provider_h" | "key_h" | "wrapped" => {
            "bytea"
        }
        _ => "bigint",
    }
}

/// What is done with the rows of a sheet, where that differs.
fn body(sheet: Sheet) -> &'static str {
    match sheet {
        // Whoever ends an event takes it off its webhook, in one statement: two who end it at once count it once.
        Sheet::EventEnd => {
            ",e as (update event set state=v.state,rule=v.rule from v where event.ws=v.ws and event.id=v.id and event.state<2 \
             returning event.ws,event.webhook) update webhook set open=webhook.open-c.n, \
             state=case when webhook.open<=c.n and webhook.state=0 then 2 else webhook.state end \
             from (select e.ws,e.webhook,count(*) as n from e group by e.ws,e.webhook) c \
             where webhook.ws=c.ws and webhook.id=c.webhook"
        }
        _ => sheet.spec().body,
    }
}

/// The statement of each sheet: one array a column.
pub(crate) static STATEMENTS: LazyLock<[String; SHEETS]> = LazyLock::new(|| {
    ALL.map(|sheet| {
        let columns = sheet.spec().columns;
        let arrays: Vec<String> =
            columns.split(',').enumerate().map(|(n, name)| format!("${}::{}[]", n + 1, column_type(name))).collect();
        format!("with v({columns}) as (select * from unnest({})) {}", arrays.join(","), body(sheet))
    })
});

/// The statement of a sheet and its values, a column at a time. `value(row, column)`.
fn sheet_query<'a>(
    sheet: Sheet,
    rows: usize,
    value: impl Fn(usize, usize) -> Option<&'a Arg>,
) -> Result<(&'static str, PgArguments), sqlx::Error> {
    let mut args = PgArguments::default();
    for (column, name) in sheet.spec().columns.split(',').enumerate() {
        let cells = (0..rows).map(|row| value(row, column));
        match column_type(name) {
            "text" => args.add(cells.map(|cell| cell.and_then(Arg::text)).collect::<Vec<Option<&str>>>()),
            "bytea" => args.add(cells.map(|cell| cell.and_then(Arg::blob)).collect::<Vec<Option<&[u8]>>>()),
            _ => args.add(cells.map(|cell| cell.and_then(Arg::int)).collect::<Vec<Option<i64>>>()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok((STATEMENTS.get(sheet as usize).map_or("", String::as_str), args))
}

impl Server {
    fn text(&self, sql: &str) -> Arc<str> {
        if let Some(text) = self.texts.read().get(sql) {
            return text.clone();
        }
        let text: Arc<str> = numbered(sql).into();
        let mut texts = self.texts.write();
        if texts.len() > 1_024 {
            texts.clear();
        }
        texts.insert(sql.to_owned(), text.clone());
        text
    }

    pub(super) async fn rows(&self, sql: Sql, args: &[Arg]) -> Result<Vec<Record>> {
        let text = self.text(&sql);
        let mut repeats = self.repeats;
        loop {
            let (readers, text, bound) = (self.readers.clone(), text.clone(), bound(args).map_err(|e| meaning(&e))?);
            let asked = async move { sqlx::query_with(AssertSqlSafe(text), bound).fetch_all(&readers).await };
            match self.home.spawn(asked).await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) {
                Ok(rows) => return Ok(rows.into_iter().map(Record::Postgres).collect()),
                // The connection was broken, and is thrown away: perhaps Postgres was started anew.
                Err(error) => match Fault::from(error) {
                    Fault::Lost(_) if repeats > 0 => repeats -= 1,
                    fault => return Err(fault.meaning()),
                },
            }
        }
    }

    /// Asks until there is an answer.
    pub(super) async fn took_place(&self, transaction: &str) -> Result<()> {
        loop {
            match self.rows(COMMITTED.into(), &[Arg::Text(transaction.to_owned())]).await {
                Ok(rows) => match rows.first().map(|row| row.get::<Option<String>>(0)).transpose()?.flatten().as_deref() {
                    Some("committed") => return Ok(()),
                    Some("in progress") => {}
                    _ => return Err(StoreError::Disk("Postgres went away before the commit".to_owned())),
                },
                Err(error @ StoreError::Disk(_)) => tracing::error!(%error, "what became of a commit cannot be asked yet"),
                // Closed; or the Postgres that came back does not know the transaction.
                Err(error) => return Err(error),
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// What is committed meanwhile does not show.
    pub(super) async fn snapshot(&self) -> Result<Transaction<'_>> {
        self.transaction(&self.readers, "begin isolation level repeatable read read only").await
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'_>> {
        self.transaction(&self.acts, BEGIN).await
    }

    async fn transaction(&self, pool: &PgPool, begin: &'static str) -> Result<Transaction<'_>> {
        let mut repeats = self.repeats;
        loop {
            match pool.begin_with(begin).await {
                Ok(inner) => return Ok(Transaction { inner, server: self }),
                Err(error) => match Fault::from(error) {
                    Fault::Lost(_) if repeats > 0 => repeats -= 1,
                    fault => return Err(fault.meaning()),
                },
            }
        }
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.acts.close().await;
    }
}

/// A transaction beside the writer.
pub(crate) struct Transaction<'a> {
    inner: sqlx::Transaction<'static, Postgres>,
    server: &'a Server,
}

impl Transaction<'_> {
    pub(super) async fn rows(&mut self, sql: Sql, args: &[Arg]) -> Result<Vec<Record>> {
        let bound = bound(args).map_err(|e| meaning(&e))?;
        let query = sqlx::query_with(AssertSqlSafe(self.server.text(&sql)), bound);
        let rows = query.fetch_all(&mut *self.inner).await.map_err(|e| meaning(&e))?;
        Ok(rows.into_iter().map(Record::Postgres).collect())
    }

    pub(super) async fn run(&mut self, sql: Sql, args: &[Arg]) -> Result<()> {
        let bound = bound(args).map_err(|e| meaning(&e))?;
        let query = sqlx::query_with(AssertSqlSafe(self.server.text(&sql)), bound);
        query.execute(&mut *self.inner).await.map(|_| ()).map_err(|e| meaning(&e))
    }

    /// A row of a sheet.
    pub(super) async fn put(&mut self, sheet: Sheet, args: &[Arg]) -> Result<()> {
        let (text, bound) = sheet_query(sheet, 1, |_, column| args.get(column)).map_err(|e| meaning(&e))?;
        sqlx::query_with(text, bound).execute(&mut *self.inner).await.map(|_| ()).map_err(|e| meaning(&e))
    }

    pub(super) async fn commit(self) -> Result<()> {
        self.inner.commit().await.map_err(|e| meaning(&e))
    }

    pub(super) async fn roll_back(self) {
        // Where even that fails the connection is gone, and the transaction with it.
        let _ = self.inner.rollback().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_values_are_numbered_in_their_order_or_as_they_say() {
        assert_eq!(numbered("a=? and b in (?,?) limit ?"), "a=$1 and b in ($2,$3) limit $4");
        assert_eq!(numbered("a=?2 and b=?1"), "a=$2 and b=$1");
        assert_eq!(numbered("select 1"), "select 1");
    }

    #[test]
    fn an_address_is_told_without_its_secrets() {
        let told = shown("postgres://me:verysecret@db.example:6000/house?sslmode=require");
        assert_eq!(told, "postgres://db.example:6000/house");
    }
}
