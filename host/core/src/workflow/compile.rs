//! Steps of the file into operations: blocks, guards, `elif`/`else` chains and `on_error`, and which names an expression
//! may see where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::Place;
use super::program::{Handler, Label, Op, Program, Site};
use super::reader::{Reader, did_you_mean};
use super::settings;
use super::template::Expression;
use super::verbs::{self, SUPPORTED, VERBS};
use super::yaml::{Key, Kind, Node};
use crate::clock::Millis;
use crate::retry::Policy;

/// Names that no id may shadow.
pub(super) const RESERVED: [&str; 7] = ["event", "contact", "conversation", "workspace", "vars", "now", "error"];

/// Words of the expression language.
pub(super) const WORDS: [&str; 30] = [
    "true", "false", "let", "const", "if", "else", "switch", "while", "loop", "for", "in", "do", "until", "continue", "break",
    "fn", "private", "this", "return", "throw", "try", "catch", "import", "export", "as", "global", "is", "null", "nil", "void",
];

/// Keys that may stand beside any verb.
const BESIDE: [&str; 7] = ["id", "if", "elif", "with", "retry", "timeout", "on_error"];

/// Steps of a file, at most.
const STEPS: usize = 1_000;

/// What becomes of an error that a step does not deal with itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outer {
    /// The run has failed.
    Fail,
    /// The step is passed over.
    Next,
    /// The block around it knows.
    To(Handler),
}

/// Reads steps.
pub(super) struct Compiler<'a> {
    pub r: Reader<'a>,
    pub program: Program,
    /// Every id, and where it was given.
    pub ids: BTreeMap<String, Place>,
    /// Ids whose step has certainly run at this place.
    pub certain: BTreeSet<String>,
    /// Within an `each`: the name of its item.
    pub item: Option<String>,
    /// Every name that an item has in some `each`.
    pub items: BTreeSet<String>,
    in_handler: bool,
    /// Too many steps were met.
    full: bool,
    /// For steps that say nothing.
    pub timeout: Option<Millis>,
    /// Whether nothing that starts it happens in a conversation.
    pub homeless: bool,
    pub plugins: BTreeSet<Arc<str>>,
    /// Names of the workflows that are called.
    pub calls: BTreeSet<Arc<str>>,
    /// Names of the script files that are used.
    pub files: BTreeSet<String>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(r: Reader<'a>) -> Self {
        Self {
            r,
            program: Program::default(),
            ids: BTreeMap::new(),
            certain: BTreeSet::new(),
            item: None,
            items: BTreeSet::new(),
            in_handler: false,
            full: false,
            timeout: None,
            homeless: false,
            plugins: BTreeSet::new(),
            calls: BTreeSet::new(),
            files: BTreeSet::new(),
        }
    }

    /// The whole: `steps`, then what `on_error` of the workflow says.
    pub(super) fn workflow(&mut self, steps: &[Node], on_error: Option<&Node>) {
        let read = on_error.map(|node| settings::on_error(&mut self.r, node));
        let (outer, handler) = match read.map(|o| o.then) {
            None | Some(settings::Then::Stop) => (Outer::Fail, None),
            Some(settings::Then::Continue) => (Outer::Next, None),
            Some(settings::Then::Steps(nodes)) => {
                let label = self.label();
                (Outer::To(Handler::Steps(label)), Some((label, Some(nodes))))
            }
            Some(settings::Then::Handoff) => {
                let label = self.label();
                (Outer::To(Handler::Steps(label)), Some((label, None)))
            }
        };
        self.list(steps, "", outer);
        self.emit(Op::End);
        if let Some((label, None)) = handler {
            self.place(label);
            self.hand_off("on_error");
        }
        if let Some((label, Some(nodes))) = handler {
            self.place(label);
            self.certain.clear();
            self.in_handler = true;
            self.list(nodes, "on_error", Outer::Fail);
            self.in_handler = false;
            self.emit(Op::Handled);
            self.emit(Op::End);
        }
        self.judge();
    }

    fn label(&mut self) -> Label {
        self.program.labels.push(usize::MAX);
        self.program.labels.len() - 1
    }

    fn place(&mut self, label: Label) {
        let here = self.program.ops.len();
        if let Some(slot) = self.program.labels.get_mut(label) {
            *slot = here;
        }
    }

    pub(super) fn emit(&mut self, op: Op) {
        self.program.ops.push(op);
    }

    pub(super) fn list(&mut self, items: &[Node], parent: &str, outer: Outer) {
        let mut items = items.iter().enumerate().peekable();
        while let Some((at, node)) = items.next() {
            if let Some(key) = chain_word(node) {
                self.r
                    .find("workflow.stray_else", key.place, format!("`{}` must follow a step with `if`", key.text))
                    .help("put it right behind the guarded step, at the same depth");
            }
            let mut members = vec![(at, node)];
            while let Some(next) = items.next_if(|(_, next)| chain_word(next).is_some()) {
                members.push(next);
            }
            self.chain(&members, parent, outer);
        }
    }

    /// A step and the `elif`s and `else` that belong to it.
    fn chain(&mut self, members: &[(usize, &Node)], parent: &str, outer: Outer) {
        let end = self.label();
        let before = self.certain.clone();
        let mut after: Vec<BTreeSet<String>> = Vec::new();
        let mut complete = false;
        let mut closed = false;
        for (n, (at, node)) in members.iter().enumerate() {
            let more = n + 1 < members.len();
            if closed {
                let place = chain_word(node).map_or(node.place, |k| k.place);
                self.r.find("workflow.stray_else", place, "nothing may follow an `else`").help("put it before the `else`");
            }
            self.certain.clone_from(&before);
            if let Some(block) = entry(node, "else") {
                complete = true;
                closed = true;
                if let Kind::Map(entries) = &node.kind {
                    self.r.known_keys(entries, "an else", &["else"]);
                }
                let path = join(parent, &format!("{}.else", at + 1));
                match &block.kind {
                    Kind::List(items) => self.list(items, &path, outer),
                    _ => self.list(std::slice::from_ref(block), &path, outer),
                }
            } else {
                let next = self.label();
                let guarded = self.step(node, parent, *at, next, end, outer);
                if n == 0
                    && !guarded
                    && let Some(key) = members.get(1).and_then(|(_, m)| chain_word(m))
                {
                    self.r
                        .find("workflow.stray_else", key.place, format!("`{}` follows a step without `if`", key.text))
                        .help("give the step before it an `if`");
                }
                complete |= !guarded;
                if more {
                    self.emit(Op::Jump(end));
                }
                self.place(next);
            }
            after.push(std::mem::take(&mut self.certain));
        }
        self.place(end);
        self.certain = before;
        if complete {
            let mut all = after.into_iter();
            if let Some(first) = all.next() {
                self.certain = all.fold(first, |common, set| common.intersection(&set).cloned().collect());
            }
        }
    }

    /// One step. Returns whether it has a guard.
    fn step(&mut self, node: &Node, parent: &str, at: usize, next: Label, end: Label, outer: Outer) -> bool {
        if self.program.sites.len() >= STEPS {
            if !std::mem::replace(&mut self.full, true) {
                self.r
                    .find("limit.steps", node.place, format!("a workflow has at most {STEPS} steps"))
                    .help("make it two workflows");
            }
            return false;
        }
        let nothing = Kind::Scalar { text: String::new(), plain: true };
        let word = node.text().unwrap_or_default();
        let bare = [(Key { text: word.into(), place: node.place }, Node { place: node.place, end: node.end, kind: nothing })];
        let entries: &[(Key, Node)] = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar { .. } if matches!(word, "stop" | "handoff") => &bare,
            _ => {
                self.r.wrong_kind(
                    node,
                    "a step",
                    &format!("a map with one of: {}; or a bare word: stop, handoff", SUPPORTED.join(", ")),
                );
                return false;
            }
        };
        let get = |name: &str| entries.iter().find(|(k, _)| k.text == name);
        let id = get("id").and_then(|(_, node)| self.id(node));
        let segment = id.clone().unwrap_or_else(|| (at + 1).to_string());
        let path: Arc<str> = join(parent, &segment).into();

        let guard = get("if").or_else(|| get("elif")).map(|(_, node)| self.r.guard(node));
        let guarded = guard.is_some();
        self.judge();
        if let Some(guard) = &guard {
            self.believe(guard);
        }

        let verb = self.one_verb(entries, node.place);
        let own = get("on_error").map(|(_, node)| settings::on_error(&mut self.r, node));
        let mut retry = get("retry").map_or_else(Policy::default, |(_, node)| settings::retry(&mut self.r, node));
        if let Some(told) = own.as_ref().and_then(|o| o.retry) {
            retry = told;
        }
        let timeout = match get("timeout") {
            Some((_, node)) => self.r.duration(node, "`timeout`"),
            None => self.timeout,
        };
        let handler_label = match own.as_ref().map(|o| &o.then) {
            Some(settings::Then::Steps(nodes)) => Some((self.label(), Some(*nodes))),
            Some(settings::Then::Handoff) => Some((self.label(), None)),
            _ => None,
        };
        let handler = match (&own, handler_label) {
            (_, Some((label, _))) => Handler::Steps(label),
            (Some(o), None) if o.says_then => match o.then {
                settings::Then::Continue => Handler::GoOn(end),
                _ => Handler::Fail,
            },
            _ => match outer {
                Outer::Fail => Handler::Fail,
                Outer::Next => Handler::GoOn(end),
                Outer::To(handler) => handler,
            },
        };
        let handed_off = matches!(handler_label, Some((_, None)));
        let passed_over = matches!(handler, Handler::GoOn(to) if to == end) || (handler_label.is_some() && !handed_off);

        let site = self.program.sites.len();
        let first = self.program.ops.len();
        self.program.by_path.insert(Arc::clone(&path), site);
        self.program.sites.push(Site {
            path: Arc::clone(&path),
            id: id.as_deref().map(Arc::from),
            verb: None,
            retry,
            timeout,
            handler,
            first,
            run: first,
            kept: false,
        });
        if let Some(condition) = guard {
            self.emit(Op::Branch { site, condition, otherwise: next });
        }
        let snapshot = self.certain.clone();
        match verb {
            Some((key, block)) if key.text == "do" => {
                self.only(entries, &key.text, &["id", "if", "elif", "on_error", "do"]);
                // What the block does not deal with comes to this step's handler; one that is to be passed over leaves
                // the block.
                let inner = if own.as_ref().is_some_and(|o| o.says_then) { Outer::To(handler) } else { outer };
                match &block.kind {
                    Kind::List(items) => self.list(items, &format!("{path}.do"), inner),
                    _ => self.r.wrong_kind(block, "`do`", "a list of steps"),
                }
                if let Some((_, node)) = get("id").filter(|_| id.is_some()) {
                    self.r
                        .find("workflow.id_without_output", node.place, "a `do` gives nothing; its id only names its path")
                        .warning();
                }
            }
            Some((key, value)) if key.text == "each" => {
                self.only(entries, &key.text, &["id", "if", "elif", "on_error", "each"]);
                let inner = if own.as_ref().is_some_and(|o| o.says_then) { Outer::To(handler) } else { outer };
                self.each(site, &path, value, inner);
                if let Some(id) = id.filter(|_| !passed_over) {
                    self.certain.insert(id);
                }
            }
            Some((key, value)) => {
                let allowed: &[&str] = match key.text.as_str() {
                    "use" | "script" => &["with", "retry", "timeout"],
                    _ => &[],
                };
                let mut keys = vec!["id", "if", "elif", "on_error", key.text.as_str()];
                keys.extend(allowed);
                self.only(entries, &key.text, &keys);
                let with = get("with").map(|(_, node)| node);
                if self.homeless && verbs::TALKS.contains(&key.text.as_str()) {
                    self.r
                        .find("workflow.no_conversation", key.place, format!("`{}` needs a conversation, and here is none", key.text))
                        .help("what a schedule or a webhook starts has none; give the webhook a `contact`, or `call` and `emit` from here");
                }
                let read = verbs::read(self, &key.text, value, with);
                self.judge();
                let run = self.program.ops.len();
                if let Some(site) = self.program.sites.get_mut(site) {
                    site.verb = read;
                    site.run = run;
                }
                self.emit(Op::Run { site });
                if let Some(id) = id.filter(|_| !passed_over) {
                    self.certain.insert(id);
                }
            }
            None => {}
        }
        if let Some((label, None)) = handler_label {
            self.emit(Op::Jump(end));
            self.place(label);
            self.hand_off(&format!("{path}.on_error"));
        }
        if let Some((label, Some(nodes))) = handler_label {
            self.emit(Op::Jump(end));
            self.place(label);
            let after = std::mem::replace(&mut self.certain, snapshot.clone());
            let outside = std::mem::replace(&mut self.in_handler, true);
            self.list(nodes, &format!("{path}.on_error"), outer);
            self.in_handler = outside;
            self.certain = after;
            self.emit(Op::Handled);
            // The way on is that of the chain's end, which a guard that is false also takes when nothing else follows.
            self.emit(Op::Jump(end));
        }
        if passed_over && verb.is_some_and(|(k, _)| k.text == "do") {
            self.certain = snapshot;
        }
        guarded
    }

    /// The verb of a step: exactly one.
    fn one_verb<'n>(&mut self, entries: &'n [(Key, Node)], place: Place) -> Option<(&'n Key, &'n Node)> {
        let mut verbs = entries.iter().filter(|(k, _)| VERBS.contains(&k.text.as_str()));
        let first = verbs.next();
        if let Some((second, _)) = verbs.next() {
            let one = first.map_or("", |(k, _)| k.text.as_str());
            self.r
                .find(
                    "workflow.two_verbs",
                    second.place,
                    format!("a step has one verb; this one has `{one}` and `{}`", second.text),
                )
                .help("make it a step of its own, or put both into a `do`");
        }
        let Some((key, value)) = first else {
            let stranger = entries.iter().find(|(k, _)| !BESIDE.contains(&k.text.as_str()));
            match stranger {
                Some((key, _)) => {
                    let help = did_you_mean(&key.text, VERBS.iter().copied());
                    self.r
                        .find("workflow.unknown_verb", key.place, format!("there is no verb `{}`", key.text))
                        .expected(format!("one of {}", SUPPORTED.join(", ")))
                        .maybe_help(help);
                }
                None => {
                    self.r
                        .find("workflow.no_verb", place, "this step does nothing")
                        .expected(format!("one of {}", SUPPORTED.join(", ")));
                }
            }
            return None;
        };
        if !SUPPORTED.contains(&key.text.as_str()) {
            self.r
                .find("workflow.verb_not_supported", key.place, format!("`{}` cannot run in this version yet", key.text))
                .help(format!("it runs: {}", SUPPORTED.join(", ")));
            return None;
        }
        Some((key, value))
    }

    /// Finds keys that have no place beside a verb.
    fn only(&mut self, entries: &[(Key, Node)], verb: &str, keys: &[&str]) {
        for (key, _) in entries {
            let word = key.text.as_str();
            if keys.contains(&word) || (VERBS.contains(&word) && word != verb) {
                continue;
            }
            if BESIDE.contains(&word) {
                self.r.find("workflow.unknown_key", key.place, format!("`{word}` has no meaning beside `{verb}`")).help(
                    match word {
                        "with" => "only `use` and `script` take `with`",
                        "timeout" if matches!(verb, "ask" | "wait") => {
                            "write it into the map of the verb: ask: { text: ..., timeout: 2h }"
                        }
                        _ => "only `use` and `script` are tried again and timed",
                    },
                );
            } else {
                self.r.unknown_key(key, &format!("a step with `{verb}`"), keys);
            }
        }
    }

    /// The id of a step.
    fn id(&mut self, node: &Node) -> Option<String> {
        let id = self.r.fixed_text(node, "an id")?;
        let good = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && id.len() <= 64;
        if !good || WORDS.contains(&id.as_str()) {
            self.r
                .find("workflow.bad_id", node.place, format!("`{id}` cannot be an id: expressions could not name it"))
                .expected("letters, digits and _, not beginning with a digit, and no word of the expression language");
            return None;
        }
        if RESERVED.contains(&id.as_str()) {
            self.r
                .find("workflow.reserved_name", node.place, format!("`{id}` is a name that every expression sees already"))
                .help("choose another id");
            return None;
        }
        if self.items.contains(&id) {
            self.r
                .find("workflow.duplicate_id", node.place, format!("the id `{id}` is taken by the item of an `each`"))
                .help("choose another id, or call the item otherwise: `as: line`");
            return None;
        }
        if let Some(first) = self.ids.get(&id) {
            let line = first.line;
            self.r
                .find("workflow.duplicate_id", node.place, format!("the id `{id}` is taken by the step in line {line}"))
                .help("choose another id");
            return None;
        }
        self.ids.insert(id.clone(), node.place);
        Some(id)
    }

    /// What a guard looks at, it has seen: within its body the step counts as having run.
    fn believe(&mut self, guard: &Expression) {
        if let Ok(names) = self.r.expressions.check(&guard.source) {
            self.certain.extend(names.into_iter().filter(|n| self.ids.contains_key(n)));
        }
    }

    /// Judges the uses of names that were read since the last time.
    pub(super) fn judge(&mut self) {
        for one in std::mem::take(&mut self.r.uses) {
            let name = one.name.as_str();
            let item = self.item.as_deref() == Some(name);
            if (RESERVED.contains(&name) && (name != "error" || self.in_handler)) || self.certain.contains(name) || item {
                continue;
            }
            if name == "error" {
                self.r
                    .find("workflow.unknown_name", one.place, "`error` exists only in the steps of an `on_error`")
                    .help("put this step into the list of an `on_error`");
            } else if self.ids.contains_key(name) {
                let careful = [format!("{name}?"), format!("{name} =="), format!("{name} !="), format!("{name}==")];
                if !careful.iter().any(|c| one.expression.contains(c.as_str())) {
                    self.r
                        .find(
                            "workflow.may_not_have_run",
                            one.place,
                            format!("the step `{name}` may not have run here; then it is ()"),
                        )
                        .help(format!("write `{name}?.field`, or guard this step with `if: {name} != ()`"))
                        .warning();
                }
            } else {
                let help = did_you_mean(name, RESERVED.iter().copied().chain(self.ids.keys().map(String::as_str)));
                self.r
                    .find("workflow.unknown_name", one.place, format!("no step before this one has the id `{name}`"))
                    .expected("one of event, contact, conversation, workspace, vars, now, or the id of an earlier step")
                    .maybe_help(help);
            }
        }
    }
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v),
        _ => None,
    }
}

/// The `elif` or `else` of a node.
fn chain_word(node: &Node) -> Option<&Key> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|(k, _)| k.text == "elif" || k.text == "else").map(|(k, _)| k),
        _ => None,
    }
}

fn join(parent: &str, segment: &str) -> String {
    if parent.is_empty() { segment.to_owned() } else { format!("{parent}.{segment}") }
}
