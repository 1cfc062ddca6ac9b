//! Messages that cost money. Some providers take money for a template; where the operator says how much, it is reserved out of the same caps
//! as questions to models before it leaves, once for all attempts of a send, and settled with what became of it. A send whose answer never
//! came counts until it is known.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::outbox::Next;
use pointsman_core::ports::Operation;
use pointsman_model::price::Amount;
use pointsman_store::{Caps, NewSpend, SendRow, Settled, SpendFor, StoreError};

use crate::Engine;
use crate::model::capped;

/// The price of every template that has none of its own.
const OTHERS: &str = "*";

/// What a send costs that ended so; `None`: it is not over.
pub(crate) fn cost_of(next: &Next) -> Option<Settled> {
    match next {
        Next::Sent(_) => Some(Settled::AsReserved),
        Next::Parked(reason) if reason.code == "send.unknown" => Some(Settled::Whole),
        Next::Parked(_) => Some(Settled::Nothing),
        Next::Again { .. } | Next::Unknown { .. } => None,
    }
}

impl Engine {
    /// Reserves what a send costs, if it costs anything and nothing is reserved for it yet. The inner error is a refusal: `spend.cap`,
    /// `spend.price`.
    pub(crate) async fn pay(&self, send: &SendRow) -> Result<Result<(), Failure>, StoreError> {
        let Some(template) = self.priced(send) else { return Ok(Ok(())) };
        let (prices, caps) = &self.prices;
        let bounded = *caps != Caps::default();
        let amount: Amount = match prices.get(template).or_else(|| prices.get(OTHERS)) {
            Some(amount) => *amount,
            None if !bounded => return Ok(Ok(())),
            None => {
                let sentence = format!(
                    "what the template {template} costs is not known, so no cap would hold; write it, or \"*\" for all others, under \
                     [templates.prices] in pointsman.toml, start the host again and retry this"
                );
                return Ok(Err(Failure::new(Class::Permanent, "spend.price", sentence)));
            }
        };
        let run = self.store.run(send.workspace, send.run).await?;
        let workflow = match run {
            Some(run) => self.pinned(send.workspace, &run.workflow).await?,
            None => None,
        };
        let of = SpendFor {
            workspace: send.workspace,
            workflow: workflow.map_or_else(String::new, |workflow| workflow.name.to_string()),
            contact: send.conversation.as_ref().map(|c| c.contact),
            run: send.run,
        };
        let model = format!("template/{template}");
        let new = NewSpend { of, model, amount, tokens: (0, 0), flag: None, send: Some(send.id) };
        let reserved = self.store.reserve_spend(new, *caps).await?;
        Ok(reserved.map(drop).map_err(|reached| capped(&reached, "template", amount)))
    }

    /// Settles what a send cost. What cannot be settled goes on counting whole, and is told by `spend`.
    pub(crate) async fn paid_for(&self, send: &SendRow, cost: Settled) {
        if self.priced(send).is_none() {
            return;
        }
        if let Err(error) = self.store.settle_send(send.workspace, send.id, cost).await {
            tracing::error!(%error, send = %send.id, "what a template cost cannot be settled; it counts whole");
        }
    }

    /// The template that a send is, where templates have prices.
    fn priced<'a>(&self, send: &'a SendRow) -> Option<&'a str> {
        match &send.operation {
            Operation::SendTemplate(template) if !self.prices.0.is_empty() => Some(&template.name),
            _ => None,
        }
    }
}
