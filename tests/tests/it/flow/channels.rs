//! Every shared payload through the real component in the real box: exactly its expected events.

use std::path::PathBuf;

use pointsman_core::event::v1::to_v1;
use pointsman_core::id::Id;
use pointsman_core::ports::{Account, ChannelAdapter, Method, Webhook};
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use serde_json::{Value, json};

fn fixtures(channel: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins/channels").join(channel).join("fixtures")
}

/// A field that is absent from an expectation is not asserted; null means absent or null; "@any" is not asserted;
/// timestamps are compared as instants.
fn matches(expected: &Value, got: &Value, route: &str, at: &str) -> Result<(), String> {
    match expected {
        Value::String(s) if s == "@any" => Ok(()),
        Value::String(s) if s == "@route" => {
            (got.as_str() == Some(route)).then_some(()).ok_or_else(|| format!("{at}: expected the route's {route}, got {got}"))
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

fn instant(v: &Value) -> Value {
    let normal = |s: &str| s.trim_end_matches('Z').trim_end_matches("000").trim_end_matches('.').to_owned();
    v.as_str().map_or(Value::Null, |s| json!(normal(s)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_whatsapp_payload_gives_exactly_its_expected_events() {
    let cache = std::env::temp_dir().join("pointsman-channel-cache");
    let sandbox = Sandbox::new(SandboxConfig { cache: Some(cache), ..SandboxConfig::default() }).unwrap();
    for (manifest, component) in pointsman::bundled::all().unwrap() {
        if manifest.webhook.is_some() {
            sandbox.load(manifest, component, Trust::Bundled).await.unwrap();
        }
    }
    let dir = fixtures("whatsapp");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("manifest.json")).unwrap()).unwrap();
    let payloads = manifest["payloads"].as_array().unwrap();
    assert!(payloads.len() >= 20, "the fixtures are whole");
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
        let got = sandbox.parse(Id(1), "pointsman/whatsapp", &webhook, &account).await.unwrap().unwrap();
        let got: Vec<Value> = got.events.iter().map(|e| to_v1(e, "whatsapp", &account.id)).collect();
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
