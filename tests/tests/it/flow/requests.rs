//! A stranger's step that calls an outside service: where, how and with which secret is what was granted, from the next call on. The
//! service is the witness; the secret comes back from it in no form.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::packages::told;
use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::{Site, eventually};

const WS: pointsman_core::id::Id = pointsman::wiring::FIRST_WORKSPACE;

const DESK: &str = "acme/desk";

const SECRET: &str = "sk-desk-5a1f09c3b77e4d21";

const USES: &str =
    "name: desk\non: message\nsteps:\n  - id: at\n    use: acme/desk\n    with: { do: fetch, requests: \"${event.text}\" }\n";

/// A service that answers with the request itself, and remembers what it was asked.
struct Service {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let of = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heard = Arc::clone(&of);
                tokio::spawn(async move {
                    let request = whole(&mut stream).await;
                    heard.lock().push(request.clone());
                    let status = if request.contains("/v1/away") {
                        format!("302 Found\r\nlocation: http://desk.localhost:{port}/elsewhere")
                    } else {
                        "200 OK".to_owned()
                    };
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", request.len());
                    let _ = stream.write_all(&[answer.as_bytes(), request.as_bytes()].concat()).await;
                });
            }
        });
        Self { address: format!("desk.localhost:{port}"), heard }
    }

    fn count(&self) -> usize {
        self.heard.lock().len()
    }
}

/// A request, with all of its body.
async fn whole(stream: &mut TcpStream) -> String {
    let (mut bytes, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut some).await.unwrap_or(0);
        bytes.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(count > 0, "half a request: {text}");
            continue;
        };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

/// The answers that the step had to these requests, each in a message of its own.
async fn fetch(site: &Site, n: &mut usize, requests: Value) -> Vec<Value> {
    *n += 1;
    let from = format!("155508{n:05}");
    assert_eq!(site.emulator.say(&from, "Ana", &requests.to_string()).await.unwrap().1, 200);
    let run = eventually("its run ends", || {
        let runs = site.done(&["run", "list", "--limit", "500"]);
        let all = runs.as_array()?;
        let run = all.first().filter(|run| all.len() == *n && run["state"] != "running")?;
        Some(site.done(&["run", "show", run["id"].as_str()?, "--steps"]))
    })
    .await;
    run["steps"][1]["output"].as_array().unwrap_or_else(|| panic!("{run}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_calls_a_service_with_a_secret_that_it_never_sees() {
    let service = Service::start().await;
    let at = &service.address;
    let mut site = Site::new(&[]).await;
    site.allowed.push(at.clone());
    let asks = format!(
        "act = {{ why = \"answers\" }}\nconversation = {{ why = \"reads\" }}\nstate = {{ scope = \"contact\", why = \"counts\" }}\n\
         knowledge = {{ why = \"looks up\" }}\n\
         http = [{{ host = \"{at}\", methods = [\"GET\", \"POST\"], paths = [\"/v1\"], credential = \"token\", why = \"orders\" }}, \
         {{ host = \"api.example.com\", methods = [\"GET\"], paths = [\"/v1\"], credential = \"token\", why = \"orders\" }}]"
    );
    let file = site.dir.path().join("desk.plugin");
    std::fs::write(&file, package(manifest(DESK, "1.0.0", &asks).as_bytes(), &component(b'a'), 7)).unwrap();
    let added = told(&site, &["plugin", "add", &file.to_string_lossy(), "--grant", "all"], 0);
    assert_eq!(added["missing_secrets"], json!(["token"]), "{added}");
    site.write_workflow("desk", USES, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    let process = site.serve(&[("POINTSMAN_EGRESS__A_SECOND", "5")]);
    let mut n = 0;
    let good = json!({ "url": format!("http://{at}/v1/orders?of=ana"), "slot": "token", "place": "bearer" });

    // Without its secret nothing leaves, and the step is told what is missing.
    let answers = fetch(&site, &mut n, json!([good])).await;
    assert!(
        answers[0].as_str().unwrap().contains("`pointsman plugin secret acme/desk token --workspace main` stores it"),
        "{answers:?}"
    );
    assert_eq!(service.count(), 0);
    let unknown = site.cli_with(&["plugin", "secret", DESK, "other"], &[("POINTSMAN_SECRET_OTHER", SECRET)]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stdout).contains("it names: token"), "{unknown:?}");
    let kept = site.cli_with(&["plugin", "secret", DESK, "token"], &[("POINTSMAN_SECRET_TOKEN", SECRET)]);
    assert!(kept.status.success(), "{kept:?}");

    // With it the service hears the secret, and the step hears an answer that has it no more.
    let post = json!({ "method": "POST", "url": format!("http://{at}/v1/orders"), "body": "{\"size\":42}" });
    let answers = fetch(&site, &mut n, json!([good, post])).await;
    let heard = service.heard.lock().clone();
    assert!(
        heard[0].starts_with("GET /v1/orders?of=ana HTTP/1.1\r\n") && heard[0].contains(&format!("Bearer {SECRET}")),
        "{heard:?}"
    );
    assert!(
        heard[1].starts_with("POST /v1/orders ") && heard[1].ends_with("{\"size\":42}") && !heard[1].contains(SECRET),
        "{heard:?}"
    );
    let told_back = answers[0]["body"].as_str().unwrap();
    assert!(answers[0]["status"] == 200 && told_back.contains("x-from: desk") && !told_back.contains(SECRET), "{answers:?}");

    // Nowhere else, in no other way, and along no redirect.
    let refused = [
        json!({ "url": format!("http://{at}/v2/orders") }),
        json!({ "url": format!("http://{at}/v1/..%2fadmin") }),
        json!({ "url": format!("http://{}/v1", at.replace("desk.", "other.")) }),
        json!({ "url": "http://169.254.169.254/latest/meta-data" }),
        json!({ "url": good["url"], "slot": "token", "place": "query" }),
        json!({ "url": format!("https://{at}.evil.example/v1"), "slot": "token", "place": "bearer" }),
    ];
    // With the secret: to hosts that look like the right one, to another port, and in plain http.
    let url = good["url"].as_str().unwrap();
    let other = |from: &str, to: &str| json!({ "url": url.replace(from, to), "slot": "token", "place": "bearer" });
    let (host, port) = at.split_once(':').unwrap();
    let next = (port.parse::<u16>().unwrap() ^ 1).to_string();
    let astray = [
        (other("desk.localhost", "desk.localhost.evil.example"), format!("http:GET:desk.localhost.evil.example:{port}/")),
        (other("desk.localhost", "xdesk.localhost"), format!("http:GET:xdesk.localhost:{port}/")),
        (other("desk.localhost", "d\u{435}sk.localhost"), format!("http:GET:xn--dsk-rdd.localhost:{port}/")),
        (other("http://", "http://desk.localhost@evil.example/"), "http:GET:evil.example:80/".to_owned()),
        (other(port, &next), format!("http:GET:{host}:{next}/")),
        (other(&format!(":{port}"), ""), format!("http:GET:{host}:80/")),
        (other(&format!("http://{at}"), "http://api.example.com"), "http:GET:api.example.com:80/".to_owned()),
        (other(&format!("http://{at}"), "https://api.example.com:8443"), "http:GET:api.example.com:8443/".to_owned()),
        (
            other(&format!("http://{at}"), "https://api.example.com.evil.example"),
            "http:GET:api.example.com.evil.example/".to_owned(),
        ),
    ];
    let asked = refused.iter().chain(astray.iter().map(|(asked, _)| asked)).collect::<Vec<_>>();
    let answers = fetch(&site, &mut n, json!(asked)).await;
    assert!(answers.len() == 15 && answers.iter().all(Value::is_string), "{answers:?}");
    assert_eq!(service.count(), 2);
    let away = fetch(&site, &mut n, json!([{ "url": format!("http://{at}/v1/away"), "slot": "token", "place": "bearer" }])).await;
    assert_eq!((&away[0]["status"], service.count()), (&json!(302), 3), "{away:?}");

    // Not more often than the operator lets a workspace ask one place.
    let answers = fetch(&site, &mut n, json!(vec![post; 16])).await;
    let late = answers.iter().filter(|answer| answer.as_str().is_some_and(|why| why.contains("http.rate: "))).count();
    assert!((1..=15).contains(&late) && answers[0]["status"] == 200, "{answers:?}");
    assert_eq!(service.count(), 3 + 16 - late);

    // Taken back: from the next call on. The reason names what brings it back.
    let secret = format!("secret:token@{at}:bearer");
    told(&site, &["plugin", "revoke", DESK, &secret], 0);
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers = fetch(&site, &mut n, json!([good])).await;
        if answers[0].as_str().is_some_and(|why| !why.contains("http.rate: ")) {
            break;
        }
    }
    assert!(answers[0].as_str().unwrap().contains(&format!("`pointsman plugin grant {DESK} {secret}` allows it")), "{answers:?}");
    let before = service.count();
    fetch(&site, &mut n, json!([good])).await;
    assert_eq!(service.count(), before);
    process.stop();

    let store = pointsman::wiring::open_store(&site.config()).await.unwrap();
    let audit: Vec<(String, String)> =
        store.audit_lines(WS, 500).await.unwrap().into_iter().map(|line| (line.action, line.detail)).collect();
    let stands = |action: &str, detail: &str| audit.iter().any(|(a, d)| a == action && d.contains(detail));
    assert!(stands("plugin.secret", "acme/desk token"), "{audit:?}");
    let unasked = [format!("http:GET:{at}/"), "http:GET:169.254.169.254:80/".to_owned(), format!("secret:token@{at}:query")];
    for denied in unasked.iter().chain([&secret]).chain(astray.iter().map(|(_, denied)| denied)) {
        assert!(stands("plugin.deny", &format!("acme/desk {denied}")), "{denied}: {audit:?}");
    }
    assert_eq!(store.plugin_secrets(WS, DESK).await.unwrap().len(), 1);
    store.remove_packages(WS, "cli", DESK).await.unwrap().unwrap();
    assert!(store.plugin_secrets(WS, DESK).await.unwrap().is_empty(), "its secrets go with it");
    store.close().await.unwrap();
    let places = site.left_behind();
    assert_eq!(crate::support::sweep::hits(&places, SECRET), Vec::<String>::new());
    site.books();
}

/// Where the broker is a part of the host, a step that waits for an answer waits on a thread of guests, which has no sockets.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_calls_a_service_where_the_broker_has_no_process_of_its_own() {
    let service = Service::start().await;
    let at = &service.address;
    let mut site = Site::new(&[]).await;
    site.allowed.push(at.clone());
    let http = format!("http = [{{ host = \"{at}\", methods = [\"GET\"], paths = [\"/v1\"], why = \"orders\" }}]");
    let asks = SMALL.lines().filter(|line| !line.starts_with("http")).chain([http.as_str()]).collect::<Vec<_>>().join("\n");
    let file = site.dir.path().join("desk.plugin");
    std::fs::write(&file, package(manifest(DESK, "1.0.0", &asks).as_bytes(), &component(b'a'), 7)).unwrap();
    told(&site, &["plugin", "add", &file.to_string_lossy(), "--grant", "all"], 0);
    site.write_workflow("desk", USES, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    let process = site.serve(&[("POINTSMAN_BROKER__PROCESS", "false")]);
    let answers = fetch(&site, &mut 0, json!([{ "url": format!("http://{at}/v1/orders") }])).await;
    assert_eq!((&answers[0]["status"], service.count()), (&json!(200), 1), "{answers:?}");
    process.stop();
    site.books();
}
