//! What leaves the house. Intent stands on disk before an attempt and its outcome after (invariant 5); the sends of a
//! conversation leave in the order in which they were decided, and one that is retried or `unknown` holds the later ones
//! for at most two minutes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use pointsman_core::clock::Instant;
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::outbox::{self, Attempt, HOLD_AT_MOST, Next, Rules, SendState};
use pointsman_core::ports::Job;
use pointsman_store::{ConversationRef, SendRow, SendUpdate, StoreError, disconnected, lane_of};

use crate::Engine;
use crate::catalog::Channel;
use crate::channels::{NO_WORD, Noting};
use crate::hands::{Hand, Hands, Told};
use crate::lanes::{Lanes, Place};
use crate::paid;
use crate::throttle::Spared;
use crate::turns::Turns;

/// The sends that are under way or wait for their turn.
#[derive(Debug)]
pub(crate) struct Outbox {
    lanes: Arc<Lanes<(SendRow, bool)>>,
    /// Attempts at the same moment.
    slots: Arc<Turns>,
    hands: Hands,
    /// Of whom a provider said "too many".
    spared: Spared,
    /// The id that was new when a person last changed something: what was decided before looks at its row before it leaves.
    changed: AtomicI64,
    /// Sends that were under way when an earlier process ended, and of which the row does not say yet what became of them.
    found: AtomicUsize,
}

impl Outbox {
    pub(crate) fn new(parallel: usize) -> Self {
        Self {
            lanes: Arc::new(Lanes::new(None)),
            slots: Turns::new(parallel, parallel),
            hands: Hands::default(),
            spared: Spared::default(),
            changed: AtomicI64::new(0),
            found: AtomicUsize::new(0),
        }
    }

    /// Whether a send of this conversation could leave at once: then its intent can ride in the commit that decides it.
    pub(crate) fn idle(&self, conversation: &ConversationRef, now: Instant) -> bool {
        let busy = self.lanes.busy(conversation.id.0) || self.spared.waits(conversation.channel, conversation.id, now);
        self.slots.free() && !busy
    }

    /// Sends that are not finished.
    pub(crate) fn open(&self) -> usize {
        self.lanes.len()
    }

    /// The row of a send was changed, by news from the provider or by a person.
    pub(crate) fn tell(&self, send: Id) -> Told {
        self.hands.tell(send)
    }

    /// A person changed something, before this id was made.
    pub(crate) fn changed(&self, now: Id) {
        self.changed.store(now.0, Ordering::Release);
    }

    /// Lets go what lies in these shards: another host has it now. An attempt that is under way is heard to its end.
    pub(crate) fn let_go(&self, which: impl Fn(u16) -> bool) {
        self.lanes.let_go(&which);
        self.hands.lose(&which);
    }

    /// The house is closing: whoever waits for a moment stops waiting.
    pub(crate) fn stop_waiting(&self) {
        self.hands.wake_all();
    }

    /// Begins nothing any more but what is written down as leaving.
    pub(crate) fn close(&self) {
        self.lanes.close(|(send, _)| send.state == SendState::Sending);
    }

    /// Whether nothing is under way.
    pub(crate) fn quiet(&self) -> bool {
        self.lanes.is_empty() && self.hands.len() == 0
    }
}

impl Engine {
    /// Takes a send whose row is on disk.
    pub(crate) fn dispatch(&self, send: SendRow) {
        self.gate.send(send, |send| self.deliver_in_turn(send, false));
    }

    /// Puts a send into its lane; with `found`, one that was under way, or whose answer never came, when its host ended.
    pub(crate) fn deliver_in_turn(&self, send: SendRow, found: bool) {
        let engine = self.clone();
        self.outbox.lanes.push(place(&send), (send, found), move |(send, found)| {
            let engine = engine.clone();
            async move { engine.deliver(send, found).await }
        });
    }

    /// A send, for as long as its conversation's later ones have to wait for it.
    async fn deliver(&self, mut send: SendRow, found: bool) {
        let Some(hand) = self.outbox.hands.take(send.id, place(&send)) else { return };
        let old = send.id.0 <= self.outbox.changed.load(Ordering::Acquire);
        if old && send.state == SendState::Ready && !self.look_again(&mut send).await {
            return;
        }
        if found && !self.take_up(&hand, &mut send).await {
            return;
        }
        let hold_until = self.clock.now() + HOLD_AT_MOST;
        // The usual way: one attempt, and that is all.
        while send.state == SendState::Sending || (send.state == SendState::Ready && send.due <= self.clock.now()) {
            if !self.advance(&hand, &mut send).await {
                return;
            }
        }
        let engine = self.clone();
        let mut rest = Box::pin(async move { while engine.advance(&hand, &mut send).await {} });
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
        match self.asked_of_the_store(send, || self.store.send(send.workspace, send.id)).await {
            Some(Some(row)) if row.state == SendState::Ready => {
                *send = row;
                true
            }
            _ => false,
        }
    }

    /// Waits until a send is due. False when it does not wait to leave any more.
    async fn until_due(&self, hand: &Hand, send: &mut SendRow) -> bool {
        while send.due > self.clock.now() {
            if !self.until(send.due, hand, send).await {
                return false;
            }
        }
        true
    }

    /// Waits for the turn of a send whose provider said "too many" a while ago. False when it does not wait to leave any more.
    async fn until_its_turn(&self, hand: &Hand, send: &mut SendRow) -> bool {
        let person = send.conversation.as_ref().map(|conversation| conversation.id);
        let turn = self.outbox.spared.turn(send.channel, person, self.clock.now());
        while turn > self.clock.now() {
            if !self.until(turn, hand, send).await {
                return false;
            }
        }
        true
    }

    /// Waits until a moment, or until the row of a send was changed. False when it does not wait to leave any more.
    async fn until(&self, moment: Instant, hand: &Hand, send: &mut SendRow) -> bool {
        let heard = hand.listen();
        if self.closing() || !hand.ours() || !self.look_again(send).await {
            return false;
        }
        tokio::select! {
            _ = heard => {}
            () = self.timers.until(moment) => {}
        }
        self.look_again(send).await
    }

    /// One step in the life of a send, from where its row says it stands. False when there is nothing more to do.
    async fn advance(&self, hand: &Hand, send: &mut SendRow) -> bool {
        if !hand.ours() {
            return false;
        }
        if send.state == SendState::Ready && !(self.until_due(hand, send).await && self.until_its_turn(hand, send).await) {
            return false;
        }
        // Asked anew each time: the channel may have been disconnected, or connected with another token.
        let Some(channel) = self.catalog.channel(send.channel) else {
            return match send.state {
                // Where intent rode in the commit that decided it, nothing has left yet.
                SendState::Ready | SendState::Sending => self.go_on(send, Next::Parked(disconnected())).await,
                _ => self.settle(hand, send, &Rules::default()).await,
            };
        };
        match send.state {
            SendState::Ready | SendState::Sending => {
                let changed = self.outbox.changed.load(Ordering::Acquire);
                // Before intent is written, so that what is written down as leaving is what is about to leave.
                let slot = self.outbox.slots.take(send.workspace).await;
                if send.state == SendState::Ready && !self.intend(hand, send, changed).await {
                    return false;
                }
                if !self.may_leave(hand, send) {
                    return false;
                }
                let Some(outcome) = self.attempt(&channel, send).await else { return false };
                drop(slot);
                self.points.reach("outcome.before");
                let now = self.clock.now();
                if outcome.too_fast() {
                    let person = send.conversation.as_ref().map(|conversation| conversation.id);
                    self.outbox.spared.told(send.channel, person, channel.rules.pace, now);
                }
                let next = outbox::after_attempt(outcome, send.attempt, now, &channel.rules, self.spread(send.id));
                // Taken up anew meanwhile: then only what is certain is told, and whoever has it now decides the rest.
                let open = (!hand.taken_over() || matches!(next, Next::Sent(_))) && self.go_on(send, next).await;
                self.points.reach("outcome.after");
                if hand.taken_over() {
                    self.outbox.tell(send.id);
                }
                open
            }
            SendState::Unknown => self.settle(hand, send, &channel.rules).await,
            _ => false,
        }
    }

    /// Writes down that a send is leaving, now that there is a place for it. False when the wait for the place was too long: the
    /// house closes, the lane is another host's, or a person changed something since and the send does not wait to leave any more.
    async fn intend(&self, hand: &Hand, send: &mut SendRow, changed: i64) -> bool {
        if self.outbox.lanes.closed() || !self.may_leave(hand, send) {
            return false;
        }
        if self.outbox.changed.load(Ordering::Acquire) != changed && !self.look_again(send).await {
            return false;
        }
        send.attempt += 1;
        self.write(send, SendState::Sending, None, None).await
    }

    /// Finds out what became of a send that was under way when its host ended. False when there is nothing more to do.
    async fn take_up(&self, hand: &Hand, send: &mut SendRow) -> bool {
        let goes_on = self.play_again(hand, send).await;
        // Notes of earlier processes are needed until the row of the last such send says what they say.
        let kept = self.store.send(send.workspace, send.id).await;
        if kept.is_ok_and(|row| row.is_none_or(|row| row.state != SendState::Sending))
            && self.outbox.found.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.broker.forget_found();
        }
        goes_on
    }

    /// Plays a send again with the answers that the broker of before noted: that is its outcome, or the place where it goes on.
    /// Where there are none, nobody knows whether it arrived.
    async fn play_again(&self, hand: &Hand, send: &mut SendRow) -> bool {
        if !self.may_leave(hand, send) {
            return false;
        }
        let channel = self.catalog.channel(send.channel);
        let outcome = match &channel {
            // It had leave when it began, and nothing begins here.
            Some(channel) => self.exchanges(channel, send, Noting::Before).await,
            None => Attempt::Lost(NO_WORD.to_owned()),
        };
        if send.state == SendState::Unknown && matches!(outcome, Attempt::Lost(_)) {
            return true;
        }
        let rules = channel.map_or_else(Rules::default, |channel| channel.rules);
        let next = outbox::after_attempt(outcome, send.attempt, self.clock.now(), &rules, self.spread(send.id));
        self.go_on(send, next).await
    }

    /// Whether this host may let a send leave that is written down as leaving. Where it does not know any more that the lane is
    /// its own, it lets go: the send is taken up anew, here or by another host.
    fn may_leave(&self, hand: &Hand, send: &SendRow) -> bool {
        hand.ours() && self.store.holds(place(send).key)
    }

    /// Waits for news of a send whose answer never came, and decides when none comes.
    async fn settle(&self, hand: &Hand, send: &mut SendRow, rules: &Rules) -> bool {
        loop {
            let heard = hand.listen();
            // The news may have come before the loss was noticed, so the row is asked after the ear is open.
            if self.closing() || !hand.ours() || self.settled_on_disk(send).await {
                return false;
            }
            tokio::select! {
                // News is what the row says: an attempt that began under an earlier lease may end without having any.
                _ = heard => {}
                () = self.timers.until(send.due) => break,
            }
        }
        self.points.reach("settle.before");
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
        let cost = paid::cost_of(&next);
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
        if let Some(cost) = cost.filter(|_| written) {
            self.paid_for(send, cost).await;
        }
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
        let (before, after) = around(state);
        self.points.reach(before);
        loop {
            match self.store.update_send(update.clone()).await {
                Ok(()) => {
                    self.points.reach(after);
                    if state != SendState::Sending {
                        self.broker.forget(&send.key);
                    }
                    return true;
                }
                Err(StoreError::Closed) => return false,
                Err(error @ StoreError::Fenced) => {
                    tracing::debug!(send = %send.id, %error, "a send is let go");
                    return false;
                }
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

    /// One attempt, if the send may leave. `None`: the house is closing.
    async fn attempt(&self, channel: &Channel, send: &SendRow) -> Option<Attempt> {
        if let Err(refused) = self.asked_of_the_store(send, || self.approved(send)).await? {
            return Some(Attempt::NotSent(refused));
        }
        if let Err(refused) = self.asked_of_the_store(send, || self.pay(send)).await? {
            return Some(Attempt::NotSent(refused));
        }
        Some(self.exchanges(channel, send, Noting::Noted).await)
    }

    /// The channel's plugin says which requests to make, the broker makes them.
    async fn exchanges(&self, channel: &Channel, send: &SendRow, noting: Noting) -> Attempt {
        let job = Job {
            key: send.key.clone(),
            attempt: send.attempt,
            at: self.clock.now(),
            account: channel.account.clone(),
            peer: send.conversation.as_ref().map(|c| c.thread.clone()),
            window_open: true,
            operation: send.operation.clone(),
        };
        self.turns(channel, &job, noting).await.into()
    }

    /// Asks the store until it answers: what it cannot tell must not leave. `None`: the house is closing.
    async fn asked_of_the_store<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        send: &SendRow,
        ask: impl Fn() -> F,
    ) -> Option<T> {
        loop {
            match ask().await {
                Ok(answer) => return Some(answer),
                Err(error) if error.passing() => {
                    tracing::error!(send = %send.id, %error, "a send waits for the store");
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
                Err(_closed) => return None,
            }
        }
    }

    /// A number in 0..1 that spreads retries, different for each send.
    fn spread(&self, id: Id) -> f64 {
        let mixed =
            (id.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.clock.now() as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Takes up every send of these shards that is not finished; says which.
    pub(crate) async fn take_up_sends(&self, gained: &[u16]) -> Result<HashSet<Id>, StoreError> {
        let open = self.store.open_sends(gained).await?;
        let known = open.iter().map(|send| send.id).collect();
        let under_way = |send: &SendRow| matches!(send.state, SendState::Sending | SendState::Unknown);
        let found = open.iter().filter(|send| under_way(send)).count();
        if self.outbox.found.fetch_add(found, Ordering::AcqRel) + found == 0 {
            self.broker.forget_found();
        }
        for send in open {
            let found = under_way(&send);
            self.deliver_in_turn(send, found);
        }
        Ok(known)
    }
}

/// The lane of a send.
pub(crate) fn place(send: &SendRow) -> Place {
    Place::of(send.workspace, lane_of(send.workspace, send.conversation.as_ref()))
}

/// The points before and after a send's state is written.
fn around(state: SendState) -> (&'static str, &'static str) {
    match state {
        SendState::Ready => ("retry.before", "retry.after"),
        SendState::Sending => ("intent.before", "intent.after"),
        SendState::Unknown => ("unknown.before", "unknown.after"),
        SendState::Parked | SendState::Dropped => ("park.before", "park.after"),
        SendState::Sent | SendState::Delivered | SendState::Read => ("sent.before", "sent.after"),
    }
}
