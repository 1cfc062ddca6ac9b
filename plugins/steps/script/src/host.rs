//! The one door to the host's functions. On any target but wasm a double stands behind it, so that tests need no sandbox.

use crate::bindings::pointsman::plugin::conversation::Speaker;
use crate::bindings::pointsman::plugin::types::{Message, Template};

/// Something that the script wants done.
#[derive(Debug, Clone)]
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only the host reads all of them"))]
pub(crate) enum Act {
    Reply(Message),
    Template(Template),
    Tag(String),
    Untag(String),
    Note(String),
    Assign(String),
    /// Name and JSON.
    Set(String, String),
    /// Name and JSON.
    Emit(String, String),
}

/// Who said it, in the words of scripts.
pub(crate) fn speaker(by: Speaker) -> &'static str {
    match by {
        Speaker::Contact => "contact",
        Speaker::Agent => "agent",
        Speaker::Bot => "bot",
    }
}

#[cfg(target_arch = "wasm32")]
pub(crate) use real::*;

#[cfg(target_arch = "wasm32")]
mod real {
    use super::Act;
    use crate::bindings::pointsman::plugin::conversation::{self, Said};
    use crate::bindings::pointsman::plugin::log::Level;
    use crate::bindings::pointsman::plugin::state::{self, Scope};
    use crate::bindings::pointsman::plugin::types::Refusal;
    use crate::bindings::pointsman::plugin::{act as host, log as logging};

    pub(crate) fn log(level: Level, text: &str) {
        logging::log(level, text);
    }

    pub(crate) fn act(wish: Act) -> Result<(), Refusal> {
        match wish {
            Act::Reply(message) => host::reply(&message),
            Act::Template(template) => host::send_template(&template),
            Act::Tag(tag) => host::tag(&tag),
            Act::Untag(tag) => host::untag(&tag),
            Act::Note(text) => host::note(&text),
            Act::Assign(to) => host::assign(&to),
            Act::Set(name, json) => host::set(&name, &json),
            Act::Emit(name, json) => host::emit(&name, &json),
        }
    }

    pub(crate) fn history(count: u32) -> Result<Vec<Said>, Refusal> {
        conversation::history(count)
    }

    pub(crate) fn state_get(scope: Scope, key: &str) -> Result<Option<String>, Refusal> {
        state::get(scope, key)
    }

    pub(crate) fn state_set(scope: Scope, key: &str, json: &str, ttl: Option<u64>) -> Result<(), Refusal> {
        state::set(scope, key, json, ttl)
    }

    pub(crate) fn state_delete(scope: Scope, key: &str) -> Result<(), Refusal> {
        state::delete(scope, key)
    }

    pub(crate) fn state_add(scope: Scope, key: &str, by: i64) -> Result<i64, Refusal> {
        state::add(scope, key, by)
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use double::*;

/// Remembers what was asked for, and has a small store.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod double {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::{Act, Speaker};
    use crate::bindings::pointsman::plugin::conversation::Said;
    use crate::bindings::pointsman::plugin::log::Level;
    use crate::bindings::pointsman::plugin::state::Scope;
    use crate::bindings::pointsman::plugin::types::{Message, Refusal};

    #[derive(Default)]
    pub(crate) struct Double {
        pub(crate) acts: Vec<Act>,
        pub(crate) log: Vec<String>,
        pub(crate) state: BTreeMap<String, String>,
        pub(crate) denied: bool,
    }

    thread_local! {
        pub(crate) static DOUBLE: RefCell<Double> = RefCell::default();
    }

    fn with<T>(work: impl FnOnce(&mut Double) -> T) -> Result<T, Refusal> {
        DOUBLE.with_borrow_mut(|double| {
            if double.denied {
                Err(Refusal::Denied("grant it with `pointsman plugin grant`".to_owned()))
            } else {
                Ok(work(double))
            }
        })
    }

    fn place(scope: Scope, key: &str) -> String {
        format!("{scope:?}/{key}")
    }

    pub(crate) fn log(level: Level, text: &str) {
        DOUBLE.with_borrow_mut(|double| double.log.push(format!("{level:?}: {text}")));
    }

    pub(crate) fn act(wish: Act) -> Result<(), Refusal> {
        with(|double| double.acts.push(wish))
    }

    pub(crate) fn history(count: u32) -> Result<Vec<Said>, Refusal> {
        with(|_| {
            (0..count.min(3))
                .map(|n| Said {
                    by: if n % 2 == 0 { Speaker::Contact } else { Speaker::Bot },
                    at: i64::from(n),
                    message: Message {
                        id: None,
                        text: Some(format!("line {n}")),
                        attachments: Vec::new(),
                        choices: Vec::new(),
                        reply_to: None,
                        extra: None,
                    },
                })
                .collect()
        })
    }

    pub(crate) fn state_get(scope: Scope, key: &str) -> Result<Option<String>, Refusal> {
        with(|double| double.state.get(&place(scope, key)).cloned())
    }

    pub(crate) fn state_set(scope: Scope, key: &str, json: &str, _ttl: Option<u64>) -> Result<(), Refusal> {
        with(|double| double.state.insert(place(scope, key), json.to_owned())).map(drop)
    }

    pub(crate) fn state_delete(scope: Scope, key: &str) -> Result<(), Refusal> {
        with(|double| double.state.remove(&place(scope, key))).map(drop)
    }

    pub(crate) fn state_add(scope: Scope, key: &str, by: i64) -> Result<i64, Refusal> {
        with(|double| {
            let place = place(scope, key);
            let sum = double.state.get(&place).and_then(|v| v.parse::<i64>().ok()).unwrap_or(0) + by;
            double.state.insert(place, sum.to_string());
            sum
        })
    }
}
