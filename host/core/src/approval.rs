//! What a person's yes holds for: exactly these bytes, to this recipient, by this channel, wanted at this place of this run of this version,
//! and once. The yes is kept in the run's journal with a seal over all of that ([`Yes`]); whoever lets a message leave that wanted one
//! works the seal out anew from what is about to leave ([`check`]).
//!
//! The attacks it stops: a text that is another one after it was approved; a yes that is used for another recipient, channel, workspace or
//! version, a second time, or after its time; and a click that lands on what stands there by now instead of on what was read ([`Named`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Instant;
use crate::event::Message;
use crate::failure::{Class, Failure};
use crate::id::{Id, WorkspaceId};
use crate::journal::Entry;
use crate::run::call_path;
use crate::wait::{Approval, Wake, Want};

/// Characters of a key that people are shown.
const SHOWN: usize = 12;

/// What an approval is called: the run, and the beginning of the hash of what is to be approved. So a decision is about what was
/// read, even when the run waits for another approval by now. Written `RUN.HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The run that waits.
    pub run: Id,
    /// The beginning of the wait's key.
    pub key: String,
}

impl Named {
    /// The name of what this run waits for, by the key of its wait.
    #[must_use]
    pub fn new(run: Id, key: &str) -> Self {
        Self { run, key: key.chars().take(SHOWN).collect() }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.key)
    }
}

impl FromStr for Named {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no approval: name it as `pointsman approval list` shows it, RUN.HASH");
        let (run, key) = text.split_once('.').ok_or_else(wrong)?;
        let good = key.len() >= SHOWN && key.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        match run.parse() {
            Ok(run) if good => Ok(Self { run, key: key.to_owned() }),
            _ => Err(wrong()),
        }
    }
}

/// What a run waits to have approved.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Names the wait; a hash of what is to be approved, for whom.
    pub key: &'a str,
    /// What, and by whom.
    pub approval: &'a Approval,
}

/// What the newest wait of a journal wants approved; `None`: it is no approval.
#[must_use]
pub fn wanted(entries: &[Entry]) -> Option<Wanted<'_>> {
    let last = entries.iter().rev().find(|entry| matches!(entry, Entry::Waiting { .. }))?;
    match last {
        Entry::Waiting { key, want: Some(want), .. } => match &**want {
            Want::Approval(approval) => Some(Wanted { key, approval }),
            _ => None,
        },
        _ => None,
    }
}

/// A person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yes {
    /// Over what was approved, and where; hex.
    pub seal: String,
    /// When it was given.
    pub at: Instant,
}

/// Where something was approved.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// By which channel it leaves.
    pub channel: Id,
    /// The conversation.
    pub conversation: Id,
    /// The provider's name of the recipient.
    pub peer: &'a str,
    /// The run.
    pub run: Id,
    /// Content hash of the version on which it runs.
    pub workflow: &'a str,
    /// The wait.
    pub key: &'a str,
}

impl Place<'_> {
    /// A hash over these bytes at this place.
    #[must_use]
    pub fn seal(&self, message: &Message) -> String {
        let mut hash = Sha256::new();
        for id in [self.workspace, self.channel, self.conversation, self.run] {
            hash.update(id.0.to_be_bytes());
        }
        let message = serde_json::to_vec(message).unwrap_or_default();
        for part in [self.peer.as_bytes(), self.workflow.as_bytes(), self.key.as_bytes(), &message] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// Whether a person approved that exactly this leaves from here, decided by the step `path`. `entries`: the journal of the run.
pub fn check(place: &Place<'_>, path: &str, message: &Message, entries: &[Entry]) -> Result<(), Failure> {
    let refused = |code: &str, why: &str| {
        let cure = "nothing left; drop it, and let the workflow ask a person anew";
        Err(Failure::new(Class::Denied, format!("approval.{code}"), format!("{why}; {cure}")))
    };
    let asked = entries.iter().find_map(|entry| match entry {
        Entry::Waiting { path, key, until, want: Some(want), call, .. } if key == place.key => match &**want {
            Want::Approval(approval) if approval.send => {
                Some((call.as_ref().map_or_else(|| path.clone(), |call| call_path(path, call.n)), *until))
            }
            _ => None,
        },
        _ => None,
    });
    let yes = entries.iter().find_map(|entry| match entry {
        Entry::Told { key, wake, yes: Some(yes) } if key == place.key => match &**wake {
            Wake::Approved { approved: true, .. } => Some(yes),
            _ => None,
        },
        _ => None,
    });
    let (Some((from, until)), Some(yes)) = (asked, yes) else {
        return refused("missing", "no person approved this");
    };
    if until.is_some_and(|until| yes.at >= until) {
        return refused("expired", "it was approved when its time was over");
    }
    if from != path || yes.seal != place.seal(message) {
        return refused("changed", "this is not what was approved, or not for this recipient, channel or version");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::CallMade;

    const KEY: &str = "0123456789abcdef";

    fn place() -> Place<'static> {
        Place {
            workspace: Id(1),
            channel: Id(2),
            conversation: Id(3),
            peer: "15550100001",
            run: Id(4),
            workflow: "abc",
            key: KEY,
        }
    }

    fn journal(call: Option<CallMade>, send: bool, at: Instant, approved: bool) -> Vec<Entry> {
        let message = Message::text("Dear Ann");
        let approval = Approval { message: message.clone(), to: None, send, marked: true, gave: None };
        let waiting = Entry::Waiting {
            path: "2".into(),
            kind: "approve".into(),
            key: KEY.into(),
            until: Some(1_000),
            want: Some(Box::new(Want::Approval(approval))),
            call,
        };
        let wake = Wake::Approved { approved, text: None, by: "agent/mia".into() };
        let yes = approved.then(|| Yes { seal: place().seal(&message), at });
        vec![waiting, Entry::Told { key: KEY.into(), wake: Box::new(wake), yes }]
    }

    #[track_caller]
    fn ends(place: &Place<'_>, path: &str, text: &str, entries: &[Entry], code: &str) {
        let got = check(place, path, &Message::text(text), entries).err().map_or_else(String::new, |failure| failure.code);
        assert_eq!(got, code);
    }

    #[test]
    fn only_what_was_approved_leaves_and_only_from_there() {
        let good = journal(None, true, 999, true);
        ends(&place(), "2", "Dear Ann", &good, "");
        ends(&place(), "2", "Dear Anm", &good, "approval.changed");
        ends(&place(), "3", "Dear Ann", &good, "approval.changed");
        for other in [
            Place { workspace: Id(9), ..place() },
            Place { channel: Id(9), ..place() },
            Place { conversation: Id(9), ..place() },
            Place { peer: "15550100002", ..place() },
            Place { run: Id(9), ..place() },
            Place { workflow: "abd", ..place() },
        ] {
            ends(&other, "2", "Dear Ann", &good, "approval.changed");
        }
        ends(&Place { key: "other", ..place() }, "2", "Dear Ann", &good, "approval.missing");
        ends(&place(), "2", "Dear Ann", &good[..1], "approval.missing");
        ends(&place(), "2", "Dear Ann", &good[1..], "approval.missing");
        ends(&place(), "2", "Dear Ann", &journal(None, true, 999, false), "approval.missing");
        ends(&place(), "2", "Dear Ann", &journal(None, false, 999, true), "approval.missing");
        ends(&place(), "2", "Dear Ann", &journal(None, true, 1_000, true), "approval.expired");
        let call = CallMade { n: 3, name: "draft".into(), arguments: "x".into() };
        ends(&place(), "2.calls[3]", "Dear Ann", &journal(Some(call), true, 5, true), "");
        let mut message = Message::text("Dear Ann");
        message.choices.push(crate::event::Choice { title: "Pay".into(), payload: "p".into(), url: None });
        assert!(check(&place(), "2", &message, &good).is_err(), "not only its words are what was approved");
    }

    #[test]
    fn an_approval_is_named_by_what_is_to_be_approved() {
        let named = Named::new(Id(77), "0123456789abcdef");
        assert_eq!((named.to_string().as_str(), "77.0123456789ab".parse()), ("77.0123456789ab", Ok(named)));
        for wrong in ["77", "77.", "77.012345", "x.0123456789ab", "77.0123456789AB", "77.0123456789aq"] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
        let entries = journal(None, true, 5, true);
        assert_eq!(wanted(&entries).map(|wanted| wanted.key), Some(KEY));
        let sleeps =
            Entry::Waiting { path: "3".into(), kind: "sleep".into(), key: "s".into(), until: Some(9), want: None, call: None };
        assert!(wanted(&[entries[0].clone(), sleeps]).is_none(), "what was decided is not wanted any more");
    }
}
