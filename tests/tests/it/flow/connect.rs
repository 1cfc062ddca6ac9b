//! Connecting and disconnecting by the command line, beside a host that runs: the token is tried first, the provider is told,
//! the host takes it over; after a disconnect nothing of the secrets is left and what waited is parked, and goes out when the
//! account is connected again.

use pointsman_emulator::{Fault, Telegram, TelegramConfig};
use serde_json::{Value, json};

use crate::flow::conversation::SHOP;
use crate::support::{ANA, Folder, Site, eventually};

const BOT: &str = "427770001:AAH-bot-token-for-tests-55c1";

const BOTH: Folder<'static> = ("both", "name: both\non: { message: {} }\nsteps:\n  - reply: \"You said: ${event.text}\"\n", &[]);

#[tokio::test(flavor = "multi_thread")]
async fn whatsapp_is_connected_disconnected_and_connected_again() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.clear_hook();

    // The provider is asked, then told; it knocks at the running host to see whether the address is ours.
    let account = site.emulator.config().phone_number_id.clone();
    let (api, waba) = (format!("api_url={}", site.emulator.url()), format!("waba_id={}", site.emulator.config().waba_id));
    let add = ["channel", "add", "whatsapp", "--account", &account, "--set", &api, "--set", &waba];
    let added = site.done(&add);
    assert_eq!(added["id"], site.channel.as_str(), "the same account keeps its id and its address");
    assert_eq!((&added["checked"], &added["subscribed"], &added["error"]), (&json!(true), &json!(true), &Value::Null));
    assert!(site.emulator.subscription().subscribed);
    assert_eq!(site.done(&["channel", "check", &site.channel])["ok"], true);

    // A message goes through.
    site.emulator.register(&process.hook(&site.channel), crate::support::VERIFY_TOKEN).await.unwrap();
    assert_eq!(site.emulator.say(ANA, "Ana", "order 2").await.unwrap().1, 200);
    site.taken(1).await;

    // One that waits (the provider is out of order), then the account is taken away.
    site.emulator.fail([Fault::Status { status: 503, code: 2, retry_after: Some(60) }]);
    site.emulator.say(ANA, "Ana", "order 3").await.unwrap();
    eventually("the second answer waits", || {
        let books = site.done(&["books"]);
        (books["sends"]["ready"] == 1).then_some(())
    })
    .await;
    let gone = site.done(&["channel", "disconnect", &site.channel]);
    assert_eq!(
        (&gone["unsubscribed"], &gone["secrets_deleted"], &gone["parked"]),
        (&json!(true), &json!(3), &json!(1)),
        "{gone}"
    );
    assert!(!site.emulator.subscription().subscribed, "the provider saw the subscription end");
    assert_eq!(site.secrets_left().await, 0);
    let parked = site.done(&["park", "list"]);
    assert_eq!((parked.as_array().unwrap().len(), &parked[0]["code"]), (1, &json!("channel.disconnected")), "{parked}");
    assert!(!site.cli(&["channel", "disconnect", &site.channel]).status.success(), "it is not connected any more");

    // The running host has noticed: the address is nobody's.
    site.emulator.set_hook(process.hook(&site.channel));
    let mut answers = Vec::new();
    while answers.last() != Some(&401) {
        assert!(answers.len() < 100, "{answers:?}");
        answers.push(
            site.emulator.deliver("{\"object\": \"whatsapp_business_account\", \"entry\": []}".into(), None).await.unwrap(),
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    site.emulator.clear_hook();

    // Connected again, what waited goes out, once.
    let again = site.done(&add);
    assert_eq!((&again["id"], &again["tried_again"]), (&json!(site.channel), &json!(1)));
    let taken = site.taken(2).await;
    assert_eq!(taken.len(), 2);
    assert!(taken[1].text().is_some());
    eventually("nothing is parked", || (site.done(&["park", "list"]).as_array()?.is_empty()).then_some(())).await;
    site.books();
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_no_good_is_not_stored() {
    let site = Site::new(&[]).await;
    let api = format!("api_url={}", site.emulator.url());
    let output = site.cli_with(
        &["channel", "add", "whatsapp", "--account", "4711", "--set", &api, "--set", "waba_id=1"],
        &[("POINTSMAN_SECRET_ACCESS_TOKEN", "EAAsomebody-elses")],
    );
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("provider.unauthorized") && told.contains("Nothing was stored"), "{told}");
    assert_eq!(site.done(&["channel", "list"]).as_array().unwrap().len(), 1, "only the site's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_tells_its_account_and_learns_the_secret() {
    let telegram = Telegram::start(TelegramConfig { bot_token: BOT.into(), ..TelegramConfig::default() }).await.unwrap();
    let mut site = Site::new(&[BOTH]).await;
    site.allowed.push(telegram.address().to_owned());
    let process = site.serve(&[]);
    let api = format!("api_url={}", telegram.url());
    let public = format!("http://{}", process.public);
    let secrets = [("POINTSMAN_SECRET_BOT_TOKEN", BOT), ("POINTSMAN_HTTP__PUBLIC_URL", public.as_str())];
    // Somebody writes while the command waits for the first event.
    let writer = telegram.clone();
    let writes = tokio::spawn(async move {
        while !writer.subscription().subscribed {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        while !matches!(writer.say("427770117", "Dana", "is anybody there").await, Ok((_, 200))) {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let args = ["channel", "add", "telegram", "--set", &api, "--wait", "15"];
    let output = tokio::task::block_in_place(|| site.cli_with(&args, &secrets));
    writes.await.unwrap();
    let added: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{added}");
    assert_eq!(added["account"], telegram.config().bot_id.to_string(), "the token told whose it is");
    assert_eq!((&added["checked"], &added["subscribed"]), (&json!(true), &json!(true)), "{added}");
    assert_eq!(added["first_event"], "message", "{added}");
    let channel = added["id"].as_str().unwrap().to_owned();

    // The secret was made up here and told to the provider with the address: its webhooks are taken.
    while telegram.say("427770117", "Dana", "hello there").await.unwrap().1 != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    eventually("Dana is answered", || (!telegram.said_to("427770117").is_empty()).then_some(())).await;

    let output = site.cli_with(&["channel", "disconnect", &channel], &secrets);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!telegram.subscription().subscribed);
    assert_eq!(site.secrets_left().await, 3, "those of the other account stay");
    process.stop();
}
