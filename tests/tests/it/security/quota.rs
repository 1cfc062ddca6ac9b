//! Case 35: what a conversation or a contact can hold is bounded for good, however many messages try to fill it.

use crate::support::{ANA, Site, eventually};

const FILL: &str = r#"
name: fill
on: message
steps:
  - script: fill.rhai
  - reply: Kept.
"#;

const SCRIPT: &str = r#"
switch event.text {
  "fill" => {
    let n = state_get("n");
    if n == () { n = 0; }
    for i in 0..240 { state_set(`k${n}-${i}`, i); }
    state_set("n", n + 1);
  }
  "again" => { for i in 0..240 { state_set(`k0-${i}`, i + 1); } }
  "room" => { state_delete("k0-0"); }
  "tags" => { for i in 0..101 { tag(`t${i}`); } }
  "attributes" => {
    let text = "x";
    for i in 0..15 { text += text; }
    set("a", text); set("b", text); set("c", text);
  }
  _ => { state_set("small", 1); tag("small"); set("small", 1); }
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_conversation_can_hold_ends_by_its_name() {
    let site = Site::new(&[("fill", FILL, &[("fill.rhai", SCRIPT)])]).await;
    let host = site.host().await;
    let say = async |text: &str, failed: usize, code: &str| {
        let before = site.emulator.taken().len();
        assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
        host.idle().await;
        let parked = site.done(&["park", "list"]);
        let codes: Vec<_> = parked.as_array().unwrap().iter().filter(|p| p["kind"] == "run").map(|p| p["code"].clone()).collect();
        assert_eq!(codes.len(), failed, "{text}: {parked}");
        if code.is_empty() {
            eventually("it is answered", || (site.emulator.taken().len() > before).then_some(())).await;
        } else {
            assert!(codes.contains(&code.into()), "{text}: {parked}");
        }
    };
    // 240 keys and one that counts, each time.
    for _ in 0..4 {
        say("fill", 0, "").await;
    }
    say("fill", 1, "limit.state").await;
    say("again", 1, "").await;
    say("small", 1, "").await;
    say("tags", 2, "limit.tags").await;
    say("attributes", 3, "limit.attributes").await;
    say("room", 3, "").await;
    say("small", 3, "").await;
    host.stop().await;
    site.books();
}
