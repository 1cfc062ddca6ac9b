//! Case 35: what a conversation, a contact or a workspace can hold is bounded for good, however many messages try to fill it.

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_core::effect::Scope;
use pointsman_store::Place;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::support::{ANA, InTest, Site, eventually};

const FILL: &str = r#"
name: fill
on: message
steps:
  - script: fill.rhai
  - reply: Kept.
"#;

/// A message says what to do and, behind a space, in whose memory.
const SCRIPT: &str = r#"
let words = event.text.split(" ");
let of = if words.len() > 1 { words[1] } else { "conversation" };
switch words[0] {
  "fill" => {
    let n = state_get(of, "n");
    if n == () { n = 0; }
    for i in 0..240 { state_set(of, `k${n}-${i}`, i); }
    state_set(of, "n", n + 1);
  }
  "again" => { for i in 0..240 { state_set(of, `k0-${i}`, i + 1); } }
  "room" => { state_delete(of, "k0-0"); }
  "single" => { state_set(of, "single", 1); }
  "tags" => { for i in 0..101 { tag(`t${i}`); } }
  "attributes" => {
    let text = "x";
    for i in 0..15 { text += text; }
    set("a", text); set("b", text); set("c", text);
  }
  _ => { state_set("small", 1); tag("small"); set("small", 1); }
}
"#;

/// A contact writes; so many runs have failed by then, and the newest of them with this code. Without one it is answered.
async fn say(site: &Site, host: &InTest, from: &str, text: &str, (failed, code): (usize, &str)) {
    let before = site.emulator.taken().len();
    assert_eq!(site.emulator.say(from, "Ana", text).await.unwrap().1, 200);
    host.idle().await;
    let parked = site.done(&["park", "list"]);
    let codes: Vec<_> = parked.as_array().unwrap().iter().filter(|p| p["kind"] == "run").map(|p| p["code"].clone()).collect();
    assert_eq!(codes.len(), failed, "{text}: {parked}");
    if code.is_empty() {
        eventually("it is answered", || (site.emulator.taken().len() > before).then_some(())).await;
    } else {
        assert_eq!(codes[0], code, "{text}: {parked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_conversation_can_hold_ends_by_its_name() {
    let site = Site::new(&[("fill", FILL, &[("fill.rhai", SCRIPT)])]).await;
    let host = site.host().await;
    let say = async |text: &str, failed: usize, code: &str| say(&site, &host, ANA, text, (failed, code)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_contact_can_hold_ends_too_and_takes_no_room_from_anybody() {
    let site = Site::new(&[("fill", FILL, &[("fill.rhai", SCRIPT)])]).await;
    let host = site.host().await;
    let say = async |from: &str, text: &str, failed: usize, code: &str| say(&site, &host, from, text, (failed, code)).await;
    for _ in 0..4 {
        say(ANA, "fill contact", 0, "").await;
    }
    say(ANA, "fill contact", 1, "limit.state").await;
    let held = async || {
        let rows = host.store().conversations(FIRST_WORKSPACE, 9).await.unwrap();
        let ana = rows.iter().find(|row| row.conversation.thread == ANA).unwrap();
        host.store().state_keys(FIRST_WORKSPACE, Some(&ana.conversation), Scope::Contact, 2_000).await.unwrap()
    };
    // Four times 240 and the one that counts: of what went too far nothing was kept.
    assert_eq!(held().await, 961);
    say(ANA, "again contact", 1, "").await;
    say(ANA, "single", 1, "").await;
    say(ANA, "single workspace", 1, "").await;
    say("15550100002", "fill contact", 1, "").await;
    say(ANA, "room contact", 1, "").await;
    say(ANA, "single contact", 1, "").await;
    assert_eq!(held().await, 961);
    host.stop().await;
    site.books();
}

/// Puts so many keys into the workspace's memory, past the host: only that they are there counts.
async fn fill(site: &Site, keys: i64) {
    let config = site.config();
    match config.store.place(&config.dir).unwrap() {
        Place::Sqlite(path) => {
            let sql = "with recursive n(i) as (select 1 union all select i+1 from n where i<?) \
                       insert into state(ws,scope,owner,key_h,marked,body) select 1,2,0,randomblob(16),0,x'00' from n";
            let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            sqlx::query(sql).bind(keys).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Place::Postgres(url) => {
            let sql = "insert into state(ws,scope,owner,key_h,marked,body) \
                       select 1,2,0,uuid_send(gen_random_uuid()),0,'\\x00'::bytea from generate_series(1,$1)";
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::query(sql).bind(keys).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_workspace_can_hold_ends_at_a_hundred_thousand_keys() {
    let site = Site::new(&[("fill", FILL, &[("fill.rhai", SCRIPT)])]).await;
    // What some four hundred messages bring; the next one brings the rest.
    fill(&site, 100_000 - 241).await;
    let host = site.host().await;
    let say = async |from: &str, text: &str, failed: usize, code: &str| say(&site, &host, from, text, (failed, code)).await;
    say(ANA, "fill workspace", 0, "").await;
    let held = async || host.store().state_keys(FIRST_WORKSPACE, None, Scope::Workspace, 200_000).await.unwrap();
    assert_eq!(held().await, 100_000);
    // Whoever asks: it is one memory.
    say(ANA, "single workspace", 1, "limit.state").await;
    say("15550100002", "fill workspace", 2, "limit.state").await;
    say(ANA, "again workspace", 2, "").await;
    say(ANA, "single contact", 2, "").await;
    say(ANA, "room workspace", 2, "").await;
    say("15550100002", "single workspace", 2, "").await;
    assert_eq!(held().await, 100_000);
    host.stop().await;
    site.books();
}
