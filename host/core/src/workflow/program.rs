//! A workflow as the machine walks it: a flat list of operations with labels, so that a run's place is one number and a
//! message that needs three steps touches three operations.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::clock::Millis;
use crate::retry::Policy;
use crate::wait::{Expect, Filter};

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
    /// Begins the `each` of a site: its first item.
    Each { site: usize },
    /// Goes on with the next item of an `each`, or ends it.
    Next { site: usize },
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
    Use {
        plugin: Arc<str>,
        with: Pattern,
    },
    Script(Script),
    Reply(Reply),
    Template {
        name: Pattern,
        language: Pattern,
        variables: Option<Pattern>,
    },
    Tag(Pattern),
    Untag(Pattern),
    Note(Pattern),
    Assign(Pattern),
    Set(Vec<(String, Pattern)>),
    Stop(Option<Pattern>),
    Handoff(Handoff),
    Ask(Box<Ask>),
    Wait(WaitForm),
    /// `approve` and `draft`.
    Approve(Approve),
    Each(Each),
    Emit {
        name: Pattern,
        data: Option<Pattern>,
    },
    /// A workflow by its name, and what it is given.
    Call {
        workflow: Arc<str>,
        with: Option<Pattern>,
    },
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
            Self::Handoff(_) => "handoff",
            Self::Ask(_) => "ask",
            Self::Wait(_) => "wait",
            Self::Approve(Approve { send: true, .. }) => "draft",
            Self::Approve(_) => "approve",
            Self::Each(_) => "each",
            Self::Emit { .. } => "emit",
            Self::Call { .. } => "call",
        }
    }

    /// Whether it is about a conversation or its contact, and so must be in one.
    pub(crate) fn talks(&self) -> bool {
        super::verbs::TALKS.contains(&self.word())
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
pub(crate) struct Handoff {
    pub to: Option<String>,
    pub note: Option<Pattern>,
    /// Written by `on_error: handoff`: the note says what failed.
    pub of_error: bool,
}

#[derive(Debug)]
pub(crate) struct Ask {
    pub question: Reply,
    pub expect: Expected,
    pub again: Option<Pattern>,
    pub timeout: Millis,
}

/// What an `ask` expects.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Nothing was said: one of the buttons, where there are any.
    Unsaid,
    Kind(Expect),
    /// A list of texts.
    OneOf(Pattern),
}

#[derive(Debug)]
pub(crate) enum WaitForm {
    /// A length of time.
    Length(Pattern),
    /// A moment: milliseconds, or RFC 3339.
    Until(Pattern),
    Event {
        filter: Filter,
        timeout: Millis,
    },
}

#[derive(Debug)]
pub(crate) struct Approve {
    pub text: Pattern,
    pub to: Option<String>,
    pub expires: Millis,
    /// `draft`: what was approved is sent.
    pub send: bool,
}

#[derive(Debug)]
pub(crate) struct Each {
    pub items: Pattern,
    /// The name of the item.
    pub name: Arc<str>,
    pub max: usize,
    /// The sites of its steps.
    pub inner: Range<usize>,
    /// Its [`Op::Next`].
    pub next: usize,
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

    /// The site of a path of a run, and the item where it stands in an `each`: `items[2].send` is the site `items[].send`.
    pub(crate) fn find(&self, path: &str) -> Option<(usize, Option<usize>)> {
        if let Some(site) = self.by_path.get(path) {
            return Some((*site, None));
        }
        let (before, rest) = path.split_once('[')?;
        let (item, after) = rest.split_once(']')?;
        let site = self.by_path.get(format!("{before}[]{after}").as_str())?;
        Some((*site, Some(item.parse().ok()?)))
    }
}
