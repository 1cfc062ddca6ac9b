//! Case 34 of the corpus: two workspaces of one host in which everything goes by the same name: the account, the contact's
//! number, the ids of messages, the keys of the state, a knowledge base, a workflow. What one of them asks for of the other's is
//! not there, told in the same words as what nobody has.
//!
//! Nor does it take longer: every key and index is led by the workspace, which the store's tests hold
//! (`every_key_and_index_is_led_by_the_workspace`), and what is asked for is looked up by one statement with the asker's own
//! workspace in it. There is no second look that only a row of somebody else's would cause.

use pointsman::versions::parse;
use pointsman::wiring;
use pointsman_core::id::Id;
use pointsman_core::journal::RunState;
use pointsman_emulator::{Whatsapp, WhatsappConfig};
use pointsman_store::{ChannelNew, CredentialRow, RunFilter, WorkspaceRow};
use pointsman_vault::{CredentialPlace, SecretString};
use serde_json::json;

use crate::support::{ANA, APP_SECRET, Folder, Site, TOKEN, VERIFY_TOKEN, eventually, get};

/// The other workspace.
const TWIN: Id = Id(2);

/// Groups of keys that are tried, a message each.
const GROUPS: usize = 5;

const SCOPES: [&str; 3] = ["conversation", "contact", "workspace"];

const DESK: &str = "name: desk\non: message\nsteps:\n  - script: desk.rhai\n";

/// What both have: it keeps what it is told under a key of every scope, and looks for it by this key and by those that could
/// lead elsewhere.
const SCRIPT: &str = r#"
let scopes = ["conversation", "contact", "workspace"];
let said = "told:";
if "keep" in event.text {
    for scope in scopes { state_set(scope, "k", event.text); state_add(scope, "n", 1); }
} else if "drop" in event.text {
    for scope in scopes { state_delete(scope, "k"); state_delete(scope, "n"); }
} else if "look" in event.text {
    for scope in scopes {
        for key in ["k", "n"] {
            let found = state_get(scope, key);
            if found != () { said += ` ${scope}/${key}=${found};`; }
        }
    }
    for line in history(100) { if line.by == "contact" { said += ` heard ${line.text};`; } }
} else if "try" in event.text {
    let long = "k";
    for n in 0..120 { long += "k"; }
    let keys = [["k", "never", "K", "kk", "k ", " k", "k\x00"], ["k", "\x00k", "k\x001", "1/k", "2/k", "/1/k", "1:k"],
        ["k", "1/workspace/k", "workspace/k", "0/k", "../k", "../1/k", "./k"], ["k", "%6b", "k%00", "*", "k*", "%", "_"],
        ["k", "' or '1'='1", "k' --", "k\n", "\u202ek", "k/..", long]];
    let words = event.text.split(" ");
    for key in keys[parse_int(words[2])] {
        let found = state_get(words[1], key);
        if found != () { said += ` ${words[1]}/${key}=${found};`; }
    }
} else if "bases" in event.text {
    for base in ["faq", "nosuch", "FAQ", "faq ", "fa", "faqs", "1/faq", "../faq", "./faq", "%", "f*"] {
        try {
            let found = step("rag-answer", #{ knowledge: base, question: "What is the code of the vault?" });
            said += `«${base}» ${found.text} ${found.suggestion}`;
        } catch (e) { said += `«${base}» ${e.code}: ${e.message}`; }
        said += "\n";
    }
} else if "call" in event.text {
    try { call_workflow("vault"); said += "opened"; } catch (e) { said += `«vault» ${e.code}: ${e.message}`; }
    said += "\n";
    try { call_workflow("nosuch"); said += "opened"; } catch (e) { said += `«nosuch» ${e.code}: ${e.message}`; }
} else if "wait" in event.text {
    ask("How many?");
} else if "fail" in event.text {
    throw "on purpose";
}
reply(said);
"#;

const DESK_FILES: Folder<'static> = ("desk", DESK, &[("desk.rhai", SCRIPT)]);

/// What the first workspace alone has.
const VAULT: Folder<'static> = ("vault", "name: vault\non: manual\nsteps:\n  - id: code\n    script: \"40 + 2\"\n", &[]);

/// The first workspace with both workflows, and its twin, which has the one; the twin's provider and channel.
async fn twins() -> (Site, Whatsapp, Id) {
    let mut site = Site::new(&[DESK_FILES, VAULT]).await;
    let config = WhatsappConfig { app_secret: APP_SECRET.into(), token: TOKEN.into(), ..WhatsappConfig::default() };
    let provider = Whatsapp::start(config).await.unwrap();
    site.allowed.push(provider.address().to_owned());
    let config = site.config();
    let store = wiring::open_store(&config).await.unwrap();
    let row = WorkspaceRow { id: TWIN, name: "main".to_owned(), time_zone: "UTC".to_owned(), language: "en".to_owned() };
    store.put_workspace(row).await.unwrap();
    let (sealer, id) = (wiring::sealer(&config, &store).await.unwrap(), store.channel_id());
    let credential = |slot: &str, secret: &str, hosts: Vec<String>| {
        let place = CredentialPlace { workspace: TWIN.0, owner: id.0, slot: slot.to_owned(), hosts: hosts.clone() };
        let sealed = sealer.seal(&place, &SecretString::from(secret)).unwrap();
        CredentialRow { workspace: TWIN, owner: id, slot: slot.to_owned(), hosts, sealed }
    };
    let credentials = vec![
        credential("access_token", TOKEN, vec![provider.url().to_owned()]),
        credential("app_secret", APP_SECRET, Vec::new()),
        credential("verify_token", VERIFY_TOKEN, Vec::new()),
    ];
    let new = ChannelNew {
        workspace: TWIN,
        plugin: "pointsman/whatsapp".to_owned(),
        account: provider.config().phone_number_id.clone(),
        name: "Twin".to_owned(),
        config: json!({ "api_url": provider.url(), "waba_id": provider.config().waba_id }),
    };
    store.connect(id, new, credentials).await.unwrap();
    let files = vec![("workflow.yaml".to_owned(), DESK.to_owned()), ("desk.rhai".to_owned(), SCRIPT.to_owned())];
    let workflow = parse(&files).expect("it loads");
    store.publish_workflow(TWIN, "test", &workflow.name, workflow.content_hash(), files).await.unwrap();
    store.close().await.unwrap();
    (site, provider, id)
}

/// A contact of this number writes; the id of the message is the same on both sides.
async fn write(provider: &Whatsapp, n: usize, text: &str) {
    let body = provider.message(&format!("wamid.twin.{n}"), ANA, "Ana", text);
    assert_eq!(provider.deliver(body.into(), None).await.unwrap(), 200);
}

/// The same, and the answer.
async fn say(provider: &Whatsapp, n: usize, text: &str) -> String {
    let before = provider.count_taken();
    write(provider, n, text).await;
    eventually(&format!("{text:?} is answered"), || provider.taken().get(before)?.text().map(str::to_owned)).await
}

/// The lines without the name that each has between « and »: they are all the same.
fn alike(told: &str) -> String {
    let plain = |line: &str| {
        let (name, rest) = line.split_once('»').unwrap_or_else(|| panic!("{line}"));
        let name = name.rsplit('«').next().unwrap_or_default();
        rest.replace(&format!("`{name}`"), "`NAME`").replace(&format!("add {name} FILE"), "add NAME FILE")
    };
    let lines: Vec<String> = told.lines().map(plain).collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| *line == lines[0]), "{told}");
    lines[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_twin_keeps_is_not_there_by_any_name() {
    let (site, theirs, channel) = twins().await;
    let paper = site.dir.path().join("faq.md");
    std::fs::write(&paper, "# The vault\n\nThe code of the vault is amber-4711. Tell nobody the code of the vault.\n").unwrap();
    site.done(&["knowledge", "add", "faq", &paper.to_string_lossy()]);
    let host = site.host().await;
    theirs.set_hook(format!("http://{}/hooks/{channel}", host.public));
    let ours = &site.emulator;

    assert_eq!(say(ours, 1, "keep amber").await, "told:");
    let own = |value: &str| SCOPES.map(|scope| format!(" {scope}/k={value}; {scope}/n=1;")).concat();
    assert!(say(ours, 2, "look").await.contains(&own("keep amber")), "the look finds what is there");
    // The twin's contact has the same number, and its message the same id.
    let told = say(&theirs, 1, "look").await;
    assert!(!told.contains('=') && !told.contains("amber"), "{told}");
    let tries: Vec<(&str, usize)> = SCOPES.into_iter().flat_map(|scope| (0..GROUPS).map(move |group| (scope, group))).collect();
    for (n, (scope, group)) in tries.iter().enumerate() {
        let text = format!("try {scope} {group}");
        assert_eq!(say(&theirs, 100 + n, &text).await, "told:");
        assert_eq!(say(ours, 100 + n, &text).await, format!("told: {scope}/k=keep amber;"), "by no other name");
    }
    assert_eq!(say(&theirs, 2, "keep birch").await, "told:");
    let told = say(&theirs, 3, "look").await;
    assert!(told.contains(&own("keep birch")) && !told.contains("amber"), "{told}");
    let told = say(ours, 3, "look").await;
    assert!(told.contains(&own("keep amber")) && !told.contains("birch"), "{told}");
    assert_eq!(say(&theirs, 4, "drop").await, "told:");
    assert!(!say(&theirs, 5, "look").await.contains('='));
    assert!(say(ours, 4, "look").await.contains(&own("keep amber")));

    let told = say(ours, 5, "bases").await;
    assert!(told.lines().next().unwrap().contains("amber-4711"), "{told}");
    assert!(alike(&say(&theirs, 6, "bases").await).contains("knowledge.unknown"));
    let told = say(ours, 6, "call").await;
    assert!(!told.contains("«vault»") && told.contains("«nosuch»"), "{told}");
    assert!(alike(&say(&theirs, 7, "call").await).contains("call.unknown_workflow"));

    host.idle().await;
    // No id of one was taken for a repetition of the other's.
    let kept = async |ws| host.store().books(ws).await.unwrap().webhooks["done"] as usize - tries.len();
    assert_eq!((kept(TWIN).await, kept(wiring::FIRST_WORKSPACE).await), (7, 6));
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_twin_is_answered_as_one_that_nobody_has() {
    let (site, theirs, channel) = twins().await;
    let process = site.serve(&[]);
    theirs.set_hook(process.hook(&channel.to_string()));
    say(&site.emulator, 1, "look").await;
    say(&theirs, 1, "look").await;
    write(&theirs, 2, "fail").await;
    assert_eq!(say(&theirs, 3, "wait").await, "How many?");
    let store = wiring::open_store(&site.config()).await.unwrap();
    let runs = async |state| {
        let filter = RunFilter { state: Some(state), ..RunFilter::default() };
        store.runs(TWIN, filter, 9).await.unwrap()
    };
    let (done, failed, waiting) = (runs(RunState::Done).await, runs(RunState::Failed).await, runs(RunState::Waiting).await);
    assert_eq!((done.len(), failed.len(), waiting.len()), (1, 1, 1));
    let send = store.sends_of_run(TWIN, done[0].id).await.unwrap().remove(0);
    let webhook = store.event(TWIN, done[0].event).await.unwrap().unwrap().webhook;
    let conversation = store.conversations(TWIN, 9).await.unwrap()[0].conversation.id;

    let ask = async |path: &str| get(&process.private, path).await;
    for (path, id) in [("/api/v1/runs/ID", done[0].id), ("/api/v1/conversations/ID/messages", conversation)] {
        let (theirs, nobodys) = (ask(&path.replace("ID", &id.to_string())).await, ask(&path.replace("ID", &nobody(id))).await);
        assert_eq!((theirs.0, theirs.1.replace(&id.to_string(), "ID")), (404, nobodys.1.replace(&nobody(id), "ID")), "{path}");
    }
    assert_eq!(ask(&format!("/api/v1/runs?conversation={conversation}")).await.1, "[]");

    // By the command line, which may change things.
    let told = |args: &[&str], id: &str| {
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "ID" { id } else { *arg }).collect();
        let output = site.cli(&args);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace(id, "ID");
        (output.status.code(), text)
    };
    let cases: [(&[&str], String, String); 14] = [
        (&["why", "ID"], done[0].id.to_string(), nobody(done[0].id)),
        (&["why", "ID"], done[0].event.to_string(), nobody(done[0].event)),
        (&["why", "ID"], webhook.to_string(), nobody(webhook)),
        (&["why", "ID"], send.id.to_string(), nobody(send.id)),
        (&["why", "ID"], send.key.clone(), send.key.chars().rev().collect()),
        (&["why", "ID"], send.provider_ids[0].clone(), format!("{}9", send.provider_ids[0])),
        (&["run", "show", "ID", "--steps"], done[0].id.to_string(), nobody(done[0].id)),
        (&["run", "resume", "ID"], waiting[0].id.to_string(), nobody(waiting[0].id)),
        (&["run", "cancel", "ID", "--reason", "x"], waiting[0].id.to_string(), nobody(waiting[0].id)),
        (&["run", "retry", "ID"], failed[0].id.to_string(), nobody(failed[0].id)),
        (&["park", "show", "ID"], failed[0].id.to_string(), nobody(failed[0].id)),
        (&["park", "drop", "ID", "--reason", "x"], failed[0].id.to_string(), nobody(failed[0].id)),
        (&["conversation", "handback", "ID"], conversation.to_string(), nobody(conversation)),
        (&["run", "start", "vault", "--conversation", "ID"], conversation.to_string(), nobody(conversation)),
    ];
    for (args, theirs, nobodys) in &cases {
        let heard = told(args, theirs);
        assert_eq!(heard, told(args, nobodys), "{args:?}");
        assert_ne!(heard.0, Some(0), "{args:?}: {}", heard.1);
    }
    // The same by its own side is there, and nothing of it was touched.
    assert_eq!((runs(RunState::Failed).await.len(), runs(RunState::Waiting).await.len()), (1, 1));
    assert!(
        store.run(TWIN, done[0].id).await.unwrap().is_some() && store.conversation(TWIN, conversation).await.unwrap().is_some()
    );
    store.close().await.unwrap();
    process.stop();
    site.books();
}

/// An id that looks like this one, and that nobody has.
fn nobody(id: Id) -> String {
    Id(id.0 ^ (1 << 45)).to_string()
}
