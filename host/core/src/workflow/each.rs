//! `each`: the same steps for every item of a list, and `on_error: handoff`, which is a step that nobody wrote.

use std::sync::Arc;

use super::compile::{Compiler, Outer, RESERVED, WORDS};
use super::program::{Each, Handler, Handoff, Op, Site, Verb};
use super::yaml::{Kind, Node};
use crate::retry::Policy;

/// Items when nothing is said, and at most.
const ITEMS: (i64, i64) = (100, 1_000);

impl Compiler<'_> {
    /// The verb `each` of the site `site`: `{in, as, do, max}`. `path` is the site's own, `inner` what becomes of errors in it.
    pub(super) fn each(&mut self, site: usize, path: &str, value: &Node, inner: Outer) {
        let entries = self.r.map(value, "`each`", "a map: { in: \"${order.lines}\", do: [...] }");
        self.r.known_keys(entries, "an each", &["in", "as", "do", "max"]);
        let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
        let (Some(list), Some(body)) = (get("in"), get("do")) else {
            if !entries.is_empty() {
                self.r
                    .find("workflow.missing_key", value.place, "an each has a list (`in`) and steps (`do`)")
                    .expected("{ in: \"${order.lines}\", do: [...] }");
            }
            return;
        };
        if let Some(outer) = &self.item {
            let text = format!("an `each` cannot stand in another (the one with `{outer}`)");
            self.r.find("workflow.nested_each", value.place, text).help("work the inner list out in a script");
            return;
        }
        let items = match &list.kind {
            Kind::Map(_) => {
                self.r.wrong_kind(list, "`in`", "a list, or one ${...} that gives a list");
                return;
            }
            _ => self.r.pattern(list),
        };
        self.judge();
        let max = get("max").and_then(|node| self.r.whole(node, "`max`", 1, ITEMS.1)).unwrap_or(ITEMS.0);
        let name = get("as").map_or_else(|| Some("item".to_owned()), |node| self.item_name(node));
        let Some(name) = name else { return };
        if let Some(first) = self.ids.get(&name) {
            let line = first.line;
            let text = format!("the item cannot be called `{name}`: a step in line {line} has this id");
            self.r.find("workflow.duplicate_id", value.place, text).expected("as: another name");
            return;
        }

        let run = self.program.ops.len();
        self.emit(Op::Each { site });
        let first = self.program.sites.len();
        let before = self.certain.clone();
        self.items.insert(name.clone());
        self.item = Some(name.clone());
        match &body.kind {
            Kind::List(steps) => self.list(steps, &format!("{path}[]"), inner),
            _ => self.r.wrong_kind(body, "`do`", "a list of steps"),
        }
        self.item = None;
        // The list may have been empty.
        self.certain = before;
        let next = self.program.ops.len();
        self.emit(Op::Next { site });
        let each = Each {
            items,
            name: name.into(),
            max: usize::try_from(max).unwrap_or(1),
            inner: first..self.program.sites.len(),
            next,
        };
        if let Some(site) = self.program.sites.get_mut(site) {
            site.verb = Some(Verb::Each(each));
            site.run = run;
        }
    }

    /// The name that an item has in the steps.
    fn item_name(&mut self, node: &Node) -> Option<String> {
        let name = self.r.fixed_text(node, "`as`")?;
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= 64;
        if !good || WORDS.contains(&name.as_str()) || RESERVED.contains(&name.as_str()) {
            self.r
                .find("workflow.bad_id", node.place, format!("an item cannot be called `{name}`"))
                .expected("letters, digits and _, and no name that every expression sees already");
            return None;
        }
        Some(name)
    }

    /// The step that `on_error: handoff` means: people take the conversation, with a note of what failed, and the run ends.
    pub(super) fn hand_off(&mut self, path: &str) {
        let path: Arc<str> = path.into();
        let (site, run) = (self.program.sites.len(), self.program.ops.len());
        self.program.by_path.insert(Arc::clone(&path), site);
        self.program.sites.push(Site {
            path,
            id: None,
            verb: Some(Verb::Handoff(Handoff { of_error: true, ..Handoff::default() })),
            retry: Policy::NEVER,
            timeout: None,
            handler: Handler::Fail,
            first: run,
            run,
            kept: false,
        });
        self.emit(Op::Run { site });
        self.emit(Op::Handled);
        self.emit(Op::End);
    }
}
