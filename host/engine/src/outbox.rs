//! What leaves the house. Intent stands on disk before an attempt and its outcome after (invariant 5); the sends of a
//! conversation leave in the order in which they were decided, and one that is retried or `unknown` holds the later ones
//! for at most two minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pointsman_core::clock::Instant;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::outbox::{self, Attempt, HOLD_AT_MOST, Next, Rules, SendState};
use pointsman_core::ports::Job;
use pointsman_store::{SendRow, SendUpdate, disconnected};
use tokio::sync::Semaphore;

use crate::Engine;
use crate::catalog::Channel;
use crate::hands::{Hands, Told};
use crate::lanes::Lanes;

/// The sends that are under way or wait for their turn.
#[derive(Debug)]
pub(crate) struct Outbox {
    lanes: Arc<Lanes<SendRow>>,
    /// Attempts at the same moment.
    slots: Semaphore,
    hands: Hands,
    /// When a person last changed something (milliseconds): what was decided before looks at its row before it leaves.
    changed: AtomicI64,
}

impl Outbox {
    pub(crate) fn new(parallel: usize) -> Self {
        Self {
            lanes: Arc::new(Lanes::new(usize::MAX >> 4)),
            slots: Semaphore::new(parallel),
            hands: Hands::default(),
            changed: AtomicI64::new(0),
        }
    }

    /// Whether a send of this conversation could leave at once: then its intent can ride in the commit that decides it.
    pub(crate) fn idle(&self, conversation: Id) -> bool {
        self.slots.available_permits() > 0 && !self.lanes.busy(conversation.0)
    }

    /// Sends that are not finished.
    pub(crate) fn open(&self) -> usize {
        self.lanes.len()
    }

    /// The row of a send was changed, by news from the provider or by a person.
    pub(crate) fn tell(&self, send: Id) -> Told {
        self.hands.tell(send)
    }

    /// A person changed something.
    pub(crate) fn changed(&self, now: Instant) {
        self.changed.store(now, Ordering::Release);
    }
}

impl Engine {
    /// Takes a send whose row is on disk.
    pub(crate) fn dispatch(&self, send: SendRow) {
        let engine = self.clone();
        let lane = send.conversation.as_ref().map_or(send.channel.0, |c| c.id.0);
        self.outbox.lanes.push(lane, send, move |send| {
            let engine = engine.clone();
            async move { engine.deliver(send).await }
        });
    }

    /// A send, for as long as its conversation's later ones have to wait for it.
    async fn deliver(&self, mut send: SendRow) {
        let Some(hand) = self.outbox.hands.take(send.id) else { return };
        let old = send.id.made_at() <= self.outbox.changed.load(Ordering::Acquire);
        if old && send.state == SendState::Ready && !self.look_again(&mut send).await {
            return;
        }
        let hold_until = self.clock.now() + HOLD_AT_MOST;
        // The usual way: one attempt, and that is all.
        while send.state == SendState::Sending || (send.state == SendState::Ready && send.due <= self.clock.now()) {
            if !self.advance(&mut send).await {
                return;
            }
        }
        let engine = self.clone();
        let mut rest = Box::pin(async move {
            let _hand = hand;
            while engine.advance(&mut send).await {}
        });
        tokio::select! {
            () = &mut rest => {}
            () = self.timers.until(hold_until) => {
                // It goes on by itself; the conversation's later sends need not wait for it any longer.
                tokio::spawn(rest);
            }
        }
    }

    /// Takes over what the row of a waiting send says now: a person may have had it tried again, parked it with its channel,
    /// or dropped it. False when it does not wait to leave any more. Asks until the store answers: what it cannot tell must
    /// not leave.
    async fn look_again(&self, send: &mut SendRow) -> bool {
        loop {
            match self.store.send(send.workspace, send.id).await {
                Ok(Some(row)) if row.state == SendState::Ready => {
                    *send = row;
                    return true;
                }
                Ok(_) => return false,
                Err(error) if error.passing() => {
                    tracing::error!(send = %send.id, %error, "a send waits for the store");
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
                Err(_closed) => return false,
            }
        }
    }

    /// Waits until a send is due, or its row was changed. False when it does not wait to leave any more.
    async fn until_due(&self, send: &mut SendRow) -> bool {
        while send.due > self.clock.now() {
            let heard = self.outbox.hands.listen(send.id);
            if !self.look_again(send).await {
                return false;
            }
            tokio::select! {
                _ = heard => {}
                () = self.timers.until(send.due) => {}
            }
            if !self.look_again(send).await {
                return false;
            }
        }
        true
    }

    /// One step in the life of a send, from where its row says it stands. False when there is nothing more to do.
    async fn advance(&self, send: &mut SendRow) -> bool {
        if send.state == SendState::Ready && !self.until_due(send).await {
            return false;
        }
        // Asked anew each time: the channel may have been disconnected, or connected with another token.
        let Some(channel) = self.catalog.channel(send.channel) else {
            return match send.state {
                // Where intent rode in the commit that decided it, nothing has left yet.
                SendState::Ready | SendState::Sending => self.go_on(send, Next::Parked(disconnected())).await,
                _ => self.settle(send, &Rules::default()).await,
            };
        };
        match send.state {
            SendState::Ready => {
                send.attempt += 1;
                self.write(send, SendState::Sending, None, None).await
            }
            SendState::Sending => {
                let Ok(slot) = self.outbox.slots.acquire().await else { return false };
                let outcome = self.attempt(&channel, send).await;
                drop(slot);
                // Known now, on disk in a moment: the note is for a kill in between.
                let _note = match &outcome {
                    Attempt::Taken(ids) => self.store.note_taken(send, ids).await.ok(),
                    _ => None,
                };
                self.points.reach("outcome.before");
                let now = self.clock.now();
                let next = outbox::after_attempt(outcome, send.attempt, now, &channel.rules, self.spread(send.id));
                let open = self.go_on(send, next).await;
                self.points.reach("outcome.after");
                open
            }
            SendState::Unknown => self.settle(send, &channel.rules).await,
            _ => false,
        }
    }

    /// Waits for news of a send whose answer never came, and decides when none comes.
    async fn settle(&self, send: &mut SendRow, rules: &Rules) -> bool {
        let heard = self.outbox.hands.listen(send.id);
        // The news may have come before the loss was noticed, so the row is asked after the ear is open.
        if self.settled_on_disk(send).await {
            return false;
        }
        tokio::select! {
            // The row was written by whoever brought the news.
            _ = heard => return false,
            () = self.timers.until(send.due) => {}
        }
        if self.settled_on_disk(send).await {
            return false;
        }
        let next = outbox::settle(rules.on_unknown, self.clock.now());
        send.possible_duplicate = matches!(next, Next::Again { .. });
        self.go_on(send, next).await
    }

    /// Whether news from the provider has already taken an `unknown` send further. When the store cannot say, it has not:
    /// the send waits its time.
    async fn settled_on_disk(&self, send: &SendRow) -> bool {
        match self.store.send(send.workspace, send.id).await {
            Ok(Some(row)) => row.state != SendState::Unknown,
            _ => false,
        }
    }

    /// Takes a send on as it was decided. False when there is nothing more to do.
    async fn go_on(&self, send: &mut SendRow, next: Next) -> bool {
        let outcome = match &next {
            Next::Sent(_) => "sent",
            Next::Again { .. } => "retried",
            Next::Unknown { .. } => "unknown",
            Next::Parked(_) => "parked",
        };
        metrics::counter!("pointsman_sends_total", "outcome" => outcome).increment(1);
        let written = match next {
            Next::Sent(ids) => {
                tracing::debug!(send = %send.id, attempt = send.attempt, "sent");
                self.write(send, SendState::Sent, Some(ids), None).await
            }
            Next::Again { due, reason } => {
                tracing::info!(send = %send.id, attempt = send.attempt, code = %reason.code, wait = due - self.clock.now(), "will be sent again");
                send.due = due;
                self.write(send, SendState::Ready, None, Some(reason)).await
            }
            Next::Unknown { due, reason } => {
                tracing::warn!(send = %send.id, attempt = send.attempt, code = %reason.code, "no answer came; waiting for an echo");
                send.due = due;
                self.write(send, SendState::Unknown, None, Some(reason)).await
            }
            Next::Parked(reason) => {
                tracing::warn!(send = %send.id, attempt = send.attempt, code = %reason.code, "parked");
                self.write(send, SendState::Parked, None, Some(reason)).await
            }
        };
        written && send.state.open()
    }

    /// Writes where a send stands; tries until the store takes it, for a send must not go on from a state that is not on
    /// disk. False when the house is closing.
    async fn write(&self, send: &mut SendRow, state: SendState, ids: Option<Vec<String>>, reason: Option<Failure>) -> bool {
        send.state = state;
        send.reason.clone_from(&reason);
        let update = SendUpdate {
            workspace: send.workspace,
            id: send.id,
            conversation: send.conversation.clone(),
            state,
            attempt: send.attempt,
            due: send.due,
            provider_ids: ids,
            reason,
            possible_duplicate: send.possible_duplicate,
        };
        loop {
            match self.store.update_send(update.clone()).await {
                Ok(()) => return true,
                Err(pointsman_store::StoreError::Closed) => return false,
                Err(error) if !error.passing() => {
                    // The contact was erased, and with it everything that was to leave.
                    tracing::warn!(send = %send.id, %error, "a send cannot go on");
                    return false;
                }
                Err(error) => {
                    tracing::error!(send = %send.id, %error, "the outcome of a send could not be written; trying again");
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
            }
        }
    }

    /// One attempt: the channel's plugin says which requests to make, the broker makes them.
    async fn attempt(&self, channel: &Channel, send: &SendRow) -> Attempt {
        let job = Job {
            key: send.key.clone(),
            attempt: send.attempt,
            at: self.clock.now(),
            account: channel.account.clone(),
            peer: send.conversation.as_ref().map(|c| c.thread.clone()),
            window_open: true,
            operation: send.operation.clone(),
        };
        self.turns(channel, &job).await.into()
    }

    /// A number in 0..1 that spreads retries, different for each send.
    fn spread(&self, id: Id) -> f64 {
        let mixed =
            (id.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.clock.now() as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Takes up every send that is not finished: what was in flight when the process ended is `unknown`, unless it was noted
    /// that the provider took it.
    pub(crate) async fn take_up_sends(&self) -> Result<usize, pointsman_store::StoreError> {
        let open = self.store.open_sends().await?;
        let count = open.len();
        let mut unfinished = Vec::with_capacity(count);
        for mut send in open {
            if send.state == SendState::Sending {
                if let Some(ids) = self.store.was_taken(&send).await? {
                    self.write(&mut send, SendState::Sent, Some(ids), None).await;
                    continue;
                }
                let rules = self.catalog.channel(send.channel).map_or_else(Rules::default, |channel| channel.rules);
                send.due = self.clock.now() + rules.settle_after;
                let reason = Failure::new(Class::Transient, "send.unknown", "the host ended between intent and answer");
                self.write(&mut send, SendState::Unknown, None, Some(reason)).await;
            }
            unfinished.push(send);
        }
        // Only now: what leaves takes the places of the old notes.
        unfinished.into_iter().for_each(|send| self.dispatch(send));
        Ok(count)
    }
}
