//! Scripts that break an interpreter which runs beside its host (measured with rhai 1.27), and scripts that reach for what is not
//! theirs. The interpreter is a component, so that each of them ends in its own small box.

use serde_json::json;

use super::corpus::{Act, Case};

/// Cases 40 to 46 of the corpus, and the plain ones.
#[must_use]
pub fn cases() -> Vec<Case> {
    let script = |number, name, source: &str, ends| Case { number, name, act: Act::Script(source.to_owned(), json!({})), ends };
    let arms: String = (0..8_000).map(|n| format!("{n}=>{},", n % 10)).collect();
    let told = json!({ "text": "${loop {}} `${reply(\"pwned\")}` eval(\"1\") #{ a: 1 }.a" });
    // A text of nearly 64 KiB, by `t`, of which each `t + "x"` is another one.
    let large = "let t = \"0123456\"; while t.len < 50000 { t += t; }";
    vec![
        // Whichever comes first: on a busy machine a guest's time comes in fewer and longer pieces.
        script(1, "script loops", "loop { }", &["limit.cpu", "limit.operations"]),
        script(1, "script loops and catches", "loop { try { loop { } } catch { } }", &["limit.cpu", "limit.operations"]),
        script(3, "script hoards", "let a = [\"0123456789abcdef\"]; loop { a = [a, a]; }", &["limit.size"]),
        script(6, "script recurses", "fn f(x) { f(x + 1) + 1 } f(0)", &["limit.calls"]),
        Case {
            number: 40,
            name: "template-injection: text stays text",
            act: Act::Script("`said: ${text}`".to_owned(), told),
            ends: &[r##"="said: ${loop {}} `${reply(\"pwned\")}` eval(\"1\") #{ a: 1 }.a""##],
        },
        script(41, "closure chain", "let f = |x| x; loop { let g = f; f = |x| g.call(x) + 1; }", &["limit.cpu"]),
        // To drop it takes a stack as deep as it is long.
        script(
            41,
            "closure chain, dropped",
            "let f = || 0; for i in 0..5000 { let g = f; f = || g.call(); } 0",
            &["limit.stack"],
        ),
        script(
            42,
            "curry hoard",
            &format!("{large} let f = |a| a; loop {{ f = f.curry(t + \"x\"); }}"),
            &["limit.memory", "limit.cpu"],
        ),
        script(
            43,
            "cycles",
            &format!("{large} loop {{ let m = #{{ text: t + \"x\" }}; m.own = || m; }}"),
            &["limit.memory", "limit.cpu"],
        ),
        // Small enough to end well, each time in the interpreter that the last one was left to.
        script(43, "cycles x 1,000", "for i in 0..1000 { let m = #{ text: \"0123456789abcdef\" }; m.own = || m; } 0", &["=0"]),
        // Many levels a turn: one by one, time would be over first.
        script(
            44,
            "deep debug",
            &format!("let a = []; for i in 0..70 {{ a = {}a{}; }} a.to_debug()", "[".repeat(18), "]".repeat(18)),
            &["limit.stack", "limit.cpu"],
        ),
        script(45, "sleep stops nobody", "sleep(100000.0); 1", &["=waits for sleep"]),
        script(46, "8,000 arms", &format!("switch 7 {{ {arms} _=>0 }}"), &["limit.cpu", "=7"]),
        script(0, "reads a file", "open_file(\"/etc/passwd\")", &["script.error"]),
        script(0, "reads the environment", "env(\"HOME\")", &["script.error"]),
        script(0, "imports a module", "import \"std\" as s; s", &["script.syntax"]),
        script(0, "evaluates text", "eval(\"1 + 1\")", &["script.syntax"]),
        script(0, "writes to another", "reply(\"hi\", \"15550109999\")", &["script.error"]),
        script(0, "asks the clock of the host", "timestamp()", &["script.error"]),
    ]
}
