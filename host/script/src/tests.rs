//! What expressions mean, and what hostile ones come to.

use std::time::{Duration, Instant};

use pointsman_core::failure::Class;
use pointsman_core::mark::Marked;
use pointsman_core::ports::{Expressions, Names};
use serde_json::{Value, json};

use crate::{ScriptExpressions, functions};

fn names() -> Names {
    let event = json!({
        "text": "Hello World", "kind": "message", "n": 3, "big": 9_007_199_254_740_993_i64, "ratio": 0.5,
        "sender": {"id": "491700000000", "name": "Ana", "alt": null},
        "attachments": [{"type": "image", "id": "m1"}, {"type": "audio", "id": "m2"}],
    });
    let contact = json!({"name": "Ana", "tags": ["vip", "berlin"], "attributes": {"city": "Berlin"}});
    Names::from([
        ("event".to_owned(), Marked::outside(event)),
        ("contact".to_owned(), Marked::outside(contact)),
        ("vars".to_owned(), Marked::own(json!({"limit": 3, "words": ["a", "b"]}))),
        ("mood".to_owned(), Marked::own(Value::Null)),
        ("now".to_owned(), Marked::own(json!(1_700_000_000_000_i64))),
    ])
}

fn check(expression: &str, expected: Value) {
    match ScriptExpressions::new().eval(expression, &names()) {
        Ok(got) => assert_eq!(got.value, expected, "{expression}"),
        Err(e) => panic!("{expression}: {e}"),
    }
}

fn code(expression: &str) -> String {
    match ScriptExpressions::new().eval(expression, &names()) {
        Ok(got) => format!("ok: {}", got.value),
        Err(e) => e.code,
    }
}

#[test]
fn values_and_operators() {
    for (expression, expected) in [
        ("1 + 2 * 3", json!(7)),
        ("7 / 2", json!(3)),
        ("7 / 2.0", json!(3.5)),
        ("-event.n", json!(-3)),
        ("event.big", json!(9_007_199_254_740_993_i64)),
        ("event.ratio + 0.5", json!(1.0)),
        ("2.0", json!(2.0)),
        ("()", Value::Null),
        ("event.text", json!("Hello World")),
        ("event.text == \"Hello World\"", json!(true)),
        ("event.n == 3.0", json!(true)),
        ("event.n > 2 && event.kind != \"comment\"", json!(true)),
        ("!(event.n > 2) || false", json!(false)),
        ("event.missing", Value::Null),
        ("event.missing == ()", json!(true)),
        ("event.text == ()", json!(false)),
        ("event.text == 3", json!(false)),
        ("event.missing ?? \"none\"", json!("none")),
        ("mood?.label", Value::Null),
        ("mood?.label == \"angry\"", json!(false)),
        ("mood?.label?.deeper ?? 1", json!(1)),
        ("\"vip\" in contact.tags", json!(true)),
        ("\"x\" !in contact.tags", json!(true)),
        ("\"World\" in event.text", json!(true)),
        ("if event.n > 5 { \"many\" } else if event.n > 2 { \"some\" } else { \"few\" }", json!("some")),
        ("`Hi ${event.sender.name}, ${event.n + 1}`", json!("Hi Ana, 4")),
        ("\"Hi \" + contact.name + 3", json!("Hi Ana3")),
        ("[1, event.n, \"x\"]", json!([1, 3, "x"])),
        ("#{b: 1, a: event.sender}", json!({"a": {"id": "491700000000", "name": "Ana", "alt": null}, "b": 1})),
        ("#{\"with space\": ()}", json!({"with space": null})),
        ("event.attachments[1].id", json!("m2")),
        ("event.attachments[-1].type", json!("audio")),
        ("event[\"text\"].len()", json!(11)),
        ("event.attachments[vars.limit - 2].id", json!("m2")),
        ("vars.words[vars.words.len() - 1]", json!("b")),
        ("event", names()["event"].value.clone()),
        ("2 ** 10", json!(1024)),
        ("now + 1", json!(1_700_000_000_001_i64)),
        ("'x'", json!("x")),
    ] {
        check(expression, expected);
    }
}

#[test]
fn functions_have_the_meaning_of_scripts() {
    for (expression, expected) in [
        ("event.text.to_lower()", json!("hello world")),
        ("to_upper(event.text)", json!("HELLO WORLD")),
        ("event.text.to_lower().contains(\"world\")", json!(true)),
        ("event.text.starts_with(\"Hell\") && event.text.ends_with(\"ld\")", json!(true)),
        ("event.text.sub_string(0, 5)", json!("Hello")),
        ("event.text.index_of(\"World\")", json!(6)),
        ("\"  a \".trim()", json!("a")),
        ("event.text.trim()", json!("Hello World")),
        ("event.text.replace(\"World\", \"you\")", json!("Hello you")),
        ("event.text.split(\" \")", json!(["Hello", "World"])),
        ("event.text.split()", json!(["Hello", "World"])),
        ("contact.tags.join(\", \")", json!("vip, berlin")),
        ("contact.tags.len()", json!(2)),
        ("contact.tags.len", json!(2)),
        ("contact.tags.is_empty()", json!(false)),
        ("event.n.to_string() + \"!\"", json!("3!")),
        ("parse_int(\"42\") + 1", json!(43)),
        ("parse_float(\"1.5\")", json!(1.5)),
        ("(2.6).round()", json!(3.0)),
        ("to_int(2.6)", json!(2)),
        ("max(event.n, 5)", json!(5)),
        ("min(1, 2)", json!(1)),
        ("abs(-4)", json!(4)),
        ("contact.attributes.keys()", json!(["city"])),
        ("contact.attributes.values()", json!(["Berlin"])),
        ("contact.tags.get(7)", Value::Null),
        ("contact.tags.contains(\"vip\")", json!(true)),
        ("type_of(event.n)", json!("i64")),
    ] {
        check(expression, expected);
    }
}

#[test]
fn the_mark_follows_the_names() {
    let e = ScriptExpressions::new();
    let marked = |x: &str| e.eval(x, &names()).unwrap().marked;
    assert!(marked("event.text"));
    assert!(marked("`${vars.limit} ${contact.name}`"));
    assert!(marked("if vars.limit == 3 { 1 } else { event.n }"), "a name in a branch that is not taken counts");
    assert!(marked("vars.words.get(event.n)"));
    assert!(!marked("vars.limit + 1"));
    assert!(!marked("\"event.text\""));
}

#[test]
fn check_tells_the_names() {
    let e = ScriptExpressions::new();
    let used = |x: &str| e.check(x).unwrap();
    assert_eq!(used("answer.found && mood?.score > contact.attributes[event.text].x"), ["answer", "contact", "event", "mood"]);
    assert_eq!(used("`${a} ${b.c}` + #{x: d}.x"), ["a", "b", "d"]);
    assert_eq!(used("1 + 1"), Vec::<String>::new());
    assert_eq!(used("f.a.len() + g[h.i].j"), ["f", "g", "h"]);
}

#[test]
fn an_index_sees_the_whole_of_its_name() {
    let names = Names::from([
        ("table".to_owned(), Marked::own(json!([{"d": 1}, {"d": 2}]))),
        ("i".to_owned(), Marked::own(json!(1))),
        ("at".to_owned(), Marked::own(json!({"d": 0, "e": {"f": 1}}))),
    ]);
    let e = ScriptExpressions::new();
    for (expression, expected) in [("table[i].d", 2), ("table[at.d].d", 1), ("table[at.e.f].d", 2), ("table[at[\"d\"]].d", 1)] {
        assert_eq!(e.eval(expression, &names).unwrap().value, json!(expected), "{expression}");
    }
}

#[test]
fn mistakes_say_where_and_how() {
    let e = ScriptExpressions::new();
    for (expression, line, column, words) in [
        ("event.text ==", 1, 14, "too early"),
        ("event.kind == 'message'", 1, 15, "double quotes"),
        ("event.text.lower()", 1, 12, "to_lower"),
        ("event.text.containz(\"x\")", 1, 12, "contains"),
        ("(1 + 2", 1, 7, ""),
        ("1 +\n  foo(2)", 2, 3, "foo"),
        ("", 1, 1, "missing"),
        ("let x = 1", 0, 0, ""),
        ("event.n = 4", 1, 9, ""),
    ] {
        let mistake = e.check(expression).expect_err(expression);
        assert!(mistake.message.to_lowercase().contains(words), "{expression}: {mistake:?}");
        if line > 0 {
            assert_eq!(mistake.line, line, "{expression}: {mistake:?}");
        }
        if column > 0 {
            assert_eq!(mistake.column, column, "{expression}: {mistake:?}");
        }
    }
}

#[test]
fn failures_are_coded_and_quote_no_values() {
    for (expression, expected) in [
        ("unknown", "expr.name"),
        ("unknown.x", "expr.name"),
        ("mood.label", "expr.no_value"),
        ("event.text.x.y", "expr.no_value"),
        ("event.text - 1", "expr.type"),
        ("event.text && true", "expr.type"),
        ("if event.text { 1 } else { 2 }", "expr.type"),
        ("1 / 0", "expr.arithmetic"),
        ("9223372036854775807 + 1", "expr.arithmetic"),
        ("1.0 / 0.0", "expr.arithmetic"),
        ("contact.tags[9]", "expr.index"),
        ("parse_int(event.text)", "expr.value"),
        ("event.text.replace(\"\", \"x\")", "expr.value"),
        ("[[1], 2].join(\",\")", "expr.value"),
    ] {
        let failure = ScriptExpressions::new().eval(expression, &names()).expect_err(expression);
        assert_eq!(failure.code, expected, "{expression}: {failure}");
        assert!(!failure.message.contains("Hello"), "{expression}: {failure}");
        assert!(failure.message.contains("line 1"), "{expression}: {failure}");
    }
}

#[test]
fn text_from_outside_is_never_evaluated() {
    let text = "${1 + 1} `${event}` \"; exit(1) // {{7*7}}";
    let names = Names::from([("event".to_owned(), Marked::outside(json!({"text": text})))]);
    let e = ScriptExpressions::new();
    assert_eq!(e.eval("event.text", &names).unwrap().value, json!(text));
    assert_eq!(e.eval("`<${event.text}>`", &names).unwrap().value, json!(format!("<{text}>")));
}

/// Each ends in a code of its own within 50 ms, and the process lives.
#[test]
fn hostile_expressions() {
    let long = "x".repeat(60_000);
    let many: Vec<Value> = (0..100_000).map(|n| json!(n)).collect();
    let names = Names::from([
        ("a".to_owned(), Marked::outside(json!(long))),
        ("m".to_owned(), Marked::outside(json!(many))),
        ("l".to_owned(), Marked::outside(json!((0..3_000).collect::<Vec<_>>()))),
        ("e".to_owned(), Marked::outside(json!({}))),
    ]);
    let n = |s: &str, times: usize| s.repeat(times);
    let arms: String = (0..200).map(|i| format!("{i}=>{i},")).collect();
    let cases = vec![
        ("loop", "loop { }".to_owned()),
        ("while", "while true { 1 }".to_owned()),
        ("for", "for x in 0..99999999 { x }".to_owned()),
        ("loop in a block", "if true { loop { } } else { 1 }".to_owned()),
        ("block", "{ let x = 1; x }".to_owned()),
        ("let", "let x = 1".to_owned()),
        ("assignment", "e.x = 1".to_owned()),
        ("function", "fn f() { f() }".to_owned()),
        ("closure", "(|x| x + 1).call(1)".to_owned()),
        ("map with a closure", "l.map(|x| l)".to_owned()),
        ("curry", "Fn(\"len\").curry(a)".to_owned()),
        ("fn pointer", "Fn(\"sleep\")".to_owned()),
        ("call", "call(\"sleep\", 10)".to_owned()),
        ("eval", "eval(\"loop { }\")".to_owned()),
        ("sleep", "sleep(100000)".to_owned()),
        ("sleep float", "sleep(1e5)".to_owned()),
        ("timestamp", "timestamp()".to_owned()),
        ("print", "print(a)".to_owned()),
        ("debug", "debug(a)".to_owned()),
        ("to_debug", "e.to_debug()".to_owned()),
        ("exit", "exit(1)".to_owned()),
        ("throw", "throw 1".to_owned()),
        ("return", "return 1".to_owned()),
        ("import", "import \"x\" as y".to_owned()),
        ("this", "this".to_owned()),
        ("pad", "a.pad(60000, \"x\")".to_owned()),
        ("in place", "l.push(1)".to_owned()),
        ("drain", "l.drain(0..10)".to_owned()),
        ("range", "0..9999999".to_owned()),
        ("blob", "blob(9999999, 1)".to_owned()),
        ("switch", format!("switch 1 {{ {arms} }}")),
        ("brackets", n("(", 1_000) + n(")", 1_000).as_str()),
        ("open brackets", n("(", 2_000)),
        ("arrays", n("[", 1_000) + n("]", 1_000).as_str()),
        ("maps", n("#{a:", 400) + "1" + n("}", 400).as_str()),
        ("nots", n("!", 2_000) + "true"),
        ("minuses", n("- ", 1_000) + "1"),
        ("ifs", n("if true { ", 150) + "1" + n(" } else { 1 }", 20).as_str()),
        ("long chain", "e".to_owned() + n(".a", 1_000).as_str()),
        ("long safe chain", "e".to_owned() + n("?.a", 600).as_str()),
        ("long index chain", "e".to_owned() + n("[0]", 600).as_str()),
        ("long sum", "1".to_owned() + n("+1", 1_000).as_str()),
        ("long and", "true".to_owned() + n("&&e==e", 300).as_str()),
        ("templates", n("`${", 300)),
        ("nested templates", n("`${", 200) + "1" + n("}`", 200).as_str()),
        ("comments", n("/*", 1_000)),
        ("doubling", n("a+", 20) + "a"),
        ("multiplied text", "a * 100000".to_owned()),
        ("multiplied by replacing", "a.replace(\"x\", a)".to_owned()),
        ("array of long texts", format!("[{}]", n("a,", 50))),
        ("join of long texts", "[a,a,a].join(a)".to_owned()),
        ("long array", format!("[{}]", n("l,", 50))),
        ("array sum", n("l+", 50) + "l"),
        ("huge list", "m.len()".to_owned()),
        ("huge comparison", n("m==m&&", 30) + "true"),
        ("too long", n(" ", 3_000) + "1"),
        ("power", "9**9**9**9".to_owned()),
        ("shift", "1 << 99999".to_owned()),
        ("escape", "\"\\u{110000}\"".to_owned()),
        ("nul", "\0".to_owned()),
        ("private", "$x$ + @y".to_owned()),
        ("unit call", "()()".to_owned()),
        ("custom tag", "e.set_tag(1)".to_owned()),
    ];
    let e = ScriptExpressions::new();
    for (name, expression) in cases {
        // The best of three: the machine may be busy with other tests.
        let timed = |_| {
            let start = Instant::now();
            let result = e.eval(&expression, &names);
            (start.elapsed(), result)
        };
        let Some((took, result)) = (0..3).map(timed).min_by_key(|(took, _)| *took) else { unreachable!() };
        match result {
            Err(failure) => assert!(failure.code.starts_with("expr."), "{name}: {failure}"),
            Ok(got) => panic!("{name} gave {}", got.value.to_string().chars().take(80).collect::<String>()),
        }
        // An end to what does not end, not a measurement.
        assert!(took < Duration::from_secs(5), "{name} took {took:?}");
    }
}

#[test]
fn the_costliest_that_is_allowed_is_cheap() {
    let names = Names::from([("l".to_owned(), Marked::own(json!((0..3_000).collect::<Vec<_>>())))]);
    let e = ScriptExpressions::new();
    let expression = "(".repeat(1) + "l==l&&".repeat(60).as_str() + "true)";
    let start = Instant::now();
    assert_eq!(e.eval(&expression, &names).unwrap().value, json!(true));
    println!("60 comparisons of 3,000 elements: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The deepest trees that pass are worked out on a stack much smaller than any of the host's.
#[test]
fn the_deepest_that_is_allowed_needs_little_stack() {
    let deep = |open: &str, middle: &str, close: &str| {
        let e = ScriptExpressions::new();
        (1..=70).rev().map(|n| open.repeat(n) + middle + close.repeat(n).as_str()).find(|x| e.check(x).is_ok()).unwrap()
    };
    let all = [
        deep("(1+", "1", ")"),
        deep("[", "1", "]"),
        deep("#{a:", "1", "}"),
        deep("!", "true", ""),
        deep("if true {", "1", "} else {1}"),
        deep("`${", "1", "}`"),
        deep("max(1,", "1", ")"),
        deep("", "1", "+1"),
    ];
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let e = ScriptExpressions::new();
            for expression in all {
                let got = e.eval(&expression, &Names::new());
                assert!(got.is_ok(), "{expression}: {got:?}");
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn limits_have_their_class() {
    let failure = ScriptExpressions::new()
        .eval("m.len()", &Names::from([("m".to_owned(), Marked::own(json!((0..100_000).collect::<Vec<_>>())))]))
        .unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("expr.limit", Class::Limit));
    assert_eq!(code("foo()"), "expr.function");
    assert_eq!(code("let x = 1"), "expr.syntax");
}

#[test]
fn every_listed_function_exists() {
    let e = ScriptExpressions::new();
    // Names are constants: a function that wants to change its argument would fail here.
    let names: Names = [("s", json!("5")), ("i", json!(5)), ("f", json!(2.5)), ("a", json!(["5"])), ("m", json!({"a": 1}))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Marked::own(value)))
        .collect();
    let args = ["s", "i", "f", "a", "m"];
    for name in functions::listed() {
        let mut calls: Vec<String> = args.iter().map(|a| format!("{name}({a})")).collect();
        for a in args {
            calls.extend(args.iter().map(|b| format!("{name}({a}, {b})")));
            calls.push(format!("{name}({a}, s, s)"));
        }
        let results: Vec<_> = calls.iter().map(|call| (call, e.eval(call, &names))).collect();
        assert!(results.iter().any(|(_, r)| r.is_ok()), "{name} is on the list, and no call of it works");
        let broken = results.iter().find(|(_, r)| r.as_ref().is_err_and(|f| f.code == "expr.failed"));
        assert!(broken.is_none(), "{broken:?}");
    }
}

#[test]
fn scripts_are_checked() {
    let e = ScriptExpressions::new();
    let good = "let n = 0;\nfn double(x) { x * 2 }\nfor w in event.text.split() { n += 1; }\nlet f = |x| x + n;\n\
                try { reply(`You sent ${n} words`); } catch (e) { log(e) }\nswitch n { 1 => \"one\", 2..5 if n > 2 => \"many\", _ => \"some\" }\n\
                let size = ask(\"Which size?\", #{timeout: \"2h\"});\nsleep(\"1d\");\n#{n: double(n), size: size?.text}";
    assert_eq!(e.check_script(good), Ok(()));
    assert_eq!(e.check_script(""), Ok(()));
    for (source, line, column) in
        [("let x = 1;\nlet y = ;", 2, 9), ("reply('hi')", 1, 7), ("eval(\"1\")", 1, 1), ("if x { 1 ", 1, 10)]
    {
        let mistake = e.check_script(source).expect_err(source);
        assert_eq!((mistake.line, mistake.column), (line, column), "{source}: {mistake:?}");
    }
}

#[test]
fn hostile_scripts_do_not_hurt_the_check() {
    let e = ScriptExpressions::new();
    let max = 64 << 10;
    let fill = |s: &str| s.repeat(max / s.len());
    let numbered = |f: &dyn Fn(usize) -> String| {
        let mut out = String::new();
        for i in 0.. {
            let next = f(i);
            if out.len() + next.len() > max {
                break;
            }
            out.push_str(&next);
        }
        out
    };
    let cases = vec![
        ("too long", "x".repeat(max + 1)),
        ("switch", format!("switch x {{ {} }}", (0..7_000).map(|i| format!("{i}=>0,")).collect::<String>())),
        ("brackets", fill("(")),
        ("arrays", fill("[")),
        ("blocks", fill("{")),
        ("maps", fill("#{a:")),
        ("nots", fill("!")),
        ("minuses", fill("- ")),
        ("closures", fill("|x|")),
        ("ifs", fill("if x {")),
        ("else ifs", format!("if x {{}} {}", "else if x {} ".repeat(4_900))),
        ("functions", numbered(&|i| format!("fn f{i}(){{}} "))),
        ("variables", numbered(&|i| format!("let v{i}=1;"))),
        ("templates", fill("`${")),
        ("comments", fill("/*")),
        ("chain", "x".to_owned() + ".a".repeat(32_000).as_str()),
        ("indexes", "x".to_owned() + "[0]".repeat(21_000).as_str()),
        ("sum", "1".to_owned() + "+1".repeat(32_000).as_str()),
        ("ands", "x".to_owned() + "&&x".repeat(21_000).as_str()),
        ("calls", "f".to_owned() + "()".repeat(32_000).as_str()),
        ("loops", fill("loop{")),
        ("tries", fill("try{")),
        ("powers", "1".to_owned() + "**1".repeat(21_000).as_str()),
        ("commas", fill(",")),
        ("semicolons", fill(";")),
        ("names", numbered(&|i| format!("n{i};"))),
        ("array of numbers", format!("[{}]", "1,".repeat(32_000))),
        ("map of names", format!("#{{{}}}", numbered(&|i| format!("k{i}:1,")).chars().take(max - 20).collect::<String>())),
        ("string", format!("\"{}\"", "x".repeat(max - 2))),
    ];
    for (name, source) in cases {
        let start = Instant::now();
        let result = e.check_script(&source);
        let took = start.elapsed();
        println!("{name}: {took:?} {:?}", result.as_ref().map_err(|m| m.message.chars().take(90).collect::<String>()));
        assert!(took < Duration::from_secs(5), "{name} took {took:?}");
    }
}

#[test]
fn a_comparison_takes_microseconds() {
    let e = ScriptExpressions::new();
    let names = names();
    for expression in [
        "event.kind == \"message\" && event.n > 2",
        "`Hi ${contact.name}`",
        "\"vip\" in contact.tags",
        "event.text.to_lower().contains(\"world\")",
    ] {
        e.eval(expression, &names).unwrap();
        let start = Instant::now();
        for _ in 0..2_000 {
            e.eval(expression, &names).unwrap();
        }
        println!("{expression}: {:?} each", start.elapsed() / 2_000);
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let e = ScriptExpressions::new();
    for n in 0..crate::KEPT + 100 {
        e.check(&format!("{n}")).unwrap();
    }
    assert!(e.kept.read().len() <= crate::KEPT);
}
