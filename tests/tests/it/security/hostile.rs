//! The hostile corpus: each attempt ends in its named error while other conversations go on, in a sandbox by itself and in a whole
//! host.

use std::collections::BTreeSet;

use pointsman_tests::attacks::corpus;
use pointsman_tests::attacks::rig::Rig;

use crate::flow::conversation::SHOP;
use crate::support::{Site, binary, cache, eventually};

/// The cases of SAFETY that a sandbox must stand by itself. The others are beside this file: 11 in `archives`, 13 and 15 in
/// `packages`, 26 in `astray`, 34 in `tenants`, 48 in `injected`, 49 in `front` and in a browser (`pages`); 28, 29 and the rest of
/// 31 in host/broker; and of 39 what a conversation sends in `flow`.
const NUMBERS: [u8; 25] = [1, 3, 4, 6, 7, 8, 12, 14, 16, 17, 22, 24, 25, 31, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46];

#[tokio::test(flavor = "multi_thread")]
async fn each_case_of_the_corpus_ends_by_its_name_and_harms_no_neighbour() {
    let rig = Rig::new(&binary(), cache()).await.unwrap();
    let cases = corpus::all();
    let mut wrong = Vec::new();
    for case in &cases {
        match case.run(&rig, &case.made().unwrap()).await {
            Ok(ended) => eprintln!("{:>2} {:<40} {}, {} ticks", case.number, case.name, ended.by, ended.ticks),
            Err(error) => wrong.push(format!("{error:#}")),
        }
        rig.neighbour().await.unwrap_or_else(|error| panic!("after {}: {error}", case.name));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let tried: BTreeSet<u8> = cases.iter().map(|case| case.number).collect();
    assert!(NUMBERS.iter().all(|number| tried.contains(number)), "{tried:?}");
    assert_eq!(cases.iter().map(|case| case.name).collect::<BTreeSet<_>>().len(), cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_conversations_go_on_beside_a_script_that_never_ends() {
    let spin = (
        "spin",
        "name: spin\non:\n  message: {}\npriority: 5\nsteps:\n  - if: event.text == \"spin\"\n    script: \"loop { }\"\n  - if: event.text == \"net\"\n    script: \"http(`https://example.com/`)\"\n",
        &[][..],
    );
    let site = Site::new(&[spin, SHOP]).await;
    let host = site.host().await;
    for n in 0..10 {
        site.emulator.say(&format!("155501001{n:02}"), "Bad", "spin").await.unwrap();
    }
    site.emulator.say("15550100300", "Net", "net").await.unwrap();
    for n in 0..20 {
        site.emulator.say(&format!("155501002{n:02}"), "Good", "hello").await.unwrap();
    }
    eventually("the good ones are answered", || {
        let good = site.emulator.taken().iter().filter(|s| s.text() == Some("You said: hello")).count();
        (good >= 20).then_some(())
    })
    .await;
    host.idle().await;
    host.stop().await;
    let parked = site.done(&["park", "list"]);
    // Whichever it comes to first: 50 ms of a processor, or five million operations.
    let ends = ["limit.cpu", "limit.operations"].map(serde_json::Value::from);
    let limits = parked.as_array().unwrap().iter().filter(|p| p["kind"] == "run" && ends.contains(&p["code"])).count();
    assert_eq!(limits, 10, "{parked}");
    let network = parked.as_array().unwrap().iter().filter(|p| p["code"] == "denied.http").count();
    assert_eq!(network, 1, "a script that asks the network is parked with its reason: {parked}");
}
