//! `try <step> run`: one call of a step or a script, with a conversation that is made up here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pointsman_core::effect::{Effect, Scope};
use pointsman_core::event::{Message, Person};
use pointsman_core::failure::Failure;
use pointsman_core::ports::{
    Code, ConversationInfo, Outcome, Passage, Refusal, Said, Speaker, StepCall, StepEnd, StepHost, StepRunner as _,
};
use pointsman_manifest::Kind;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::case::{self, Case, Json};
use super::event::from_v1;
use super::rig::{Rig, WORKSPACE};
use super::unusable;

/// Example: `pointsman plugin try keyword run --input '{"text":"Hi","rules":[{"any":["hi"]}]}'`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The input as JSON; for a script, the names that it sees.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The operator's settings for the plugin, as JSON.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// The event that started the run, as JSON (normalized event v1).
    #[arg(long, value_name = "JSON")]
    event: Option<String>,
    /// What the small store holds, as JSON: `{"contact":{"KEY":VALUE}}` or `{"contact/KEY":VALUE}`; the scopes are
    /// conversation, contact and workspace.
    #[arg(long, value_name = "JSON")]
    state: Option<String>,
    /// What the knowledge bases answer, as JSON: `{"BASE":[{"text","source","score","extra"}]}`.
    #[arg(long, value_name = "JSON")]
    knowledge: Option<String>,
    /// The conversation as JSON: id, channel, contact, tags, attributes, assigned, window_ends, history.
    #[arg(long, value_name = "JSON")]
    conversation: Option<String>,
    /// The script to run; the plugin is then `script`.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

impl Args {
    pub(super) fn case(&self) -> Result<Case, Failure> {
        Ok(Case {
            input: case::option("input", self.input.as_ref())?,
            config: case::option("config", self.config.as_ref())?,
            event: case::option("event", self.event.as_ref())?,
            state: case::option("state", self.state.as_ref())?,
            knowledge: case::option("knowledge", self.knowledge.as_ref())?,
            conversation: case::option("conversation", self.conversation.as_ref())?,
            script: self.script.as_ref().map(|file| case::string("script", file)).transpose()?,
            ..Case::default()
        })
    }
}

/// `{"output", "effects", "log", "usage"}`; `waiting` instead of the output of a script that waits for something, `error`
/// instead of output and effects of a call that failed.
pub(super) fn answer(rig: &Rig, case: &Case) -> Result<Value, Failure> {
    let (sandbox, loaded) = rig.code()?;
    let event = case::value("event", &case.event)?;
    let mut input = case::value("input", &case.input)?.unwrap_or_else(|| Value::Object(Map::new()));
    let code = match (rig.manifest.kind(), &case.script) {
        (Kind::Interpreter, Some(source)) => {
            if let (Some(names), Some(event)) = (input.as_object_mut(), &event) {
                names.entry("event").or_insert_with(|| event.clone());
            }
            let source: Arc<str> = source.as_str().into();
            Code::Script { hash: Arc::clone(&source), source }
        }
        (Kind::Interpreter, None) => return Err(unusable("script", "name the script to run: --script FILE")),
        (_, Some(_)) => {
            return Err(unusable(
                "script",
                format!("{} runs no scripts: `plugin try script run --script FILE`", rig.manifest.id),
            ));
        }
        (_, None) => Code::Plugin { id: Arc::clone(&loaded.id), digest: Arc::clone(&loaded.digest) },
    };
    let now = case.now();
    let call = StepCall {
        workspace: WORKSPACE,
        code,
        run: "1".to_owned(),
        path: "step".to_owned(),
        attempt: 1,
        at: now,
        seed: 1,
        input,
        config: case::value("config", &case.config)?.unwrap_or(Value::Null),
        event: event.map(|event| from_v1(event, now).map(Arc::new)).transpose()?,
        journal: Vec::new(),
        taken: Vec::new(),
        reads: Vec::new(),
    };
    let host = Arc::new(MadeUp::read(&case.conversation, &case.state, &case.knowledge)?);
    Ok(told(rig.wait(sandbox.run(call, host))))
}

fn told(end: StepEnd) -> Value {
    let log: Vec<Value> = end.log.iter().map(|line| json!({ "level": line.level, "text": line.text })).collect();
    let effects: Vec<Value> = end.effects.iter().map(effect).collect();
    match end.result {
        Ok(Outcome::Done(output)) => json!({ "output": output, "effects": effects, "log": log, "usage": end.usage }),
        Ok(Outcome::Suspended { name, arguments, .. }) => {
            let waiting = json!({ "name": name, "arguments": arguments });
            json!({ "waiting": waiting, "effects": effects, "log": log, "usage": end.usage })
        }
        Err(failure) => {
            let error = json!({ "code": failure.code, "message": failure.message, "class": failure.class });
            json!({ "error": error, "log": log, "usage": end.usage })
        }
    }
}

/// An effect by its word. Of a message, only what it has.
fn effect(effect: &Effect) -> Value {
    let mut told = json!(effect);
    for word in ["reply", "draft", "template"] {
        if let Some(message) = told.get_mut(word).and_then(Value::as_object_mut) {
            message.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty()));
        }
    }
    told
}

/// A conversation that is told on the command line.
struct MadeUp {
    info: ConversationInfo,
    history: Vec<Said>,
    state: Vec<(Scope, String, Value)>,
    knowledge: BTreeMap<String, Vec<Passage>>,
}

/// `--conversation`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Told {
    id: Option<String>,
    channel: Option<String>,
    contact: Option<Contact>,
    tags: Vec<String>,
    attributes: Option<Map<String, Value>>,
    assigned: Option<String>,
    window_ends: Option<i64>,
    history: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    language: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    by: Speaker,
    text: String,
    #[serde(default)]
    at: i64,
}

impl MadeUp {
    fn read(conversation: &Json, state: &Json, knowledge: &Json) -> Result<Self, Failure> {
        let told: Told = conversation.as_deref().map(|raw| case::read("conversation", raw)).transpose()?.unwrap_or_default();
        let contact = told.contact.unwrap_or(Contact {
            id: "ann".to_owned(),
            name: Some("Ann".to_owned()),
            username: None,
            language: None,
        });
        let Contact { id, name, username, language } = contact;
        let info = ConversationInfo {
            id: told.id.unwrap_or_else(|| "1".to_owned()),
            channel: told.channel.unwrap_or_else(|| "test".to_owned()),
            contact: Person { id, name, username, language, ..Person::default() },
            tags: told.tags,
            attributes: Value::Object(told.attributes.unwrap_or_default()),
            assigned: told.assigned,
            window_ends: told.window_ends,
        };
        let history = told.history.into_iter().map(|line| Said { by: line.by, at: line.at, message: Message::text(line.text) });
        let mut found = Vec::new();
        let state: Map<String, Value> = state.as_deref().map(|raw| case::read("state", raw)).transpose()?.unwrap_or_default();
        for (place, value) in state {
            match (place.split_once('/'), value) {
                (Some((word, key)), value) => found.push((scope(word)?, key.to_owned(), value)),
                (None, Value::Object(keys)) => {
                    let scope = scope(&place)?;
                    found.extend(keys.into_iter().map(|(key, value)| (scope, key, value)));
                }
                (None, _) => return Err(unusable("state", format!("`{place}` says not whose it is: write `contact/{place}`"))),
            }
        }
        let knowledge = knowledge.as_deref().map(|raw| case::read("knowledge", raw)).transpose()?.unwrap_or_default();
        Ok(Self { info, history: history.collect(), state: found, knowledge })
    }
}

fn scope(word: &str) -> Result<Scope, Failure> {
    match word {
        "conversation" => Ok(Scope::Conversation),
        "contact" => Ok(Scope::Contact),
        "workspace" => Ok(Scope::Workspace),
        other => Err(unusable("state", format!("there is no scope `{other}`: conversation, contact or workspace"))),
    }
}

#[async_trait]
impl StepHost for MadeUp {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Ok(self.info.clone())
    }

    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        let count = usize::try_from(count.min(100)).unwrap_or(100);
        Ok(self.history.iter().skip(self.history.len().saturating_sub(count)).cloned().collect())
    }

    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        Ok(self.state.iter().find(|(s, k, _)| *s == scope && k == key).map(|(_, _, value)| value.clone()))
    }

    async fn search(&self, base: &str, _: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        let found = self
            .knowledge
            .get(base)
            .ok_or_else(|| Refusal::Invalid(format!("knowledge.unknown: --knowledge has no base `{base}`")))?;
        Ok(found.iter().take(usize::try_from(count).unwrap_or_default()).cloned().collect())
    }
}
