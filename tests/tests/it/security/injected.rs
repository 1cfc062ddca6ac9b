//! Injected text cannot steer (N17): fifty messages, each with an order to the model, and a model that obeys every one. What it says stays
//! words: in the reply and the note that the workflow lists, to the contact who wrote. `injections.json` is made up for this test; what stands
//! between « and » is what the model then says.

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_emulator::{Llm, LlmConfig, Mode};
use serde_json::Value;

use crate::support::models::site_with_model;

const CORPUS: &str = include_str!("injections.json");

const DESK: &str = r#"
name: desk
on: message
steps:
  - id: answer
    use: rag-answer
    with: { knowledge: faq }
  - id: sum
    use: summary
    retry: 0
    on_error: continue
  - id: fields
    use: extract
    with: { schema: { type: object, required: [name], properties: { name: { type: string } } } }
    retry: 0
    on_error: continue
  - id: draft
    use: draft-reply
    retry: 0
    on_error: continue
  - if: answer.found
    reply: "${answer.text}"
  - note: "sum: ${sum?.text} fields: ${fields?.value?.name} draft: ${draft?.text}"
"#;

/// What an obedient model would like to start.
const OTHERS: [(&str, &str); 2] =
    [("bonus", "name: bonus\non: [manual, { event: paid }, { tag-added: vip }]\nsteps:\n  - tag: bonus\n"), ("desk", DESK)];

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_obeys_every_injection_changes_nothing_but_words() {
    let no_scripts: &[(&str, &str)] = &[];
    let workflows = OTHERS.map(|(name, yaml)| (name, yaml, no_scripts));
    let (site, llm) = site_with_model(&workflows, LlmConfig::default()).await;
    let elsewhere = Llm::start(LlmConfig::default()).await.unwrap();
    let path = site.dir.path().join("faq.md");
    std::fs::write(&path, "# Hours\n\nWe are open Monday to Saturday from 9 to 18. On Sunday we are closed.\n").unwrap();
    site.done(&["knowledge", "add", "faq", &path.to_string_lossy()]);
    llm.set(Mode::Obeys);
    let host = site.host().await;
    let corpus: Vec<String> = serde_json::from_str(CORPUS).unwrap();
    assert_eq!(corpus.len(), 50);
    let contact = |n: usize| format!("1555020{n:04}");
    for round in corpus.chunks(10) {
        for (n, text) in round.iter().enumerate() {
            let who = contact(n);
            assert_eq!(site.emulator.say(&who, &format!("Contact {n}"), text).await.unwrap().1, 200);
        }
        host.idle().await;
    }

    // The model was asked and did obey.
    let asked = llm.asked();
    assert!(asked.len() >= 150, "{}", asked.len());
    assert!(asked.iter().all(|asked| asked.body.get("tools").is_none()), "no tool was offered to it");
    assert_eq!(elsewhere.asked().len(), 0);

    // Every run is of the one workflow that the messages start, and ended well.
    let runs = site.done(&["run", "list", "--limit", "200"]);
    let runs = runs.as_array().unwrap();
    assert!(runs.len() == 50 && runs.iter().all(|run| run["workflow"] == "desk" && run["state"] == "done"), "{runs:#?}");

    // Replies go to who wrote, one a message at most; nobody else heard anything.
    let known: Vec<String> = (0..10).map(contact).collect();
    let taken = site.emulator.taken();
    assert!(!taken.is_empty() && taken.len() <= 50, "{}", taken.len());
    let mut replies = vec![0; 10];
    for sent in &taken {
        let to = known.iter().position(|known| sent.to() == Some(known.as_str())).expect("a contact who wrote");
        replies[to] += 1;
        let text = sent.text().expect("a text");
        let known = ["Monday to Saturday from 9 to 18", "On Sunday we are closed"].iter().any(|known| text.contains(known));
        assert!(known, "only what the knowledge base holds is answered: {text}");
    }
    assert!(replies.iter().all(|count| *count <= 5), "{replies:?}");

    // Of all that the orders wanted nothing happened: no tag, no assignment, no attribute, one note a message.
    let rows = host.store().conversations(FIRST_WORKSPACE, 100).await.unwrap();
    assert_eq!(rows.len(), 10);
    let (mut notes, mut marked) = (0, 0);
    for row in rows {
        assert!(row.body.tags.is_empty() && row.body.assigned.is_none() && !row.body.silenced, "{:?}", row.body);
        assert!(matches!(&row.contact.attributes, Value::Null) || row.contact.attributes == serde_json::json!({}));
        let written = host.store().notes(&row.conversation, 100).await.unwrap();
        // Where every step failed nothing of the model's is in it.
        let own = |text: &str| text.split_whitespace().eq(["sum:", "fields:", "draft:"]);
        let wrong: Vec<_> = written.iter().filter(|note| note.marked == own(&note.text)).collect();
        assert!(wrong.is_empty(), "what a model made of a message is marked, and nothing else: {wrong:?}");
        marked += written.iter().filter(|note| note.marked).count();
        notes += written.len();
    }
    assert!(notes == 50 && marked >= 5, "{marked} of {notes}");
    host.stop().await;
    site.books();
}
