//! Scripts, in the interpreter that ships with the host: `plugins/steps/script`.

use tokio::time::Instant;

use pointsman_core::effect::Effect;
use pointsman_core::failure::Class;
use pointsman_core::limits::Limits;

use super::*;

/// A house with the interpreter.
pub(super) struct Scripts(pub(super) Sandbox);

impl Scripts {
    pub(super) fn new() -> Self {
        Self::within(Limits::STEP)
    }

    fn within(limits: Limits) -> Self {
        static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/steps/script");
        let component = BUILT.get_or_init(|| std::fs::read(pointsman_build::build_guest(&folder).unwrap()).unwrap());
        // Compiling it takes seconds: the tests share what was compiled, as starts of a host do.
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/compiled");
        let sandbox = Sandbox::new(SandboxConfig { cache: Some(cache), limits, ..SandboxConfig::default() }).unwrap();
        let manifest = Manifest::parse(&std::fs::read_to_string(folder.join("plugin.toml")).unwrap()).unwrap();
        sandbox.load_blocking(manifest, component, Trust::Bundled).unwrap();
        Self(sandbox)
    }

    async fn run(&self, workspace: i64, source: &str, input: Value) -> StepEnd {
        let code = Code::Script { source: source.into(), hash: format!("hash of {source}").into() };
        let call = StepCall {
            workspace: Id(workspace),
            code,
            run: "run-1".to_owned(),
            path: "1".to_owned(),
            attempt: 1,
            at: 1_700_000_000_000,
            seed: 42,
            input,
            config: Value::Null,
            event: None,
            journal: Vec::new(),
            taken: Vec::new(),
            reads: Vec::new(),
        };
        self.0.run(call, Arc::new(Desk::default())).await
    }
}

#[tokio::test]
async fn a_script_answers_and_gives_a_value() {
    let scripts = Scripts::new();
    for _ in 0..2 {
        let end = scripts
            .run(1, "reply(\"Hello, \" + event.name); tag(\"greeted\"); 40 + n", json!({"event": {"name": "Ana"}, "n": 2}))
            .await;
        assert_eq!(end.effects, [Effect::Reply(Message::text("Hello, Ana")), Effect::Tag("greeted".to_owned())]);
        assert_eq!(output(end), json!(42));
    }
    let end = scripts.run(1, "ask(\"Which size?\")", json!({})).await;
    assert!(matches!(end.result, Ok(Outcome::Suspended { ref name, .. }) if name == "ask"), "{end:?}");
    let failure = scripts.run(1, "let x = ;\n", json!({})).await.result.unwrap_err();
    assert_eq!(failure.code, "script.syntax", "{failure}");
    assert!(failure.message.starts_with("line 1"), "{failure}");
}

#[tokio::test]
async fn hostile_scripts_end_under_a_name() {
    let scripts = Scripts::new();
    let wide_switch = format!("switch 1 {{ {} }}", (0..7_000).map(|n| format!("{n}=>0,")).collect::<String>());
    for source in [
        "loop { }",
        "for i in 0..100000 { try { loop {} } catch { } } 0",
        "fn f(n) { f(n+1) } f(0)",
        "let f=||0; for i in 0..100000 { let g=f; f=|| g.call(); } 0",
        "let f = |x| x; for i in 0..1000000 { f = f.curry(1); } 1",
        "let a=[]; for i in 0..20000 { a=[a]; } a.to_debug()",
        "let s = \"x\"; loop { s += s; }",
        "let a = [1]; loop { a += a; }",
        "eval(\"1 + 1\")",
        &wide_switch,
        &format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        "loop { reply(\"spam\"); }",
    ] {
        let since = Instant::now();
        let end = scripts.run(1, source, json!({})).await;
        let took = since.elapsed();
        let shown: String = source.chars().take(60).collect();
        match end.result {
            Err(failure) => {
                println!("{shown:<62} {:<18} {:>6.1} ms", failure.code, took.as_secs_f64() * 1e3);
                assert!(failure.code.starts_with("limit.") || failure.code.starts_with("script."), "{shown}: {failure}");
            }
            // rhai itself folds some of these into something small.
            Ok(outcome) => panic!("{shown}: {outcome:?}"),
        }
        assert!(end.effects.is_empty());
        assert!(took.as_millis() < 2_000, "{shown}: {took:?}");
        assert_eq!(output(scripts.run(1, "1 + 1", json!({})).await), json!(2));
    }
}

/// With time enough that it is not the first to run out, on a busy machine either.
#[tokio::test]
async fn a_script_without_stack_or_memory_is_told_what_it_ran_out_of() {
    let scripts = Scripts::within(Limits { cpu: 5_000, ..Limits::STEP });
    let large = "let t = \"0123456\"; while t.len < 50000 { t += t; }";
    let nested = format!("let a = []; for i in 0..70 {{ a = {}a{}; }} ", "[".repeat(18), "]".repeat(18));
    for (source, code) in [
        ("let f = || 0; for i in 0..5000 { let g = f; f = || g.call(); } 0".to_owned(), "limit.stack"),
        // What the compiler keeps in the guest's memory ends here, not the machine's.
        (format!("{nested} a.to_debug()"), "limit.stack"),
        (format!("{nested} print(a)"), "limit.stack"),
        (format!("{large} let f = |a| a; loop {{ f = f.curry(t + \"x\"); }}"), "limit.memory"),
        (format!("{large} loop {{ let m = #{{ text: t + \"x\" }}; m.own = || m; }}"), "limit.memory"),
    ] {
        let failure = scripts.run(1, &source, json!({})).await.result.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class), (code, Class::Limit), "{source}: {failure}");
        assert!(failure.message.contains("the script"), "{failure}");
    }
}

#[tokio::test]
async fn warm_scripts_belong_to_a_workspace_and_a_text() {
    let scripts = Scripts::new();
    for workspace in [1, 2] {
        for source in ["1 + x", "2 + x"] {
            assert!(output(scripts.run(workspace, source, json!({"x": 1})).await).is_i64());
            assert!(output(scripts.run(workspace, source, json!({"x": 1})).await).is_i64());
        }
    }
    assert_eq!(scripts.0.inner.pool.len(), 4);
    let too_long = scripts.run(1, &" ".repeat(70_000), json!({})).await.result.unwrap_err();
    assert_eq!(too_long.code, "limit.source");
}

/// Prints; a busy machine proves nothing.
#[tokio::test]
async fn what_a_script_costs() {
    let scripts = Scripts::new();
    let source = "let name = event.name; if n > 1 { reply(\"Hello, \" + name); } n * 2";
    let mut took = Vec::new();
    for _ in 0..1_000 {
        let since = Instant::now();
        let end = scripts.run(1, source, json!({"event": {"name": "Ana", "text": "hello there"}, "n": 2})).await;
        took.push(since.elapsed());
        assert_eq!(end.effects.len(), 1, "{end:?}");
    }
    let first = took.remove(0);
    took.sort();
    println!("a short script: first {first:?}, warm p50 {:?}, p99 {:?}", took[500], took[990]);
}
