//! Language models, in the words of the contract: what a step asks, and what it is told. Whoever answers is the engine's matter; a step
//! never learns where a model lies or what opens it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who says a turn of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One turn of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who says it.
    pub role: Role,
    /// What.
    pub text: String,
}

/// What a step asks a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// The name of a connection; absent: those of the workspace, in their order.
    pub model: Option<String>,
    /// What was said so far.
    pub turns: Vec<Turn>,
    /// A JSON Schema: then the answer is JSON that is valid against it, or the call fails.
    pub schema: Option<Value>,
    /// Tokens of the answer at most.
    pub max_tokens: Option<u32>,
    /// How freely it may choose its words.
    pub temperature: Option<f32>,
}

/// What a model answered. Its words are words from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Its words.
    pub text: String,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Whether it was cut at `max_tokens`.
    pub truncated: bool,
}

/// Whether a workspace lets its steps ask models. Read at each call, like every permission.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AiMode {
    /// Steps that were granted it may ask.
    #[default]
    On,
    /// Only in runs that a person began.
    OnRequest,
    /// Nobody asks anything.
    Off,
}

impl AiMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::On, Self::OnRequest, Self::Off];

    /// As it is stored and typed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OnRequest => "on-request",
            Self::Off => "off",
        }
    }

    /// Of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}
