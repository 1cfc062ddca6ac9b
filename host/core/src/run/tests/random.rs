//! Random workflows with questions, waits, approvals, lists, scripts, calls and errors, cut at every point: the run that was thrown
//! away and rebuilt does what the run does that was kept, to the last byte of its journal.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::scripts::wish;
use super::*;
use crate::journal::Read;
use crate::workflow::double::parse;

/// splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// From a text.
    fn of(text: &str) -> Self {
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
    }
}

struct Author {
    chance: Chance,
    ids: u64,
}

impl Author {
    fn steps(&mut self, depth: u32, in_each: bool) -> Vec<Value> {
        let mut list = Vec::new();
        for _ in 0..=self.chance.below(3) {
            list.extend(self.step(depth, in_each));
        }
        list
    }

    fn step(&mut self, depth: u32, in_each: bool) -> Vec<Value> {
        self.ids += 1;
        let id = format!("s{}", self.ids);
        let kinds = if depth == 0 { 14 } else { 18 };
        let mut step = match self.chance.below(kinds) {
            0 => json!({ "tag": id }),
            1 => json!({ "reply": format!("say {id}") }),
            2 | 3 => json!({ "id": id, "ask": { "text": id, "expect": "number", "timeout": "1h" } }),
            4 => json!({ "id": id, "ask": { "text": id, "buttons": ["5", "other"] } }),
            5 => json!({ "wait": "2h" }),
            6 => json!({ "id": id, "wait": { "for": "message", "timeout": "1h" } }),
            7 => json!({ "id": id, "draft": format!("draft {id}") }),
            8 => json!({ "id": id, "use": "acme/mood", "retry": 1 }),
            9 | 10 => json!({ "id": id, "script": "s.rhai", "retry": 2 }),
            11 => json!({ "note": id }),
            12 => json!({ "id": id, "call": { "workflow": "other", "with": { "n": id } } }),
            13 => json!({ "emit": { "event": id, "data": "${vars.list}" } }),
            14 => {
                let inner = self.steps(depth - 1, in_each);
                let other = self.steps(depth - 1, in_each);
                let guard = if self.chance.below(2) == 0 { "event.text == \"hello\"" } else { "event.text == \"no\"" };
                return vec![json!({ "if": guard, "do": inner }), json!({ "else": other })];
            }
            15 => {
                let inner = self.steps(depth - 1, in_each);
                json!({ "do": inner })
            }
            _ if in_each => json!({ "note": id }),
            _ => {
                let inner = self.steps(depth - 1, true);
                json!({ "id": id, "each": { "in": "${vars.list}", "do": inner } })
            }
        };
        match self.chance.below(8) {
            0 if depth > 0 => step["on_error"] = Value::Array(self.steps(depth - 1, in_each)),
            1 => step["on_error"] = "continue".into(),
            2 => step["if"] = "vars.yes == true".into(),
            _ => {}
        }
        vec![step]
    }

    fn workflow(&mut self) -> Arc<Workflow> {
        let mut steps = self.steps(3, false);
        // Something reads every output, so that all are kept.
        let all: Vec<String> = (1..=self.ids).map(|n| format!("${{s{n}?.x}}")).collect();
        // A script may call what stands in its workflow.
        steps.insert(0, json!({ "if": "vars.yes == false", "call": "other" }));
        steps.push(json!({ "note": all.iter().take(90).cloned().collect::<String>() }));
        let vars = json!({ "list": [1, "two", { "three": 3 }], "yes": true });
        let text = json!({ "name": "t", "on": "message", "vars": vars, "steps": steps }).to_string();
        // Ids without an output are no names.
        let known = |text: &str| parse(text).map(Arc::new);
        known(&text).unwrap_or_else(|_| {
            let mut doc: Value = serde_json::from_str(&text).unwrap();
            let list = doc["steps"].as_array_mut().unwrap();
            list.pop();
            known(&doc.to_string()).unwrap_or_else(|found| panic!("{text}\n{}", found[0]))
        })
    }
}

/// A script by its path: effects, reads and wishes in an order that what it heard decides.
fn script(call: &Call) -> Ended {
    let mut chance = Chance::of(&call.path);
    let legs = call.journal.len();
    if call.attempt == 1 && Chance::of(&format!("{} {legs}", call.path)).below(4) == 0 {
        return ended(Err(Failure::new(Class::Transient, "x.slow", "x")), vec![Effect::Tag("never".into())]);
    }
    let (mut made, mut told, mut heard) = (0, 0, 0);
    let (mut effects, mut reads) = (Vec::new(), Vec::new());
    for n in 0..chance.below(9) {
        match chance.below(4) {
            0 => {
                let effect = Effect::Tag(format!("{n}:{}", chance.next()));
                match call.taken.get(made) {
                    Some(taken) => assert_eq!(*taken, effect.fingerprint()),
                    None => effects.push(effect),
                }
                made += 1;
            }
            1 => {
                // What a live read tells depends on the leg, so one that is not told again is found.
                let live = Read { call: format!("r{n}"), answer: Ok(json!([legs, call.attempt, n])) };
                let read = call.reads.get(told).cloned().unwrap_or_else(|| {
                    reads.push(live.clone());
                    live
                });
                assert_eq!(read.call, format!("r{n}"));
                told += 1;
                chance.0 ^= Chance::of(&format!("{:?}", read.answer)).next();
            }
            _ => {
                let (name, arguments) = match chance.below(9) {
                    0 => ("ask", json!(["Well?", { "expect": "number" }])),
                    1 => ("sleep", json!(["1h"])),
                    2 => ("wait", json!([{ "for": "message" }])),
                    3 => ("approve", json!(["Shall I?"])),
                    4 => ("step", json!(["keyword", { "n": n }])),
                    5 => ("call", json!(["other", { "n": n }])),
                    6 => ("draft", json!(["Dear Ann"])),
                    7 => ("call", json!(["nobody"])),
                    _ => ("step", json!(["unpinned"])),
                };
                let Some(answer) = call.journal.get(heard) else {
                    assert!(made >= call.taken.len() && told >= call.reads.len());
                    let result = Ok(wish(call, name, arguments));
                    return Ended { result, reads, ..ended(Ok(Value::Null), effects) };
                };
                assert_eq!((answer.name.as_str(), &answer.fingerprint), (name, &format!("f:{name}:{arguments}")));
                heard += 1;
                chance.0 ^= Chance::of(&format!("{:?} {}", answer.value, answer.at)).next();
            }
        }
    }
    assert!(made >= call.taken.len() && told >= call.reads.len() && heard == legs);
    let result = if chance.below(9) == 0 { Err(Failure::bug("x.bad", "x")) } else { Ok(json!({ "x": chance.next() >> 20 })) };
    ended(result, effects)
}

fn call(call: &Call) -> Ended {
    if let Work::Script { .. } = call.work {
        return script(call);
    }
    match Chance::of(&format!("{} {}", call.path, call.attempt)).below(5) {
        0 => ended(Err(Failure::new(Class::Transient, "x.slow", "x")), vec![]),
        1 => ended(Err(Failure::bug("x.bad", "x")), vec![]),
        n => ended(Ok(json!({ "x": n })), vec![Effect::Note(call.path.to_string())]),
    }
}

/// What the host says to a call: a run with an id of its own for every place, or now and then nothing.
fn begun(begin: &Begin) -> Result<Called, Failure> {
    let mut chance = Chance::of(&begin.place);
    if chance.below(8) == 0 {
        return Err(Failure::new(Class::Permanent, "call.unknown_workflow", "x"));
    }
    let run = begin.again.unwrap_or(Id(i64::try_from(chance.below(1 << 60)).unwrap()));
    Ok(Called { run, name: begin.workflow.to_string(), workflow: format!("hash of {}", begin.place) })
}

/// What the world does about a wait: always the same about the same.
fn world(wait: &Wait) -> (Wake, Instant) {
    let mut chance = Chance::of(&wait.key);
    if let Some(called) = &wait.called {
        let error = (chance.below(4) == 0).then(|| Failure::bug("x.bad", "x"));
        let result = if error.is_none() { json!({ "x": chance.below(1_000) }) } else { Value::Null };
        return (Wake::Ended { run: called.run, result, marked: chance.below(2) == 0, error }, 77_000_000);
    }
    let until = wait.until.unwrap();
    let id = chance.below(1_000).to_string();
    let answer = |text: &str| Wake::Answer { event: json!({ "text": text }), text: Some(text.into()), payload: None, id };
    match (&*wait.kind, chance.below(4)) {
        (ASK, 0) => (answer("what?"), until - 9),
        (ASK, 1 | 2) => (answer("5"), until - 8),
        (WAIT, 0) if wait.filter.is_some() => (answer("hm"), until - 7),
        (APPROVE, 0) => (Wake::Approved { approved: true, text: None, by: "ann".into() }, until - 6),
        (APPROVE, 1) => (Wake::Approved { approved: true, text: Some("better".into()), by: "bo".into() }, until - 5),
        (APPROVE, 2) => (Wake::Approved { approved: false, text: None, by: "bo".into() }, until - 4),
        _ => (Wake::Timeout, until + 3),
    }
}

/// To the end; the places in the journal at which the run waited are added to `legs`.
fn live(machine: &mut Machine, legs: &mut Vec<usize>) -> RunEnd {
    for _ in 0..20_000 {
        match machine.next(&Double::default()) {
            Action::Call(work) => machine.step_ended(call(&work)),
            Action::Begin(begin) => machine.began(begun(&begin)),
            Action::Finished(RunEnd::Waiting { .. }) => {
                legs.push(machine.entries().len());
                let (wake, at) = world(&machine.waits().unwrap());
                assert!(machine.resume(wake, at));
            }
            Action::Finished(end) => return end,
        }
    }
    panic!("it never ends");
}

#[test]
fn a_run_that_is_rebuilt_at_any_point_is_the_run_that_was_kept() {
    let (mut waited, mut scripts, mut lists, mut called, mut failed) = (0, 0, 0, 0, 0);
    for seed in 0..640 {
        let workflow = Author { chance: Chance(seed), ids: 0 }.workflow();
        let mut kept = Machine::start(Arc::clone(&workflow), started(), base());
        let mut legs = Vec::new();
        let end = live(&mut kept, &mut legs);
        let whole = kept.entries().to_vec();
        // Every effect has a place of its own: by it a send is recognized that was made already.
        let places: Vec<_> = effects(&whole).map(|d| (d.path.clone(), d.n)).collect();
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "seed {seed}: {places:?}");
        // And every script does everything once, whatever it was called again for.
        let tags = effects(&whole).filter(|d| matches!(d.effect, Effect::Tag(_))).map(|d| (&d.path, d.effect.fingerprint()));
        let tags: Vec<_> = tags.collect();
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len(), "seed {seed}");
        assert!(!effects(&whole).any(|d| d.effect == Effect::Tag("never".into())));

        for cut in &legs {
            let stored = crate::journal::unpack(&crate::journal::pack(&whole[..*cut])).unwrap();
            let mut again =
                Machine::replay(Arc::clone(&workflow), &stored, base()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert_eq!(live(&mut again, &mut Vec::new()), end, "seed {seed} cut {cut}");
            assert_eq!(again.entries(), &whole[*cut..], "seed {seed} cut {cut}");
            assert_eq!(again.names(), kept.names(), "seed {seed} cut {cut}");
        }
        // A journal that ends elsewhere is none that a host writes; it is read all the same, and comes to an end.
        for cut in 1..=whole.len() {
            let mut again =
                Machine::replay(Arc::clone(&workflow), &whole[..cut], base()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            live(&mut again, &mut Vec::new());
        }
        waited += legs.len();
        scripts += whole.iter().filter(|e| matches!(e, Entry::CallDone { .. })).count();
        lists += whole.iter().filter(|e| matches!(e, Entry::Each { .. })).count();
        let began = |e: &&Entry| matches!(e, Entry::Waiting { kind, .. } if kind == CALL);
        called += whole.iter().filter(began).count();
        failed += usize::from(matches!(end, RunEnd::Failed { .. }));
    }
    println!("640 runs: {waited} waits, {scripts} answered calls, {lists} lists, {called} runs called, {failed} ended badly");
    assert!(
        waited > 1_000 && scripts > 300 && lists > 100 && called > 200 && (15..500).contains(&failed),
        "the runs are too tame"
    );
}
