//! Who gets in.

use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn a_component_that_imports_more_than_it_asks_for_is_refused() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let without = |name: &str| ALL.lines().filter(|line| !line.trim_start().starts_with(name)).collect::<Vec<_>>().join("\n");
    for (capabilities, says) in
        [(String::new(), "under [capabilities]"), (without("http"), "`http`"), (without("knowledge"), "`knowledge`")]
    {
        let failure = sandbox.load(step("acme/lie", &capabilities), hostile(), Trust::Bundled).await.unwrap_err();
        assert_eq!(failure.code, "denied.import");
        assert!(failure.message.contains(says), "{failure}");
    }
    assert!(sandbox.load(step("acme/lie", ALL), hostile(), Trust::Stranger).await.is_ok());
}

#[tokio::test]
async fn a_component_of_another_world_is_refused() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let failure = sandbox.load(step("acme/odd", ""), &guest("odd-channel"), Trust::Stranger).await.unwrap_err();
    assert_eq!(failure.code, "plugin.world", "{failure}");
    let mut interpreter = step("acme/own-script", ALL);
    interpreter.world = "pointsman:plugin/script@0.1.0".to_owned();
    if interpreter.kind() == pointsman_manifest::Kind::Interpreter {
        let failure = sandbox.load(interpreter, hostile(), Trust::Stranger).await.unwrap_err();
        assert_eq!(failure.code, "denied.interpreter", "{failure}");
    } else {
        panic!("the manifest knows no interpreter");
    }
    let empty = sandbox.load(step("acme/empty", ""), b"\0asm\x0d\0\x01\0", Trust::Stranger).await.unwrap_err();
    assert_eq!(empty.code, "plugin.world", "{empty}");
}

#[tokio::test]
async fn two_ids_over_one_component_keep_their_own_manifests() {
    let house = House::new(SandboxConfig::default(), Trust::Bundled);
    let other = "act = { effects = [\"note\"], why = \"test\" }\nstate = { scope = \"workspace\", why = \"test\" }\nconversation = { why = \"test\" }\nknowledge = { why = \"test\" }\nhttp = [{ host = \"a.example.com\", methods = [\"GET\"], why = \"test\" }]";
    let loaded = house.sandbox.load(step("evil/copy", other), hostile(), Trust::Stranger).await.unwrap();
    assert_eq!(house.run(json!({"do": "act", "text": "x"})).await.effects.len(), 7);
    let copy = House { sandbox: house.sandbox.clone(), code: Code::Plugin { id: loaded.id, digest: loaded.digest.clone() } };
    assert_eq!(copy.run(json!({"do": "act", "text": "x"})).await.effects.len(), 1);
    let unknown = House { sandbox: house.sandbox.clone(), code: Code::Plugin { id: "a/b".into(), digest: loaded.digest } };
    assert_eq!(unknown.code_of(json!({})).await, "plugin.unknown");
    let none = House { sandbox: house.sandbox.clone(), code: Code::Script { source: "1".into(), hash: "h".into() } };
    assert_eq!(none.code_of(json!({})).await, "plugin.unknown");
}

#[tokio::test]
async fn compiled_code_is_kept_between_starts() {
    let home = tempfile::tempdir().unwrap();
    let config = SandboxConfig { cache: Some(home.path().join("cache")), ..SandboxConfig::default() };
    let mut took = Vec::new();
    for _ in 0..2 {
        let sandbox = Sandbox::new(config.clone()).unwrap();
        let since = Instant::now();
        let loaded = sandbox.load(step("acme/hostile", ALL), hostile(), Trust::Bundled).await.unwrap();
        took.push(since.elapsed());
        House { sandbox, code: Code::Plugin { id: loaded.id, digest: loaded.digest } }.alive().await;
    }
    println!("compiled in {:?}, read back in {:?}", took[0], took[1]);
    assert_eq!(std::fs::read_dir(home.path().join("cache")).unwrap().count(), 1);
    assert!(took[1] < took[0]);
}
