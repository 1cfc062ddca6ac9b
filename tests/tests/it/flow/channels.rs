//! Every shared payload through the real components in the real box: exactly its expected events. And what every channel is
//! asked in the same words.

use std::path::PathBuf;

use pointsman_core::event::Message;
use pointsman_core::event::v1::to_v1;
use pointsman_core::id::Id;
use pointsman_core::ports::{
    Account, Body, ChannelAdapter, Done, HttpRequest, HttpResponse, Job, Method, Operation, Placement, Turn, Webhook,
};
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use serde_json::{Value, json};

pub(super) fn fixtures(channel: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins/channels").join(channel).join("fixtures")
}

/// A field that is absent from an expectation is not asserted; null means absent or null; "@any" is not asserted; `@route`,
/// alone or inside of a text, is the account of the route; timestamps are compared as instants.
pub(super) fn matches(expected: &Value, got: &Value, route: &str, at: &str) -> Result<(), String> {
    match expected {
        Value::String(s) if s == "@any" => Ok(()),
        Value::String(s) if s.contains("@route") => {
            let wanted = s.replace("@route", route);
            (got.as_str() == Some(&*wanted)).then_some(()).ok_or_else(|| format!("{at}: expected {wanted}, got {got}"))
        }
        Value::Null => got.is_null().then_some(()).ok_or_else(|| format!("{at}: expected nothing, got {got}")),
        Value::Object(fields) => {
            for (name, value) in fields {
                matches(value, got.get(name).unwrap_or(&Value::Null), route, &format!("{at}.{name}"))?;
            }
            Ok(())
        }
        Value::Array(items) => {
            let found = got.as_array().map_or(0, Vec::len);
            if found != items.len() {
                return Err(format!("{at}: expected {} items, got {got}", items.len()));
            }
            items.iter().enumerate().try_for_each(|(i, item)| matches(item, &got[i], route, &format!("{at}[{i}]")))
        }
        Value::Number(n) if got.is_number() => {
            (n.as_f64() == got.as_f64()).then_some(()).ok_or_else(|| format!("{at}: expected {n}, got {got}"))
        }
        other => (other == got).then_some(()).ok_or_else(|| format!("{at}: expected {other}, got {got}")),
    }
}

pub(super) fn instant(v: &Value) -> Value {
    let normal = |s: &str| s.trim_end_matches('Z').trim_end_matches("000").trim_end_matches('.').to_owned();
    v.as_str().map_or(Value::Null, |s| json!(normal(s)))
}

/// The bundled channels in one box: making it is the slow part.
async fn boxed() -> Sandbox {
    let cache = std::env::temp_dir().join("pointsman-channel-cache");
    let sandbox = Sandbox::new(SandboxConfig { cache: Some(cache), ..SandboxConfig::default() }).unwrap();
    for (manifest, component) in pointsman::bundled::all().unwrap() {
        if manifest.webhook.is_some() {
            sandbox.load(manifest, component, Trust::Bundled).await.unwrap();
        }
    }
    sandbox
}

/// Parses every payload of the channel's fixtures, of which there are so many.
async fn check(sandbox: &Sandbox, channel: &str, count: usize) {
    let dir = fixtures(channel);
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("manifest.json")).unwrap()).unwrap();
    let payloads = manifest["payloads"].as_array().unwrap();
    assert_eq!(payloads.len(), count, "the fixtures of {channel} are whole");
    let plugin = format!("pointsman/{channel}");
    let mut wrong = Vec::new();
    for payload in payloads {
        let file = payload["file"].as_str().unwrap();
        let body = std::fs::read(dir.join(file)).unwrap();
        let account = Account { id: "1122334455667".to_owned(), config: json!({}) };
        let webhook = Webhook {
            method: Method::Post,
            path: String::new(),
            query: vec![],
            headers: vec![],
            body: body.into(),
            received: 1_700_000_000_000,
        };
        let got = sandbox.parse(Id(1), &plugin, &webhook, &account).await.unwrap().unwrap();
        let got: Vec<Value> = got.events.iter().map(|e| to_v1(e, channel, &account.id)).collect();
        let expected = payload["expected"].as_array().unwrap();
        if got.len() != expected.len() {
            wrong.push(format!("{file}: {} events instead of {}", got.len(), expected.len()));
        }
        for (expected, got) in expected.iter().zip(&got) {
            let (mut expected, mut got) = (expected.clone(), got.clone());
            expected["timestamp"] = instant(&expected["timestamp"]);
            got["timestamp"] = instant(&got["timestamp"]);
            if let Err(difference) = matches(&expected, &got, &account.id, file) {
                wrong.push(difference);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_gives_exactly_its_expected_events() {
    let sandbox = boxed().await;
    check(&sandbox, "whatsapp", 20).await;
    check(&sandbox, "telegram", 14).await;
}

fn job(operation: Operation) -> Job {
    let account = Account { id: "1122334455667".to_owned(), config: json!({}) };
    Job { key: "k".into(), attempt: 1, at: 1, account, peer: Some("427770117".into()), window_open: true, operation }
}

/// What every channel is asked in the same words, and where its secrets go.
#[tokio::test(flavor = "multi_thread")]
async fn every_channel_sends_and_says_who_it_is() {
    let sandbox = boxed().await;
    let asked = async |plugin: &str, operation: Operation| {
        let job = job(operation);
        let Turn::Exchange { request, state, .. } = sandbox.begin(Id(1), plugin, &job).await.unwrap() else { panic!("{plugin}") };
        (job, request, state)
    };
    let told = |body: Value| HttpResponse { status: 200, body: body.to_string().into_bytes(), ..HttpResponse::default() };
    let secret = |request: &HttpRequest| (request.credentials[0].slot.clone(), request.credentials[0].place.clone());
    let marked = ("bot_token".to_owned(), Placement::Path("{bot_token}".to_owned()));
    let bearer = ("access_token".to_owned(), Placement::Bearer);
    for (plugin, url, place, answer, name) in [
        (
            "pointsman/whatsapp",
            "https://graph.facebook.com/v23.0/1122334455667?fields=verified_name,display_phone_number",
            &bearer,
            json!({ "id": "1122334455667", "verified_name": "Shop" }),
            "Shop",
        ),
        (
            "pointsman/telegram",
            "https://api.telegram.org/bot{bot_token}/getMe",
            &marked,
            json!({ "ok": true, "result": { "id": 9, "is_bot": true, "first_name": "Shop bot" } }),
            "Shop bot",
        ),
    ] {
        let (job, request, state) = asked(plugin, Operation::Check).await;
        assert_eq!((request.url.as_str(), &secret(&request)), (url, place));
        let turn = sandbox.advance(Id(1), plugin, &job, &state, told(answer)).await.unwrap();
        let Turn::Done(Done::Profile(own)) = turn else { panic!("{plugin}: {turn:?}") };
        assert_eq!((own.name.as_deref(), own.automated), (Some(name), true));
    }
    let (job, request, state) = asked("pointsman/telegram", Operation::Send(Message::text("hi"))).await;
    assert_eq!(request.url, "https://api.telegram.org/bot{bot_token}/sendMessage");
    assert_eq!(request.body, Body::Bytes(br#"{"chat_id":427770117,"text":"hi"}"#.to_vec()));
    let taken = told(json!({ "ok": true, "result": { "message_id": 7 } }));
    let turn = sandbox.advance(Id(1), "pointsman/telegram", &job, &state, taken).await.unwrap();
    assert_eq!(turn, Turn::Done(Done::Created(vec!["7".to_owned()])));
    let (_, request, _) = asked("pointsman/telegram", Operation::Subscribe("https://hook.example/hooks/1".into())).await;
    assert_eq!(request.credentials[1].place, Placement::JsonField("/secret_token".to_owned()));
}

/// What is nested very deep, cut or of another kind ends in events or a sentence, never in a trap: the box goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_crooked_body_ends_no_channel() {
    let sandbox = boxed().await;
    let account = Account { id: "1122334455667".to_owned(), config: json!({}) };
    let closed = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let message =
        |fields: &str| format!(r#"{{"update_id":1,"message":{{"message_id":1,"chat":{{"id":5}},"from":{{"id":5}},{fields}}}}}"#);
    let telegram = [
        message(&format!(r#""text":"hi","moon":{}"#, closed(100_000))),
        message(&format!(r#""successful_payment":{}"#, closed(100_000))),
        message(&format!(r#""successful_payment":{}"#, closed(120))),
        message(&format!(r#""text":"hi","entities":{}"#, closed(100_000))),
        message(r#""text":"hi","date":1e999"#),
        "[".repeat(500_000),
        r#"{"update_id":1,"message":"#.to_owned(),
    ];
    let whatsapp = [
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"changes":[{{"field":"x","value":{}}}]}}]}}"#,
            closed(100_000)
        ),
        format!(r#"{{"object":"whatsapp_business_account","entry":{}"#, "[".repeat(500_000)),
    ];
    let bodies = telegram.iter().map(|b| ("pointsman/telegram", b)).chain(whatsapp.iter().map(|b| ("pointsman/whatsapp", b)));
    for (plugin, body) in bodies {
        let webhook = Webhook {
            method: Method::Post,
            path: String::new(),
            query: vec![],
            headers: vec![],
            body: body.clone().into(),
            received: 1_700_000_000_000,
        };
        let read = sandbox.parse(Id(1), plugin, &webhook, &account).await;
        assert!(read.is_ok(), "{plugin} {}: {read:?}", body.chars().take(90).collect::<String>());
    }
}
