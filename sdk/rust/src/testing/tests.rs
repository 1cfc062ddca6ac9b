//! The double behaves as the host does where a plugin could tell the difference.

use crate::prelude::*;
use crate::testing::{Act, Host, run};

struct Probe;

#[derive(Deserialize)]
struct Input {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    n: i64,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    greeting: Option<String>,
}

impl Step for Probe {
    type Input = Input;
    type Config = Settings;
    type Output = Value;

    fn run(ctx: &Context, input: Input, config: Settings) -> Result<Value, Failure> {
        let contact = ctx.state(Scope::Contact);
        Ok(match input.what.as_str() {
            "greet" => {
                ctx.reply(config.greeting.unwrap_or_else(|| "Hi".into()))?;
                json!(null)
            }
            "count" => json!(contact.add("n", input.n)?),
            "remember" => {
                contact.set("list", [1, 2])?;
                json!(contact.get::<Vec<i64>>("list")?)
            }
            "read" => json!(contact.get::<String>("list")?),
            "forget" => {
                contact.delete("n")?;
                json!(contact.get::<i64>("n")?)
            }
            "fail" => {
                ctx.tag("never")?;
                contact.set("never", 1)?;
                ctx.info("before the failure");
                return Err(Failure::rejected("no", "it does not work").after(5));
            }
            "random" => json!([ctx.random(), ctx.random(), ctx.random_bytes(3).len()]),
            "fetch" => json!(ctx.http(&HttpRequest::new(Method::Get, "https://x.example/").bearer("slot"))?.status),
            "careful" => json!(ctx.conversation().is_err()),
            other => json!(other),
        })
    }
}

fn go(host: Host, what: &str) -> crate::testing::Ran {
    run::<Probe>(host, json!({ "do": what, "n": 2 }), json!(null))
}

#[test]
fn settings_may_be_absent_or_given() {
    assert_eq!(go(Host::default(), "greet").replies(), ["Hi"]);
    let ran = run::<Probe>(Host::default(), json!({ "do": "greet" }), json!({ "greeting": "Hola" }));
    assert_eq!(ran.host.acts, [Act::Reply(Message::text("Hola"))]);
}

#[test]
fn what_a_failed_step_asked_for_is_not_done() {
    let ran = go(Host::default(), "fail");
    assert_eq!(ran.result, Err(Failure::rejected("no", "it does not work").after(5)));
    assert!(ran.host.acts.is_empty() && ran.host.state.is_empty());
    assert_eq!(ran.host.log.len(), 1, "its log is kept");
}

#[test]
fn the_store_adds_keeps_and_forgets() {
    let host = Host::default().with_state("contact/n", json!(40));
    let ran = go(host, "count");
    assert_eq!((ran.result, ran.host.state["contact/n"].clone()), (Ok(json!(42)), json!(42)));
    let ran = go(Host::default(), "remember");
    assert_eq!(ran.result, Ok(json!([1, 2])));
    assert_eq!(go(ran.host, "read").result.unwrap_err().code, "invalid");
    assert_eq!(go(Host::default().with_state("contact/n", json!(1)), "forget").result, Ok(json!(null)));
    let huge = Host::default().with_state("contact/n", json!(i64::MAX));
    assert_eq!(go(huge, "count").result.unwrap_err().code, "invalid");
}

#[test]
fn what_is_not_granted_is_denied_and_can_be_borne() {
    assert_eq!(go(Host::default().deny("act"), "greet").result.unwrap_err().code, "denied");
    assert_eq!(go(Host::default().deny("state"), "count").result.unwrap_err().code, "denied");
    assert_eq!(go(Host::default().deny("conversation"), "careful").result, Ok(json!(true)));
    assert_eq!(go(Host::default(), "careful").result, Ok(json!(false)));
}

#[test]
fn the_network_answers_what_it_was_told_and_then_is_away() {
    let mut host = Host::default();
    host.answers.push_back(HttpResponse { status: 418, headers: vec![], body: vec![], kept: None });
    let ran = go(host, "fetch");
    assert_eq!(ran.result, Ok(json!(418)));
    assert_eq!(ran.host.requests[0].credentials[0].slot, "slot");
    assert_eq!(go(ran.host, "fetch").result.unwrap_err().fault, Fault::Retryable);
}

#[test]
fn random_numbers_repeat_with_the_seed_and_differ_within() {
    let a = go(Host::default(), "random").result.unwrap();
    assert_eq!(go(Host::default(), "random").result.unwrap(), a);
    assert_ne!(go(Host { seed: 2, ..Host::default() }, "random").result.unwrap(), a);
    assert_ne!(a[0], a[1]);
}

#[test]
fn input_that_does_not_fit_is_told_without_its_words() {
    for input in [json!({ "do": 1 }), json!({}), json!({ "do": "x", "n": "my secret" }), json!("my secret"), json!(null)] {
        let failure = run::<Probe>(Host::default(), input, json!({})).result.unwrap_err();
        assert_eq!((failure.fault, failure.code.as_str()), (Fault::Malformed, "input"));
        assert!(!failure.message.contains("secret"), "{failure:?}");
    }
}
