//! The host's functions for tests: the signatures of the generated imports, answered by the thread's [`Host`].

use super::{Act, HOST, Host};
use crate::types::Refusal;

fn with<T>(interface: &'static str, f: impl FnOnce(&mut Host) -> Result<T, Refusal>) -> Result<T, Refusal> {
    HOST.with(|host| {
        let mut host = host.borrow_mut();
        if host.denied.contains(interface) {
            return Err(Refusal::Denied(format!("`{interface}` is not granted: ask for it under [capabilities] in plugin.toml")));
        }
        f(&mut host)
    })
}

fn json(text: &str) -> Result<serde_json::Value, Refusal> {
    serde_json::from_str(text).map_err(|_| Refusal::Invalid("not JSON".into()))
}

fn act(act: Act) -> Result<(), Refusal> {
    with("act", |h| {
        h.acts.push(act);
        Ok(())
    })
}

pub(crate) mod act {
    use super::{Act, Refusal, act, json};
    use crate::types::{Message, Template};

    pub(crate) fn reply(message: &Message) -> Result<(), Refusal> {
        act(Act::Reply(message.clone()))
    }
    pub(crate) fn send_template(template: &Template) -> Result<(), Refusal> {
        act(Act::Template(template.clone()))
    }
    pub(crate) fn draft(message: &Message) -> Result<(), Refusal> {
        act(Act::Draft(message.clone()))
    }
    pub(crate) fn tag(tag: &str) -> Result<(), Refusal> {
        act(Act::Tag(tag.into()))
    }
    pub(crate) fn untag(tag: &str) -> Result<(), Refusal> {
        act(Act::Untag(tag.into()))
    }
    pub(crate) fn note(text: &str) -> Result<(), Refusal> {
        act(Act::Note(text.into()))
    }
    pub(crate) fn assign(to: &str) -> Result<(), Refusal> {
        act(Act::Assign(to.into()))
    }
    pub(crate) fn set(name: &str, value: &str) -> Result<(), Refusal> {
        act(Act::Set(name.into(), json(value)?))
    }
    pub(crate) fn emit(name: &str, data: &str) -> Result<(), Refusal> {
        act(Act::Emit(name.into(), json(data)?))
    }
}

pub(crate) mod clock {
    pub(crate) fn now() -> i64 {
        super::HOST.with(|h| h.borrow().now)
    }
}

pub(crate) mod random {
    /// splitmix64, as the host's.
    pub(crate) fn next() -> u64 {
        super::HOST.with(|h| {
            let mut h = h.borrow_mut();
            h.seed = h.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (h.seed ^ (h.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        })
    }
    pub(crate) fn bytes(count: u32) -> Vec<u8> {
        std::iter::repeat_with(|| next().to_le_bytes()).flatten().take(count as usize).collect()
    }
}

pub(crate) mod log {
    pub(crate) fn log(level: crate::context::Level, message: &str) {
        super::HOST.with(|h| h.borrow_mut().log.push((level, message.into())));
    }
}

pub(crate) mod conversation {
    use super::{Refusal, with};
    use crate::context::{Info, Said};

    pub(crate) fn get() -> Result<Info, Refusal> {
        with("conversation", |h| Ok(h.conversation.clone()))
    }
    pub(crate) fn history(count: u32) -> Result<Vec<Said>, Refusal> {
        with("conversation", |h| {
            let skip = h.history.len().saturating_sub(count.min(100) as usize);
            Ok(h.history.iter().skip(skip).cloned().collect())
        })
    }
}

pub(crate) mod state {
    use super::{Refusal, json, with};
    use crate::context::Scope;

    fn place(scope: Scope, key: &str) -> String {
        let scope = match scope {
            Scope::Conversation => "conversation",
            Scope::Contact => "contact",
            Scope::Workspace => "workspace",
        };
        format!("{scope}/{key}")
    }
    pub(crate) fn get(scope: Scope, key: &str) -> Result<Option<String>, Refusal> {
        with("state", |h| Ok(h.state.get(&place(scope, key)).map(ToString::to_string)))
    }
    pub(crate) fn set(scope: Scope, key: &str, value: &str, _ttl: Option<u64>) -> Result<(), Refusal> {
        let value = json(value)?;
        with("state", |h| {
            h.state.insert(place(scope, key), value);
            Ok(())
        })
    }
    pub(crate) fn delete(scope: Scope, key: &str) -> Result<(), Refusal> {
        with("state", |h| {
            h.state.remove(&place(scope, key));
            Ok(())
        })
    }
    pub(crate) fn add(scope: Scope, key: &str, by: i64) -> Result<i64, Refusal> {
        with("state", |h| {
            let old = match h.state.get(&place(scope, key)) {
                None => 0,
                Some(v) => v.as_i64().ok_or_else(|| Refusal::Invalid("not an integer".into()))?,
            };
            let new = old.checked_add(by).ok_or_else(|| Refusal::Invalid("too large".into()))?;
            h.state.insert(place(scope, key), new.into());
            Ok(new)
        })
    }
}

pub(crate) mod http {
    use super::{Refusal, with};
    use crate::types::{HttpRequest, HttpResponse};

    pub(crate) fn send(request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        with("http", |h| {
            h.requests.push(request.clone());
            h.answers.pop_front().ok_or_else(|| Refusal::Unavailable("the network is away".into()))
        })
    }
}

pub(crate) mod knowledge {
    use super::{Refusal, with};
    use crate::context::Passage;

    pub(crate) fn search(_base: &str, _query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        with("knowledge", |h| {
            let mut found = h.passages.pop_front().unwrap_or_default();
            found.truncate(count as usize);
            Ok(found)
        })
    }
}

pub(crate) mod model {
    use super::{Refusal, with};
    use crate::context::{Completion, Prompt};

    pub(crate) fn chat(prompt: &Prompt) -> Result<Completion, Refusal> {
        with("model", |h| {
            h.prompts.push(prompt.clone());
            h.completions.pop_front().ok_or_else(|| Refusal::Unavailable("the model is away".into()))
        })
    }
    pub(crate) fn embed(_model: Option<&str>, texts: &[String]) -> Result<Vec<Vec<f32>>, Refusal> {
        with("model", |_| Ok(texts.iter().map(|t| vec![t.len() as f32, 1.0]).collect()))
    }
}
