//! What a message costs in commits: they are what a message waits for, so their number is a promise.

use crate::support::{ANA, Folder, Site};

/// Three pure steps, and a reply that depends on all of them.
const THREE: Folder<'static> = (
    "three",
    r#"
name: three
on: message
steps:
  - id: found
    use: keyword
    with: { text: "${event.text}", rules: [{ name: order, any: [order] }] }
  - id: counted
    script: "found.words.len()"
  - id: noted
    script: noted.rhai
    with: { count: "${counted}" }
  - reply: "${noted}"
"#,
    &[("noted.rhai", "`Noted, ${count}: ${event.text}`")],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_three_pure_steps_and_a_reply_costs_three_commits() {
    let site = Site::new(&[THREE]).await;
    let host = site.host().await;
    // The first message of a contact makes keys and finds everything cold.
    assert_eq!(site.emulator.say(ANA, "Ana", "order").await.unwrap().1, 200);
    site.taken(1).await;
    host.idle().await;
    for n in 2..5 {
        let before = host.store().stats();
        assert_eq!(site.emulator.say(ANA, "Ana", "order").await.unwrap().1, 200);
        let said = site.taken(n).await;
        assert_eq!(said.last().unwrap().text(), Some("Noted, 1: order"));
        host.idle().await;
        let after = host.store().stats();
        println!(
            "{} commits, {} statements, {} operations, {} rows",
            after.commits - before.commits,
            after.statements - before.statements,
            after.operations - before.operations,
            after.rows - before.rows
        );
        assert_eq!(
            (after.commits - before.commits, after.key_commits - before.key_commits),
            (3, 0),
            "webhook; journal and intent; outcome"
        );
    }
    host.stop().await;
}
