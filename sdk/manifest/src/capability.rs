//! What a step may ask for. Each capability carries its reason in one sentence, which the operator reads before granting.

use serde::{Deserialize, Serialize};

use crate::channel::PlacementKind;

/// `[capabilities]`. What is absent is not asked for, and cannot be imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// A small store of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateUse>,
    /// Reads who it is talking with and what was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Reason>,
    /// Says or does something in this conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ActUse>,
    /// Calls these hosts and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpUse>,
    /// Asks a language model that the operator configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelUse>,
    /// Searches the knowledge bases that the grant names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<KnowledgeUse>,
}

impl Capabilities {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A capability with nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// One sentence for the operator.
    pub why: String,
}

/// Whose memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateScope {
    /// This conversation.
    Conversation,
    /// The contact, over all conversations.
    Contact,
    /// Everybody in the workspace.
    Workspace,
}

/// One scope or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"conversation\", \"contact\", \"workspace\", or a list of these")]
pub enum Scopes {
    /// `scope = "contact"`
    One(StateScope),
    /// `scope = ["contact", "workspace"]`
    Many(Vec<StateScope>),
}

/// `state = { scope, why }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateUse {
    /// Exactly these; none includes another.
    pub scope: Scopes,
    /// One sentence for the operator.
    pub why: String,
}

impl StateUse {
    /// Whether this scope was asked for.
    #[must_use]
    pub fn covers(&self, scope: StateScope) -> bool {
        self.scopes().contains(&scope)
    }

    /// All that were asked for.
    #[must_use]
    pub fn scopes(&self) -> &[StateScope] {
        match &self.scope {
            Scopes::One(one) => std::slice::from_ref(one),
            Scopes::Many(many) => many,
        }
    }
}

/// A function of the interface `act`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the functions")]
pub enum EffectKind {
    Reply,
    Template,
    Draft,
    Tag,
    Untag,
    Note,
    Assign,
    Set,
    Emit,
}

/// `act = { effects = ["reply"], why }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActUse {
    /// Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<EffectKind>>,
    /// One sentence for the operator.
    pub why: String,
}

impl ActUse {
    /// Whether this effect was asked for.
    #[must_use]
    pub fn covers(&self, effect: EffectKind) -> bool {
        self.effects.as_ref().is_none_or(|effects| effects.contains(&effect))
    }
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the words say it")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// One host that a step calls: `{ host, methods, paths, credential, why }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpUse {
    /// `api.example.com` or `api.example.com:8443`; over https, unless the operator opened it as a host of his own network.
    pub host: String,
    /// At least one.
    pub methods: Vec<HttpMethod>,
    /// What the path must begin with; absent: any path.
    #[serde(default = "any_path")]
    pub paths: Vec<String>,
    /// The slot whose secret may go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Where in the request the secret may stand.
    #[serde(default = "PlacementKind::usual")]
    pub placements: Vec<PlacementKind>,
    /// One sentence for the operator.
    pub why: String,
}

fn any_path() -> Vec<String> {
    vec!["/".to_owned()]
}

impl HttpUse {
    /// `https://api.example.com`
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Whether a request of this method to this path was asked for. `path` is the path of a URL as it will be sent: it has
    /// been normalized, so that `/v1/../admin` has become `/admin` before it comes here.
    #[must_use]
    pub fn covers(&self, method: HttpMethod, path: &str) -> bool {
        self.methods.contains(&method) && self.paths.iter().any(|prefix| path_under(prefix, path))
    }
}

/// Whether a path lies at or below another: `/v1` has `/v1` and `/v1/x` below it, not `/v10`; `/v1/` only what is below.
#[must_use]
pub fn path_under(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// A function of the interface `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the functions")]
pub enum ModelCall {
    Chat,
    Embed,
}

/// `model = { calls = ["chat"], why }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelUse {
    /// Absent: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Vec<ModelCall>>,
    /// One sentence for the operator.
    pub why: String,
}

impl ModelUse {
    /// Whether this call was asked for.
    #[must_use]
    pub fn covers(&self, call: ModelCall) -> bool {
        self.calls.as_ref().is_none_or(|calls| calls.contains(&call))
    }
}

/// `knowledge = { why }`: which bases, the grant says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeUse {
    /// One sentence for the operator.
    pub why: String,
}
