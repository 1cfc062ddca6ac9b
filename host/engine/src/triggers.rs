//! What starts workflows beside what comes in: tags that are added, news about what was sent. Where an event is at home, and the
//! guards against workflows that go round for ever: facts that follow from each other are counted, and so are the replies that
//! a conversation gets in a minute.

use std::collections::VecDeque;
use std::sync::Arc;

use moka::sync::Cache;
use parking_lot::Mutex;
use pointsman_core::clock::{Instant, Millis};
use pointsman_core::event::{Cause, Event, EventBody, Internal, Status};
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::ports::StepEnd;
use pointsman_core::route::route;
use pointsman_core::run::WAIT;
use pointsman_core::trigger::{HOPS, TriggerKind};
use pointsman_store::{KeptEvent, SendRow, StoreError};
use serde_json::{Value, json};

use crate::Engine;
use crate::catalog::Channel;
use crate::hooks;
use crate::step::View;

/// The rule by which a message is parked in a conversation that gets more replies than a person would read.
pub(crate) const PACE: &str = "reply_pace";

impl Engine {
    /// The channel of an event's conversation; of a fact of our own outside of any, a channel that leads nowhere.
    pub(crate) fn home(&self, kept: &KeptEvent) -> Option<Arc<Channel>> {
        match (&kept.conversation, &kept.event.body) {
            (Some(conversation), _) => self.catalog.channel(conversation.channel),
            (None, EventBody::Internal(_)) => hooks::nowhere(kept.workspace).map(Arc::new),
            (None, _) => self.catalog.channel(kept.channel),
        }
    }

    /// Whether the conversation of a message got as many replies of late as it may. A pressed button is a person's.
    pub(crate) fn too_fast(&self, kept: &KeptEvent) -> bool {
        let Some(conversation) = &kept.conversation else { return false };
        match &kept.event.body {
            EventBody::Interaction(_) => {
                self.pace.person(conversation.id);
                false
            }
            EventBody::Message(_) => self.pace.full(conversation.id, self.clock.now()),
            _ => false,
        }
    }

    /// The end of a step, which is a failure where it says more at once than a person reads in a minute: by itself or with what the
    /// runs of this event have said before it, or in a conversation that has got all replies of this minute.
    pub(crate) fn within_pace(&self, view: &View, (said, by_person): (usize, bool), end: StepEnd) -> StepEnd {
        let says = end.effects.iter().filter(|effect| effect.says()).count();
        let Some(conversation) = view.conversation_ref.as_ref().filter(|_| says > 0 && self.pace.limit > 0) else { return end };
        if said + says <= self.pace.limit && (by_person || !self.pace.full(conversation.id, self.clock.now())) {
            return end;
        }
        let text = format!(
            "a conversation gets at most {} replies in a minute, and this step has {says} for it; say it in fewer, or allow more in \
             [limits] replies_a_minute",
            self.pace.limit
        );
        StepEnd { result: Err(Failure::limit("replies", text)), effects: Vec::new(), reads: Vec::new(), ..end }
    }

    /// The fact that a tag was added, where a workflow or a waiting run listens for such facts. Others are not raised.
    pub(crate) fn tag_added(&self, tag: &str, marked: bool, cause: &KeptEvent, view: &View) -> Option<Internal> {
        let routes = self.catalog.routes(cause.workspace);
        let mut on = routes.workflows.iter().flat_map(|workflow| &workflow.on);
        let waits = view.conversation.waits.iter().any(|waits| waits.kind == WAIT);
        (waits || on.any(|trigger| trigger.kind == TriggerKind::TagAdded)).then(|| Internal {
            cause: Cause::TagAdded,
            name: tag.to_owned(),
            data: json!({}),
            marked,
            hops: cause.event.hops() + 1,
        })
    }

    /// News about a send, as an event of its conversation, where a workflow listens for it.
    pub(crate) async fn news(&self, kept: &KeptEvent, send: &SendRow) -> Result<Option<KeptEvent>, StoreError> {
        let (Some(told), Some(sent)) = (&kept.conversation, &send.conversation) else { return Ok(None) };
        let Some(channel) = self.home(kept).filter(|_| told.id == sent.id) else { return Ok(None) };
        if route(&self.catalog.routes(kept.workspace).workflows, &kept.event, channel.word()).run.is_empty() {
            return Ok(None);
        }
        self.counted(kept).await.map(Some)
    }

    /// A status with the number of facts of our own that led to it: its send was decided by a run, that run began by a fact.
    pub(crate) async fn counted(&self, kept: &KeptEvent) -> Result<KeptEvent, StoreError> {
        let (mut hops, mut next) = (0, status_of(kept).cloned());
        while let Some(status) = next.take().filter(|_| hops < HOPS) {
            hops += 1;
            let send = self.store.find_send(kept.workspace, kept.channel, status.key.as_deref(), &status.message).await?;
            let Some(send) = send else { break };
            let Some(run) = self.store.run(kept.workspace, send.run).await? else { break };
            let Some(cause) = self.store.event(kept.workspace, run.event).await? else { break };
            match status_of(&cause) {
                Some(status) => next = Some(status.clone()),
                None => hops += cause.event.hops(),
            }
        }
        let mut event = Event::clone(&kept.event);
        let mut extra = match event.extra.take() {
            Some(Value::Object(extra)) => extra,
            _ => serde_json::Map::new(),
        };
        extra.insert("hops".to_owned(), hops.into());
        event.extra = Some(Value::Object(extra));
        Ok(KeptEvent { event: Arc::new(event), ..kept.clone() })
    }
}

fn status_of(kept: &KeptEvent) -> Option<&Status> {
    match &kept.event.body {
        EventBody::Status(status) => Some(status),
        _ => None,
    }
}

/// How many replies conversations got in the last minute. A conversation that gets more than a person would read talks to a
/// machine: its messages are parked until the minute is over. A pressed button is the sign of a person: the count begins anew.
///
/// It is counted in memory: after a restart it begins anew, and two machines that talk to each other are found again within a
/// minute.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    said: Cache<Id, Arc<Mutex<VecDeque<Instant>>>>,
}

/// The time in which replies are counted.
const MINUTE: Millis = 60_000;

impl Pace {
    /// At most `limit` replies a minute; 0: as many as there are.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, said: Cache::new(20_000) }
    }

    /// Notes replies of a conversation.
    pub(crate) fn said(&self, conversation: Id, count: usize, now: Instant) {
        if self.limit == 0 || count == 0 {
            return;
        }
        let said = self.said.get_with(conversation, Arc::default);
        let mut said = said.lock();
        said.extend(std::iter::repeat_n(now, count.min(self.limit)));
        let over = said.len().saturating_sub(self.limit);
        said.drain(..over);
    }

    /// A person was here.
    pub(crate) fn person(&self, conversation: Id) {
        self.said.invalidate(&conversation);
    }

    /// Whether the conversation got all replies of this minute.
    pub(crate) fn full(&self, conversation: Id, now: Instant) -> bool {
        let Some(said) = self.said.get(&conversation).filter(|_| self.limit > 0) else { return false };
        let said = said.lock();
        said.len() >= self.limit && said.front().is_some_and(|first| now - first < MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_full_until_a_minute_has_passed_or_a_person_was_there() {
        let (pace, here, there) = (Pace::new(3), Id(1), Id(2));
        pace.said(here, 2, 0);
        assert!(!pace.full(here, 0));
        pace.said(here, 1, 10_000);
        assert!(pace.full(here, 59_999) && !pace.full(there, 59_999));
        assert!(!pace.full(here, 60_000), "the first two were said a minute ago");
        pace.said(here, 2, 60_000);
        assert!(pace.full(here, 60_000));
        pace.person(here);
        assert!(!pace.full(here, 60_000));
        let open = Pace::new(0);
        open.said(here, 1_000, 0);
        assert!(!open.full(here, 0));
    }
}
