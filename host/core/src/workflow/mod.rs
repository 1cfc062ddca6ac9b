//! What a customer wrote: `workflow.yaml` and the scripts beside it, read into steps that [`crate::run`] can walk.

mod compile;
mod diagnostic;
mod each;
mod outline;
pub(crate) mod program;
mod reader;
mod settings;
mod source;
mod steps_called;
pub mod template;
mod triggers;
mod verbs;
mod waiting;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use diagnostic::{Diagnostic, Place, Severity};
pub use outline::Step;
pub(crate) use reader::duration;
pub use source::SourceSet;
pub(crate) use steps_called::full_id;

pub use crate::trigger::{Trigger, TriggerKind};

use crate::ports::Expressions;
use compile::{Compiler, RESERVED};
use program::{Program, Verb};
use reader::Reader;
use yaml::{Kind, Node};

/// Bytes of a workflow file.
const YAML_BYTES: usize = 256 << 10;

const KEYS: [&str; 9] = ["name", "description", "on", "exclusive", "priority", "vars", "steps", "on_error", "limits"];

/// What the check must know of the plugins that are installed.
pub trait Plugins: Send + Sync {
    /// Whether a step plugin of this full id (`pointsman/keyword`) is installed.
    fn knows(&self, id: &str) -> bool;
    /// Every step plugin's full id, for "did you mean".
    fn names(&self) -> Vec<String>;
}

/// For a version that was checked when it was published: the plugins that it names were there then. Whether a run still has
/// those to which it is pinned shows when it calls them.
#[derive(Debug, Clone, Copy)]
pub struct Published;

impl Plugins for Published {
    fn knows(&self, _: &str) -> bool {
        true
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A version of a workflow.
#[derive(Debug)]
pub struct Workflow {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// What starts it.
    pub on: Vec<Trigger>,
    /// Whether workflows after it do not run for the same event.
    pub exclusive: bool,
    /// Higher comes first.
    pub priority: i64,
    /// The full ids of the plugins that it uses: pin these.
    pub plugins: BTreeSet<Arc<str>>,
    /// The names of the workflows that it may call: no other can be reached.
    pub calls: BTreeSet<Arc<str>>,
    /// What the check found and let pass.
    pub warnings: Vec<Diagnostic>,
    hash: Arc<str>,
    pub(crate) vars: Value,
    /// Ids that some expression or script reads.
    pub(crate) kept: Vec<Arc<str>>,
    pub(crate) program: Program,
}

impl Workflow {
    /// Reads and checks. `Err` holds every finding, the errors among them; warnings alone do not fail.
    pub fn parse(sources: &SourceSet, expressions: &dyn Expressions, plugins: &dyn Plugins) -> Result<Self, Vec<Diagnostic>> {
        let mut r = Reader::new(sources, expressions, plugins);
        let top = Place { line: 1, column: 1 };
        if sources.yaml().len() > YAML_BYTES {
            r.find("limit.workflow", top, format!("the file has more than {YAML_BYTES} bytes")).help("make it two workflows");
            return Err(r.found);
        }
        let root = match yaml::read(sources.yaml()) {
            Ok(root) => root,
            Err(trouble) => {
                r.find(trouble.code, trouble.place, trouble.message);
                return Err(r.found);
            }
        };
        let Kind::Map(entries) = &root.kind else {
            r.wrong_kind(&root, "a workflow", "a map with `name`, `on` and `steps`");
            return Err(r.found);
        };
        r.known_keys(entries, "a workflow", &KEYS);
        let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
        for needed in ["name", "on", "steps"] {
            if get(needed).is_none() {
                r.find("workflow.missing_key", root.place, format!("a workflow has a `{needed}`"))
                    .expected(format!("`{needed}:`"));
            }
        }
        let name = get("name").and_then(|node| name(&mut r, node)).unwrap_or_default();
        let description = get("description").and_then(|node| r.fixed_text(node, "`description`"));
        let on = get("on").map(|node| triggers::on(&mut r, node)).unwrap_or_default();
        let exclusive = get("exclusive").is_some_and(|node| r.truth(node, "`exclusive`"));
        let priority = get("priority").and_then(|node| r.whole(node, "`priority`", -1_000_000, 1_000_000)).unwrap_or(0);
        let vars = match get("vars") {
            Some(node) => {
                r.map(node, "`vars`", "a map of names and values");
                r.fixed_value(node, "a value in `vars`")
            }
            None => Value::Object(serde_json::Map::new()),
        };
        let timeout = get("limits").and_then(|node| limits(&mut r, node));
        let mut c = Compiler::new(r);
        c.timeout = timeout;
        c.homeless = !on.is_empty() && on.iter().all(Trigger::homeless);
        match get("steps").map(|node| (&node.kind, node)) {
            Some((Kind::List(steps), _)) => c.workflow(steps, get("on_error")),
            Some((_, node)) => c.r.wrong_kind(node, "`steps`", "a list of steps"),
            None => {}
        }
        let hash = content_hash(sources, &c.files);
        let kept = finish(&mut c);
        if c.r.spare.is_some() || c.r.found.iter().any(Diagnostic::is_error) {
            return Err(c.r.found);
        }
        Ok(Self {
            name: name.into(),
            description,
            on,
            exclusive,
            priority,
            plugins: c.plugins,
            calls: c.calls,
            warnings: c.r.found,
            hash: hash.into(),
            vars,
            kept,
            program: c.program,
        })
    }

    /// What the step at a path does, in the word of the file: `reply`, `script`, for `use` the plugin's id.
    #[must_use]
    pub fn verb_at(&self, path: &str) -> Option<&str> {
        self.step_at(path).map(Verb::word)
    }

    /// The plugin that the step at a path uses.
    #[must_use]
    pub fn plugin_at(&self, path: &str) -> Option<&str> {
        match self.step_at(path) {
            Some(Verb::Use { plugin, .. }) => Some(&**plugin),
            _ => None,
        }
    }

    fn step_at(&self, path: &str) -> Option<&Verb> {
        self.program.find(path).and_then(|(site, _)| self.program.sites.get(site)).and_then(|site| site.verb.as_ref())
    }

    /// SHA-256 over the YAML and the scripts that it names, hex: the version's name.
    #[must_use]
    pub fn content_hash(&self) -> &Arc<str> {
        &self.hash
    }
}

fn name(r: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = r.fixed_text(node, "`name`")?;
    if !good_name(&name) {
        r.find("workflow.bad_name", node.place, format!("`{name}` cannot be a workflow's name"))
            .expected("at most 64 of a-z, 0-9, -, _ and .");
    }
    Some(name)
}

/// Whether a workflow can be called so.
fn good_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 64 && name.chars().all(word)
}

fn limits(r: &mut Reader<'_>, node: &Node) -> Option<crate::clock::Millis> {
    let entries = r.map(node, "`limits`", "a map: { timeout: 5s }");
    r.known_keys(entries, "`limits`", &["timeout"]);
    entries.iter().find(|(k, _)| k.text == "timeout").and_then(|(_, node)| r.duration(node, "`timeout`"))
}

/// Settles which outputs anything reads, and which names each script is given.
fn finish(c: &mut Compiler<'_>) -> Vec<Arc<str>> {
    let mut used = std::mem::take(&mut c.r.used);
    let (ids, items): (&BTreeMap<String, Place>, &BTreeSet<String>) = (&c.ids, &c.items);
    for site in &mut c.program.sites {
        if let Some(Verb::Script(script)) = &mut site.verb {
            script.mentions.retain(|name| RESERVED.contains(&&**name) || ids.contains_key(&**name) || items.contains(&**name));
            used.extend(script.mentions.iter().map(|name| name.to_string()));
        }
    }
    let mut kept = Vec::new();
    for site in &mut c.program.sites {
        if let Some(id) = site.id.as_ref().filter(|id| used.contains(&***id)) {
            site.kept = true;
            kept.push(Arc::clone(id));
        }
    }
    kept
}

fn content_hash(sources: &SourceSet, files: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(sources.yaml());
    for name in files {
        add(name);
        add(sources.get(name).map_or("", |text| text));
    }
    hex::encode(hash.finalize())
}

/// `team/NAME` or `agent/NAME`.
pub(crate) fn good_assignee(to: &str) -> bool {
    matches!(to.split_once('/'), Some(("team" | "agent", name)) if !name.trim().is_empty() && name.len() <= 128)
}

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;
