//! Fills a store with messages that were handled in the last year, one after the other in equal distances, through the store's own
//! API: each with its webhook, its event, a run with three results, a reply, and the provider's word that it was taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use pointsman::config::Config;
use pointsman::wiring::{self, FIRST_WORKSPACE};
use pointsman_core::clock::{Clock as _, Instant, Millis, SystemClock, VirtualClock};
use pointsman_core::event::{Event, EventBody, Message, Person};
use pointsman_core::id::{Id, IdMaker};
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use pointsman_store::{Decide, EventEnd, Intake, KeptEvent, NewSend, Parsed, RunWrite, SendUpdate, Store};
use serde_json::json;
use tokio::task::JoinHandle;

/// At the same moment: they share commits.
const MANY: usize = 192;
/// Messages of a contact.
const EACH: usize = 20;

/// Milliseconds from the first message to now.
const YEAR: Millis = 365 * 86_400_000;

/// How often in that year old hashes are forgotten and room is given back, as a host does all the time.
const TENDED: usize = 365;

/// Puts `count` handled messages into the store of a configuration, of contacts that nobody else has.
pub async fn fill(config: &Config, channel: Id, workflow: &str, count: usize) -> Result<()> {
    let clock = VirtualClock::new(SystemClock.now() - YEAR);
    let (pause, often) = (YEAR / Millis::try_from(count)?, count.div_ceil(TENDED));
    let store = wiring::open_store_by(config, Arc::new(clock.clone())).await?;
    let holding = hold(&store).await?;
    // Of a host that there is not, so that no id is given twice.
    let ids = Arc::new(IdMaker::new(1_000));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers: Vec<JoinHandle<Result<()>>> = Vec::new();
    for _ in 0..MANY {
        let (store, ids, next) = (store.clone(), Arc::clone(&ids), Arc::clone(&next));
        let (clock, workflow) = (clock.clone(), workflow.to_owned());
        workers.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                clock.advance(pause);
                if number % often == 0 {
                    store.maintain().await?;
                }
                one(&store, (&ids, &clock), channel, &workflow, number).await?;
            }
        }));
    }
    for worker in workers {
        worker.await.context("a filler")??;
    }
    if let Some(holding) = holding {
        holding.abort();
        // One that is under way ends first.
        let _ = holding.await;
        store.leave().await?;
    }
    store.maintain().await?;
    store.close().await?;
    Ok(())
}

/// Where hosts share a database, whoever writes must hold the lanes.
async fn hold(store: &Store) -> Result<Option<JoinHandle<()>>> {
    let Some(every) = store.renew_every() else { return Ok(None) };
    store.renew().await?;
    let store = store.clone();
    Ok(Some(tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            // One that fails shows in the next write.
            let _ = store.renew().await;
        }
    })))
}

async fn one(store: &Store, (ids, clock): (&IdMaker, &VirtualClock), channel: Id, workflow: &str, number: usize) -> Result<()> {
    let contact = format!("1666{:09}", number / EACH);
    let text = format!("Hello! Where is my order number {number}, please? It was two blue mugs from your autumn catalogue.");
    let event = Event {
        dedupe_key: format!("wamid.stored.{number}"),
        account: None,
        thread: Some(contact.clone()),
        sender: Some(Person { id: contact, name: Some("Ana".to_owned()), ..Person::default() }),
        at: clock.now(),
        trigger: true,
        body: EventBody::Message(Message { id: Some(format!("wamid.stored.{number}")), ..Message::text(&text) }),
        extra: None,
    };
    let raw = vec![b'x'; 660];
    let parsed = Parsed::Events(vec![event]);
    let intake = Intake { workspace: FIRST_WORKSPACE, channel, at: clock.now(), raw, parsed };
    let kept = store.intake(intake).await?.events.pop().context("a new event")?;
    let (run, send) = (ids.next(clock.now()), ids.next(clock.now()));
    store.decide(decided(&kept, (run, send, clock.now()), workflow, &text)).await?;
    let update = SendUpdate {
        workspace: FIRST_WORKSPACE,
        id: send,
        conversation: kept.conversation.clone(),
        state: SendState::Sent,
        attempt: 1,
        due: clock.now(),
        provider_ids: Some(vec![format!("wamid.out.stored.{number}")]),
        reason: None,
        possible_duplicate: false,
    };
    store.update_send(update).await?;
    Ok(())
}

fn decided(kept: &KeptEvent, (run, send, at): (Id, Id, Instant), workflow: &str, text: &str) -> Decide {
    let done = |path: &str, output| Entry::StepDone {
        path: path.to_owned(),
        attempt: 1,
        input: "0".repeat(32),
        output,
        marked: true,
        effects: Vec::new(),
        usage: None,
        ended: Some(at),
    };
    let started =
        Entry::Started { workflow: workflow.to_owned(), plugins: Vec::new(), event: kept.id, at, seed: 7, caller: None };
    let said = format!("Noted: {text}");
    let entries = vec![
        started,
        done("found", json!({ "matched": true, "rule": "order", "words": ["order"] })),
        done("noted", json!(said)),
        done("2", json!({ "message": send.to_string() })),
        Entry::Finished { result: json!(null), marked: false },
    ];
    Decide {
        workspace: FIRST_WORKSPACE,
        event: Some((kept.id, kept.webhook, EventEnd::by("done"))),
        conversation: kept.conversation.clone(),
        runs: vec![RunWrite {
            id: run,
            event: kept.id,
            workflow: workflow.to_owned(),
            state: RunState::Done,
            until: None,
            waiting: None,
            reason: None,
            entries,
            first: true,
        }],
        sends: vec![NewSend {
            id: send,
            run,
            path: "2".to_owned(),
            n: 0,
            key: format!("{:016x}{:016x}", kept.id.0, run.0),
            state: SendState::Sending,
            due: at,
            operation: Operation::Send(Message::text(said)),
            marked: true,
            approval: None,
        }],
        ..Decide::default()
    }
}
