//! `state`: a small store. Reads see the step's own writes first, then what stood before the step; writes are effects, so
//! they are kept with the step's result or not at all. In a later leg that means: after its wait a step reads what stands in
//! the store then, its own earlier writes among it. Attacks stopped here: keys and values without end, and scopes that
//! the operator was not asked for.

use pointsman_core::effect::{Effect, Scope};
use pointsman_core::permission::Permission;
use pointsman_core::ports::Refusal;
use pointsman_manifest::StateScope;
use serde_json::Value;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::json::parse_within;
use crate::past::{Question, Told};
use crate::world::state::{Host, Scope as WitScope};

/// Bytes of a key.
const KEY: usize = 128;

/// Bytes of a value as JSON.
const VALUE: usize = 64 << 10;

impl Ctx {
    /// Checks grant and key.
    fn may(&mut self, scope: WitScope, key: &str) -> Result<Scope, Refusal> {
        let leg = self.called();
        let (scope, asked, word) = match scope {
            WitScope::Conversation => (Scope::Conversation, StateScope::Conversation, "conversation"),
            WitScope::Contact => (Scope::Contact, StateScope::Contact, "contact"),
            WitScope::Workspace => (Scope::Workspace, StateScope::Workspace, "workspace"),
        };
        leg.may(&Permission::State(asked), &format!("state = {{ scope = \"{word}\", why = \"...\" }}"))?;
        if key.is_empty() || key.len() > KEY {
            return Err(Refusal::Invalid(format!("a key has 1 to {KEY} bytes")));
        }
        Ok(scope)
    }

    /// What the step itself last wrote there. `Some(None)`: it deleted the key.
    fn written(&self, scope: Scope, key: &str) -> Option<Option<Value>> {
        self.leg.effects.iter().rev().find_map(|effect| match effect {
            Effect::State { scope: s, key: k, value, .. } if *s == scope && k == key => Some(value.clone()),
            _ => None,
        })
    }

    /// What stands there. `take` looks at it; it is kept for the case that the step suspends.
    async fn value<T>(&mut self, scope: Scope, key: &str, take: impl FnOnce(Option<&Value>) -> T) -> Result<T, Refusal> {
        let question = Question::new(&["state", word(scope), key]);
        if let Some(told) = self.leg.past.told::<Option<[Value; 1]>>(question) {
            return told.map(|value| take(value.as_ref().map(|[value]| value)));
        }
        let told = match self.written(scope, key) {
            Some(own) => Ok(own),
            None => match self.leg.reader() {
                Ok(host) => host.state(scope, key).await,
                Err(refusal) => Err(refusal),
            },
        };
        let given = told.as_ref().map(|value| take(value.as_ref())).map_err(Clone::clone);
        self.leg.past.note(question, told.map_or_else(Told::Refused, Told::State));
        given
    }

    fn write(&mut self, scope: Scope, key: String, value: Option<Value>, bytes: usize, ttl: Option<u64>) -> Result<(), Refusal> {
        let bytes = bytes + key.len();
        let ttl = ttl.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        self.leg.want(Effect::State { scope, key, value, ttl }, bytes)
    }
}

/// A scope in a word.
fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Conversation => "conversation",
        Scope::Contact => "contact",
        Scope::Workspace => "workspace",
    }
}

impl Host for Ctx {
    async fn get(&mut self, scope: WitScope, key: String) -> Answered<Option<String>> {
        let scope = match self.may(scope, &key) {
            Ok(scope) => scope,
            Err(refusal) => return answer(Err(refusal)),
        };
        answer(self.value(scope, &key, |value| value.map(Value::to_string)).await)
    }

    fn set(&mut self, scope: WitScope, key: String, value: String, ttl: Option<u64>) -> Answered<()> {
        answer(self.may(scope, &key).and_then(|scope| {
            let parsed = parse_within(&value, VALUE)?;
            self.write(scope, key, Some(parsed), value.len(), ttl)
        }))
    }

    fn delete(&mut self, scope: WitScope, key: String) -> Answered<()> {
        answer(self.may(scope, &key).and_then(|scope| self.write(scope, key, None, 0, None)))
    }

    async fn add(&mut self, scope: WitScope, key: String, by: i64) -> Answered<i64> {
        let scope = match self.may(scope, &key) {
            Ok(scope) => scope,
            Err(refusal) => return answer(Err(refusal)),
        };
        let before = match self.value(scope, &key, |value| value.map_or(Some(0), Value::as_i64)).await {
            Ok(before) => before,
            Err(refusal) => return answer(Err(refusal)),
        };
        let Some(sum) = before.and_then(|before| before.checked_add(by)) else {
            return answer(Err(Refusal::Invalid("what stands there is no integer, or the sum is none of 64 bits".to_owned())));
        };
        answer(self.write(scope, key, Some(Value::from(sum)), 20, None).map(|()| sum))
    }
}
