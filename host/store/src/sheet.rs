//! Rows on their way to a table, and the SQL that takes many of them at once.
//!
//! Every statement of the hot path has one shape: `with v(columns) as (ROWS) BODY`. The body is the same text on every
//! database; only the source of `v` differs. (One statement a row costs five times as much.) Every body passes over rows of
//! nulls, with which a number of rows may be rounded up.

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Null,
    Int(i64),
    Word(&'static str),
    Text(String),
    Blob(Vec<u8>),
}

impl Arg {
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Word(s) => Some(s),
            Self::Text(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn blob(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(b) => Some(b),
            _ => None,
        }
    }
}

impl From<i64> for Arg {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<pointsman_core::id::Id> for Arg {
    fn from(id: pointsman_core::id::Id) -> Self {
        Self::Int(id.0)
    }
}

impl From<bool> for Arg {
    fn from(b: bool) -> Self {
        Self::Int(i64::from(b))
    }
}

impl From<&'static str> for Arg {
    fn from(s: &'static str) -> Self {
        Self::Word(s)
    }
}

impl From<String> for Arg {
    fn from(s: String) -> Self {
        Self::Text(s)
    }
}

impl From<Vec<u8>> for Arg {
    fn from(b: Vec<u8>) -> Self {
        Self::Blob(b)
    }
}

impl From<[u8; 16]> for Arg {
    fn from(b: [u8; 16]) -> Self {
        Self::Blob(b.to_vec())
    }
}

impl<T: Into<Arg>> From<Option<T>> for Arg {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// A row from anything that becomes an [`Arg`].
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::sheet::Arg::from($value)),*] };
}
pub(crate) use row;

/// A row of integers.
pub(crate) fn ints(values: &[i64]) -> Vec<Arg> {
    values.iter().copied().map(Arg::Int).collect()
}

/// What the writer knows how to do with many rows. The order is the order within a commit: births first, then what came in,
/// then what was decided, then outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub(crate) enum Sheet {
    Contact,
    Identity,
    Conversation,
    Webhook,
    WebhookRead,
    Dedupe,
    Event,
    EventRouted,
    WebhookEnd,
    EventEnd,
    Run,
    Send,
    Touch,
    RunUpdate,
    Journal,
    SendUpdate,
    ConversationBody,
    ContactBody,
    Note,
    StatePut,
    StateDelete,
    Key,
}

/// How many there are.
pub(crate) const SHEETS: usize = 22;

/// All of them, in order.
pub(crate) const ALL: [Sheet; SHEETS] = [
    Sheet::Contact,
    Sheet::Identity,
    Sheet::Conversation,
    Sheet::Webhook,
    Sheet::WebhookRead,
    Sheet::Dedupe,
    Sheet::Event,
    Sheet::EventRouted,
    Sheet::WebhookEnd,
    Sheet::EventEnd,
    Sheet::Run,
    Sheet::Send,
    Sheet::Touch,
    Sheet::RunUpdate,
    Sheet::Journal,
    Sheet::SendUpdate,
    Sheet::ConversationBody,
    Sheet::ContactBody,
    Sheet::Note,
    Sheet::StatePut,
    Sheet::StateDelete,
    Sheet::Key,
];

/// The text of a sheet.
pub(crate) struct Spec {
    /// Columns of `v`.
    pub columns: &'static str,
    /// How many.
    pub width: usize,
    /// What is done with `v`.
    pub body: &'static str,
    /// Sheets of one group are rounded to the same size: fewer texts.
    pub group: usize,
}

const fn spec(group: usize, width: usize, columns: &'static str, body: &'static str) -> Spec {
    Spec { columns, width, body, group }
}

impl Sheet {
    /// The text. `+column` keeps SQLite from choosing a partial index where the primary key is meant.
    pub(crate) const fn spec(self) -> Spec {
        match self {
            Self::Contact => spec(
                0,
                3,
                "ws,id,body",
                "insert into contact(ws,id,body) select v.ws,v.id,v.body from v where v.id is not null on conflict do nothing",
            ),
            Self::Identity => spec(
                0,
                5,
                "ws,channel,h,contact,body",
                "insert into identity(ws,channel,h,contact,body) select v.ws,v.channel,v.h,v.contact,v.body from v \
                 where v.h is not null on conflict do nothing",
            ),
            Self::Conversation => spec(
                0,
                5,
                "ws,id,channel,contact,thread",
                "insert into conversation(ws,id,channel,contact,last,last_at,last_in,thread) \
                 select v.ws,v.id,v.channel,v.contact,0,0,0,v.thread from v where v.id is not null on conflict do nothing",
            ),
            Self::Webhook => spec(
                1,
                10,
                "ws,id,channel,reason,why,owners,raw,state,rule,open",
                "insert into webhook(ws,id,channel,reason,why,owners,raw,state,rule,open) \
                 select v.ws,v.id,v.channel,v.reason,v.why,v.owners,v.raw,v.state,v.rule,v.open from v where v.id is not null",
            ),
            Self::WebhookRead => spec(
                2,
                10,
                "ws,id,channel,reason,why,owners,raw,state,rule,open",
                "update webhook set reason=v.reason,why=v.why,owners=v.owners,raw=v.raw,state=v.state,rule=v.rule,open=v.open \
                 from v where webhook.ws=v.ws and webhook.id=v.id and +webhook.state=1",
            ),
            Self::Dedupe => spec(
                1,
                4,
                "ws,span,h,event",
                "insert into dedupe(ws,span,h,event) select v.ws,v.span,v.h,v.event from v where v.h is not null",
            ),
            Self::Event => spec(
                1,
                10,
                "ws,id,webhook,channel,conversation,kind,state,rule,body,prev",
                "insert into event(ws,id,webhook,channel,conversation,kind,state,rule,body,prev) \
                 select v.ws,v.id,v.webhook,v.channel,v.conversation,v.kind,v.state,v.rule,v.body,v.prev from v \
                 where v.id is not null",
            ),
            Self::EventRouted => {
                spec(3, 2, "ws,id", "update event set state=1 from v where event.ws=v.ws and event.id=v.id and +event.state=0")
            }
            // Only events that are still open count, so ending one twice does no harm.
            Self::WebhookEnd => spec(
                4,
                3,
                "ws,event,webhook",
                "update webhook set open=webhook.open-c.n, \
                 state=case when webhook.open<=c.n and webhook.state=0 then 2 else webhook.state end \
                 from (select v.ws as ws,v.webhook as webhook,count(*) as n from v cross join event \
                 where event.ws=v.ws and event.id=v.event and +event.state<2 group by v.ws,v.webhook) c \
                 where webhook.ws=c.ws and webhook.id=c.webhook",
            ),
            Self::EventEnd => spec(
                4,
                4,
                "ws,id,state,rule",
                "update event set state=v.state,rule=v.rule from v where event.ws=v.ws and event.id=v.id and +event.state<2",
            ),
            Self::Run => spec(
                4,
                11,
                "ws,id,conversation,event,workflow,state,until,waiting,reason,why,journal",
                "insert into run(ws,id,conversation,event,workflow,state,until,waiting,reason,why,journal) \
                 select v.ws,v.id,v.conversation,v.event,v.workflow,v.state,v.until,v.waiting,v.reason,v.why,v.journal from v \
                 where v.id is not null",
            ),
            Self::Send => spec(
                4,
                13,
                "ws,id,channel,conversation,run,path,n,key,state,due,marked,body,prev",
                "insert into send(ws,id,channel,conversation,run,path,n,key,state,due,attempt,possible_duplicate,marked,body,prev) \
                 select v.ws,v.id,v.channel,v.conversation,v.run,v.path,v.n,v.key,v.state,v.due,\
                 case when v.state=1 then 1 else 0 end,0,v.marked,v.body,v.prev from v where v.id is not null",
            ),
            Self::Touch => spec(
                5,
                5,
                "ws,id,last,at,inbound",
                "update conversation set last=v.last,last_at=v.at, \
                 last_in=case when v.inbound>conversation.last_in then v.inbound else conversation.last_in end \
                 from v where conversation.ws=v.ws and conversation.id=v.id",
            ),
            Self::RunUpdate => spec(
                6,
                7,
                "ws,id,state,until,waiting,reason,why",
                "update run set state=v.state,until=v.until,waiting=v.waiting,reason=v.reason,why=v.why \
                 from v where run.ws=v.ws and run.id=v.id",
            ),
            Self::Journal => spec(
                6,
                4,
                "ws,run,seq,body",
                "insert into journal(ws,run,seq,body) select v.ws,v.run,v.seq,v.body from v where v.run is not null",
            ),
            // A message that arrived never goes back to an earlier state, in whichever order the news comes.
            Self::SendUpdate => spec(
                7,
                10,
                "ws,id,state,attempt,due,ids,provider_h,reason,why,dup",
                "update send set state=case when send.state between 3 and 5 and v.state<send.state then send.state else v.state end, \
                 attempt=case when v.attempt>send.attempt then v.attempt else send.attempt end, \
                 due=v.due,ids=coalesce(v.ids,send.ids),provider_h=coalesce(v.provider_h,send.provider_h), \
                 reason=v.reason,why=v.why, \
                 possible_duplicate=case when v.dup>send.possible_duplicate then v.dup else send.possible_duplicate end \
                 from v where send.ws=v.ws and send.id=v.id",
            ),
            Self::ConversationBody => spec(
                8,
                3,
                "ws,id,body",
                "update conversation set body=v.body from v where conversation.ws=v.ws and conversation.id=v.id",
            ),
            Self::ContactBody => spec(
                8,
                3,
                "ws,id,body",
                "update contact set body=v.body from v where contact.ws=v.ws and contact.id=v.id and contact.erased is null",
            ),
            Self::Note => spec(
                9,
                6,
                "ws,id,conversation,written_by,marked,body",
                "insert into note(ws,id,conversation,written_by,marked,body) \
                 select v.ws,v.id,v.conversation,v.written_by,v.marked,v.body from v where v.id is not null",
            ),
            Self::StatePut => spec(
                10,
                7,
                "ws,scope,owner,key_h,until,marked,body",
                "insert into state(ws,scope,owner,key_h,until,marked,body) \
                 select v.ws,v.scope,v.owner,v.key_h,v.until,v.marked,v.body from v where v.key_h is not null \
                 on conflict (ws,scope,owner,key_h) do update set until=excluded.until,marked=excluded.marked,body=excluded.body",
            ),
            Self::StateDelete => spec(
                11,
                4,
                "ws,scope,owner,key_h",
                "delete from state where (ws,scope,owner,key_h) in (select v.ws,v.scope,v.owner,v.key_h from v where v.key_h is not null)",
            ),
            Self::Key => spec(
                12,
                4,
                "ws,of,id,wrapped",
                "insert into data_key(ws,kind,id,wrapped) select v.ws,v.of,v.id,v.wrapped from v where v.id is not null",
            ),
        }
    }
}

/// How many groups there are.
pub(crate) const GROUPS: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sheet_names_as_many_columns_as_it_is_wide() {
        for (n, sheet) in ALL.into_iter().enumerate() {
            assert_eq!(sheet as usize, n);
            let spec = sheet.spec();
            assert_eq!(spec.columns.split(',').count(), spec.width, "{sheet:?}");
            assert!(spec.group < GROUPS);
        }
    }
}
