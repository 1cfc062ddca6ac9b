//! Scripts that wait, with the real interpreter, driven by the machine of core: whatever a script does on its way, and whatever
//! becomes of the world while it waits, everything is done once, in order, and the outcome is that of a script that was never
//! interrupted. What that is, a small simulation says, which knows nothing of legs.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use pointsman_core::effect::Effect;
use pointsman_core::failure::Failure;
use pointsman_core::journal::{Entry, Read, pack, unpack};
use pointsman_core::mark::Marked;
use pointsman_core::ports::{Answered, Expressions, Mistake, Names};
use pointsman_core::run::{Action, Call, Ended, Machine, RunEnd, Started, Wake, Work, effects};
use pointsman_core::workflow::{Plugins, SourceSet, Workflow};

use super::script::Scripts;
use super::*;

// ------------------------------------------------------------------------------------------------ what a script does

/// A piece of a script.
#[derive(Debug, Clone)]
enum Piece {
    Reply,
    Count,
    Remember,
    Chance,
    Time,
    Talk,
    Ask,
    Sleep,
    Wait,
    Approve,
    Step,
    Times(u64, Vec<Piece>),
    Try(Vec<Piece>),
}

/// splitmix64, as the interpreter's own `random()` and the authors of the scripts use it.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn pieces(chance: &mut SplitMix, depth: u32) -> Vec<Piece> {
    let count = 1 + chance.next() % 5;
    (0..count).map(|_| piece(chance, depth)).collect()
}

fn piece(chance: &mut SplitMix, depth: u32) -> Piece {
    match chance.next() % if depth == 0 { 11 } else { 14 } {
        0 => Piece::Reply,
        1 => Piece::Count,
        2 => Piece::Remember,
        3 => Piece::Chance,
        4 => Piece::Time,
        5 => Piece::Talk,
        6 => Piece::Ask,
        7 => Piece::Sleep,
        8 => Piece::Wait,
        9 => Piece::Approve,
        10 => Piece::Step,
        11 | 12 => Piece::Times(1 + chance.next() % 3, pieces(chance, depth - 1)),
        _ => Piece::Try(pieces(chance, depth - 1)),
    }
}

/// The script's text. `acc` is all that it knows; every answer goes into it, and every effect shows it.
fn text(pieces: &[Piece], out: &mut String) {
    for piece in pieces {
        let line = match piece {
            Piece::Reply => "reply(`r ${acc}`);",
            Piece::Count => "acc = (acc * 31 + state_add(\"contact\", \"count\", 1)) % 1000003;",
            Piece::Remember => {
                "state_set(\"acc\", acc); acc = (acc * 31 + state_get(\"acc\") + (state_get(\"contact\", \"count\") ?? 0)) % 1000003;"
            }
            Piece::Chance => "acc = (acc * 31 + random(1000)) % 1000003; tag(`t ${acc}`);",
            Piece::Time => "acc = (acc * 31 + now) % 1000003;",
            Piece::Talk => "note(history(1)[0].text);",
            Piece::Ask => {
                "{ let a = ask(`q ${acc}`); if a.timed_out { acc += 7; } else { acc = (acc * 31 + parse_int(a.text)) % 1000003; } }"
            }
            Piece::Sleep => "sleep(\"1h\");",
            Piece::Wait => "if wait(#{\"for\": \"message\", timeout: \"1h\"}).timed_out { acc += 3; } else { acc += 5; }",
            Piece::Approve => "if approve(`a ${acc}`).approved { acc += 11; } else { acc += 13; }",
            Piece::Step => "acc += step(\"acme/hostile\", #{\"do\": \"act\", text: `s ${acc}`}).len();",
            Piece::Times(n, inner) => {
                out.push_str(&format!("for i in 0..{n} {{ acc += i;\n"));
                text(inner, out);
                "}"
            }
            Piece::Try(inner) => {
                out.push_str("try {\n");
                text(inner, out);
                "} catch { reply(\"LEAK\"); }"
            }
        };
        out.push_str(line);
        out.push('\n');
    }
}

/// What comes of it, said without legs.
struct Simulation {
    acc: i64,
    now: i64,
    waits: u64,
    random: SplitMix,
    world: World,
    done: Vec<Effect>,
}

impl Simulation {
    fn state(&mut self, scope: Scope, key: &str, value: i64) {
        self.world.state.insert((scope == Scope::Contact, key.to_owned()), json!(value));
        self.done.push(Effect::State { scope, key: key.to_owned(), value: Some(json!(value)), ttl: None });
    }

    fn count(&self) -> i64 {
        self.world.state.get(&(true, "count".to_owned())).and_then(Value::as_i64).unwrap_or(0)
    }

    fn mix(&mut self, value: i64) {
        self.acc = (self.acc * 31 + value) % 1_000_003;
    }

    fn wait(&mut self) -> u64 {
        let n = self.waits;
        self.waits += 1;
        self.now = woken_at(n);
        self.world.turn();
        n
    }

    fn run(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Reply => self.done.push(Effect::Reply(Message::text(format!("r {}", self.acc)))),
                Piece::Count => {
                    let count = self.count() + 1;
                    self.state(Scope::Contact, "count", count);
                    self.mix(count);
                }
                Piece::Remember => {
                    let acc = self.acc;
                    self.state(Scope::Conversation, "acc", acc);
                    self.mix(acc + self.count());
                }
                Piece::Chance => {
                    let drawn = i64::try_from(self.random.next() % 1_000).unwrap();
                    self.mix(drawn);
                    self.done.push(Effect::Tag(format!("t {}", self.acc)));
                }
                Piece::Time => self.mix(self.now),
                Piece::Talk => self.done.push(Effect::Note(format!("turn {}", self.world.turn))),
                Piece::Ask => {
                    self.done.push(Effect::Reply(Message::text(format!("q {}", self.acc))));
                    match self.wait() {
                        n if n % 5 == 0 => self.acc += 7,
                        n => self.mix(i64::try_from(n * 3).unwrap()),
                    }
                }
                Piece::Sleep => drop(self.wait()),
                Piece::Wait => self.acc += if self.wait() % 5 == 0 { 3 } else { 5 },
                Piece::Approve => self.acc += if self.wait() % 2 == 0 { 11 } else { 13 },
                Piece::Step => {
                    self.done.extend(seven(&format!("s {}", self.acc)));
                    self.acc += 7;
                }
                Piece::Times(n, inner) => {
                    for i in 0..*n {
                        self.acc += i64::try_from(i).unwrap();
                        self.run(inner);
                    }
                }
                Piece::Try(inner) => self.run(inner),
            }
        }
    }
}

/// What the guest `hostile` does when it is asked to `act`.
fn seven(text: &str) -> Vec<Effect> {
    vec![
        Effect::Reply(Message::text(text)),
        Effect::Tag("vip".to_owned()),
        Effect::Untag("new".to_owned()),
        Effect::Note("a note".to_owned()),
        Effect::Assign("team/care".to_owned()),
        Effect::Set { name: "size".to_owned(), value: json!({"eu": 42}) },
        Effect::Emit { name: "ordered".to_owned(), data: json!([1]) },
    ]
}

fn woken_at(n: u64) -> i64 {
    1_000 + (i64::try_from(n).unwrap() + 1) * 60_000
}

// ------------------------------------------------------------------------------------------------ the house around it

/// A conversation that goes on while the script waits: others write, and count too.
#[derive(Debug, Clone, Default)]
struct World {
    /// By whether it is the contact's.
    state: BTreeMap<(bool, String), Value>,
    turn: u64,
}

impl World {
    fn turn(&mut self) {
        self.turn += 1;
        let count = self.state.entry((true, "count".to_owned())).or_insert(json!(0));
        *count = json!(count.as_i64().unwrap() + 1_000);
    }
}

#[derive(Default)]
struct House2(Mutex<World>);

#[async_trait]
impl StepHost for House2 {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Ok(ConversationInfo::default())
    }

    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        let said = format!("turn {}", self.0.lock().turn);
        Ok((0..count).map(|_| Said { by: Speaker::Contact, at: 1, message: Message::text(said.clone()) }).collect())
    }

    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        Ok(self.0.lock().state.get(&(scope == Scope::Contact, key.to_owned())).cloned())
    }

    async fn search(&self, base: &str, query: &str, _: u32) -> Result<Vec<Passage>, Refusal> {
        let text = format!("turn {} of {base}: {query}", self.0.lock().turn);
        Ok(vec![Passage { text, source: "a.md".to_owned(), score: 0.5, extra: Some(json!({ "id": "a" })) }])
    }
}

/// Scripts alone: nothing is worked out natively.
struct NoExpressions;

impl Expressions for NoExpressions {
    fn check(&self, _: &str) -> Result<Vec<String>, Mistake> {
        Ok(Vec::new())
    }
    fn eval(&self, _: &str, _: &Names) -> Result<Marked<Value>, Failure> {
        Err(Failure::bug("test.expression", "there is none"))
    }
    fn check_script(&self, _: &str) -> Result<(), Mistake> {
        Ok(())
    }
}

struct OnlyHostile;

impl Plugins for OnlyHostile {
    fn knows(&self, id: &str) -> bool {
        id == "acme/hostile"
    }
    fn names(&self) -> Vec<String> {
        vec!["acme/hostile".to_owned()]
    }
}

struct Line {
    scripts: Scripts,
    digest: String,
}

impl Line {
    fn new() -> Self {
        let scripts = Scripts::new();
        let loaded = scripts.0.load_blocking(step("acme/hostile", ALL), hostile(), Trust::Bundled).unwrap();
        Self { scripts, digest: loaded.digest.to_string() }
    }

    fn workflow(source: &str) -> Arc<Workflow> {
        let set =
            SourceSet::new("w.yaml", "name: t\non: message\nsteps:\n  - id: s\n    script: s.rhai\n").with("s.rhai", source);
        Arc::new(Workflow::parse(&set, &NoExpressions, &OnlyHostile).unwrap_or_else(|found| panic!("{}", found[0])))
    }

    fn start(&self, workflow: &Arc<Workflow>) -> Machine {
        let plugins = vec![("acme/hostile".to_owned(), self.digest.clone())];
        let started = Started { run: Id(1), event: Id(2), at: 1_000, seed: 7, plugins, caller: None };
        Machine::start(Arc::clone(workflow), started, names(0))
    }

    async fn call(&self, call: Call, house: &Arc<House2>) -> Ended {
        let (code, input) = match call.work {
            Work::Use { plugin, digest, input } => (Code::Plugin { id: plugin, digest }, input),
            Work::Script { source, hash, input } => (Code::Script { source, hash }, input),
        };
        let step = StepCall {
            workspace: Id(1),
            code,
            run: "1".to_owned(),
            path: call.path.to_string(),
            attempt: call.attempt,
            at: call.at,
            seed: call.seed,
            input,
            config: Value::Null,
            event: None,
            journal: call.journal,
            taken: call.taken,
            reads: call.reads,
        };
        let end = self.scripts.0.run(step, Arc::clone(house) as Arc<dyn StepHost>).await;
        let (result, effects, reads) = (end.result, end.effects, end.reads);
        Ended { result, effects, saw_outside: true, now: 5, random: 0.5, usage: None, reads }
    }

    /// To the end of the leg. What it decided is committed: state is in the store.
    async fn leg(&self, machine: &mut Machine, house: &Arc<House2>, seed: &mut u64) -> (RunEnd, Vec<Entry>) {
        let end = loop {
            match machine.next(&NoExpressions) {
                Action::Call(call) => {
                    if matches!(call.work, Work::Script { .. }) {
                        *seed = call.seed;
                    }
                    let ended = self.call(call, house).await;
                    machine.step_ended(ended);
                }
                Action::Begin(begin) => panic!("{begin:?}"),
                Action::Finished(end) => break end,
            }
        };
        let entries = machine.take_entries();
        for decided in effects(&entries) {
            if let Effect::State { scope, key, value: Some(value), .. } = &decided.effect {
                house.0.lock().state.insert((*scope == Scope::Contact, key.clone()), value.clone());
            }
        }
        (end, entries)
    }

    /// From the start to the end; rebuilt from its journal at every wait, or kept.
    async fn run(&self, source: &str, rebuilt: bool) -> (RunEnd, Vec<Entry>, u64, World) {
        let workflow = Self::workflow(source);
        let house = Arc::new(House2::default());
        let (mut journal, mut seed) = (Vec::new(), 0);
        let mut machine = self.start(&workflow);
        for n in 0.. {
            let (end, entries) = self.leg(&mut machine, &house, &mut seed).await;
            journal.extend(entries);
            if !matches!(end, RunEnd::Waiting { .. }) {
                return (end, journal, seed, house.0.lock().clone());
            }
            if rebuilt {
                let stored = unpack(&pack(&journal)).unwrap();
                machine = Machine::replay(Arc::clone(&workflow), &stored, names(n + 1)).unwrap();
            }
            house.0.lock().turn();
            let wait = machine.waits().unwrap();
            let answer =
                |text: String| Wake::Answer { event: json!({"text": text}), text: Some(text), payload: None, id: "3".into() };
            let wake = match (&*wait.kind, n % 5) {
                ("approve", _) => Wake::Approved { approved: n % 2 == 0, text: None, by: "ann".into() },
                ("ask", 1..) => answer((n * 3).to_string()),
                ("wait", 1..) => answer("here".to_owned()),
                _ => Wake::Timeout,
            };
            assert!(machine.resume(wake, woken_at(n)));
        }
        unreachable!("every script ends")
    }
}

/// The names of a run at its n-th turn: what the script sees of them must not change.
fn names(turn: u64) -> Names {
    Names::from([
        ("event".to_owned(), Marked::outside(json!({"text": format!("turn {turn}")}))),
        ("contact".to_owned(), Marked::outside(json!({"name": "Ana"}))),
        ("conversation".to_owned(), Marked::outside(json!({"id": "5", "channel": "whatsapp"}))),
        ("workspace".to_owned(), Marked::own(json!({}))),
    ])
}

#[tokio::test]
async fn scripts_that_are_interrupted_do_what_uninterrupted_ones_do() {
    let line = Line::new();
    let (mut waits, mut decided) = (0, 0);
    for seed in 0..120 {
        let pieces = pieces(&mut SplitMix(seed), 2);
        let mut source = "let acc = event.text.len();\n".to_owned();
        text(&pieces, &mut source);
        source.push_str("acc");
        let (end, journal, random, world) = line.run(&source, true).await;
        let RunEnd::Done { .. } = end else { panic!("seed {seed}: {end:?}\n{source}") };
        let (start, random) = ("turn 0".len() as i64, SplitMix(random));
        let mut simulation = Simulation { acc: start, now: 1_000, waits: 0, random, world: World::default(), done: Vec::new() };
        simulation.run(&pieces);
        let done: Vec<Effect> = effects(&journal).map(|d| d.effect.clone()).collect();
        assert_eq!(done, simulation.done, "seed {seed}\n{source}");
        assert_eq!(world.state, simulation.world.state, "seed {seed}");
        let output = journal.iter().find_map(|entry| match entry {
            Entry::StepDone { path, output, .. } if path == "s" => Some(output.clone()),
            _ => None,
        });
        assert_eq!(output, Some(json!(simulation.acc)), "seed {seed}\n{source}");
        let (_, kept, ..) = line.run(&source, false).await;
        assert_eq!(without_usage(kept), without_usage(journal), "seed {seed}: the journal of a run that was never thrown away");
        waits += simulation.waits;
        decided += done.len();
    }
    println!("120 scripts: {waits} waits, {decided} effects");
    assert!(waits > 150 && decided > 600, "the scripts are too tame");
}

fn without_usage(mut journal: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut journal {
        if let Entry::StepDone { usage, .. } | Entry::CallDone { usage, .. } = entry {
            *usage = None;
        }
    }
    journal
}

// ------------------------------------------------------------------------------------------------ what does not fit

async fn leg(line: &Line, source: &str, journal: Vec<Answered>, taken: &[Effect], reads: Vec<Read>) -> StepEnd {
    let call = StepCall {
        workspace: Id(1),
        code: Code::Script { source: source.into(), hash: format!("hash of {source}").into() },
        run: "1".to_owned(),
        path: "s".to_owned(),
        attempt: 1,
        at: 1_000,
        seed: 3,
        input: json!({}),
        config: Value::Null,
        event: None,
        journal,
        taken: taken.iter().map(Effect::fingerprint).collect(),
        reads,
    };
    line.scripts.0.run(call, Arc::new(House2::default())).await
}

#[tokio::test]
async fn a_script_that_does_something_else_is_stopped_and_shown() {
    let line = Line::new();
    let say = |text: &str| Effect::Reply(Message::text(text));
    let first = leg(&line, "state_get(\"k\"); history(2); ask(\"?\")", vec![], &[], vec![]).await;
    assert_eq!(first.reads.len(), 2, "{first:?}");
    let reads = || first.reads.clone();
    for (source, taken, reads, shown) in [
        ("reply(\"b\"); ask(\"?\")", vec![say("a")], vec![], say("b").fingerprint()),
        ("reply(\"b\"); ask(\"?\")", vec![say("a")], vec![], say("a").fingerprint()),
        ("try { reply(\"b\") } catch { } reply(\"a\")", vec![say("a")], vec![], "effect 1 was reply:".to_owned()),
        ("tag(\"a\")", vec![say("a")], vec![], "now is tag:".to_owned()),
        ("1", vec![say("a")], vec![], "acted 0 times and did so 1 times".to_owned()),
        ("ask(\"?\")", vec![], reads(), "read 0 times and did so 2 times".to_owned()),
        ("state_get(\"other\"); history(2); ask(\"?\")", vec![], reads(), "read 1 asked ".to_owned()),
        ("history(2); state_get(\"k\"); ask(\"?\")", vec![], reads(), "read 1 asked ".to_owned()),
    ] {
        let end = leg(&line, source, vec![], &taken, reads).await;
        let failure = end.result.unwrap_err();
        assert_eq!(failure.code, "replay.diverged", "{source}: {failure}");
        assert!(failure.message.contains(&shown), "{source}: {failure}");
        assert!(end.effects.is_empty() && end.reads.is_empty());
    }
    let same = leg(&line, "reply(\"a\"); state_get(\"k\"); history(2); reply(\"b\")", vec![], &[say("a")], reads()).await;
    assert_eq!(same.effects, [say("b")]);
    assert!(same.reads.is_empty(), "told again, and it ended");
}

#[tokio::test]
async fn answers_and_failures_come_as_they_were_recorded() {
    let line = Line::new();
    let source = "let a = ask(\"?\"); let code = \"\"; try { step(\"x\", #{}) } catch (e) { code = e.code; } [a.text, code, now]";
    let fingerprint = |end: &StepEnd| match &end.result {
        Ok(Outcome::Suspended { fingerprint, .. }) => fingerprint.clone(),
        other => panic!("{other:?}"),
    };
    let one = leg(&line, source, vec![], &[], vec![]).await;
    let said = Answered { name: "ask".into(), fingerprint: fingerprint(&one), value: Ok(json!({"text": "é\""})), at: 5_000 };
    let two = leg(&line, source, vec![said.clone()], &[], vec![]).await;
    let failed = Failure::bug("plugin.not_pinned", "x");
    let step = Answered { name: "step".into(), fingerprint: fingerprint(&two), value: Err(failed), at: 6_000 };
    let end = leg(&line, source, vec![said.clone(), step.clone()], &[], vec![]).await;
    assert_eq!(output(end), json!(["é\"", "plugin.not_pinned", 6_000]));
    let swapped = leg(&line, source, vec![step, said], &[], vec![]).await;
    assert_eq!(swapped.result.unwrap_err().code, "replay.diverged");
}
