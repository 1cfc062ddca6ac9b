//! `each`: a run goes through the items of a list. The items stand in the journal, so that a run that comes back goes through
//! the same ones.

use std::sync::Arc;

use serde_json::Value;

use super::{Machine, Ran};
use crate::failure::Failure;
use crate::journal::Entry;
use crate::mark::Marked;
use crate::ports::Expressions;
use crate::workflow::program::{Each, Program, Site, Verb};

/// An `each` that a run is in.
#[derive(Debug)]
pub(super) struct Loop {
    site: usize,
    items: Vec<Value>,
    /// Whether words from outside are in the items.
    marked: bool,
    /// The item.
    pub(super) at: usize,
    /// What the last step of this item gave.
    last: Value,
    outputs: Vec<Value>,
    /// Whether words from outside are in the outputs.
    outside: bool,
}

fn form(program: &Program, site: usize) -> Option<(&Site, &Each)> {
    let site = program.sites.get(site)?;
    match &site.verb {
        Some(Verb::Each(each)) => Some((site, each)),
        _ => None,
    }
}

impl Machine {
    /// Where a step stands in the run: within an `each` with the number of the item.
    pub(super) fn path(&self, site: &Site) -> Arc<str> {
        match &self.each {
            Some(each) if site.path.contains("[]") => site.path.replacen("[]", &format!("[{}]", each.at), 1).into(),
            _ => Arc::clone(&site.path),
        }
    }

    /// Works the list out and begins.
    pub(super) fn each(&mut self, program: &Program, at: usize, expressions: &dyn Expressions) -> Result<(), Failure> {
        let Some((site, each)) = form(program, at) else {
            self.pc += 1;
            return Ok(());
        };
        let list = each.items.eval(expressions, &self.names)?;
        let items = match list.value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            _ => return Err(Failure::bug("each.no_list", "what `each` goes through must come out as a list")),
        };
        if items.len() > each.max {
            let sentence =
                format!("this list has {} items, and `each` goes through {} at most; raise its `max`", items.len(), each.max);
            return Err(Failure::bug("each.too_many", sentence));
        }
        self.entries.push(Entry::Each { path: site.path.to_string(), items: items.clone(), marked: list.marked });
        self.begin_each(program, at, items, list.marked);
        Ok(())
    }

    /// Stands before the first item, or before the end of an empty list.
    pub(super) fn begin_each(&mut self, program: &Program, at: usize, items: Vec<Value>, marked: bool) {
        let Some((site, each)) = form(program, at) else { return };
        self.go(if items.is_empty() { each.next } else { site.run + 1 });
        self.each =
            Some(Box::new(Loop { site: at, items, marked, at: 0, last: Value::Null, outputs: Vec::new(), outside: false }));
        self.item(program);
    }

    /// Gives the item its name, and forgets what the steps gave for the one before.
    fn item(&mut self, program: &Program) {
        let Some(of) = &self.each else { return };
        let Some((_, each)) = form(program, of.site) else { return };
        let item = of.items.get(of.at).cloned().unwrap_or_default();
        self.names.insert(each.name.to_string(), Marked { value: item, marked: of.marked });
        for site in program.sites.get(each.inner.clone()).unwrap_or_default() {
            if let Some(slot) = site.id.as_ref().filter(|_| site.kept).and_then(|id| self.names.get_mut(&**id)) {
                *slot = Marked::own(Value::Null);
            }
        }
    }

    /// A step of the item gave something.
    pub(super) fn gave(&mut self, program: &Program, path: &str, output: &Value, marked: bool) {
        let Some(of) = &mut self.each else { return };
        let Some((_, each)) = form(program, of.site) else { return };
        let inside = program.by_path.get(path).is_some_and(|site| each.inner.contains(site));
        if inside && program.sites.get(of.site).is_some_and(|site| site.kept) {
            of.last = output.clone();
            of.outside |= marked;
        }
    }

    /// The item is done: true when there is another.
    pub(super) fn next_item(&mut self, program: &Program) -> bool {
        let Some(of) = &mut self.each else { return false };
        let Some((site, _)) = form(program, of.site) else { return false };
        if of.at < of.items.len() {
            of.outputs.push(std::mem::take(&mut of.last));
            of.at += 1;
        }
        if of.at >= of.items.len() {
            return false;
        }
        self.go(site.run + 1);
        self.item(program);
        true
    }

    /// All items are done.
    pub(super) fn end_each(&mut self, program: &Program, at: usize) {
        let Some((site, _)) = form(program, at) else { return };
        let (outputs, outside) = match &mut self.each {
            Some(of) => (std::mem::take(&mut of.outputs), of.outside || of.marked),
            None => (Vec::new(), false),
        };
        self.leave_each(program);
        let output = if site.kept { Value::Array(outputs) } else { Value::Null };
        self.done(program, site, output, outside, Vec::new(), Ran::default());
    }

    /// The name of the item is none any more.
    pub(super) fn leave_each(&mut self, program: &Program) {
        let Some(of) = self.each.take() else { return };
        if let Some((_, each)) = form(program, of.site) {
            self.names.remove(&*each.name);
        }
    }

    /// Leaves the `each` when the run goes to an operation outside of it.
    pub(super) fn leave_each_for(&mut self, program: &Program, to: usize) {
        let Some(of) = &self.each else { return };
        if form(program, of.site).is_none_or(|(site, each)| to <= site.run || to > each.next) {
            self.leave_each(program);
        }
    }

    /// For the way through the journal: at the end of an item, whether the step `target` of item `item` is still to come.
    pub(super) fn before_item(&self, target: usize, item: Option<usize>) -> bool {
        self.each.as_ref().is_some_and(|of| of.site == target || item.is_some_and(|item| item > of.at))
    }

    /// How many operations there may be to pass, for each one of the program.
    pub(super) fn rounds(&self) -> usize {
        self.each.as_ref().map_or(1, |of| of.items.len() + 1)
    }
}
