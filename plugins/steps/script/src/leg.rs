//! One leg of a script: from the top to its end, or to the first call whose answer is not there yet.
//!
//! **The end of a leg must be final.** rhai's own end of a script can be caught: it is wrapped when it passes through a native
//! function that calls a closure (`[1].map(|x| ask(x))`), and then `try` takes it for an ordinary error. A script that went
//! on like this would reply twice. So the end is a sticky flag, read by the engine before every operation and by every
//! function of ours, and at the end the recorded wish wins over whatever the script returned.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Map, Position};

use crate::bindings::pointsman::plugin::journal::{Answer, Call, Entry, Outcome, Wish};
use crate::bindings::pointsman::plugin::types::Failure;
use crate::failure::{self, Reason};
use crate::values;

/// What a function of ours gives.
pub(crate) type Given<T> = Result<T, Box<EvalAltResult>>;

/// Names that functions see: everything that the script knows, shared.
pub(crate) type Shared = Option<Rc<BTreeMap<String, Dynamic>>>;

#[derive(Default)]
struct Leg {
    journal: Vec<Entry>,
    consumed: usize,
    started: i64,
    now: i64,
    random: u64,
    names: Shared,
    wish: Option<Wish>,
    stopped: Option<Reason>,
}

thread_local! {
    static ENDED: Cell<bool> = const { Cell::new(false) };
    static LEG: RefCell<Leg> = RefCell::default();
}

/// Starts a leg.
pub(crate) fn begin(call: Call, names: Shared) {
    ENDED.set(false);
    LEG.set(Leg { journal: call.journal, started: call.at, now: call.at, random: call.seed, names, ..Leg::default() });
}

/// What the leg came to.
pub(crate) fn finish(result: Given<Dynamic>) -> Result<Outcome, Failure> {
    let leg = LEG.take();
    ENDED.set(true);
    if let Some(reason) = leg.stopped {
        return Err(reason.into_failure());
    }
    if let Some(wish) = leg.wish {
        return Ok(Outcome::Suspended(wish));
    }
    let value = result.map_err(|e| failure::from_evaluation(&e).into_failure())?;
    if leg.consumed < leg.journal.len() {
        let left = leg.journal.get(leg.consumed).map_or("", |e| e.name.as_str());
        return Err(Reason::new(
            "replay.diverged",
            format!(
                "the script ended after {} of {} recorded answers; the next one is of `{left}`",
                leg.consumed,
                leg.journal.len()
            ),
        )
        .into_failure());
    }
    values::to_json(&value).map(|json| Outcome::Done(json.to_string())).map_err(Reason::into_failure)
}

/// Whether the leg is over. The engine asks before every operation.
pub(crate) fn ended() -> bool {
    ENDED.get()
}

fn end() -> Box<EvalAltResult> {
    ENDED.set(true);
    Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE))
}

/// Every function that acts asks first.
pub(crate) fn alive() -> Given<()> {
    if ended() { Err(end()) } else { Ok(()) }
}

/// The one door to what waits: the recorded answer, or the end of the leg.
pub(crate) fn consult(name: &str, arguments: &[Dynamic]) -> Given<Dynamic> {
    alive()?;
    let json = arguments.iter().map(values::to_json).collect::<Result<Vec<_>, _>>().map_err(|reason| failure::raise(&reason))?;
    let json = serde_json::Value::Array(json).to_string();
    let fingerprint = fingerprint(name, &json);
    LEG.with_borrow_mut(|leg| {
        let Some(entry) = leg.journal.get(leg.consumed) else {
            let consumed = u32::try_from(leg.consumed).unwrap_or(u32::MAX);
            leg.wish = Some(Wish { name: name.to_owned(), arguments: json, fingerprint, consumed });
            return Err(end());
        };
        let n = leg.consumed + 1;
        if entry.name != name {
            leg.stopped = Some(Reason::new(
                "replay.diverged",
                format!("call {n}: the journal has `{}`, the script now calls `{name}`; the script must do the same on every run", entry.name),
            ));
            return Err(end());
        }
        if entry.fingerprint != fingerprint {
            leg.stopped = Some(Reason::new(
                "replay.diverged",
                format!(
                    "call {n}: `{name}` has other arguments than were recorded ({fingerprint}, recorded {}); the script must do the same on every run",
                    entry.fingerprint
                ),
            ));
            return Err(end());
        }
        let value = match &entry.value {
            Answer::Value(json) => values::from_json(json).map_err(|reason| failure::raise(&reason)),
            Answer::TimedOut => Ok(timed_out()),
            Answer::Failed(failed) => Err(failure::raise_from(failed)),
        };
        leg.now = entry.at;
        leg.consumed = n;
        value
    })
}

fn timed_out() -> Dynamic {
    let mut map = Map::new();
    map.insert("text".into(), Dynamic::UNIT);
    map.insert("timed_out".into(), true.into());
    map.into()
}

/// FNV-1a of the name and the arguments. Not against attackers: it finds a script that asks something else this time.
fn fingerprint(name: &str, json: &str) -> String {
    let bytes = name.bytes().chain([0]).chain(json.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Whether all recorded answers are used up: only then is a line of log new.
pub(crate) fn live() -> bool {
    LEG.with_borrow(|leg| !ended() && leg.consumed == leg.journal.len())
}

/// Frozen from the start or the last answer on.
pub(crate) fn now() -> i64 {
    LEG.with_borrow(|leg| leg.now)
}

/// Whether time has moved since the step began.
pub(crate) fn time_moved() -> bool {
    LEG.with_borrow(|leg| leg.now != leg.started)
}

/// The next random number: splitmix64 from the seed of the step, so equal on every replay.
pub(crate) fn random() -> u64 {
    LEG.with_borrow_mut(|leg| {
        leg.random = leg.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (leg.random ^ (leg.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A name, for a function that has no scope of its own.
pub(crate) fn name(name: &str) -> Option<Dynamic> {
    LEG.with_borrow(|leg| leg.names.as_ref().and_then(|names| names.get(name).cloned()))
}
