//! Permissions: what a plugin may do, in words that an operator types. A permission has two halves. The manifest asks for it;
//! the operator grants or refuses it, when the plugin is added or later, never at its first use. Both are looked at on every
//! call. A version of a plugin that asks for something about which nobody has decided waits.
//!
//! ```
//! use pointsman_core::permission::{Decision, Permission, undecided};
//! let read: Permission = "http:GET:api.example.com/v1".parse()?;
//! let all = Decision { permission: "http:GET:api.example.com/".parse()?, granted: true };
//! assert!(undecided(&[read], &[all]).is_empty());
//! # Ok::<(), pointsman_core::failure::Failure>(())
//! ```

use std::fmt;
use std::str::FromStr;

use pointsman_manifest::{EffectKind, HttpMethod, Manifest, ModelCall, PlacementKind, StateScope, path_under};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Class, Failure};

/// One thing that a plugin may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `act:reply`: wants this done in its own conversation.
    Act(EffectKind),
    /// `conversation`: reads its own conversation.
    Conversation,
    /// `state:contact`: remembers things.
    State(StateScope),
    /// `http:GET:api.example.com/v1`: calls this host, below this path.
    Http {
        /// How.
        method: HttpMethod,
        /// Whom.
        host: String,
        /// What the path begins with.
        path: String,
    },
    /// `secret:token@api.example.com:bearer`: has a secret put into such a request.
    Secret {
        /// Which.
        slot: String,
        /// To whom it goes.
        host: String,
        /// Where in the request it stands.
        place: PlacementKind,
    },
    /// `model:chat`: asks a language model.
    Model(ModelCall),
    /// `knowledge`: searches knowledge bases.
    Knowledge,
}

impl Permission {
    /// The interface of the contract through which a plugin makes use of it.
    #[must_use]
    pub fn interface(&self) -> &'static str {
        match self {
            Self::Act(_) => "act",
            Self::Conversation => "conversation",
            Self::State(_) => "state",
            Self::Http { .. } | Self::Secret { .. } => "http",
            Self::Model(_) => "model",
            Self::Knowledge => "knowledge",
        }
    }

    /// Whether whoever may do this may do the other.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http { method, host, path }, Self::Http { method: m, host: h, path: below }) => {
                method == m && host == h && path_under(path, below)
            }
            _ => self == other,
        }
    }

    /// The same without what only one request says: in its path words of a contact may stand.
    #[must_use]
    pub fn at_large(&self) -> Self {
        match self {
            Self::Http { method, host, .. } => Self::Http { method: *method, host: host.clone(), path: "/".to_owned() },
            other => other.clone(),
        }
    }

    /// Whether a manifest asks for it.
    #[must_use]
    pub fn asked_by(&self, manifest: &Manifest) -> bool {
        let asks = &manifest.capabilities;
        match self {
            Self::Act(effect) => asks.act.as_ref().is_some_and(|act| act.covers(*effect)),
            Self::Conversation => asks.conversation.is_some(),
            Self::State(scope) => asks.state.as_ref().is_some_and(|state| state.covers(*scope)),
            Self::Http { method, host, path } => asks.http.iter().any(|site| site.host == *host && site.covers(*method, path)),
            Self::Secret { slot, host, place } => asks
                .http
                .iter()
                .any(|site| site.host == *host && site.credential.as_ref() == Some(slot) && site.placements.contains(place)),
            Self::Model(call) => asks.model.as_ref().is_some_and(|model| model.covers(*call)),
            Self::Knowledge => asks.knowledge.is_some(),
        }
    }
}

/// All functions of the interface `act`.
const EFFECTS: [EffectKind; 9] = [
    EffectKind::Reply,
    EffectKind::Template,
    EffectKind::Draft,
    EffectKind::Tag,
    EffectKind::Untag,
    EffectKind::Note,
    EffectKind::Assign,
    EffectKind::Set,
    EffectKind::Emit,
];

/// Everything that a manifest asks for, each thing once, in the order in which people read it.
#[must_use]
pub fn asks(manifest: &Manifest) -> Vec<Permission> {
    let of = &manifest.capabilities;
    let mut all = Vec::new();
    let mut add = |permission| {
        if !all.contains(&permission) {
            all.push(permission);
        }
    };
    if let Some(act) = &of.act {
        EFFECTS.into_iter().filter(|effect| act.covers(*effect)).for_each(|effect| add(Permission::Act(effect)));
    }
    if of.conversation.is_some() {
        add(Permission::Conversation);
    }
    for scope in of.state.iter().flat_map(|state| state.scopes()) {
        add(Permission::State(*scope));
    }
    for site in &of.http {
        for method in &site.methods {
            for path in &site.paths {
                add(Permission::Http { method: *method, host: site.host.clone(), path: path.clone() });
            }
        }
        if let Some(slot) = &site.credential {
            for place in &site.placements {
                add(Permission::Secret { slot: slot.clone(), host: site.host.clone(), place: *place });
            }
        }
    }
    if let Some(model) = &of.model {
        let calls = [ModelCall::Chat, ModelCall::Embed];
        calls.into_iter().filter(|call| model.covers(*call)).for_each(|call| add(Permission::Model(call)));
    }
    if of.knowledge.is_some() {
        add(Permission::Knowledge);
    }
    all
}

/// The same for the text of a `plugin.toml`.
///
/// # Errors
/// What [`Manifest::parse`] refuses.
pub fn asks_in(manifest: &str) -> Result<Vec<Permission>, Failure> {
    Manifest::parse(manifest).map(|manifest| asks(&manifest)).map_err(|e| Failure::bug(e.code, e.message))
}

/// What an operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// About what.
    pub permission: Permission,
    /// Whether it may.
    pub granted: bool,
}

/// What is asked for and not decided about. Empty: nothing waits for the operator.
#[must_use]
pub fn undecided(asks: &[Permission], decisions: &[Decision]) -> Vec<Permission> {
    let decided = |ask: &&Permission| decisions.iter().any(|decision| decision.permission.covers(ask));
    asks.iter().filter(|ask| !decided(ask)).cloned().collect()
}

/// Adds a decision: what it covers is decided by it alone.
///
/// # Errors
/// `plugin.broader_grant` for a refusal of a part of what is granted as a whole.
pub fn decide(decisions: &mut Vec<Decision>, permission: Permission, granted: bool) -> Result<(), Failure> {
    let broader = decisions.iter().find(|d| d.granted && d.permission != permission && d.permission.covers(&permission));
    if let Some(broader) = broader.filter(|_| !granted) {
        let sentence = format!(
            "`{permission}` is a part of `{}`, which is granted; revoke that, and grant what shall stay",
            broader.permission
        );
        return Err(Failure::new(Class::Denied, "plugin.broader_grant", sentence));
    }
    decisions.retain(|decision| !permission.covers(&decision.permission));
    decisions.push(Decision { permission, granted });
    Ok(())
}

/// The operator's half for one plugin in one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permits {
    granted: Vec<Permission>,
    withheld: Vec<Permission>,
}

impl Permits {
    /// From what was decided for the house, and what one workspace withholds beside that.
    #[must_use]
    pub fn new(decisions: &[Decision], withheld: Vec<Permission>) -> Self {
        Self { granted: decisions.iter().filter(|d| d.granted).map(|d| d.permission.clone()).collect(), withheld }
    }

    /// Whether it may.
    #[must_use]
    pub fn allow(&self, permission: &Permission) -> bool {
        self.granted(permission) && self.withheld(permission).is_none()
    }

    /// Whether the house grants it.
    #[must_use]
    pub fn granted(&self, permission: &Permission) -> bool {
        self.granted.iter().any(|one| one.covers(permission))
    }

    /// What the workspace withholds of which this is a part.
    #[must_use]
    pub fn withheld(&self, permission: &Permission) -> Option<&Permission> {
        self.withheld.iter().find(|one| one.covers(permission))
    }
}

/// The word of a manifest for one of its kinds.
fn word(kind: impl Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn kind<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(effect) => write!(f, "act:{}", word(effect)),
            Self::Conversation => f.write_str("conversation"),
            Self::State(scope) => write!(f, "state:{}", word(scope)),
            Self::Http { method, host, path } => write!(f, "http:{}:{host}{path}", word(method)),
            Self::Secret { slot, host, place } => write!(f, "secret:{slot}@{host}:{}", word(place)),
            Self::Model(call) => write!(f, "model:{}", word(call)),
            Self::Knowledge => f.write_str("knowledge"),
        }
    }
}

impl FromStr for Permission {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (head, rest) = text.split_once(':').unwrap_or((text, ""));
        let read = match (head, rest) {
            ("conversation", "") => Some(Self::Conversation),
            ("knowledge", "") => Some(Self::Knowledge),
            ("act", effect) => kind(effect).map(Self::Act),
            ("state", scope) => kind(scope).map(Self::State),
            ("model", call) => kind(call).map(Self::Model),
            ("http", rest) => rest.split_once(':').and_then(|(method, place)| {
                let at = place.find('/')?;
                let (host, path) = place.split_at_checked(at)?;
                Some(Self::Http { method: kind(method)?, host: host.to_owned(), path: path.to_owned() })
            }),
            ("secret", rest) => rest.split_once('@').and_then(|(slot, rest)| {
                let (host, place) = rest.rsplit_once(':')?;
                Some(Self::Secret { slot: slot.to_owned(), host: host.to_owned(), place: kind(place)? })
            }),
            _ => None,
        };
        // One spelling each: what is read says itself in the same letters.
        read.filter(|permission| permission.to_string() == text).ok_or_else(|| {
            let sentence = format!(
                "`{}` is no permission; `pointsman plugin caps PLUGIN` names those that a plugin asks for, like `act:reply`",
                text.escape_debug()
            );
            Failure::new(Class::Permanent, "plugin.permission", sentence)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        id = "acme/desk"
        version = "1.0.0"
        world = "pointsman:plugin/step@0.1.0"
        summary = "Answers at the desk"
        [capabilities]
        act = { effects = ["reply", "tag"], why = "answers" }
        conversation = { why = "reads" }
        state = { scope = ["contact", "workspace"], why = "remembers" }
        model = { calls = ["chat"], why = "thinks" }
        knowledge = { why = "looks up" }
        http = [{ host = "api.example.com:8443", methods = ["GET", "POST"], paths = ["/v1"], credential = "token", placements = ["header"], why = "asks" }]
    "#;

    fn all(words: &[&str]) -> Vec<Permission> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }

    #[test]
    fn what_a_manifest_asks_for_is_said_in_words_and_read_again() {
        let manifest = Manifest::parse(WHOLE).unwrap();
        let asked = asks(&manifest);
        let words: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let expected = [
            "act:reply",
            "act:tag",
            "conversation",
            "state:contact",
            "state:workspace",
            "http:GET:api.example.com:8443/v1",
            "http:POST:api.example.com:8443/v1",
            "secret:token@api.example.com:8443:header",
            "model:chat",
            "knowledge",
        ];
        assert_eq!(words, expected);
        assert_eq!(all(&expected), asked);
        assert!(asked.iter().all(|permission| permission.asked_by(&manifest)));
        for other in
            ["act:note", "state:conversation", "model:embed", "http:GET:api.example.com/v1", "http:GET:api.example.com:8443/v2"]
        {
            assert!(!other.parse::<Permission>().unwrap().asked_by(&manifest), "{other}");
        }
        for bad in [
            "",
            "all",
            "act",
            "act:",
            "act:Reply",
            "act:reply ",
            "state:x",
            "http:GET:host",
            "http:get:h/",
            "secret:a@b",
            "knowledge:x",
            "conversation:",
        ] {
            assert_eq!(bad.parse::<Permission>().unwrap_err().code, "plugin.permission", "{bad}");
        }
    }

    #[test]
    fn a_part_is_covered_by_the_whole_and_never_the_other_way() {
        let check = |whole: &str, part: &str, covered: bool| {
            let (whole, part): (Permission, Permission) = (whole.parse().unwrap(), part.parse().unwrap());
            assert_eq!((whole.covers(&part), part.covers(&whole)), (covered, false), "{whole} {part}");
        };
        check("http:GET:a.io/", "http:GET:a.io/v1", true);
        check("http:GET:a.io/v1", "http:GET:a.io/v1/x", true);
        check("http:GET:a.io/v1", "http:GET:a.io/v10", false);
        check("http:GET:a.io/", "http:POST:a.io/v1", false);
        check("http:GET:a.io/", "http:GET:b.io/v1", false);
        check("act:reply", "act:tag", false);
        check("secret:t@a.io:header", "secret:t@a.io:query", false);
    }

    #[test]
    fn what_nobody_decided_waits_and_a_later_word_takes_the_place_of_an_earlier_one() {
        let asked = all(&["act:reply", "http:GET:a.io/v1"]);
        let mut decisions = Vec::new();
        assert_eq!(undecided(&asked, &decisions), asked);
        decide(&mut decisions, asked[0].clone(), false).unwrap();
        decide(&mut decisions, asked[1].clone(), true).unwrap();
        assert!(undecided(&asked, &decisions).is_empty(), "a refusal is a decision too");
        assert_eq!(undecided(&all(&["http:GET:a.io/"]), &decisions).len(), 1, "more than was decided");
        let permits = Permits::new(&decisions, Vec::new());
        assert!(!permits.allow(&asked[0]) && permits.allow(&asked[1]));
        assert!(permits.allow(&all(&["http:GET:a.io/v1/x"])[0]) && !permits.allow(&all(&["http:GET:a.io/v2"])[0]));
        assert!(!Permits::new(&decisions, all(&["http:GET:a.io/"])).allow(&asked[1]), "withheld in this workspace");

        decide(&mut decisions, all(&["http:GET:a.io/"]).remove(0), true).unwrap();
        assert_eq!(decisions.len(), 2, "the part is decided by the whole");
        let refused = decide(&mut decisions, asked[1].clone(), false).unwrap_err();
        assert_eq!(refused.code, "plugin.broader_grant");
        decide(&mut decisions, all(&["http:GET:a.io/"]).remove(0), false).unwrap();
        assert!(!Permits::new(&decisions, Vec::new()).allow(&asked[1]));
        assert!(!Permits::default().allow(&asked[0]), "nothing is granted by itself");
    }
}
