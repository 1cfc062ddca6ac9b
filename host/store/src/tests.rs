//! Tests of the store against real databases.

mod books;
mod bulk;
mod erase;
mod hosts;
mod intake;
mod knowledge;
mod lease;
mod model;
mod package;
mod park;
mod plans;
mod raise;
mod rotate;
mod rows;
mod spend;
mod torn;
mod unknown;
mod versions;
mod writing;

use std::sync::Arc;

use pointsman_core::clock::{Clock as _, VirtualClock};
use pointsman_core::event::{Event, EventBody, Message, Person};
use pointsman_core::id::{Id, IdMaker};
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use pointsman_vault::{Keyring, MasterKey};
use serde_json::json;

use crate::sheet::row;
use crate::{
    Decide, EventEnd, HeldKeys, Intake, Kept, KeptEvent, NewSend, Parsed, Place, RunWrite, SHARDS, Store, StoreConfig, StoreError,
};

pub(crate) const WS: Id = Id(1);
pub(crate) const CHANNEL: Id = Id(77);
pub(crate) const START: i64 = 1_790_000_000_000;

/// A store with databases of its own, and a clock that stands still. It holds every lane.
pub(crate) struct House {
    pub store: Store,
    pub clock: VirtualClock,
    pub dir: tempfile::TempDir,
    pub config: StoreConfig,
    pub master: String,
}

/// Which databases a test's houses have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

tokio::task_local! {
    pub(crate) static ON: On;
}

/// The tests of these names, on each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            use crate::tests::{ON, On};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                ON.scope(On::Sqlite, super::$name()).await;
            })*
        }
        mod on_postgres {
            use crate::tests::{ON, On};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                ON.scope(On::Postgres, super::$name()).await;
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::in_dir(dir.path());
    if ON.try_with(|on| *on == On::Postgres).unwrap_or(false) {
        config.data = Place::Postgres(pointsman_postgres::database().await);
        config.keys = Place::Postgres(pointsman_postgres::database().await);
    }
    let master = MasterKey::generate().unwrap().to_text().to_string();
    let clock = VirtualClock::new(START);
    let store = open(&config, &master, &clock).await.unwrap();
    House { store, clock, dir, config, master }
}

pub(crate) async fn open(config: &StoreConfig, master: &str, clock: &VirtualClock) -> Result<Store, StoreError> {
    let master = MasterKey::from_text(master).unwrap();
    let ids = Arc::new(IdMaker::new(1));
    let store = Store::open(config.clone(), HeldKeys::new(Keyring::new(master)), Arc::new(clock.clone()), ids).await?;
    store.renew().await?;
    Ok(store)
}

impl House {
    /// Closes the store and opens it again, as after a restart.
    pub async fn again(&mut self) {
        self.store.close().await.unwrap();
        self.clock.advance(1);
        self.store = open(&self.config, &self.master, &self.clock).await.unwrap();
    }

    pub async fn take(&self, events: Vec<Event>) -> Kept {
        self.store.intake(self.coming(Parsed::Events(events))).await.unwrap()
    }

    pub fn coming(&self, parsed: Parsed) -> Intake {
        Intake { workspace: WS, channel: CHANNEL, at: self.clock.now(), raw: b"{\"raw\":\"Zwetschgendatschi\"}".to_vec(), parsed }
    }

    pub fn clock_now(&self) -> i64 {
        self.clock.now()
    }

    /// Another host on the same databases, which holds no lane yet.
    pub async fn neighbour(&self) -> Store {
        let master = MasterKey::from_text(&self.master).unwrap();
        let clock = Arc::new(self.clock.clone());
        let keys = HeldKeys::new(Keyring::new(master));
        Store::open(self.config.clone(), keys, clock, Arc::new(IdMaker::new(2))).await.unwrap()
    }

    pub fn on_sqlite(&self) -> bool {
        !self.store.shared()
    }

    /// Changes the data behind the store's back.
    pub async fn meddle(&self, sql: &'static str, id: Id) {
        let mut transaction = self.store.data.begin().await.unwrap();
        transaction.run(sql, row![id]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub fn id(&self) -> Id {
        self.store.ids.next(self.clock.now())
    }
}

pub(crate) fn all_shards() -> Vec<u16> {
    (0..SHARDS).collect()
}

pub(crate) fn message(from: &str, key: &str, text: &str) -> Event {
    Event {
        dedupe_key: key.into(),
        account: None,
        thread: Some(from.into()),
        sender: Some(Person { id: from.into(), name: Some("Wilhelmine Quastenflosser".into()), ..Person::default() }),
        at: START - 5_000,
        trigger: true,
        body: EventBody::Message(Message { id: Some(format!("wamid.{key}")), ..Message::text(text) }),
        extra: None,
    }
}

/// The decision that ends an event with one run and one reply that is leaving.
pub(crate) fn answer(house: &House, event: &KeptEvent, text: &str) -> Decide {
    let run = house.id();
    Decide {
        workspace: event.workspace,
        event: Some((event.id, event.webhook, EventEnd::by("done"))),
        conversation: event.conversation.clone(),
        runs: vec![RunWrite {
            id: run,
            event: event.id,
            workflow: "abc123".into(),
            state: RunState::Done,
            until: None,
            waiting: None,
            reason: None,
            entries: vec![
                Entry::Started { workflow: "abc123".into(), plugins: vec![], event: event.id, at: START, seed: 7, caller: None },
                Entry::Finished { result: json!({"said": text}), marked: true },
            ],
            first: true,
        }],
        sends: vec![NewSend {
            id: house.id(),
            run,
            path: "1".into(),
            n: 0,
            key: format!("{:016x}{:016x}", event.id.0, run.0),
            state: SendState::Sending,
            due: house.clock.now(),
            operation: Operation::Send(Message::text(text)),
            marked: true,
            approval: None,
        }],
        ..Decide::default()
    }
}
