//! The operator's half of a permission: asked on every call, and told to a step that is played again as it was told before.

use parking_lot::Mutex;
use pointsman_core::effect::Effect;
use pointsman_core::journal::Read;
use pointsman_core::permission::Permission;
use pointsman_core::ports::{Answered, HttpRequest, HttpResponse};

use super::script::Scripts;
use super::*;

/// An operator who withholds what stands in the first list, and hears what was denied in the second.
#[derive(Default)]
struct Guarded {
    withheld: Mutex<Vec<String>>,
    denied: Mutex<Vec<String>>,
    requests: Mutex<Vec<HttpRequest>>,
}

#[async_trait]
impl StepHost for Guarded {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Desk::default().conversation().await
    }
    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        Desk::default().history(count).await
    }
    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        Desk::default().state(scope, key).await
    }
    async fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        Desk::default().search(base, query, count).await
    }
    async fn request(&self, asks: &Manifest, request: HttpRequest) -> Result<HttpResponse, Refusal> {
        assert_eq!(asks.id, "acme/hostile");
        let body = if request.url.ends_with("/large") { vec![b'x'; 1 << 20] } else { b"nothing here".to_vec() };
        self.requests.lock().push(request);
        Ok(HttpResponse { status: 404, headers: vec![("a".into(), "b".into())], body, kept: None })
    }
    fn withheld(&self, permission: &Permission) -> Option<String> {
        let word = permission.to_string();
        self.withheld.lock().contains(&word).then(|| format!("`grant {word}`"))
    }
    fn denied(&self, permission: &Permission) {
        self.denied.lock().push(permission.to_string());
    }
}

fn withholding(words: &[&str]) -> Arc<Guarded> {
    let withheld = Mutex::new(words.iter().map(|word| (*word).to_owned()).collect());
    Arc::new(Guarded { withheld, ..Guarded::default() })
}

#[tokio::test]
async fn each_import_asks_both_halves() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let all = ["act:reply", "act:tag", "act:note", "conversation", "state:contact", "knowledge"];
    for (deed, word, code) in [
        ("act", "act:reply", "denied.act"),
        ("act", "act:tag", "denied.act"),
        ("act", "act:note", "denied.act"),
        ("conversation", "conversation", "denied.conversation"),
        ("state", "state:contact", "denied.state"),
        ("knowledge", "knowledge", "denied.knowledge"),
    ] {
        let desk = withholding(&[word]);
        let end = house.sandbox.run(house.call(1, json!({"do": deed, "text": "x"})), Arc::clone(&desk) as _).await;
        let told = output(end).to_string();
        let sentence = format!("{code}: acme/hostile may not do this here; `grant {word}` allows it");
        assert!(told.contains(&sentence), "{deed}: {told}");
        assert!(desk.denied.lock().iter().any(|denied| denied == word), "{:?}", desk.denied);
        let others: Vec<&str> = all.iter().copied().filter(|other| *other != word).collect();
        let end = house.sandbox.run(house.call(1, json!({"do": deed, "text": "x"})), withholding(&others) as _).await;
        assert!(!output(end).to_string().contains(&sentence), "{deed}: of what is granted nothing is denied");
    }
    // What the manifest does not ask for is told as such, whatever the operator says.
    let desk = withholding(&[]);
    let small = House::asking(
        SandboxConfig::default(),
        Trust::Stranger,
        &ALL.replace("act = { why", "act = { effects = [\"reply\"], why"),
    );
    let told = output(small.sandbox.run(small.call(1, json!({"do": "act", "text": "x"})), Arc::clone(&desk) as _).await);
    assert!(told.to_string().contains("denied.act: the manifest of acme/hostile does not ask for it; add `act = {"), "{told}");
    assert_eq!(*desk.denied.lock(), ["act:tag", "act:untag", "act:note", "act:assign", "act:set", "act:emit"]);
}

async fn leg(scripts: &Scripts, source: &str, withheld: &[&str], taken: &[Effect], past: (Vec<Answered>, Vec<Read>)) -> StepEnd {
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
        journal: past.0,
        taken: taken.iter().map(Effect::fingerprint).collect(),
        reads: past.1,
    };
    scripts.0.run(call, withholding(withheld)).await
}

#[tokio::test]
async fn a_step_that_goes_on_is_told_the_denials_of_before_and_what_was_taken_back_fails_by_its_name() {
    let scripts = Scripts::new();
    let source = "let said = []; try { tag(\"vip\"); said.push(\"tagged\"); } catch (e) { said.push(e.code); } \
                  said.push(state_get(\"contact\", \"count\")); let a = ask(\"?\"); tag(\"vip\"); said.push(a.text); said";
    let answered = |end: &StepEnd| match &end.result {
        Ok(Outcome::Suspended { name, fingerprint, .. }) => {
            vec![Answered { name: name.clone(), fingerprint: fingerprint.clone(), value: Ok(json!({"text": "yes"})), at: 5_000 }]
        }
        other => panic!("{other:?}"),
    };
    // Denied before the wait, granted after it: what is new is done, and nothing of before is another than it was.
    let first = leg(&scripts, source, &["act:tag"], &[], (vec![], vec![])).await;
    assert!(first.effects.is_empty() && first.reads.len() == 2, "{first:?}");
    let past = (answered(&first), first.reads.clone());
    let second = leg(&scripts, source, &[], &[], past).await;
    assert_eq!(second.effects, [Effect::Tag("vip".to_owned())], "{second:?}");
    assert_eq!(output(second), json!(["denied.tag", 40, "yes"]));

    // Granted before the wait, taken back after it: the run fails with the cure, and can be tried again.
    let first = leg(&scripts, source, &[], &[], (vec![], vec![])).await;
    let taken = first.effects.clone();
    assert_eq!(taken, [Effect::Tag("vip".to_owned())]);
    let past = (answered(&first), first.reads.clone());
    let failure = leg(&scripts, source, &["act:tag"], &taken, past.clone()).await.result.unwrap_err();
    assert_eq!(failure.code, "denied.tag", "{failure}");
    assert!(failure.message.contains("`grant act:tag` allows it"), "{failure}");
    let again = leg(&scripts, source, &[], &taken, past).await;
    assert_eq!(output(again), json!(["tagged", 40, "yes"]));
}

#[tokio::test]
async fn a_request_goes_where_it_was_granted_to_go_with_what_was_granted_to_go_there() {
    let some = "act = { why = \"test\" }\nstate = { scope = \"contact\", why = \"test\" }\nconversation = { why = \"test\" }\n\
        knowledge = { why = \"test\" }\nhttp = [{ host = \"api.example.com\", methods = [\"GET\"], paths = [\"/v1\"], \
        credential = \"token\", why = \"test\" }, { host = \"b.example.com:8443\", methods = [\"GET\", \"POST\"], why = \"test\" }]";
    let house = House::asking(SandboxConfig::default(), Trust::Stranger, some);
    let fetch = async |requests: Value, withheld: &[&str]| {
        let desk = withholding(withheld);
        let call = house.call(1, json!({"do": "fetch", "requests": requests}));
        let told = output(house.sandbox.run(call, Arc::clone(&desk) as _).await);
        (told, desk)
    };
    let good = json!({ "url": "https://api.example.com/v1/orders?q=1", "slot": "token", "place": "bearer" });
    let (told, desk) = fetch(json!([good, { "method": "POST", "url": "https://b.example.com:8443/", "body": "x" }]), &[]).await;
    let answer = json!({ "status": 404, "headers": [["a", "b"]], "body": "nothing here" });
    assert_eq!(told, json!([answer, answer]));
    assert_eq!(desk.requests.lock()[0].url, "https://api.example.com/v1/orders?q=1");

    let path = "http:GET:api.example.com/v1/orders";
    for (request, withheld, shown) in [
        (json!({ "url": "https://api.example.com/v2" }), "", "methods = [\"GET\"]"),
        (json!({ "url": "https://api.example.com/v1/../v2" }), "", "denied.http"),
        (json!({ "url": "https://api.example.com/v1/..%2fv2" }), "", "invalid: egress.url"),
        (json!({ "url": "https://api.example.com:8443/v1" }), "", "denied.http"),
        (json!({ "url": "http://api.example.com/v1" }), "", "host = \"api.example.com:80\""),
        (json!({ "url": "https://api.example.com.evil.example/v1" }), "", "denied.http"),
        (json!({ "url": "https://api.example.com@evil.example/v1" }), "", "host = \"evil.example\""),
        (json!({ "method": "POST", "url": "https://api.example.com/v1" }), "", "methods = [\"POST\"]"),
        (json!({ "url": "https://api.example.com/v1", "slot": "token", "place": "query" }), "", "placements = [\"query\"]"),
        (json!({ "url": "https://api.example.com/v1", "slot": "other", "place": "bearer" }), "", "credential = \"other\""),
        (json!({ "url": "https://b.example.com:8443/", "slot": "token", "place": "bearer" }), "", "denied.http"),
        (json!({ "url": "https://b.example.com:8443/", "slot": "a b\n", "place": "bearer" }), "", "invalid: "),
        (good.clone(), path, "`grant http:GET:api.example.com/v1/orders` allows it"),
        (good.clone(), "secret:token@api.example.com:bearer", "`grant secret:token@api.example.com:bearer` allows it"),
    ] {
        let (told, desk) = fetch(json!([request]), &[withheld]).await;
        assert!(told[0].as_str().is_some_and(|told| told.contains(shown)), "{request}: {told}");
        assert!(desk.requests.lock().is_empty(), "{request}");
    }

    let (told, desk) = fetch(json!(vec![good; 20]), &[]).await;
    assert_eq!(desk.requests.lock().len(), 16);
    assert_eq!((&told[15], &told[16]), (&answer, &json!("limit: limit.http-requests")));

    // What comes back is bounded in all: the answer that goes beyond is the last.
    let large = json!({ "url": "https://api.example.com/v1/large" });
    let desk = withholding(&[]);
    let call = house.call(1, json!({"do": "fetch", "count": true, "requests": vec![large; 6]}));
    let told = output(house.sandbox.run(call, Arc::clone(&desk) as _).await);
    assert_eq!((desk.requests.lock().len(), &told[3]["body"]), (4, &json!(1 << 20)), "{told}");
    assert_eq!(told[4], json!("limit: limit.http-answers"));
}
