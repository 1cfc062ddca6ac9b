//! The line. A webhook is verified, normalized and kept; its events are routed into workflows; steps run in the box;
//! effects are written with the journal; what leaves goes through the outbox; receipts come back the same way.
//!
//! | file | stage |
//! | --- | --- |
//! | [`intake`] | raw bytes -> 200: verify, normalize, **commit 1** |
//! | [`channels`] | connected accounts: loaded, and asked through their plugins |
//! | `line` | an event in its conversation's lane: route, run, **commit 2** |
//! | `answers` | a run that waits gets what the contact says, or what a person told it |
//! | `step` | what a step may read while it runs |
//! | `effects` | what a run decided, turned into rows |
//! | `outbox`, `hands` | what leaves: attempt and outcome, **commit 3**; one task a send |
//! | `receipts` | statuses: they settle what was `unknown` |
//! | `recover` | after a start: everything that is open is taken up |
//! | [`lanes`], [`timers`], [`points`], [`catalog`] | order, time, named places for tests, what is known without asking |
//!
//! Nothing is decided here: `core` decides, this room acts.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use pointsman_broker::Broker;
use pointsman_core::clock::Clock;
use pointsman_core::id::{Id, IdMaker, WorkspaceId};
use pointsman_core::ports::{ChannelAdapter, Expressions, StepRunner};
use pointsman_store::{KeptEvent, Store};
use tokio::sync::Notify;

mod answers;
pub mod catalog;
pub mod channels;
mod effects;
mod hands;
pub mod intake;
pub mod lanes;
mod line;
mod look;
mod outbox;
pub mod points;
mod receipts;
mod recover;
mod step;
pub mod timers;
pub mod workflows;

pub use intake::Incoming;

use catalog::Catalog;
use lanes::Lanes;
use outbox::Outbox;
use points::Points;
use timers::Timers;

/// What the line is made of. `app` puts it together.
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// The door to the outside.
    pub broker: Broker,
    /// Runs steps.
    pub steps: Arc<dyn StepRunner>,
    /// Runs channel plugins.
    pub channels: Arc<dyn ChannelAdapter>,
    /// Works out expressions.
    pub expressions: Arc<dyn Expressions>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<IdMaker>,
    /// What is known without asking.
    pub catalog: Arc<Catalog>,
    /// Named places, for tests.
    pub points: Points,
    /// Conversations handled at once.
    pub lanes: usize,
    /// Sends under way at once.
    pub sends: usize,
}

/// Work of a lane.
#[derive(Debug)]
pub(crate) enum Job {
    /// An event, in its place.
    Event(KeptEvent),
    /// A waiting run whose time has come.
    Resume {
        /// Whose it is.
        workspace: WorkspaceId,
        /// The run.
        run: Id,
    },
}

/// The engine. A cheap handle.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// Behind the handle.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) broker: Broker,
    pub(crate) steps: Arc<dyn StepRunner>,
    pub(crate) channels: Arc<dyn ChannelAdapter>,
    pub(crate) expressions: Arc<dyn Expressions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<IdMaker>,
    /// What is known without asking.
    pub catalog: Arc<Catalog>,
    pub(crate) points: Points,
    pub(crate) lanes: Arc<Lanes<Job>>,
    pub(crate) outbox: Outbox,
    pub(crate) timers: Arc<Timers>,
    pub(crate) bodies: step::Bodies,
    pub(crate) unread: Notify,
    pub(crate) unread_count: AtomicUsize,
}

impl Deref for Engine {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Engine {
    /// Puts the line together. Nothing moves before [`Engine::start`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            timers: Timers::new(Arc::clone(&parts.clock)),
            store: parts.store,
            broker: parts.broker,
            steps: parts.steps,
            channels: parts.channels,
            expressions: parts.expressions,
            clock: parts.clock,
            ids: parts.ids,
            catalog: parts.catalog,
            points: parts.points,
            lanes: Arc::new(Lanes::new(parts.lanes)),
            outbox: Outbox::new(parts.sends),
            bodies: step::Bodies::new(20_000),
            unread: Notify::new(),
            unread_count: AtomicUsize::new(0),
        }))
    }

    /// What is kept: for those who only look.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Puts a job into a lane.
    pub(crate) fn put(&self, lane: i64, job: Job) {
        let engine = self.clone();
        self.lanes.push(lane, job, move |job| {
            let engine = engine.clone();
            async move { engine.handle(job).await }
        });
    }

    /// Events and sends that are not finished, in memory.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        (self.lanes.len(), self.outbox.open())
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("under_way", &self.under_way()).finish_non_exhaustive()
    }
}
