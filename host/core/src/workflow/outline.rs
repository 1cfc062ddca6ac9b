//! A workflow as a list of its steps, for people who ask why one of them did not run.

use super::Workflow;
use super::program::{Op, Verb};

/// A step of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// Where it stands: `order`, `3.do.1`.
    pub path: &'a str,
    /// Its verb in the word of the file; for `use` the plugin's id, for a block `do`.
    pub verb: &'a str,
    /// Its own condition, and the line where it stands.
    pub guard: Option<(&'a str, u32)>,
    /// Whether it says something to the contact by itself; a script or a plugin may, which nobody can tell beforehand.
    pub speaks: bool,
}

impl Workflow {
    /// Its steps, in the order of the file.
    #[must_use]
    pub fn outline(&self) -> Vec<Step<'_>> {
        let program = &self.program;
        let guard = |first: usize| match program.ops.get(first) {
            Some(Op::Branch { condition, .. }) => Some((&*condition.source, condition.place.line)),
            _ => None,
        };
        let steps = program.sites.iter().map(|site| Step {
            path: &site.path,
            verb: site.verb.as_ref().map_or("do", Verb::word),
            guard: guard(site.first),
            speaks: matches!(site.verb, Some(Verb::Reply(_) | Verb::Template { .. } | Verb::Ask(_))),
        });
        steps.collect()
    }

    /// Of the steps that did not run: the condition that kept `path` from running, its own or that of the outermost block
    /// around it in which nothing ran. `ran` says whether a step of this path stands in the journal.
    #[must_use]
    pub fn kept_back(&self, path: &str, ran: &dyn Fn(&str) -> bool) -> Option<Step<'_>> {
        let steps = self.outline();
        let inside =
            |outer: &str, inner: &str| inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        let entered = |outer: &str| steps.iter().any(|s| s.verb != "do" && inside(outer, s.path) && ran(s.path));
        let around = steps.iter().find(|s| inside(s.path, path) && s.guard.is_some() && !entered(s.path));
        around.cloned()
    }
}

#[cfg(test)]
mod tests {
    use crate::workflow::double::steps;

    #[test]
    fn a_step_that_did_not_run_is_kept_back_by_its_own_condition_or_that_of_its_block() {
        let workflow = steps(
            "",
            "  - id: mood\n    use: acme/mood\n  - if: mood.label == \"bad\"\n    do:\n      - tag: upset\n      - if: event.text\n        reply: a\n  - else:\n      - reply: b\n",
        );
        let outline = workflow.outline();
        assert_eq!(outline.iter().filter(|s| s.speaks).map(|s| s.path).collect::<Vec<_>>(), ["2.do.2", "3.else.1"]);
        assert_eq!(outline[1].guard.map(|g| g.0), Some("mood.label == \"bad\""));
        let why = |ran: &[&str]| workflow.kept_back("2.do.2", &|path| ran.contains(&path)).map(|s| s.path.to_owned());
        assert_eq!(why(&["mood"]).as_deref(), Some("2"), "the block was not entered");
        assert_eq!(why(&["mood", "2.do.1"]).as_deref(), Some("2.do.2"), "its own condition was false");
    }
}
