//! `conversation`: reads of the conversation that the step runs in, and of no other.

use pointsman_core::ports::{ConversationInfo, Refusal, Said, Speaker};

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::world::conversation as wit;
use crate::world::convert::ForGuest as _;

/// Messages of one history.
const HISTORY: u32 = 100;

impl Ctx {
    fn may_read(&mut self) -> Result<std::sync::Arc<dyn pointsman_core::ports::StepHost>, Refusal> {
        let leg = self.called();
        if leg.plugin.capabilities.conversation.is_none() {
            return Err(leg.denied("conversation", "conversation = { why = \"...\" }"));
        }
        leg.reader()
    }
}

impl wit::Host for Ctx {
    async fn get(&mut self) -> Answered<wit::Info> {
        let host = match self.may_read() {
            Ok(host) => host,
            Err(refusal) => return answer(Err(refusal)),
        };
        answer(host.conversation().await.map(info))
    }

    async fn history(&mut self, count: u32) -> Answered<Vec<wit::Said>> {
        let host = match self.may_read() {
            Ok(host) => host,
            Err(refusal) => return answer(Err(refusal)),
        };
        answer(host.history(count.min(HISTORY)).await.map(|all| all.into_iter().map(said).collect()))
    }
}

fn info(of: ConversationInfo) -> wit::Info {
    wit::Info {
        id: of.id,
        channel: of.channel,
        contact: of.contact.for_guest(),
        tags: of.tags,
        attributes: if of.attributes.is_null() { "{}".to_owned() } else { of.attributes.to_string() },
        assigned: of.assigned,
        window_ends: of.window_ends,
    }
}

fn said(of: Said) -> wit::Said {
    wit::Said {
        by: match of.by {
            Speaker::Contact => wit::Speaker::Contact,
            Speaker::Agent => wit::Speaker::Agent,
            Speaker::Bot => wit::Speaker::Bot,
        },
        at: of.at,
        message: of.message.for_guest(),
    }
}
