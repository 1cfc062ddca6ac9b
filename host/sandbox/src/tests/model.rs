//! Questions to models: asked once and told again, bounded, and ended by the ledger whatever the guest does with what it hears.

use std::sync::atomic::{AtomicU32, Ordering};

use pointsman_core::failure::{Class, Failure};
use pointsman_core::limits::Limits;
use pointsman_core::model::{Completion, Prompt};
use pointsman_core::ports::Answered;

use super::*;

/// A host with a model that counts what it is asked.
#[derive(Default)]
struct Clerk {
    asked: AtomicU32,
    wait: Option<Duration>,
    fails: Option<Failure>,
}

#[async_trait]
impl StepHost for Clerk {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Ok(ConversationInfo::default())
    }
    async fn history(&self, _: u32) -> Result<Vec<Said>, Refusal> {
        Ok(Vec::new())
    }
    async fn state(&self, _: Scope, _: &str) -> Result<Option<Value>, Refusal> {
        Ok(None)
    }
    async fn search(&self, _: &str, _: &str, _: u32) -> Result<Vec<Passage>, Refusal> {
        Ok(Vec::new())
    }

    async fn chat(&self, prompt: Prompt) -> Result<Completion, Failure> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(wait) = self.wait {
            tokio::time::sleep(wait).await;
        }
        let words = prompt.turns.first().map(|turn| turn.text.clone()).unwrap_or_default();
        let schema = prompt.schema.is_some();
        match &self.fails {
            Some(failure) => Err(failure.clone()),
            None => Ok(Completion { text: format!("{words}, {n} {schema}"), output_tokens: 5, ..Completion::default() }),
        }
    }

    async fn embed(&self, _: Option<String>, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(texts.iter().map(|text| vec![text.len() as f32, 0.1]).collect())
    }
}

fn asker(config: SandboxConfig, capabilities: &str) -> House {
    let sandbox = Sandbox::new(config).unwrap();
    let loaded = sandbox.load_blocking(step("acme/asker", capabilities), &guest("asker"), Trust::Stranger).unwrap();
    House { sandbox, code: Code::Plugin { id: loaded.id, digest: loaded.digest } }
}

const BOTH: &str = "model = { why = \"test\" }";

#[tokio::test]
async fn what_was_asked_before_a_wait_is_not_asked_again() {
    let house = asker(SandboxConfig::default(), BOTH);
    let clerk = Arc::new(Clerk::default());
    let input = json!({ "ask": 2, "embed": true, "wait": true, "schema": "{\"type\":\"object\"}" });
    let first = house.sandbox.run(house.call(1, input.clone()), clerk.clone()).await;
    assert!(matches!(first.result, Ok(Outcome::Suspended { .. })), "{first:?}");
    assert_eq!((first.reads.len(), clerk.asked.load(Ordering::SeqCst)), (3, 3));
    let answered = Answered { name: "sleep".into(), fingerprint: "f".into(), value: Ok(json!(null)), at: 1 };
    let again = StepCall { journal: vec![answered], reads: first.reads.clone(), ..house.call(1, input) };
    let told = output(house.sandbox.run(again.clone(), clerk.clone()).await);
    assert_eq!(told[0], json!(["question 0, 0 true", 5]));
    assert_eq!(told[1], json!(["question 1, 1 true", 5]));
    assert_eq!(told[2][1][0], json!(1.0));
    assert_eq!(clerk.asked.load(Ordering::SeqCst), 3, "a replay asks nobody");
    let other = StepCall { input: json!({ "ask": 1, "wait": true }), ..again };
    assert_eq!(house.sandbox.run(other, clerk).await.result.unwrap_err().code, "replay.diverged");
}

#[tokio::test]
async fn questions_have_a_bound_and_only_those_are_asked_that_the_manifest_asks_for() {
    let house = asker(SandboxConfig::default(), BOTH);
    let clerk = Arc::new(Clerk::default());
    let told = output(house.sandbox.run(house.call(1, json!({ "ask": 17 })), clerk.clone()).await);
    assert_eq!((&told[16], clerk.asked.load(Ordering::SeqCst)), (&json!("limit limit.model-calls"), 16));
    let bad = house.sandbox.run(house.call(1, json!({ "ask": 1, "schema": "{" })), clerk.clone()).await;
    assert!(output(bad)[0].as_str().unwrap().starts_with("invalid "));
    let house = asker(SandboxConfig::default(), "model = { calls = [\"embed\"], why = \"test\" }");
    let told = output(house.sandbox.run(house.call(1, json!({ "ask": 1, "embed": true })), clerk.clone()).await);
    assert!(told[0].as_str().unwrap().starts_with("denied denied.model") && told[1][0][0] == 2.0, "{told}");
    assert_eq!(output(house.run(json!({ "ask": 1 })).await)[0].as_str().unwrap().split(':').next(), Some("denied denied.model"));
}

#[tokio::test]
async fn what_the_ledger_says_ends_the_step_and_anything_else_is_told_to_it() {
    let house = asker(SandboxConfig::default(), BOTH);
    let asks = async |class, code: &str| {
        let clerk = Clerk { fails: Some(Failure::new(class, code, "why")), ..Clerk::default() };
        house.sandbox.run(house.call(1, json!({ "ask": 1 })), Arc::new(clerk)).await.result
    };
    let capped = asks(Class::Limit, "spend.cap").await.unwrap_err();
    assert_eq!((capped.code.as_str(), capped.class, capped.message.as_str()), ("spend.cap", Class::Limit, "why"));
    for (class, code, hears) in [
        (Class::Transient, "model.garbage", "unavailable model.garbage: why"),
        (Class::Permanent, "model.refused", "invalid model.refused: why"),
        (Class::Denied, "denied.ai_off", "denied denied.ai_off: why"),
        (Class::Limit, "limit.model-schema", "limit limit.model-schema"),
    ] {
        assert_eq!(asks(class, code).await.unwrap(), Outcome::Done(json!([hears])));
    }
}

#[tokio::test]
async fn a_model_may_take_longer_than_a_step() {
    let limits = Limits { wall: 100, model: 10_000, ..Limits::STEP };
    let house = asker(SandboxConfig { limits, ..SandboxConfig::default() }, BOTH);
    let slow = || Arc::new(Clerk { wait: Some(Duration::from_millis(300)), ..Clerk::default() });
    assert_eq!(output(house.sandbox.run(house.call(1, json!({ "ask": 1 })), slow()).await)[0][1], 5);
    let limits = Limits { wall: 100, model: 0, ..Limits::STEP };
    let house = asker(SandboxConfig { limits, ..SandboxConfig::default() }, BOTH);
    assert_eq!(house.sandbox.run(house.call(1, json!({ "ask": 1 })), slow()).await.result.unwrap_err().code, "limit.wall");
}
