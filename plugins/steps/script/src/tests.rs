//! Scripts over the double of the host: effects, waiting and replay, names, failures.

use std::time::Instant;

use serde_json::{Value, json};

use crate::bindings::exports::pointsman::plugin::interpreter::Guest;
use crate::bindings::pointsman::plugin::journal::{Answer, Call, Entry, Outcome, Wish};
use crate::bindings::pointsman::plugin::types::{Failure, Fault, Media};
use crate::host::Act;
use crate::host::double::{DOUBLE, Double};
use crate::{Plugin, library};

const AT: i64 = 1_700_000_000_000;

fn input() -> Value {
    json!({
        "event": {"text": " Hello there ", "kind": "message", "n": 3, "big": 9_007_199_254_740_993_i64, "id": "wamid.1", "none": null},
        "contact": {"name": "Ana", "tags": ["vip"]},
        "vars": {"limit": 2.5},
        "mood": null,
        "now": AT,
    })
}

fn leg(journal: Vec<Entry>) -> Result<Outcome, Failure> {
    DOUBLE.with_borrow_mut(|d| d.acts.clear());
    Plugin::run(Call {
        run: "r".into(),
        step: "s".into(),
        attempt: 1,
        at: AT,
        seed: 7,
        input: input().to_string(),
        config: "{}".into(),
        event: None,
        journal,
    })
}

fn run(source: &str) -> Result<Outcome, Failure> {
    Plugin::load(source.to_owned()).unwrap_or_else(|d| panic!("{source}: {d:?}"));
    leg(Vec::new())
}

fn done(outcome: Result<Outcome, Failure>) -> Value {
    match outcome {
        Ok(Outcome::Done(json)) => serde_json::from_str(&json).unwrap(),
        other => panic!("not done: {other:?}"),
    }
}

fn wish(outcome: Result<Outcome, Failure>) -> Wish {
    match outcome {
        Ok(Outcome::Suspended(wish)) => wish,
        other => panic!("not waiting: {other:?}"),
    }
}

fn acts() -> Vec<String> {
    DOUBLE.with_borrow(|d| {
        d.acts
            .iter()
            .map(|act| match act {
                Act::Reply(m) => format!("reply {}", m.text.as_deref().unwrap_or("")),
                other => format!("{other:?}"),
            })
            .collect()
    })
}

fn answered(wish: &Wish, value: Value, at: i64) -> Entry {
    Entry { name: wish.name.clone(), fingerprint: wish.fingerprint.clone(), value: Answer::Value(value.to_string()), at }
}

#[test]
fn the_last_value_is_the_output() {
    for (source, expected) in [
        ("40 + 2", json!(42)),
        ("()", Value::Null),
        ("", Value::Null),
        ("let x = 1;", Value::Null),
        ("event.big", json!(9_007_199_254_740_993_i64)),
        ("#{zebra: 1, apple: [1.5, \"x\", true, ()]}", json!({"zebra": 1, "apple": [1.5, "x", true, null]})),
        ("event.text.trim().to_lower()", json!("hello there")),
        ("let t = \" a \"; t.trim(); t", json!("a")),
        ("event.text.trim().replace(\"there\", contact.name)", json!("Hello Ana")),
        ("[3, 1, 2].map(|x| x * event.n)", json!([9, 3, 6])),
        ("let k = 2; [1].map(|x| x + k)", json!([3])),
        ("fn twice(x) { x * 2 + event.n }\ntwice(4)", json!(11)),
        ("fn greet() { `Hi ${contact.name}` } greet()", json!("Hi Ana")),
        ("mood?.label ?? \"none\"", json!("none")),
        ("\"vip\" in contact.tags", json!(true)),
        ("[\"a\", 2].join(\"-\")", json!("a-2")),
        ("contact.tags.get(9)", Value::Null),
        ("contact.get(\"name\")", json!("Ana")),
        ("now", json!(AT)),
        ("fn f() { now } f()", json!(AT)),
        ("now()", json!(AT)),
        ("iso_time(now)", json!("2023-11-14T22:13:20.000Z")),
        ("let event = 5; event", json!(5)),
        ("exit(4); 5", json!(4)),
        ("return 7;", json!(7)),
        ("let got; try { throw \"x\" } catch (e) { got = e; } got", json!("x")),
    ] {
        assert_eq!(done(run(source)), expected, "{source}");
    }
}

#[test]
fn effects_are_collected_in_order() {
    DOUBLE.set(Double::default());
    done(run(r#"reply(`Hi ${contact.name}`); tag("vip"); untag("new"); note("n"); assign("team/care");
        set("size", 42); emit("order", #{sku: "A1"}); template("back", "en", ["Ana", 3]);"#));
    let acts = acts();
    assert_eq!(acts.len(), 8, "{acts:?}");
    assert_eq!(acts[0], "reply Hi Ana");
    assert_eq!(acts[1], "Tag(\"vip\")");
    assert_eq!(acts[5], "Set(\"size\", \"42\")");
    assert_eq!(acts[6], "Emit(\"order\", \"{\\\"sku\\\":\\\"A1\\\"}\")");
    assert!(acts[7].contains("\"Ana\", \"3\""), "{}", acts[7]);
}

#[test]
fn a_rich_reply() {
    DOUBLE.set(Double::default());
    done(run(r#"reply(#{text: "Which?", quote: event.id, buttons: ["Small", #{title: "Large", payload: "l"}],
        attachments: [#{type: "image", url: "https://example.com/a.png", width: 3}]})"#));
    DOUBLE.with_borrow(|d| {
        let Act::Reply(m) = &d.acts[0] else { panic!("no reply") };
        assert_eq!((m.text.as_deref(), m.reply_to.as_deref()), (Some("Which?"), Some("wamid.1")));
        let choices: Vec<_> = m.choices.iter().map(|c| (c.title.as_str(), c.payload.as_str())).collect();
        assert_eq!(choices, [("Small", "Small"), ("Large", "l")]);
        assert!(matches!(&m.attachments[0].media, Media::Url(u) if u == "https://example.com/a.png"));
        assert_eq!(m.attachments[0].extra.as_deref(), Some("{\"width\":3}"));
    });
    for (source, words) in [
        ("reply(#{txt: \"x\"})", "not `txt`"),
        ("reply(#{text: \"x\", to: \"491700000000\"})", "not `to`"),
        ("reply(\"\")", "needs a text"),
        ("reply(#{text: \"x\", buttons: 3})", "array"),
        ("reply(#{attachments: [#{url: \"https://example.com\"}]})", "type"),
    ] {
        let failure = run(source).unwrap_err();
        assert_eq!(failure.code, "script.arguments", "{source}");
        assert!(failure.message.contains(words) && failure.message.starts_with("script:1:"), "{source}: {}", failure.message);
    }
}

#[test]
fn state_and_history() {
    DOUBLE.set(Double::default());
    let source = r#"
        let before = state_get("seen");
        state_set("seen", #{n: 1});
        state_add("contact", "count", 2);
        state_set("workspace", "k", [1], "2h");
        state_set("gone", 1); state_delete("gone");
        [before, state_get("seen").n, state_add("contact", "count", 3), state_get("workspace", "k"), state_get("gone"),
         history(2).map(|m| m.by + ":" + m.text)]"#;
    assert_eq!(done(run(source)), json!([null, 1, 5, [1], null, ["contact:line 0", "bot:line 1"]]));
    assert_eq!(run("state_get(\"planet\", \"x\")").unwrap_err().code, "script.arguments");
    assert_eq!(run("state_set(\"contact\", \"x\", 1, \"soon\")").unwrap_err().code, "script.arguments");
}

#[test]
fn what_is_not_granted_can_be_caught() {
    DOUBLE.set(Double { denied: true, ..Double::default() });
    assert_eq!(done(run("let got; try { tag(\"x\") } catch (e) { got = e.code; } got")), json!("denied.tag"));
    let failure = run("let x = 1;\n  tag(\"x\");").unwrap_err();
    assert_eq!((failure.code.as_str(), failure.fault), ("denied.tag", Fault::Rejected));
    assert!(failure.message.starts_with("script:2:3: grant it"), "{}", failure.message);
    DOUBLE.set(Double::default());
}

const SHOP: &str = r#"
    reply("Welcome");
    let size = ask("Which size?", #{timeout: "2h"});
    let first = now;
    sleep("1d");
    print("slept");
    let ok = approve(`Size ${size.text}`);
    reply("Done " + random(1000));
    [size.text, first, now, ok.approved, random(1000)]"#;

#[test]
fn a_script_waits_and_goes_on_where_it_was() {
    DOUBLE.set(Double::default());
    let one = wish(run(SHOP));
    assert_eq!((one.name.as_str(), one.arguments.as_str(), one.consumed), ("ask", r#"["Which size?",{"timeout":"2h"}]"#, 0));
    assert_eq!(acts(), ["reply Welcome"]);
    let e1 = answered(&one, json!({"text": "L"}), AT + 10);
    let two = wish(leg(vec![e1.clone()]));
    assert_eq!((two.name.as_str(), two.arguments.as_str(), two.consumed), ("sleep", r#"["1d"]"#, 1));
    let e2 = answered(&two, Value::Null, AT + 20);
    let three = wish(leg(vec![e1.clone(), e2.clone()]));
    assert_eq!((three.name.as_str(), three.arguments.as_str()), ("approve", r#"["Size L"]"#));
    let e3 = answered(&three, json!({"approved": true}), AT + 30);
    let end = done(leg(vec![e1.clone(), e2.clone(), e3.clone()]));
    assert_eq!((&end[0], &end[1], &end[2], &end[3]), (&json!("L"), &json!(AT + 10), &json!(AT + 30), &json!(true)));
    assert_eq!(end, done(leg(vec![e1, e2, e3])), "the same journal gives the same end");
    assert_eq!(DOUBLE.with_borrow(|d| d.log.clone()), ["Level::Info: slept"], "a line is logged once over all legs");
}

#[test]
fn time_outs_and_failures_are_answers() {
    let one = wish(run("let a = ask(\"?\"); if a.timed_out { \"late\" } else { a.text }"));
    let late = Entry { value: Answer::TimedOut, ..answered(&one, Value::Null, AT) };
    assert_eq!(done(leg(vec![late])), json!("late"));
    let source = "let got; try { step(\"pointsman/keyword\", #{text: \"x\"}) } catch (e) { got = e.code; } got";
    let one = wish(run(source));
    assert_eq!((one.name.as_str(), one.arguments.as_str()), ("step", r#"["pointsman/keyword",{"text":"x"}]"#));
    let failed = Failure { fault: Fault::Rejected, code: "limit.cpu".into(), message: "too slow".into(), retry_after: None };
    let entry = Entry { value: Answer::Failed(failed), ..answered(&one, Value::Null, AT) };
    assert_eq!(done(leg(vec![entry.clone()])), json!("limit.cpu"));
    Plugin::load("step(\"pointsman/keyword\", #{text: \"x\"})".into()).unwrap();
    assert_eq!(leg(vec![entry]).unwrap_err().code, "limit.cpu");
    assert_eq!(wish(run("call_workflow(\"other\", #{a: 1})")).name, "call");
    assert_eq!(wish(run("draft(\"Dear Ana\", #{to: \"team/care\"})")).name, "draft");
    assert_eq!(wish(run("sleep(100000)")).arguments, "[100000]", "and nobody slept");
    assert_eq!(wish(run("sleep(1.5)")).arguments, "[1.5]");
}

#[test]
fn no_catch_brings_a_leg_back() {
    for source in [
        "try { ask(\"?\") } catch { reply(\"LEAK\") } reply(\"LEAK\")",
        "try { [1].map(|x| ask(\"?\")) } catch { reply(\"LEAK\") } reply(\"LEAK\")",
        "let f = |x| ask(x); try { f.call(\"?\") } catch (e) { reply(\"LEAK\") } reply(\"LEAK\")",
        "fn g() { try { ask(\"?\") } catch { reply(\"LEAK\") } } try { [1].for_each(|| g()) } catch { tag(\"LEAK\") } state_set(\"LEAK\", 1)",
        "try { [1, 2].filter(|x| { sleep(\"1s\"); true }) } catch { note(\"LEAK\"); ask(\"again\") }",
        "while true { try { [1].some(|x| ask(\"?\")) } catch { reply(\"LEAK\") } }",
        "try { [3, 1].sort(|a, b| { ask(\"?\"); 0 }) } catch { reply(\"LEAK\") } \"LEAK\"",
    ] {
        DOUBLE.set(Double::default());
        let wish = wish(run(source));
        assert!(wish.name == "ask" || wish.name == "sleep", "{source}: {wish:?}");
        assert_eq!(acts(), Vec::<String>::new(), "{source}");
        assert!(DOUBLE.with_borrow(|d| d.state.is_empty()), "{source}");
    }
}

#[test]
fn divergence_is_found() {
    let one = wish(run("ask(\"A?\")"));
    let entry = answered(&one, json!({"text": "x"}), AT);
    for (source, words) in [
        ("ask(\"B?\")", "other arguments"),
        ("sleep(\"1d\")", "calls `sleep`"),
        ("1 + 1", "ended after 0 of 1"),
        ("try { ask(\"B?\") } catch { 1 }", "other"),
    ] {
        Plugin::load(source.into()).unwrap();
        let failure = leg(vec![entry.clone()]).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.fault), ("replay.diverged", Fault::Malformed), "{source}");
        assert!(failure.message.contains(words), "{source}: {}", failure.message);
        assert!(!failure.message.contains("A?"), "{}", failure.message);
    }
}

#[test]
fn failures_say_where() {
    for (source, code, start) in [
        ("let x = 1;\n  x.foo();", "script.error", "script:2:5: there is no function"),
        ("1 / 0", "script.error", "script:1:3: Division by zero"),
        ("unknown", "script.error", "script:1:1: `unknown` is not known"),
        ("mood.label", "script.error", "script:1:"),
        ("throw \"no stock\"", "script.thrown", "script:1:1: no stock"),
        ("throw #{code: \"shop.closed\", message: \"come back\"}", "shop.closed", "script:1:1: come back"),
        ("fn f(x) { x / 0 }\n\nf(1)", "script.error", "script:1:13: Division by zero"),
        ("fn f(x) { f(x) } f(1)", "limit.calls", ""),
        ("let s = \"x\"; loop { s += s; }", "limit.size", "script:1:"),
        ("loop { }", "limit.operations", ""),
        ("|x| x", "script.value", "only texts"),
        ("[1].map(|x| x / 0)", "script.error", "script:1:15"),
        ("parse_int(event.text)", "script.error", "script:1:1: this text is no number"),
    ] {
        let failure = run(source).expect_err(source);
        assert_eq!(failure.code, code, "{source}: {}", failure.message);
        assert!(failure.message.starts_with(start), "{source}: {}", failure.message);
        assert!(!failure.message.contains("Hello"), "{source}: {}", failure.message);
    }
    let diagnostics = Plugin::load("let x = 1;\nlet y = ;".into()).unwrap_err();
    assert_eq!((diagnostics[0].line, diagnostics[0].column), (2, 9), "{diagnostics:?}");
    assert_eq!(leg(Vec::new()).unwrap_err().code, "script.not_loaded", "the old script does not run in its place");
    for forbidden in ["eval(\"1\")", "import \"x\" as y;"] {
        assert!(Plugin::load(forbidden.into()).is_err(), "{forbidden}");
    }
    assert!(run("timestamp()").is_err());
    assert!(Plugin::load("x".repeat(70_000)).is_err());
}

#[test]
fn text_from_outside_stays_text() {
    DOUBLE.set(Double::default());
    Plugin::load("reply(event.text)".into()).unwrap();
    let text = "${1 + 1} `${event}`\"; tag(\"x\") //";
    let call = Call {
        run: String::new(),
        step: String::new(),
        attempt: 1,
        at: AT,
        seed: 1,
        input: json!({"event": {"text": text}}).to_string(),
        config: "{}".into(),
        event: None,
        journal: Vec::new(),
    };
    done(Plugin::run(call));
    assert_eq!(acts(), [format!("reply {text}")]);
}

#[test]
fn one_run_leaves_nothing_to_the_next() {
    assert_eq!(done(run("let secret = event.text; secret.len()")), json!(13));
    Plugin::load("fn f() { secret } let got; try { got = f(); } catch { got = \"clean\"; } got".into()).unwrap();
    assert_eq!(done(leg(Vec::new())), json!("clean"));
    let a = done(run("[random(), random(10), pick([1, 2, 3])]"));
    assert_eq!(a, done(leg(Vec::new())), "random numbers come from the seed");
}

#[test]
fn times() {
    for (millis, expected) in
        [(0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z")]
    {
        assert_eq!(library::rfc3339(millis), expected);
    }
    for (text, millis) in
        [("90s", Some(90_000)), ("2h", Some(7_200_000)), ("1 d", Some(86_400_000)), ("5", Some(5_000)), ("x", None), ("", None)]
    {
        assert_eq!(library::duration(text), millis, "{text}");
    }
}

#[test]
fn speed() {
    Plugin::load("if event.text.to_lower().contains(\"hello\") { reply(`Hi ${contact.name}`) }".into()).unwrap();
    let start = Instant::now();
    for _ in 0..1_000 {
        leg(Vec::new()).unwrap();
    }
    println!("a small leg: {:?}", start.elapsed() / 1_000);
}
