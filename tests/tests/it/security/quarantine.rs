//! Who breaks the limits again and again is stopped, in that workspace and nowhere else: what comes to it is parked with the cure.

use pointsman_tests::attacks::noisy;
use serde_json::Value;

use crate::durability::proof::setting;
use crate::flow::conversation::SHOP;
use crate::support::{Site, eventually};

const SPIN: &str = r#"
name: spin
on: message
priority: 5
steps:
  - if: event.text == "spin"
    script: "loop { }"
"#;

/// Parked runs whose code begins so. Which limit ends an endless script depends on how busy the machine is.
fn parked(site: &Site, code: &str) -> usize {
    let parked = site.done(&["park", "list", "--limit", "1000"]);
    let its = |item: &&Value| item["kind"] == "run" && item["code"].as_str().is_some_and(|its| its.starts_with(code));
    parked.as_array().unwrap().iter().filter(its).count()
}

fn quarantined(site: &Site) -> Vec<Value> {
    site.done(&["plugin", "stats"])["quarantined"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offender_is_parked_with_its_cure_over_a_restart_and_goes_on_when_it_is_released() {
    let site = Site::new(&[("spin", SPIN, &[]), SHOP]).await;
    let host = site.host().await;
    let say = async |n: usize, text: &str| {
        let contact = format!("1555070{n:04}");
        assert_eq!(site.emulator.say(&contact, "Ana", text).await.unwrap().1, 200);
    };
    for n in 0..12 {
        say(n, "spin").await;
        host.idle().await;
    }
    assert_eq!((parked(&site, "limit."), parked(&site, "plugin.quarantined")), (10, 2));
    say(100, "hello").await;
    eventually("others are answered", || (!site.emulator.taken().is_empty()).then_some(())).await;
    let stats = site.done(&["plugin", "stats"]);
    let name = stats["quarantined"][0]["plugin"].as_str().unwrap().to_owned();
    assert!(name.starts_with("script/"), "{stats}");
    let why = stats["quarantined"][0]["why"].as_str().unwrap();
    assert!(why.contains("10 of 10 calls") && why.contains("limit."), "{why}");
    host.stop().await;

    let used = site.done(&["plugin", "stats", "--days", "1"])["plugins"].as_array().unwrap().clone();
    let of = |plugin: &str| used.iter().find(|one| one["plugin"] == plugin).cloned().unwrap_or_default();
    let spin = of(&name);
    assert_eq!((&spin["calls"], &spin["limited"]), (&10.into(), &10.into()), "what is quarantined is not called: {used:?}");
    assert!(spin["cpu_us"].as_u64().unwrap() > 10 * 5_000 && spin["memory"].as_u64().unwrap() > 0, "{spin}");
    let channel = of("pointsman/whatsapp");
    assert!(channel["calls"].as_u64().unwrap() >= 13 && channel["egress"].as_u64().unwrap() > 50, "{used:?}");

    let host = site.host().await;
    say(200, "spin").await;
    host.idle().await;
    assert_eq!(parked(&site, "plugin.quarantined"), 3, "over a restart");
    assert_eq!(site.cli(&["plugin", "release", "acme/other"]).status.code(), Some(1));
    let released = site.done(&["plugin", "release", &name]);
    assert_eq!(released["retried"], 3, "{released}");
    eventually("what was parked is tried again", || (parked(&site, "limit.") == 13).then_some(())).await;
    assert_eq!(parked(&site, "plugin.quarantined"), 0);
    assert_eq!(quarantined(&site), Vec::<Value>::new(), "three are no offence");
    host.stop().await;
    site.books();
    let told: Vec<Value> = site.done(&["park", "list"]).as_array().unwrap().clone();
    assert_eq!(told.iter().filter(|item| item["kind"] == "run").count(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn n15_endless_plugins_in_one_workspace_leave_the_others_served_and_the_books_in_balance() {
    let folder = tempfile::tempdir().unwrap();
    let found = noisy::run(&setting(&folder).await).await.unwrap();
    assert!(found.balanced(), "{found}");
    assert!(found.quarantined > 0 && found.parked > 0, "{found}");
}
