//! Calls of other workflows. The run that is called has a journal of its own and may wait for days; the one that called it
//! waits for its end. What both know of each other stands in their journals: the caller has the other's id and version, the
//! called one has its caller's id and what it was given.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Action, Machine, State, call_path};
use crate::failure::{Class, Failure};
use crate::id::Id;
use crate::journal::{CallMade, Caller};
use crate::mark::Marked;
use crate::ports::Expressions;
use crate::run::waits::Waiting;
use crate::wait::{CALL, Called, Want};
use crate::workflow::Workflow;
use crate::workflow::program::Site;
use crate::workflow::template::Pattern;

/// How many calls deep a workflow may stand.
pub const DEPTH: u32 = 8;

/// A workflow that a run calls: the host begins it, then calls [`Machine::began`].
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    /// Its name.
    pub workflow: Arc<str>,
    /// Where it is called: [`Caller::place`].
    pub place: String,
    /// How deep it stands.
    pub depth: u32,
    /// What it is given: a map.
    pub with: Marked<Value>,
    /// The run that this call began before. Where that one failed, it goes on at its failed step.
    pub again: Option<Id>,
}

/// A call that nobody has begun yet.
#[derive(Debug)]
pub(super) struct Beginning {
    site: usize,
    path: Arc<str>,
    begin: Begin,
    call: Option<CallMade>,
}

impl Machine {
    /// Wants a workflow to be begun.
    pub(super) fn call_workflow(
        &mut self,
        site: usize,
        path: &Arc<str>,
        workflow: Arc<str>,
        with: Marked<Value>,
        call: Option<CallMade>,
    ) -> Result<(), Failure> {
        let depth = self.caller.as_ref().map_or(0, |caller| caller.depth) + 1;
        if depth > DEPTH {
            let sentence = format!("workflows call each other {DEPTH} deep at most; `{workflow}` would be one more");
            return Err(Failure::limit("call_depth", sentence));
        }
        if !self.workflow.calls.contains(&workflow) {
            let sentence = format!(
                "`{workflow}` stands nowhere in this workflow as the name of one that it calls; write it out: \
                 call_workflow(\"{workflow}\")"
            );
            return Err(Failure::new(Class::Denied, "call.not_named", sentence));
        }
        let earlier: &[Id] = match &call {
            None => self.legs.as_ref().map_or(&[], |legs| &legs.children),
            Some(_) => &[],
        };
        let mut place = format!("{}/{}", self.scope(), call.as_ref().map_or_else(|| path.to_string(), |c| call_path(path, c.n)));
        if !earlier.is_empty() {
            place.push_str(&format!("#{}", earlier.len()));
        }
        let begin = Begin { workflow, place, depth, with, again: earlier.last().copied() };
        self.state = State::Beginning(Box::new(Beginning { site, path: Arc::clone(path), begin, call }));
        Ok(())
    }

    /// The verb `call`.
    pub(super) fn call_of(
        &mut self,
        at: usize,
        site: &Site,
        workflow: &Arc<str>,
        with: Option<&Pattern>,
        expressions: &dyn Expressions,
    ) -> Result<(), Failure> {
        let nothing = || Ok(Marked::own(Value::Object(Map::new())));
        let with = with.map_or_else(nothing, |with| with.eval(expressions, &self.names))?;
        self.call_workflow(at, &self.path(site), Arc::clone(workflow), with, None)
    }

    /// Where this run stands among all of its event: its workflow's name, and before it the place from which it was called.
    #[must_use]
    pub fn scope(&self) -> String {
        match &self.caller {
            Some(caller) => format!("{}>{}", caller.place, self.workflow.name),
            None => self.workflow.name.to_string(),
        }
    }

    /// The run that called this one.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    pub(super) fn begin_action(beginning: &Beginning) -> Action {
        Action::Begin(beginning.begin.clone())
    }

    /// Tells which run was begun, or why none. Without a call that wants one nothing happens.
    pub fn began(&mut self, begun: Result<Called, Failure>) {
        let Beginning { site, path, begin: _, call } = match std::mem::replace(&mut self.state, State::Ready) {
            State::Beginning(beginning) => *beginning,
            other => {
                self.state = other;
                return;
            }
        };
        match (begun, call) {
            (Ok(called), call) => {
                self.note_child(&path, call.as_ref(), &called);
                let place = call.as_ref().map_or_else(|| path.to_string(), |call| call_path(&path, call.n));
                let key = format!("{CALL}:{place}#{}", called.run);
                let want = Some(Box::new(Want::Run(called)));
                self.wait(Waiting { site, path, kind: CALL.into(), key, until: None, want, call, woken: false });
            }
            (Err(error), Some(call)) => self.refused(&path, call, error),
            (Err(error), None) => {
                let workflow = Arc::clone(&self.workflow);
                self.failed(&workflow.program, site, error, None);
            }
        }
    }

    /// Notes a run that was begun, live or from the journal: should the caller be tried again, that run goes on.
    pub(super) fn note_child(&mut self, path: &Arc<str>, call: Option<&CallMade>, called: &Called) {
        if call.is_none() {
            let children = &mut self.legs_of(path).children;
            if children.last() != Some(&called.run) {
                children.push(called.run);
            }
        }
    }
}

/// The `vars` of a called workflow: its own, with what the call gives in place of them. An error: it knows no such name.
pub(super) fn given(workflow: &Workflow, with: &Value) -> Result<Map<String, Value>, Failure> {
    let mut vars = workflow.vars.as_object().cloned().unwrap_or_default();
    for (name, value) in with.as_object().into_iter().flatten() {
        let Some(slot) = vars.get_mut(name) else {
            let sentence = format!("the workflow `{}` has no `{name}` in its `vars`; declare it there", workflow.name);
            return Err(Failure::bug("call.unknown_var", sentence));
        };
        *slot = value.clone();
    }
    Ok(vars)
}

impl Workflow {
    /// Whether it can be called with this. An error says which name it does not know.
    pub fn accepts(&self, with: &Value) -> Result<(), Failure> {
        given(self, with).map(drop)
    }
}
