//! `knowledge`: search in what the business knows. The bases are those of the workspace whose run this is, and nothing that a guest
//! passes could name another workspace. Attacks stopped here: questions without end, and more passages than one answer may hold.

use pointsman_core::permission::Permission;
use pointsman_core::ports::{Passage, Refusal};

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::past::{Question, Told};
use crate::world::knowledge::{Host, Passage as WitPassage};

/// Passages of one answer.
const PASSAGES: u32 = 50;

/// Bytes of a question.
const QUESTION: usize = 16 << 10;

/// Bytes of the name of a base.
const NAME: usize = 128;

impl Ctx {
    fn may_search(&mut self, base: &str, query: &str) -> Result<(), Refusal> {
        let leg = self.called();
        leg.may(&Permission::Knowledge, "knowledge = { why = \"...\" }")?;
        if base.is_empty() || base.len() > NAME {
            return Err(Refusal::Invalid(format!("the name of a knowledge base has 1 to {NAME} bytes")));
        }
        if query.len() > QUESTION {
            return Err(Refusal::Limit("limit.knowledge-query".to_owned()));
        }
        Ok(())
    }
}

impl Host for Ctx {
    async fn search(&mut self, base: String, query: String, count: u32) -> Answered<Vec<WitPassage>> {
        if let Err(refusal) = self.may_search(&base, &query) {
            return answer(Err(refusal));
        }
        let count = count.min(PASSAGES);
        let question = Question::new(&["knowledge", &base, &query, &count.to_string()]);
        let all = |told: &Vec<Passage>| told.iter().map(for_guest).collect();
        if let Some(told) = self.leg.past.told::<Vec<Passage>>(question) {
            return answer(told.as_ref().map(all).map_err(Clone::clone));
        }
        let told = match self.leg.reader() {
            Ok(host) => host.search(&base, &query, count).await,
            Err(refusal) => Err(refusal),
        };
        let given = told.as_ref().map(all).map_err(Clone::clone);
        self.leg.past.note(question, told.map_or_else(Told::Refused, Told::Passages));
        answer(given)
    }
}

fn for_guest(of: &Passage) -> WitPassage {
    WitPassage {
        text: of.text.clone(),
        source: of.source.clone(),
        score: of.score,
        extra: of.extra.as_ref().map(ToString::to_string),
    }
}
