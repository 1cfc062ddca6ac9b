//! SIGTERM: what is under way is brought to its end within ten seconds, nothing acknowledged is lost, and the exit code says
//! that all is well.

use std::time::{Duration, Instant};

use pointsman_emulator::{Fault, WhatsappConfig};
use serde_json::Value;

use super::step_results;
use crate::flow::conversation::SHOP;
use crate::support::{ANA, Site, eventually, get};

#[tokio::test(flavor = "multi_thread")]
async fn under_load_it_ends_in_ten_seconds_and_what_is_left_goes_on_after_the_next_start() {
    let slow = WhatsappConfig { statuses: vec!["sent"], delay: Duration::from_millis(300), ..Default::default() };
    let site = Site::with(&[SHOP], slow).await;
    // Few at once, so that most of what was acknowledged still waits when the signal comes.
    let process = site.serve(&[("POINTSMAN_LIMITS__LANES", "4"), ("POINTSMAN_LIMITS__SENDS", "4")]);
    let saying: Vec<_> = (0..300u32)
        .map(|n| {
            let emulator = site.emulator.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::from(n * 5))).await;
                let text = format!("m-{n}");
                matches!(emulator.say(&format!("1555040{:04}", n % 60), "C", &text).await, Ok((_, 200))).then_some(text)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let began = Instant::now();
    tokio::task::spawn_blocking(move || process.stop()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    let mut acknowledged = Vec::new();
    for said in saying {
        acknowledged.extend(said.await.unwrap());
    }
    assert!(acknowledged.len() > 100, "the load got through: {}", acknowledged.len());
    assert!(acknowledged.len() < 300, "and the end came under load");
    let open = site.done(&["books"]);
    assert_eq!((open["sends"]["sending"].as_u64(), open["sends"]["unknown"].as_u64()), (Some(0), Some(0)), "{open}");

    let process = site.serve(&[]);
    eventually("all answered", || {
        let said: Vec<String> = site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
        acknowledged.iter().all(|a| said.contains(&format!("You said: {a}"))).then_some(())
    })
    .await;
    eventually_open(&process.private).await;
    process.stop();
    let mut said: Vec<String> = site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
    let all = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), all, "nothing was sent twice");
    step_results(&site);
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_waits_to_be_tried_again_does_not_hold_the_end_up() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.fail([Fault::Status { status: 503, code: 2, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    eventually("the first attempt", || (!site.emulator.calls().is_empty()).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    tokio::task::spawn_blocking(move || process.stop()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
    assert_eq!(site.done(&["books"])["sends"]["ready"], 1, "it waits in the store");
    let process = site.serve(&[]);
    site.taken(1).await;
    process.stop();
    assert_eq!(site.books()["sends"]["sent"], 1);
}

async fn eventually_open(private: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, books) = get(private, "/api/v1/books").await;
        let books: Value = serde_json::from_str(&books).unwrap();
        if books["open"].as_array().is_some_and(Vec::is_empty) {
            return;
        }
        assert!(Instant::now() < deadline, "still open: {books}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
