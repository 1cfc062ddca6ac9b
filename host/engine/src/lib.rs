//! The line. A webhook is verified, normalized and kept; its events are routed into workflows; steps run in the box;
//! effects are written with the journal; what leaves goes through the outbox; receipts come back the same way.
//!
//! | file | stage |
//! | --- | --- |
//! | [`intake`] | raw bytes -> 200: verify, normalize, **commit 1** |
//! | `unread` | what was kept while the box was busy is normalized later |
//! | [`channels`] | connected accounts: loaded, and asked through their plugins |
//! | `line` | an event in its conversation's lane: route, run, **commit 2** |
//! | `answers` | a run that waits gets what the contact says, or what a person told it |
//! | `run`, `calls` | the runs of one leg, and workflows that others call |
//! | `triggers`, `schedules`, [`hooks`] | what starts workflows beside what contacts say |
//! | `gather` | a burst of messages becomes one run |
//! | `step` | what a step may read while it runs |
//! | [`knowledge`] | what a business knows: read, kept, searched |
//! | [`vectors`] | who makes the vectors of knowledge |
//! | [`model`] | language models: who may ask, what it costs, what comes of it |
//! | [`packages`] | plugins that were handed in: taken up while the host runs, and what each may do |
//! | `denials` | what a plugin was not let do, in the audit |
//! | `pins` | whether the version of a plugin to which a run is pinned is there and may run |
//! | `effects` | what a run decided, turned into rows |
//! | `outbox` | what leaves: attempt and outcome, **commit 3** |
//! | `throttle` | not faster than a provider, or a server that steps ask, can bear |
//! | `approvals` | nothing leaves that wanted a person's yes and is not what was approved |
//! | `paid` | what a template costs is reserved before it leaves |
//! | `receipts` | statuses: they settle what was `unknown` |
//! | `trends` | what contacts felt, counted |
//! | `recover` | beginning, going on, and the end |
//! | `leases` | what other hosts left is taken up, what they took over is let go |
//! | `feed`, `hands` | from the store into the lanes, a bounded number at a time; each thing in one task's hands |
//! | [`lanes`], `turns`, [`timers`], [`points`], [`catalog`] | order, time, named places for tests, what is known without asking |
//!
//! Nothing is decided here: `core` decides, this room acts.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pointsman_broker::Broker;
use pointsman_core::clock::Clock;
use pointsman_core::id::{Id, IdMaker, WorkspaceId};
use pointsman_core::ports::{ChannelAdapter, Expressions, StepRunner};
use pointsman_core::workflow::Workflow;
use pointsman_model::price::Amount;
use pointsman_store::{Caps, KeptEvent, Store};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

mod answers;
mod approvals;
mod calls;
pub mod catalog;
pub mod channels;
mod denials;
mod effects;
mod feed;
mod gather;
mod hands;
pub mod hooks;
pub mod intake;
pub mod knowledge;
pub mod lanes;
mod leases;
pub mod ledger;
mod line;
mod look;
pub mod model;
mod outbox;
pub mod packages;
mod paid;
mod pins;
pub mod points;
mod quota;
mod receipts;
mod recover;
mod run;
mod schedules;
mod step;
mod throttle;
pub mod timers;
mod trends;
mod triggers;
mod turns;
mod unread;
pub mod vectors;
pub mod workflows;

pub use intake::Incoming;
pub use throttle::Asking;

use catalog::Catalog;
use feed::Feed;
use hands::{Hand, Hands};
use knowledge::Library;
use lanes::{Lanes, Place};
use ledger::Ledger;
use model::{Models, ModelsConfig};
use outbox::Outbox;
use points::Points;
use timers::Timers;
use turns::Turns;
use unread::Unread;
use vectors::{Home, Voices};

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
    /// Bytes of webhooks under way at once.
    pub webhook_bytes: usize,
    /// Replies that a conversation gets in a minute, at most; 0: as many as there are.
    pub replies_a_minute: usize,
    /// How much the steps of one workspace may ask of one place outside.
    pub asking: Asking,
    /// What plugins and scripts use, as the sandbox tells it.
    pub ledger: Arc<Ledger>,
    /// What is said about models.
    pub models: ModelsConfig,
    /// What templates cost, in billionths of the currency, by their name; `*`: the others. Empty: nothing.
    pub templates: BTreeMap<String, Amount>,
    /// What runs models at home.
    pub home: Home,
}

/// Steps that run at once: fewer than the sandbox has places, so that webhooks are read whatever they do.
const STEPS: usize = 96;
/// Of these, those of one workspace.
const STEPS_OF_ONE: usize = 64;

/// Events that are read or written at once: more than any host has lanes, so that one who is alone is not held by it.
const WORK: usize = 4_096;
/// Of these, those of one workspace while others are about: they share the processors and the commits, and wait longer for both
/// the more of one there are. Steps wait for models and people's servers, so they have places of their own.
const WORK_OF_ONE: usize = 8;

/// Work of a lane.
#[derive(Debug)]
pub(crate) enum Job {
    /// An event that was just kept.
    Event(KeptEvent),
    /// An event that was found in the store: it is read when it has its turn.
    Found {
        /// Whose it is.
        workspace: WorkspaceId,
        /// The event.
        event: Id,
    },
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
    pub(crate) library: Library,
    pub(crate) models: Models,
    pub(crate) broker: Broker,
    pub(crate) steps: Arc<dyn StepRunner>,
    pub(crate) channels: Arc<dyn ChannelAdapter>,
    pub(crate) expressions: Arc<dyn Expressions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<IdMaker>,
    /// What is known without asking.
    pub catalog: Arc<Catalog>,
    pub(crate) points: Points,
    pub(crate) lanes: Arc<Lanes<(Job, Hand)>>,
    /// Events and runs that have a job in a lane.
    pub(crate) hands: Hands,
    pub(crate) feed: Feed,
    /// Jobs at work in shards that were let go at the last renewal.
    pub(crate) leaving: Mutex<Vec<AbortHandle>>,
    pub(crate) gate: leases::Gate,
    pub(crate) outbox: Outbox,
    pub(crate) timers: Arc<Timers>,
    pub(crate) bodies: step::Bodies,
    /// Versions that are not active any more, read for the runs that are on them.
    pub(crate) versions: moka::sync::Cache<(WorkspaceId, String), Arc<Workflow>>,
    pub(crate) loading: tokio::sync::Mutex<()>,
    pub(crate) unread: Unread,
    /// Room for webhooks under way, in KiB: what is left, and what there is.
    pub(crate) webhook_room: Semaphore,
    pub(crate) webhook_kib: usize,
    pub(crate) closing: AtomicBool,
    pub(crate) pace: triggers::Pace,
    pub(crate) places: throttle::Places,
    /// What templates cost, and what may be spent.
    pub(crate) prices: (BTreeMap<String, Amount>, Caps),
    pub(crate) denials: denials::Denials,
    pub(crate) ledger: Arc<Ledger>,
    /// Who may run a step now.
    pub(crate) stepping: Arc<Turns>,
    /// Places to read an event's conversation in, and to write its end.
    pub(crate) working: Arc<Turns>,
}

impl Deref for Engine {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Engine {
    /// Puts the line together. Nothing moves before [`Engine::start`]. Must be called inside the runtime that has the broker's sockets.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        if let Some(door) = hooks::plugin() {
            parts.catalog.add_plugin(door);
        }
        let prices = (parts.templates, parts.models.caps);
        let models = Models::new(parts.store.clone(), parts.broker.clone(), parts.models, parts.points.clone());
        let voices = Voices::with(parts.store.clone(), parts.home, models.clone());
        Self(Arc::new(Inner {
            pace: triggers::Pace::new(parts.replies_a_minute),
            places: throttle::Places::new(parts.asking),
            prices,
            denials: denials::Denials::default(),
            ledger: parts.ledger,
            stepping: Turns::new(STEPS, STEPS_OF_ONE),
            working: Turns::among_others(WORK, WORK, WORK_OF_ONE),
            timers: Timers::new(Arc::clone(&parts.clock)),
            library: Library::new(parts.store.clone(), voices),
            models,
            store: parts.store,
            broker: parts.broker,
            steps: parts.steps,
            channels: parts.channels,
            expressions: parts.expressions,
            clock: parts.clock,
            ids: parts.ids,
            catalog: parts.catalog,
            points: parts.points,
            lanes: Arc::new(Lanes::new(Some(parts.lanes))),
            hands: Hands::default(),
            feed: Feed::default(),
            leaving: Mutex::default(),
            gate: leases::Gate::default(),
            closing: AtomicBool::new(false),
            outbox: Outbox::new(parts.sends),
            bodies: step::Bodies::new(20_000),
            versions: moka::sync::Cache::new(256),
            loading: tokio::sync::Mutex::new(()),
            unread: Unread::default(),
            webhook_room: Semaphore::new(parts.webhook_bytes.div_ceil(1024)),
            webhook_kib: parts.webhook_bytes.div_ceil(1024),
        }))
    }

    /// What is kept: for those who only look.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The house's time.
    #[must_use]
    pub fn now(&self) -> pointsman_core::clock::Instant {
        self.clock.now()
    }

    /// Puts a job into its lane, unless the event or run that it is about has one already, or what is older there is not taken up
    /// yet: then it is found again. Says whether it did.
    pub(crate) fn put(&self, about: Id, place: Place, job: Job) -> bool {
        self.gate.through(place.shard, || self.push(about, place, job)).unwrap_or(false)
    }

    /// The same for whoever has looked at the gate. Only there.
    pub(crate) fn push(&self, about: Id, place: Place, job: Job) -> bool {
        let Some(hand) = self.hands.take(about, place) else { return false };
        let engine = self.clone();
        self.lanes.push(place, (job, hand), move |(job, hand)| {
            let engine = engine.clone();
            async move {
                engine.handle(job).await;
                drop(hand);
                engine.has_room(place.workspace);
            }
        });
        true
    }

    /// Whether the house is closing: nothing is begun any more.
    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
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
