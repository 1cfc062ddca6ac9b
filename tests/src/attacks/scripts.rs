//! Scripts that break an interpreter which runs beside its host (measured with rhai 1.27), and scripts that reach for what is not
//! theirs. The interpreter is a component, so that each of them ends in its own small box.

use serde_json::json;

use super::corpus::{Act, Case};

/// Cases 40 to 46 of the corpus, and the plain ones.
#[must_use]
pub fn cases() -> Vec<Case> {
    let script = |number, name, source: &str, ends| Case { number, name, act: Act::Script(source.to_owned(), json!({})), ends };
    let spent: &[&str] = &["limit.cpu", "limit.memory", "limit.stack", "limit.operations", "limit.size", "plugin.trap"];
    let arms: String = (0..8_000).map(|n| format!("{n}=>{},", n % 10)).collect();
    let told = json!({ "text": "${loop {}} `${reply(\"pwned\")}` eval(\"1\") #{ a: 1 }.a" });
    vec![
        // Whichever comes first: on a busy machine a guest's time comes in fewer and longer pieces.
        script(1, "script loops", "loop { }", &["limit.cpu", "limit.operations"]),
        script(1, "script loops and catches", "loop { try { loop { } } catch { } }", &["limit.cpu", "limit.operations"]),
        script(3, "script hoards", "let a = [\"0123456789abcdef\"]; loop { a = [a, a]; }", spent),
        script(6, "script recurses", "fn f(x) { f(x + 1) + 1 } f(0)", &["limit.calls", "limit.stack"]),
        Case {
            number: 40,
            name: "template-injection: text stays text",
            act: Act::Script("`said: ${text}`".to_owned(), told),
            ends: &[r##"="said: ${loop {}} `${reply(\"pwned\")}` eval(\"1\") #{ a: 1 }.a""##],
        },
        script(41, "closure chain", "let f = |x| x; loop { let g = f; f = |x| g.call(x) + 1; }", spent),
        script(
            42,
            "curry hoard",
            "let s = \"x\"; while s.len < 60000 { s += s; if s.len > 30000 { break; } } let f = |a| a; loop { f = f.curry(s); }",
            spent,
        ),
        script(43, "cycles", "loop { let m = #{ text: \"0123456789abcdef\" }; m.own = || m; }", spent),
        script(44, "deep debug", "let a = []; for i in 0..100000 { a = [a]; } a.to_debug()", spent),
        script(45, "sleep stops nobody", "sleep(100000.0); 1", &["=waits for sleep"]),
        script(46, "8,000 arms", &format!("switch 7 {{ {arms} _=>0 }}"), &["limit.cpu", "=7", "script.syntax"]),
        script(0, "reads a file", "open_file(\"/etc/passwd\")", &["script.error", "script.unknown_function"]),
        script(0, "reads the environment", "env(\"HOME\")", &["script.error", "script.unknown_function"]),
        script(0, "imports a module", "import \"std\" as s; s", &["script.syntax"]),
        script(0, "evaluates text", "eval(\"1 + 1\")", &["script.syntax"]),
        script(0, "writes to another", "reply(\"hi\", \"15550109999\")", &["script.error", "script.unknown_function"]),
        script(0, "asks the clock of the host", "timestamp()", &["script.error", "script.unknown_function"]),
    ]
}
