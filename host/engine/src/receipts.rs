//! News about what we sent. A status finds its send by our key where the provider echoes it, else by the provider's id;
//! it settles what was `unknown`, and never takes a send back to an earlier state.

use pointsman_core::event::{Delivery, Status};
use pointsman_core::outbox::{SendState, after_status};
use pointsman_store::{EventEnd, KeptEvent, SendUpdate, Settled, StoreError};

use crate::Engine;

impl Engine {
    pub(crate) async fn receipt(&self, kept: &KeptEvent, status: &Status) -> Result<(), StoreError> {
        let send = self.store.find_send(kept.workspace, kept.channel, status.key.as_deref(), &status.message).await?;
        let Some(send) = send else {
            // Sent by somebody else through the same account, or older than what we keep.
            return self.store.receipt(kept, EventEnd::by("foreign_receipt"), None).await;
        };
        let update = after_status(send.state, status.state).map(|state| SendUpdate {
            workspace: send.workspace,
            id: send.id,
            conversation: send.conversation.clone(),
            state,
            attempt: send.attempt,
            due: send.due,
            provider_ids: (state != SendState::Parked).then(|| vec![status.message.clone()]),
            reason: status.failure.clone().filter(|_| status.state == Delivery::Failed).map(|f| f.into_failure()),
            possible_duplicate: send.possible_duplicate,
        });
        let cost = update.as_ref().map(|update| match update.state {
            SendState::Parked => Settled::Nothing,
            _ => Settled::AsReserved,
        });
        if let Some(cost) = cost {
            self.paid_for(&send, cost).await;
        }
        let settled = send.state == SendState::Unknown && update.is_some();
        if settled {
            tracing::info!(send = %send.id, state = status.state.word(), "news from the provider settled an unknown send");
            metrics::counter!("pointsman_sends_total", "outcome" => "settled").increment(1);
        }
        let news = update.is_some();
        // Where a workflow listens for it, the event goes on: what it says is settled first.
        if let Some(event) = self.news(kept, &send).await? {
            if let Some(update) = update {
                self.store.update_send(update).await?;
                self.outbox.tell(send.id);
            }
            return self.routed(&event).await;
        }
        self.points.reach("receipt.before");
        self.store.receipt(kept, EventEnd::by("receipt"), update).await?;
        self.points.reach("receipt.after");
        if news {
            // Also when it did not look unknown a moment ago: the loss may have been noticed in between.
            self.outbox.tell(send.id);
        }
        Ok(())
    }
}
