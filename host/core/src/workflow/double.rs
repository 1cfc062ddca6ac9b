//! A stand-in for the expression language, for tests of this crate alone: names with members (`a.b`, `a?.b`), text in
//! double quotes, whole numbers, `true`, `false`, `()`, and one `==` or `!=` between two of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{Diagnostic, Plugins, SourceSet, Workflow};
use crate::failure::Failure;
use crate::mark::Marked;
use crate::ports::{Expressions, Mistake, Names};

/// Counts how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Double {
    pub evals: AtomicUsize,
}

enum Operand<'a> {
    Value(Value),
    Path(&'a str, Vec<(&'a str, bool)>),
}

fn operand(text: &str) -> Result<Operand<'_>, Mistake> {
    let t = text.trim();
    let mistake = |message: &str| Mistake { line: 1, column: 1, message: message.to_owned() };
    if let Some(inner) = t.strip_prefix('"') {
        return inner.strip_suffix('"').map(|s| Operand::Value(s.into())).ok_or_else(|| mistake("open quote"));
    }
    match t {
        "true" => return Ok(Operand::Value(true.into())),
        "false" => return Ok(Operand::Value(false.into())),
        "()" => return Ok(Operand::Value(Value::Null)),
        "" => return Err(mistake("nothing here")),
        _ => {}
    }
    if let Ok(n) = t.parse::<i64>() {
        return Ok(Operand::Value(n.into()));
    }
    if let Some(at) = t.find(|c: char| !(c.is_alphanumeric() || "_.?".contains(c))) {
        let column = u32::try_from(at + 1).unwrap();
        return Err(Mistake { line: 1, column, message: format!("`{}` is not understood", &t[at..]) });
    }
    let mut parts = t.split('.');
    let first = parts.next().unwrap();
    let mut soft = first.ends_with('?');
    let mut members = Vec::new();
    for part in parts {
        members.push((part.trim_end_matches('?'), soft));
        soft = part.ends_with('?');
    }
    Ok(Operand::Path(first.trim_end_matches('?'), members))
}

fn sides(text: &str) -> (&str, Option<(bool, &str)>) {
    if let Some((a, b)) = text.split_once("==") {
        (a, Some((true, b)))
    } else if let Some((a, b)) = text.split_once("!=") {
        (a, Some((false, b)))
    } else {
        (text, None)
    }
}

fn value(text: &str, names: &Names) -> Result<Marked<Value>, Failure> {
    match operand(text).map_err(|m| Failure::bug("expr.syntax", m.message))? {
        Operand::Value(value) => Ok(Marked::own(value)),
        Operand::Path(name, members) => {
            let found = names.get(name).ok_or_else(|| Failure::bug("expr.unknown_name", format!("no name {name}")))?;
            let mut value = &found.value;
            for (member, soft) in members {
                if value.is_null() && !soft {
                    return Err(Failure::bug("expr.null", format!("{member} of ()")));
                }
                value = value.get(member).unwrap_or(&Value::Null);
            }
            Ok(Marked { value: value.clone(), marked: found.marked })
        }
    }
}

impl Expressions for Double {
    fn check(&self, expression: &str) -> Result<Vec<String>, Mistake> {
        let (a, b) = sides(expression);
        let mut names = BTreeSet::new();
        for side in std::iter::once(a).chain(b.map(|(_, b)| b)) {
            if let Operand::Path(name, _) = operand(side)? {
                names.insert(name.to_owned());
            }
        }
        Ok(names.into_iter().collect())
    }

    fn eval(&self, expression: &str, names: &Names) -> Result<Marked<Value>, Failure> {
        self.evals.fetch_add(1, Ordering::Relaxed);
        let (a, b) = sides(expression);
        let a = value(a, names)?;
        let Some((equal, b)) = b else { return Ok(a) };
        let b = value(b, names)?;
        Ok(Marked { value: ((a.value == b.value) == equal).into(), marked: a.marked || b.marked })
    }

    fn check_script(&self, source: &str) -> Result<(), Mistake> {
        for (at, line) in source.lines().enumerate() {
            if let Some(column) = line.find("@@") {
                let small = |n: usize| u32::try_from(n + 1).unwrap();
                return Err(Mistake { line: small(at), column: small(column), message: "`@@` is no word".into() });
            }
        }
        Ok(())
    }
}

/// Two plugins.
pub(crate) struct Installed;

impl Plugins for Installed {
    fn knows(&self, id: &str) -> bool {
        self.names().iter().any(|n| n == id)
    }
    fn names(&self) -> Vec<String> {
        vec!["pointsman/keyword".into(), "acme/mood".into()]
    }
}

/// Parses, with the script file `s.rhai` beside it.
pub(crate) fn parse(yaml: &str) -> Result<Workflow, Vec<Diagnostic>> {
    let sources = SourceSet::new("workflow.yaml", yaml).with("s.rhai", "let x = event.text;\nreply(x)");
    Workflow::parse(&sources, &Double::default(), &Installed)
}

/// A workflow of these steps (indented by nothing), with `head` lines above.
pub(crate) fn steps(head: &str, steps: &str) -> Arc<Workflow> {
    let yaml = format!("name: t\non: message\n{head}\nsteps:\n{steps}");
    Arc::new(parse(&yaml).unwrap_or_else(|found| panic!("{}", found.iter().map(|d| format!("{d}\n")).collect::<String>())))
}
