//! A workflow as the machine walks it: a flat list of operations with labels, so that a run's place is one number and a
//! message that needs three steps touches three operations.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Millis;
use crate::retry::Policy;

use super::template::{Expression, Pattern};

/// An index into [`Program::labels`].
pub(crate) type Label = usize;

/// One operation.
#[derive(Debug)]
pub(crate) enum Op {
    /// The guard of site `site`: goes on when true, else to `otherwise`.
    Branch { site: usize, condition: Expression, otherwise: Label },
    /// Runs the verb of a site.
    Run { site: usize },
    /// Goes elsewhere.
    Jump(Label),
    /// Leaves an `on_error` list: `error` is no name any more.
    Handled,
    /// The end.
    End,
}

/// What happens to an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// The run has failed.
    Fail,
    /// It is passed over: go on there.
    GoOn(Label),
    /// The steps there deal with it; they see `error`.
    Steps(Label),
}

/// A step of the file.
#[derive(Debug)]
pub(crate) struct Site {
    pub path: Arc<str>,
    pub id: Option<Arc<str>>,
    /// `None`: a `do`, which exists for its guard and its path.
    pub verb: Option<Verb>,
    pub retry: Policy,
    pub timeout: Option<Millis>,
    pub handler: Handler,
    /// The first operation: the guard, else the verb.
    pub first: usize,
    /// The operation of the verb.
    pub run: usize,
    /// Whether anything reads the output under the site's id.
    pub kept: bool,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Verb {
    Use { plugin: Arc<str>, with: Pattern },
    Script(Script),
    Reply(Reply),
    Template { name: Pattern, language: Pattern, variables: Option<Pattern> },
    Tag(Pattern),
    Untag(Pattern),
    Note(Pattern),
    Assign(Pattern),
    Set(Vec<(String, Pattern)>),
    Stop(Option<Pattern>),
}

impl Verb {
    /// The word of the file; for `use` the plugin's id.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Use { plugin, .. } => plugin,
            Self::Script(_) => "script",
            Self::Reply(_) => "reply",
            Self::Template { .. } => "template",
            Self::Tag(_) => "tag",
            Self::Untag(_) => "untag",
            Self::Note(_) => "note",
            Self::Assign(_) => "assign",
            Self::Set(_) => "set",
            Self::Stop(_) => "stop",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Script {
    pub source: Arc<str>,
    pub hash: Arc<str>,
    /// Identifiers in its text; after the whole file is read: those of them that are names.
    pub mentions: Vec<Arc<str>>,
    pub with: Vec<(String, Pattern)>,
}

#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub text: Option<Pattern>,
    pub attachments: Vec<AttachmentForm>,
    pub buttons: Buttons,
    pub quote: Option<Pattern>,
}

/// The buttons of a reply.
#[derive(Debug)]
pub(crate) enum Buttons {
    /// Written one by one.
    List(Vec<ButtonForm>),
    /// An expression that gives a list of them.
    Expr(Pattern),
}

impl Default for Buttons {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug)]
pub(crate) struct ButtonForm {
    pub title: Pattern,
    pub payload: Option<Pattern>,
    pub url: Option<Pattern>,
}

#[derive(Debug)]
pub(crate) struct AttachmentForm {
    pub kind: crate::event::AttachmentKind,
    pub url: Pattern,
    pub mime: Option<Pattern>,
    pub filename: Option<Pattern>,
}

/// The whole.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub ops: Vec<Op>,
    pub labels: Vec<usize>,
    pub sites: Vec<Site>,
    pub by_path: HashMap<Arc<str>, usize>,
}

impl Program {
    /// Where a label stands. A label of the program itself is always there; the end otherwise.
    pub(crate) fn at(&self, label: Label) -> usize {
        self.labels.get(label).copied().unwrap_or(self.ops.len())
    }
}
