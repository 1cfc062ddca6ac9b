//! `conversation`: reads of the conversation that the step runs in, and of no other.

use pointsman_core::permission::Permission;
use pointsman_core::ports::{ConversationInfo, Refusal, Said, Speaker};

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::past::{Question, Told};
use crate::world::conversation as wit;
use crate::world::convert::ForGuest as _;

/// Messages of one history.
const HISTORY: u32 = 100;

impl Ctx {
    fn may_read(&mut self) -> Result<(), Refusal> {
        self.called().may(&Permission::Conversation, "conversation = { why = \"...\" }")
    }
}

impl wit::Host for Ctx {
    async fn get(&mut self) -> Answered<wit::Info> {
        if let Err(refusal) = self.may_read() {
            return answer(Err(refusal));
        }
        let question = Question::new(&["conversation"]);
        if let Some(told) = self.leg.past.told::<ConversationInfo>(question) {
            return answer(told.map(|of| info(&of)));
        }
        let told = match self.leg.reader() {
            Ok(host) => host.conversation().await,
            Err(refusal) => Err(refusal),
        };
        let given = told.as_ref().map(info).map_err(Clone::clone);
        self.leg.past.note(question, told.map_or_else(Told::Refused, |of| Told::Conversation(Box::new(of))));
        answer(given)
    }

    async fn history(&mut self, count: u32) -> Answered<Vec<wit::Said>> {
        if let Err(refusal) = self.may_read() {
            return answer(Err(refusal));
        }
        let count = count.min(HISTORY);
        let question = Question::new(&["history", &count.to_string()]);
        let all = |told: &Vec<Said>| told.iter().map(said).collect();
        if let Some(told) = self.leg.past.told::<Vec<Said>>(question) {
            return answer(told.as_ref().map(all).map_err(Clone::clone));
        }
        let told = match self.leg.reader() {
            Ok(host) => host.history(count).await,
            Err(refusal) => Err(refusal),
        };
        let given = told.as_ref().map(all).map_err(Clone::clone);
        self.leg.past.note(question, told.map_or_else(Told::Refused, Told::History));
        answer(given)
    }
}

fn info(of: &ConversationInfo) -> wit::Info {
    wit::Info {
        id: of.id.clone(),
        channel: of.channel.clone(),
        contact: of.contact.for_guest(),
        tags: of.tags.clone(),
        attributes: if of.attributes.is_null() { "{}".to_owned() } else { of.attributes.to_string() },
        assigned: of.assigned.clone(),
        window_ends: of.window_ends,
    }
}

fn said(of: &Said) -> wit::Said {
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
