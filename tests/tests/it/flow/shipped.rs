//! The shipped workflows: `check` has nothing to say about them, and each holds a conversation.

use std::path::PathBuf;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_emulator::{By, LlmConfig, Mode};

use crate::support::models::site_with_model;
use crate::support::{ANA, InTest, Site};

fn shipped() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("workflows")
}

/// What a contact does.
enum Does {
    Says(&'static str),
    /// Presses the button with this title, on the newest message.
    Presses(&'static str),
}
use Does::{Presses, Says};

/// What a contact does, and what each answer to it holds. No answer: nothing is said.
type Turn = (Does, &'static [&'static str]);

/// A workflow, its conversation, and how the conversation stands at the end: tags, who has it, notes.
type Talk = (&'static str, &'static [Turn], (&'static [&'static str], Option<&'static str>, &'static [&'static str]));

const TALKS: &[Talk] = &[
    (
        "greeting",
        &[
            (Says("Good morning!"), &["Hello Ana, welcome"]),
            (Says("hello"), &["good to see you again, ana"]),
            (Says("When are you OPEN?"), &["Monday to Saturday, 9 to 18"]),
            (Says("this has nothing to do with it"), &[]),
            (Says("hi, are you closed on Sunday?"), &["Good to see you again", "On Sundays we bake for ourselves"]),
        ],
        (&[], None, &[]),
    ),
    (
        "answers",
        &[
            (Says("what is your address?"), &["12 Mill Lane"]),
            (Says("How much is a loaf"), &["A loaf is 4.20"]),
            (Says("do you deliver?"), &["We do not deliver"]),
            (Says("is it vegan"), &["loaves and baguettes are vegan"]),
            (Says("berapa harga kue?"), &["kue 24"]),
            (Says("bisa diantar?"), &["Kami tidak mengantar"]),
            (Says("thanks"), &[]),
            (Says("When are you open?"), &[]),
        ],
        (&["answered"], None, &[]),
    ),
    (
        "order-desk",
        &[
            (Says("I'd like to order"), &["What may it be?"]),
            (Says("order 2 loaves and 1 cake, please"), &["your first order with us: 2 loaves, 1 cake. That is 32.40"]),
            (Says("make that 3 cakes"), &["your order is now: 2 loaves, 3 cakes. That is 80.40"]),
            (Says("no wait, only one cake and a pizza"), &["2 loaves, 1 cake. We do not bake pizza. That is 32.40"]),
            (Says("how much is a baguette?"), &[]),
            (Says("cancel my order"), &["called off"]),
            (Says("quiero 2 baguettes"), &["order number 2 with us: 2 baguettes. That is 3.80"]),
            (Says("thanks!"), &[]),
        ],
        (&["ordered"], None, &["named nothing that we bake"]),
    ),
    (
        "upset-customer",
        &[
            (Says("the bread was stale, this is terrible"), &["A person from our bakery"]),
            (Says("ok"), &[]),
            (Says("what is your address?"), &[]),
            // None of the words: the mood alone.
            (Says("Your staff was so rude, I am very disappointed"), &["A person from our bakery"]),
        ],
        (
            &["upset"],
            Some("team/care"),
            &["Sounds upset (words: terrible, stale; mood: negative)", "Sounds upset (words: ; mood: negative)"],
        ),
    ),
    (
        "menu",
        &[
            (Says("/start"), &["Welcome to the bakery, Ana!"]),
            (Presses("Prices"), &["A loaf is 4.20"]),
            (Says("menu"), &["What would you like to know?"]),
            (Presses("Opening hours"), &["9 to 18"]),
            (Says("/menu"), &["What would you like to know?"]),
            (Presses("How to order"), &["order 2 loaves and 1 cake"]),
            (Says("the menu was good"), &[]),
        ],
        (&[], None, &[]),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn check_has_nothing_to_say_about_them() {
    let site = Site::new(&[]).await;
    let told = site.done(&["check", &shipped().to_string_lossy()]);
    assert_eq!(told["errors"], 0, "{told}");
    let mut names: Vec<&str> = told["workflows"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut talked: Vec<&str> = TALKS.iter().map(|(name, ..)| *name).collect();
    talked.sort_unstable();
    assert_eq!(names, talked, "each has a conversation in this table");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_holds_its_conversation() {
    for talk in TALKS {
        hold(&Site::new(&[]).await, talk).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_holds_it_with_ai_off_and_no_model_is_asked() {
    for talk in TALKS {
        let (site, llm) = site_with_model(&[], LlmConfig::default()).await;
        llm.set(Mode::Says("I answer whatever I am asked.".into()));
        site.done(&["model", "ai", "off"]);
        hold(&site, talk).await;
        assert!(llm.asked().is_empty(), "{}: {:?}", talk.0, llm.asked());
    }
}

/// Publishes a workflow and holds its conversation.
async fn hold(site: &Site, (name, turns, end): &Talk) {
    let folder = site.workflows().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for file in std::fs::read_dir(shipped().join(name)).unwrap().map(Result::unwrap).filter(|f| f.path().is_file()) {
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    site.done(&["publish", &folder.to_string_lossy()]);
    for base in std::fs::read_dir(shipped().join(name).join("knowledge")).into_iter().flatten().map(Result::unwrap) {
        let name = base.file_name().to_string_lossy().into_owned();
        site.done(&["knowledge", "sync", &name, &base.path().to_string_lossy()]);
    }
    let host = site.host().await;
    for (does, expected) in *turns {
        turn(site, &host, name, does, expected).await;
    }
    let rows = host.store().conversations(FIRST_WORKSPACE, 10).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{name}: {} conversations", rows.len()) };
    let (tags, assigned, notes) = end;
    assert_eq!((row.body.tags.as_slice(), row.body.assigned.as_deref()), (owned(tags).as_slice(), *assigned), "{name}");
    let kept = host.store().notes(&row.conversation, 10).await.unwrap();
    assert_eq!(kept.len(), notes.len(), "{name}: {kept:?}");
    for (note, wanted) in kept.iter().zip(*notes) {
        assert!(note.text.contains(wanted), "{name}: {}", note.text);
    }
    host.stop().await;
    site.books();
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn answers_to(site: &Site) -> Vec<String> {
    site.emulator.lines(ANA).into_iter().filter(|line| line.by == By::Business).map(|line| line.text).collect()
}

/// One turn: what is done, and the answers to it, in any order.
async fn turn(site: &Site, host: &InTest, name: &str, does: &Does, expected: &[&str]) {
    let before = answers_to(site).len();
    let words = match does {
        Says(text) => {
            site.emulator.say(ANA, "Ana", text).await.unwrap();
            text
        }
        Presses(title) => {
            let lines = site.emulator.lines(ANA);
            let line = lines.iter().rev().find(|line| !line.buttons.is_empty()).expect("a message with buttons");
            let button = line.buttons.iter().find(|button| button.title == *title).expect("the button");
            site.emulator.press(ANA, &line.provider_id, &button.payload).await.unwrap();
            title
        }
    };
    host.idle().await;
    let said = answers_to(site);
    let answers = &said[before..];
    assert_eq!(answers.len(), expected.len(), "{name}, {words:?}: {answers:?}");
    for wanted in expected {
        let found = answers.iter().any(|answer| answer.to_lowercase().contains(&wanted.to_lowercase()));
        assert!(found, "{name}, {words:?}: {answers:?} instead of {wanted:?}");
    }
}
