//! What was decided about an event, in one commit: its end, its runs with their journals, and everything that is to leave
//! (invariants 4 and 5).

use std::borrow::Cow;
use std::sync::Arc;

use pointsman_core::effect::Scope;
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, RunState};

use crate::Store;
use crate::conversation::ConversationRef;
use crate::keys::Sealer;
use crate::lease::lane_of;
use crate::op::{Link, Op, Row, domain};
use crate::sheet::{Arg, Sheet, row};
use crate::state::state_place;
use crate::types::{
    Decide, EventEnd, EventState, KeptEvent, NewSend, Result, RunWrite, SendBody, SendUpdate, StateWrite, StoreError,
};

impl Store {
    /// Commits a decision, once: when the connection breaks in the middle and the database is away for long, this waits until it
    /// is back and says what became of it. Whoever is told of an error may decide anew.
    pub async fn decide(&self, decide: Decide) -> Result<()> {
        let ws = decide.workspace;
        let to = decide.conversation.as_ref();
        let hold = Some(self.leases.hold(lane_of(ws, to)));
        let mut op = Op { hold, within: to.cloned(), births: to.map(|c| c.births()).unwrap_or_default(), ..Op::default() };
        if let Some((event, webhook, end)) = &decide.event {
            end_event(&mut op, ws, *event, *webhook, end);
        } else if let Some(open) =
            decide.runs.iter().find(|r| !matches!(r.state, RunState::Done | RunState::Failed | RunState::Cancelled))
        {
            // The event is open, and its waiting run explains it: in the same commit, or a crash between would run it again.
            op.rows.push(Row::once(Sheet::EventRouted, domain::EVENT, open.event.0, row![ws, open.event]));
        }
        if let Some((event, webhook, end)) = &decide.answer {
            end_event(&mut op, ws, *event, *webhook, end);
        }
        for run in &decide.runs {
            let sealer = self.sealer(ws, to, run.id).await?;
            self.write_run(&mut op, ws, to, &sealer, run)?;
        }
        for send in &decide.sends {
            let sealer = self.sealer(ws, to, send.id).await?;
            op.rows.push(new_send(ws, to, &sealer, send)?);
        }
        for note in &decide.notes {
            let id = self.ids.next(self.clock.now());
            let body = self.sealer(ws, to, id).await?.seal(ws.0, "note", id.0, note.text.as_bytes())?;
            let args = row![ws, id, to.map_or(0, |c| c.id.0), note.by.clone(), note.marked, body];
            op.rows.push(Row::new(Sheet::Note, args));
        }
        if let Some(c) = to.filter(|_| decide.conversation_body.is_some() || decide.contact_body.is_some()) {
            c.written();
        }
        if let (Some(body), Some(c)) = (&decide.conversation_body, to) {
            let body = c.sealer()?.seal_json(ws.0, "conversation.body", c.id.0, body)?;
            op.rows.push(Row::once(Sheet::ConversationBody, domain::CONVERSATION, c.id.0, row![ws, c.id, body]));
        }
        if let (Some(body), Some(c)) = (&decide.contact_body, to) {
            let body = c.sealer()?.seal_json(ws.0, "contact", c.contact.0, body)?;
            op.rows.push(Row::once(Sheet::ContactBody, domain::CONTACT, c.contact.0, row![ws, c.contact, body]));
        }
        self.write_state(&mut op, ws, to, &decide.state).await?;
        for raised in &decide.raised {
            self.raise(&mut op, ws, to, raised).await?;
        }
        match self.writer.commit(op).await {
            Err(StoreError::Unknown(transaction)) => self.data.took_place(&transaction).await,
            done => done.map(|_| ()),
        }
    }

    /// Ends an event that brought news about a send, and takes the news over, in one commit.
    pub async fn receipt(&self, kept: &KeptEvent, end: EventEnd, update: Option<SendUpdate>) -> Result<()> {
        let ws = kept.workspace;
        let hold = Some(self.leases.hold(lane_of(ws, kept.conversation.as_ref())));
        let mut op = Op { hold, within: kept.conversation.clone(), ..Op::default() };
        end_event(&mut op, ws, kept.id, kept.webhook, &end);
        if let Some(update) = &update {
            op.rows.push(self.send_update_row(update).await?);
        }
        self.writer.commit(op).await.map(|_| ())
    }

    fn write_run(
        &self,
        op: &mut Op,
        ws: WorkspaceId,
        to: Option<&Arc<ConversationRef>>,
        sealer: &Sealer,
        run: &RunWrite,
    ) -> Result<()> {
        let why = seal_why(sealer, ws, "run.why", run.id, run.reason.as_ref())?;
        let code = run.reason.as_ref().map(|f| f.code.clone());
        let waiting = run.waiting.clone();
        if run.first {
            let packed = sealer.seal(ws.0, "run", run.id.0, &journal::pack(&run.entries))?;
            let conversation = to.map_or(0, |c| c.id.0);
            let args = row![
                ws,
                run.id,
                conversation,
                run.event,
                run.workflow.clone(),
                run.state as i64,
                run.until,
                waiting,
                code,
                why,
                packed
            ];
            op.rows.push(Row::new(Sheet::Run, args));
            return Ok(());
        }
        let args = row![ws, run.id, run.state as i64, run.until, waiting, code, why];
        op.rows.push(Row::once(Sheet::RunUpdate, domain::RUN, run.id.0, args));
        if !run.entries.is_empty() {
            // Bound to the number of the part: parts cannot change places.
            let seq = self.ids.next(self.clock.now());
            let packed = sealer.seal(ws.0, "journal", seq.0, &journal::pack(&run.entries))?;
            op.rows.push(Row::new(Sheet::Journal, row![ws, run.id, seq, packed]));
        }
        Ok(())
    }

    async fn write_state(
        &self,
        op: &mut Op,
        ws: WorkspaceId,
        to: Option<&Arc<ConversationRef>>,
        writes: &[StateWrite],
    ) -> Result<()> {
        for (n, write) in writes.iter().enumerate() {
            // The last write of a key is the one that counts.
            if writes.iter().skip(n + 1).any(|w| (w.scope, &w.key) == (write.scope, &write.key)) {
                continue;
            }
            let (owner, sealer) = self.memory(ws, to.map(AsRef::as_ref), write.scope).await?;
            let key_h = self.state_name(ws, write.scope, owner, &write.key);
            let place = state_place(&key_h);
            let scope = scope_number(write.scope);
            op.rows.push(match &write.value {
                Some(value) => {
                    let body = sealer.seal_json(ws.0, "state", place, &(&write.key, value))?;
                    let args = row![ws, scope, owner, key_h, write.until, write.marked, body];
                    Row::once(Sheet::StatePut, domain::STATE, place, args)
                }
                None => Row::once(Sheet::StateDelete, domain::STATE, place, row![ws, scope, owner, key_h]),
            });
        }
        Ok(())
    }
}

/// The stored number of a scope.
pub(crate) fn scope_number(scope: Scope) -> i64 {
    match scope {
        Scope::Conversation => 0,
        Scope::Contact => 1,
        Scope::Workspace => 2,
    }
}

fn end_event(op: &mut Op, ws: WorkspaceId, event: Id, webhook: Id, end: &EventEnd) {
    let state = if end.parked { EventState::Parked } else { EventState::Ended };
    op.rows.push(Row::once(Sheet::WebhookEnd, domain::EVENT, event.0, row![ws, event, webhook]));
    op.rows.push(Row::new(Sheet::EventEnd, row![ws, event, state as i64, end.rule.clone()]));
}

/// A reason, sealed; its code goes into a column of its own.
pub(crate) fn seal_why(
    s: &Sealer,
    ws: WorkspaceId,
    table: &'static str,
    row: Id,
    why: Option<&Failure>,
) -> Result<Option<Vec<u8>>> {
    why.map(|failure| s.seal_json(ws.0, table, row.0, failure)).transpose()
}

fn new_send(ws: WorkspaceId, to: Option<&Arc<ConversationRef>>, sealer: &Sealer, send: &NewSend) -> Result<Row> {
    let body = SendBody { operation: Cow::Borrowed(&send.operation), approval: send.approval.as_deref().map(Cow::Borrowed) };
    let body = sealer.seal_json(ws.0, "send", send.id.0, &body)?;
    let (channel, conversation) = to.map_or((0, 0), |c| (c.channel.0, c.id.0));
    let mut args = row![ws, send.id, channel, conversation, send.run, send.path.clone(), i64::from(send.n), key_bytes(&send.key)];
    args.extend(row![send.state as i64, send.due, send.marked, body]);
    let mut row = Row::new(Sheet::Send, args);
    match to {
        Some(c) => row.link = Some(Link { conversation: c.clone(), id: send.id.0, at: send.id.made_at(), inbound: 0 }),
        None => row.args.push(Arg::Int(0)),
    }
    Ok(row)
}

/// Stands before a key that is not 32 hex characters. No key of 16 bytes begins with it: it begins with an id.
const AS_TEXT: u8 = 0xff;

/// An idempotency key as stored: 16 bytes.
pub(crate) fn key_bytes(key: &str) -> Vec<u8> {
    let hexadecimal = key.len() == 32 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match hex::decode(key) {
        Ok(bytes) if hexadecimal && bytes.first() != Some(&AS_TEXT) => bytes,
        _ => [&[AS_TEXT], key.as_bytes()].concat(),
    }
}

/// The other way round.
pub(crate) fn key_text(stored: &[u8]) -> String {
    match stored.split_first() {
        Some((&AS_TEXT, text)) => String::from_utf8_lossy(text).into_owned(),
        _ => hex::encode(stored),
    }
}
