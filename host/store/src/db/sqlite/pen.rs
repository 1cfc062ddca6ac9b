//! The writer's connection to a file. A commit costs one hop to the connection's thread (two when it holds webhooks), because
//! hops and not SQL are what is expensive: `begin`, all statements and `commit` are one text. The number of rows of a sheet is
//! rounded up to one of [`SIZES`], so that few texts exist and all stay prepared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Row as _};

use super::log::Log;
use super::{Turn, add};
use crate::batch::{Batch, Heads, gather};
use crate::db::Committed;
use crate::db::fault::Fault;
use crate::op::Op;
use crate::sheet::{ALL, Arg, GROUPS, SHEETS, Sheet};

/// Numbers of rows for which a statement text exists.
const SIZES: [usize; 6] = [1, 3, 8, 24, 64, 192];

/// The size that holds `rows`, or the largest.
fn size_for(rows: usize) -> usize {
    SIZES.into_iter().find(|s| *s >= rows).unwrap_or(192)
}

/// The writer's connection.
pub(crate) struct Pen {
    connection: SqliteConnection,
    log: Log,
    turn: Turn,
    /// Texts by the sizes of their sheets (0: absent), made once.
    texts: HashMap<([u8; SHEETS], bool, bool), Arc<str>>,
    /// Statements since the last commit began, for who counts them.
    ran: usize,
}

impl Pen {
    pub(super) fn new(connection: SqliteConnection, log: Log, turn: Turn) -> Self {
        Self { connection, log, turn, texts: HashMap::new(), ran: 0 }
    }

    pub(crate) async fn commit(&mut self, ops: &[Op]) -> Result<Committed, Fault> {
        if let Some(lost) = self.log.lost() {
            return Err(lost);
        }
        self.ran = 0;
        let _turn = Arc::clone(&self.turn).lock_owned().await;
        let begun = ops.iter().any(|op| op.intake.as_ref().is_some_and(|i| !i.events.is_empty()));
        let known = if begun { self.begin_and_ask(ops).await } else { Ok(HashSet::new()) };
        let batch = match known {
            Ok(known) => gather(ops, &[], &known, Heads::Memory),
            Err(error) => {
                self.roll_back().await;
                return Err(error.into());
            }
        };
        if batch.rows == 0 && !begun {
            return Ok(Committed { answers: batch.new.into_iter().map(Ok).collect(), rows: 0, statements: 0 });
        }
        match self.write(&batch, begun).await {
            Ok(()) => {
                self.log.grew(batch.rows);
                // Not those of an operation that left nothing: who was born with it is carried on.
                batch.births.iter().for_each(|birth| birth.set_done());
                let answers = batch.new.into_iter().map(Ok).collect();
                Ok(Committed { answers, rows: batch.rows, statements: self.ran })
            }
            Err(error) => {
                for (conversation, head) in batch.before.iter().rev() {
                    conversation.set_head(*head);
                }
                self.roll_back().await;
                Err(error.into())
            }
        }
    }

    pub(crate) async fn close(self) {
        self.log.close().await;
        if let Err(e) = self.connection.close().await {
            tracing::warn!(error = %e, "the writer's connection did not close cleanly");
        }
    }

    async fn roll_back(&mut self) {
        // "no transaction is active" is the answer when SQLite has rolled back by itself.
        let _ = sqlx::query("rollback").persistent(false).execute(&mut self.connection).await;
    }

    /// Begins, and asks which hashes are known: inside the transaction, so nobody can come between.
    async fn begin_and_ask(&mut self, ops: &[Op]) -> Result<HashSet<(i64, [u8; 16])>, sqlx::Error> {
        let intakes = ops.iter().filter_map(|op| op.intake.as_ref());
        let hashes: Vec<(i64, i64, [u8; 16])> = intakes.flat_map(|i| i.events.iter().map(|e| (i.ws, i.span, e.h))).collect();
        let mut known = HashSet::new();
        let mut left = hashes.as_slice();
        let mut first = true;
        while !left.is_empty() {
            let size = size_for(left.len());
            let (now, later) = left.split_at(size.min(left.len()));
            let mut args = SqliteArguments::default();
            for (ws, span, h) in now {
                add(&mut args, &Arg::Int(*ws))?;
                add(&mut args, &Arg::Int(*span))?;
                args.add(h.as_slice()).map_err(sqlx::Error::Encode)?;
            }
            (0..(size - now.len()) * 3).try_for_each(|_| add(&mut args, &Arg::Null))?;
            left = later;
            self.ran += 1 + usize::from(first);
            let text = known_text(size, std::mem::take(&mut first));
            for found in sqlx::query_with(AssertSqlSafe(text), args).fetch_all(&mut self.connection).await? {
                if let Ok(h) = found.try_get::<Vec<u8>, _>(1)?.try_into() {
                    known.insert((found.try_get(0)?, h));
                }
            }
        }
        Ok(known)
    }

    async fn write(&mut self, batch: &Batch<'_>, begun: bool) -> Result<(), sqlx::Error> {
        let largest = batch.sheets.iter().map(Vec::len).max().unwrap_or(0);
        if largest <= 192 && batch.other.is_empty() {
            // The usual case: one text from begin to commit, one hop.
            let sizes = sizes(batch, 0);
            let text = self.text(sizes, !begun, true);
            let args = arguments(batch, sizes, 0)?;
            self.ran += statements(sizes) + 1 + usize::from(!begun);
            sqlx::query_with(AssertSqlSafe(text), args).execute(&mut self.connection).await?;
            return Ok(());
        }
        if !begun {
            self.ran += 1;
            sqlx::query("begin immediate").persistent(false).execute(&mut self.connection).await?;
        }
        let mut from = 0;
        while from < largest {
            let sizes = sizes(batch, from);
            let text = self.text(sizes, false, false);
            let args = arguments(batch, sizes, from)?;
            self.ran += statements(sizes);
            sqlx::query_with(AssertSqlSafe(text), args).execute(&mut self.connection).await?;
            from += 192;
        }
        for (text, values) in &batch.other {
            let mut args = SqliteArguments::default();
            values.iter().try_for_each(|v| add(&mut args, v))?;
            sqlx::query_with(*text, args).execute(&mut self.connection).await?;
        }
        self.ran += batch.other.len() + 1;
        sqlx::query("commit").persistent(false).execute(&mut self.connection).await?;
        Ok(())
    }

    fn text(&mut self, sizes: [u8; SHEETS], begin: bool, commit: bool) -> Arc<str> {
        let make = || {
            let mut sql = String::new();
            if begin {
                sql.push_str("begin immediate;");
            }
            for (sheet, size) in ALL.into_iter().zip(sizes) {
                if let Some(rows) = size_of(size) {
                    statement(&mut sql, sheet, rows);
                }
            }
            if commit {
                sql.push_str("commit;");
            }
            Arc::from(sql)
        };
        if self.texts.len() > 4_096 {
            self.texts.clear();
        }
        self.texts.entry((sizes, begin, commit)).or_insert_with(make).clone()
    }
}

/// Asks which (workspace, hash) stand in the present span or the two before.
fn known_text(size: usize, begin: bool) -> String {
    let mut sql = String::from(if begin { "begin immediate;" } else { "" });
    sql.push_str("with v(ws,span,h) as (values ");
    values(&mut sql, size, 3);
    sql.push_str(
        ") select v.ws,v.h from v where exists (select 1 from dedupe d where d.ws=v.ws and d.h=v.h \
         and d.span in (v.span,v.span-1,v.span-2))",
    );
    sql
}

/// Index into [`SIZES`] plus one, for each sheet; 0: absent. Sheets of a group share the size of the longest.
fn sizes(batch: &Batch<'_>, from: usize) -> [u8; SHEETS] {
    let mut groups = [0_usize; GROUPS];
    let left = |n: usize| {
        if n == Sheet::Touch as usize { batch.touches.len() } else { batch.sheets.get(n).map_or(0, Vec::len) }
            .saturating_sub(from)
    };
    for (n, sheet) in ALL.into_iter().enumerate() {
        if let Some(g) = groups.get_mut(sheet.spec().group) {
            *g = left(n).max(*g);
        }
    }
    let mut sizes = [0; SHEETS];
    for ((n, sheet), size) in ALL.into_iter().enumerate().zip(&mut sizes) {
        if left(n) > 0 {
            let rows = size_for(groups.get(sheet.spec().group).copied().unwrap_or(0));
            *size = SIZES.iter().position(|s| *s == rows).map_or(0, |p| p as u8 + 1);
        }
    }
    sizes
}

/// How many sheets have rows, each of which is one statement.
fn statements(sizes: [u8; SHEETS]) -> usize {
    sizes.into_iter().filter(|size| *size > 0).count()
}

fn size_of(size: u8) -> Option<usize> {
    SIZES.get(usize::from(size).checked_sub(1)?).copied()
}

fn arguments(batch: &Batch<'_>, sizes: [u8; SHEETS], from: usize) -> Result<SqliteArguments, sqlx::Error> {
    let mut args = SqliteArguments::default();
    let total: usize = ALL.iter().zip(sizes).map(|(s, size)| size_of(size).unwrap_or(0) * s.spec().width).sum();
    args.reserve(total, 0);
    for ((sheet, lines), size) in ALL.into_iter().zip(&batch.sheets).zip(sizes) {
        let Some(rows) = size_of(size) else { continue };
        let width = sheet.spec().width;
        let mut written = 0;
        if sheet == Sheet::Touch {
            for (id, touch) in batch.touches.iter().skip(from).take(rows) {
                for v in [touch.ws, *id, touch.last, touch.at, touch.inbound] {
                    args.add(v).map_err(sqlx::Error::Encode)?;
                }
                written += 1;
            }
        } else {
            for line in lines.iter().skip(from).take(rows) {
                line.args.iter().chain(&line.tail).try_for_each(|v| add(&mut args, v))?;
                written += 1;
            }
        }
        (0..(rows - written) * width).try_for_each(|_| add(&mut args, &Arg::Null))?;
    }
    Ok(args)
}

/// Writes `(?,?),(?,?)` for `rows` rows.
fn values(sql: &mut String, rows: usize, width: usize) {
    for r in 0..rows {
        sql.push_str(if r == 0 { "(" } else { ",(" });
        for c in 0..width {
            sql.push_str(if c == 0 { "?" } else { ",?" });
        }
        sql.push(')');
    }
}

/// Writes the whole statement for `rows` rows.
pub(crate) fn statement(sql: &mut String, sheet: Sheet, rows: usize) {
    let spec = sheet.spec();
    sql.push_str("with v(");
    sql.push_str(spec.columns);
    sql.push_str(") as (values ");
    values(sql, rows, spec.width);
    sql.push_str(") ");
    sql.push_str(spec.body);
    sql.push(';');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_a_place_for_every_value() {
        for sheet in ALL {
            let mut sql = String::new();
            statement(&mut sql, sheet, 3);
            assert_eq!(sql.matches('?').count(), 3 * sheet.spec().width, "{sheet:?}");
        }
    }
}
