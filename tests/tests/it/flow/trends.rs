//! What contacts felt is counted by week, channel and topic, and shown on the command line and by the API; a contact's words never are.

use serde_json::{Value, json};

use crate::support::{ANA, Site, eventually, get};

const LISTENS: &str = r#"
name: listens
on: message
steps:
  - id: mood
    use: sentiment
    with: { text: "${event.text}" }
  - if: event.text.contains("bread")
    tag: bread
  - tag: "said ${event.text}"
"#;

/// Another that the same message starts.
const SORTS: &str = "name: sorts\non: message\nsteps:\n  - if: event.text.contains(\"late\")\n    tag: delivery\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_contacts_feel_is_counted_by_channel_topic_and_week() {
    let site = Site::new(&[("listens", LISTENS, &[]), ("sorts", SORTS, &[])]).await;
    assert_eq!(site.done(&["trends"])["weeks"], json!([]));
    let process = site.serve(&[]);
    for (who, text) in [
        (ANA, "I love this bread, it is wonderful!"),
        (ANA, "The bread was terrible, I hate it. And it came late"),
        ("15550100002", "This is awful, the worst service ever"),
    ] {
        site.emulator.say(who, "Somebody", text).await.unwrap();
    }
    eventually("all runs have ended", || {
        let runs = site.done(&["run", "list"]);
        (runs.as_array()?.len() == 6 && runs.as_array()?.iter().all(|run| run["state"] == "done")).then_some(())
    })
    .await;
    process.stop();
    let told = site.done(&["trends"]);
    let rows = told["weeks"].as_array().unwrap();
    let of = |topic: Value| -> Vec<i64> {
        let row = rows.iter().find(|row| row["topic"] == topic).unwrap_or_else(|| panic!("{topic}: {told}"));
        assert_eq!(row["channel"], json!(site.channel));
        ["positive", "neutral", "negative"].map(|label| row[label].as_i64().unwrap()).to_vec()
    };
    assert_eq!(of(Value::Null), [1, 0, 2], "{told}");
    assert_eq!(of(json!("bread")), [1, 0, 1]);
    assert_eq!(of(json!("delivery")), [0, 0, 1], "a topic of another workflow of the same message");
    assert_eq!(rows.len(), 3, "a tag with a contact's words in it is no topic: {told}");

    // The same by the API, and after a start it goes on.
    let process = site.serve(&[]);
    let (status, body) = get(&process.private, "/api/v1/trends?weeks=1").await;
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, told["weeks"].clone()));
    let (status, body) = get(&process.private, "/api/v1/trends?weeks=0").await;
    assert!(status == 400 && body.contains("weeks.invalid"), "{body}");
    process.stop();
}
