//! What a script knows when it begins: the keys of its input (event, contact, conversation, workspace, vars, outputs of
//! earlier steps), each as a constant. `now` is not among them: it moves when an answer comes, so it is looked up.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, Map, Scope};

use crate::failure::Reason;
use crate::leg::{self, Shared};
use crate::values;

/// Names in the two forms that the engine needs.
pub(crate) struct Names {
    /// For the body of the script.
    pub(crate) scope: Scope<'static>,
    /// For its functions, which see no scope. Only made when there are any.
    pub(crate) shared: Shared,
}

/// Reads the input.
pub(crate) fn read(input: &str, functions: bool) -> Result<Names, Reason> {
    let mut scope = Scope::new();
    let mut shared = BTreeMap::new();
    let input = values::from_json(input).ok().and_then(Dynamic::try_cast::<Map>);
    let Some(input) = input else {
        return Err(Reason::new("script.input", "the input of a script is a JSON object"));
    };
    for (name, value) in input {
        if name == "now" {
            shared.insert("now".to_owned(), value);
            continue;
        }
        if functions {
            shared.insert(name.to_string(), value.clone());
        }
        scope.push_constant_dynamic(name, value);
    }
    Ok(Names { scope, shared: Some(Rc::new(shared)) })
}

/// The value of a name that no scope has.
pub(crate) fn look_up(name: &str) -> Option<Dynamic> {
    if name != "now" {
        return leg::name(name);
    }
    match leg::name("now") {
        Some(first) if !leg::time_moved() => Some(first),
        // In the form that the workflow's other expressions see.
        Some(first) if first.is_string() => Some(crate::library::rfc3339(leg::now()).into()),
        _ => Some(leg::now().into()),
    }
}
