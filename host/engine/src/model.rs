//! Models at work: whether a step may ask one, which connection it goes to, what it may cost, and what becomes of every kind of answer. The
//! room `model` shapes question and answer, the store keeps the ledger, the broker has the key and the way out; here they meet.
//!
//! A question goes in this order: the workspace's `ai`; the connections in their order; what was answered before; a place among the calls under
//! way; the workspace's `ai` once more; the price, reserved; the request; the cost, settled, and in the same transaction the answer kept. It is
//! brought to its end on the host's own threads even when the step that asked was cut off, so that what was reserved is settled. A leg that is
//! played again because its host ended is told the answers that were kept; where the host ended before that, it asks and pays again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use pointsman_broker::{Broker, EgressError, StoredCredential};
use pointsman_core::clock::Millis;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::model::{AiMode, Completion, Prompt, Role, Turn};
use pointsman_core::ports::{HttpRequest, HttpResponse, Placement};
use pointsman_manifest::{CredentialSlot, PlacementKind};
use pointsman_model::redact::Redaction;
use pointsman_model::schema::Schema;
use pointsman_model::{KEY, Price, Provider, Settings, price, wire};
use pointsman_store::{CapReached, Caps, ConversationRef, KeptAnswer, ModelRow, NewSpend, Settled, SpendFor, Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::channels::sealed;
use crate::points::Points;

/// How often one connection is asked the same.
const TRIES: u32 = 2;

/// How long a connection rests between two tries that its provider says nothing about.
const REST: Duration = Duration::from_millis(250);

/// Whoever has less time than this left does not ask any more.
const LEAST: Duration = Duration::from_millis(50);

/// For which workflow a check of a connection is paid.
const CHECK: &str = "pointsman model check";

/// Milliseconds after which no call is under way any more.
const UNDER_WAY: Millis = 300_000;

/// Bytes of answers that are kept in memory.
const MEMORY: u64 = 16 << 20;

/// Bytes of an answer that is kept with what it cost, at most; a larger one is asked for again.
const KEPT: usize = 1 << 20;

/// What an operator says about models.
#[derive(Debug, Clone)]
pub struct ModelsConfig {
    /// Milliseconds for a question, with every try and every connection.
    pub timeout: Millis,
    /// Tokens of an answer at most, whatever a step asks for.
    pub max_tokens: u32,
    /// Whether phone numbers, mail addresses and card numbers stay in the house.
    pub redact: bool,
    /// For how many milliseconds the same question of the same contact has the same answer; 0: each is asked.
    pub cache: Millis,
    /// What may be spent.
    pub caps: Caps,
    /// What models cost, by their name.
    pub prices: BTreeMap<String, Price>,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self { timeout: 30_000, max_tokens: 1_024, redact: true, cache: 600_000, caps: Caps::default(), prices: BTreeMap::new() }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// For whom it is paid.
    pub(crate) of: SpendFor,
    /// Whether a person began the run.
    pub(crate) by_person: bool,
    /// Where in its run it asks, and whose key seals the answer. `None`: it is not kept, for nobody plays this again.
    pub(crate) place: Option<AskedAt>,
}

/// A place among all that an event began: the same when a leg is played again, another for every question and every attempt of a step.
#[derive(Debug, Clone)]
pub(crate) struct AskedAt {
    /// The event. A run that was lost with its host has another id when it begins again.
    pub(crate) event: Id,
    /// Workflow, step, attempt, and which question of it.
    pub(crate) name: String,
    /// Of a run outside of any conversation none.
    pub(crate) conversation: Option<Arc<ConversationRef>>,
}

/// The models of all workspaces. A cheap handle.
#[derive(Clone)]
pub(crate) struct Models(Arc<Inner>);

struct Inner {
    store: Store,
    broker: Broker,
    config: ModelsConfig,
    points: Points,
    /// Calls under way, by connection: how many may be, and the places.
    gates: Mutex<HashMap<Id, (u32, Arc<Semaphore>)>>,
    /// By the hash of question, connection and contact.
    answers: Cache<[u8; 32], Arc<[u8]>>,
    /// Guests ask from threads of their own, which know no sockets.
    home: Handle,
}

/// A question in the form that any connection can be asked it.
struct Ask<'a, T> {
    /// Its own words, for what was answered before.
    words: String,
    /// Tokens at most: of it, of the answer.
    tokens: (i64, i64),
    /// Which of a connection's models it is for.
    model: fn(&Settings) -> Option<&String>,
    request: &'a (dyn Fn(&Settings, Millis) -> Result<HttpRequest, Failure> + Send + Sync),
    read: &'a (dyn Fn(&Settings, &HttpResponse) -> Heard<T> + Send + Sync),
}

/// The answer, and the tokens that it took where the provider counted them.
type Heard<T> = (Result<T, Failure>, Option<(u32, u32)>);

impl Models {
    /// Of this store. Must be called inside the runtime that has the broker's sockets.
    pub(crate) fn new(store: Store, broker: Broker, config: ModelsConfig, points: Points) -> Self {
        let answers = Cache::builder()
            .weigher(|_: &[u8; 32], answer: &Arc<[u8]>| u32::try_from(answer.len() + 64).unwrap_or(u32::MAX))
            .max_capacity(if config.cache > 0 { MEMORY } else { 0 })
            .time_to_live(Duration::from_millis(config.cache.unsigned_abs().max(1)))
            .build();
        Self(Arc::new(Inner { store, broker, config, points, gates: Mutex::default(), answers, home: Handle::current() }))
    }

    /// Forgets what was answered: somebody may have been erased.
    pub(crate) fn forget_all(&self) {
        self.0.answers.invalidate_all();
    }

    /// Tells which calls were reserved and never settled, because a host ended in between.
    pub(crate) async fn tell_open(&self, now: Millis) -> Result<(), StoreError> {
        // Another host may be in the middle of one.
        let before = if self.0.store.shared() { now - UNDER_WAY } else { now };
        for workspace in self.0.store.workspaces().await? {
            let open = self.0.store.open_spends(workspace.id, before).await?;
            if !open.is_empty() {
                let amount = price::shown(open.iter().map(|row| row.amount).sum());
                tracing::warn!(workspace = %workspace.id, calls = open.len(), amount, code = "spend.unsettled", "calls of models were begun and never settled; they count whole: pointsman spend");
            }
        }
        Ok(())
    }

    /// Asks for words.
    pub(crate) async fn chat(&self, asker: Asker, prompt: Prompt) -> Result<Completion, Failure> {
        let models = self.clone();
        self.at_home(async move { models.0.chat(&asker, prompt).await }).await
    }

    /// Asks for vectors.
    pub(crate) async fn embed(&self, asker: Asker, model: Option<String>, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let models = self.clone();
        self.at_home(async move { models.0.embed(&asker, model.as_deref(), texts).await }).await
    }

    async fn at_home<T: Send + 'static>(
        &self,
        asking: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let ended = self.0.home.spawn(asking).await;
        ended.unwrap_or_else(|_| Err(Failure::new(Class::Transient, "model.closed", "the host is closing; it is asked again")))
    }
}

/// What a connection said when it was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// What was tried: `chat`, `embed`.
    pub asked: &'static str,
    /// Milliseconds until it had answered.
    pub millis: u64,
    /// Tokens that it counted: of the question, of the answer. Of vectors it is not told.
    pub tokens: Option<(u32, u32)>,
    /// Numbers of a vector.
    pub dimensions: Option<usize>,
}

/// Asks a connection as little as it can be asked, by the way on which steps ask: the workspace's `ai`, caps and ledger, the key, the address.
/// For a person who wants to know whether it works. Must be called inside the runtime that has the broker's sockets.
pub async fn check(
    store: Store,
    broker: Broker,
    config: ModelsConfig,
    ws: WorkspaceId,
    name: &str,
) -> Result<Vec<Checked>, Failure> {
    let models = Models::new(store, broker, ModelsConfig { cache: 0, ..config }, Points::default());
    let of = SpendFor { workspace: ws, workflow: CHECK.to_owned(), contact: None, run: Id(0) };
    let asker = Asker { of, by_person: true, place: None };
    let connections = models.0.may_ask(&asker, Some(name)).await?;
    let chats = connections.iter().any(|(_, settings)| settings.model.is_some());
    let embeds = connections.iter().any(|(_, settings)| settings.embed.is_some());
    let mut checked = Vec::new();
    let passed = |began: Instant| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if chats {
        let turn = Turn { role: Role::User, text: "Say: yes".to_owned() };
        let prompt = Prompt { model: Some(name.to_owned()), turns: vec![turn], max_tokens: Some(16), ..Prompt::default() };
        let began = Instant::now();
        let answer = models.chat(asker.clone(), prompt).await?;
        let tokens = Some((answer.input_tokens, answer.output_tokens));
        checked.push(Checked { asked: "chat", millis: passed(began), tokens, dimensions: None });
    }
    if embeds {
        let began = Instant::now();
        let vectors = models.embed(asker, Some(name.to_owned()), vec!["yes".to_owned()]).await?;
        let dimensions = vectors.first().map(Vec::len);
        checked.push(Checked { asked: "embed", millis: passed(began), tokens: None, dimensions });
    }
    Ok(checked)
}

impl Inner {
    async fn chat(&self, asker: &Asker, prompt: Prompt) -> Result<Completion, Failure> {
        let connections = self.may_ask(asker, prompt.model.as_deref()).await?;
        let schema = prompt.schema.clone();
        let schema = schema.as_ref().map(Schema::read).transpose()?;
        let max_tokens = prompt.max_tokens.unwrap_or(self.config.max_tokens).clamp(1, self.config.max_tokens.max(1));
        let (sent, redaction) = self.hidden(prompt);
        let request = |to: &Settings, timeout| wire::chat(to, &sent, max_tokens, timeout);
        let read = |from: &Settings, response: &HttpResponse| {
            let answer = match wire::read_chat(from, schema.is_some(), response) {
                Ok(answer) => answer,
                Err(failure) => return (Err(failure), None),
            };
            let (input_tokens, output_tokens) = answer.used.unwrap_or_default();
            let completion =
                Completion { text: redaction.restore(&answer.text), input_tokens, output_tokens, truncated: answer.truncated };
            let checked = schema.as_ref().map_or(Ok(()), |schema| fits(schema, &completion));
            (checked.map(|()| completion), answer.used)
        };
        let words = serde_json::to_string(&(&sent, max_tokens)).unwrap_or_default();
        let tokens = (price::bound(&sent), i64::from(max_tokens));
        self.first(asker, connections, Ask { words, tokens, model: |s| s.model.as_ref(), request: &request, read: &read }).await
    }

    async fn embed(&self, asker: &Asker, model: Option<&str>, mut texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let connections = self.may_ask(asker, model).await?;
        if self.config.redact {
            texts.iter_mut().for_each(|text| *text = Redaction::default().hide(text));
        }
        let request = |to: &Settings, timeout| wire::embed(to, &texts, timeout);
        let read = |_: &Settings, response: &HttpResponse| match wire::read_embed(texts.len(), response) {
            Ok((vectors, used)) => (Ok(vectors), used.map(|input| (input, 0))),
            Err(failure) => (Err(failure), None),
        };
        let words = serde_json::to_string(&texts).unwrap_or_default();
        let tokens = (price::bound_of(&texts), 0);
        self.first(asker, connections, Ask { words, tokens, model: |s| s.embed.as_ref(), request: &request, read: &read }).await
    }

    /// The connections that may be asked, in their order. One that was named stands alone: who names a model at home must not be answered
    /// from outside.
    async fn may_ask(&self, asker: &Asker, name: Option<&str>) -> Result<Vec<(ModelRow, Settings)>, Failure> {
        allowed(&self.store, asker).await?;
        let mut found = Vec::new();
        for row in self.store.models(asker.of.workspace).await.map_err(|e| e.failure())? {
            match serde_json::from_value::<Settings>(row.settings.clone()) {
                // One that runs at home makes vectors of knowledge, and answers nothing.
                Ok(settings) if settings.provider == Provider::Local => {}
                Ok(settings) if name.is_none_or(|name| name == row.name) => found.push((row, settings)),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(model = row.name, %error, "the settings of a connection cannot be read; it is passed over")
                }
            }
        }
        if found.is_empty() {
            let sentence = match name {
                Some(_) => "no connection to a model has this name; `pointsman model list` names them",
                None => "no model is connected; go on without, or connect one with `pointsman model add`",
            };
            return Err(Failure::new(Class::Denied, "denied.model", sentence));
        }
        Ok(found)
    }

    fn hidden(&self, mut prompt: Prompt) -> (Prompt, Redaction) {
        let mut redaction = Redaction::default();
        if self.config.redact {
            prompt.turns.iter_mut().for_each(|turn| turn.text = redaction.hide(&turn.text));
        }
        (prompt, redaction)
    }

    /// The first answer that is one.
    async fn first<T: Serialize + DeserializeOwned + Send>(
        &self,
        asker: &Asker,
        connections: Vec<(ModelRow, Settings)>,
        ask: Ask<'_, T>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + Duration::from_millis(self.config.timeout.unsigned_abs());
        let mut last = None;
        for (row, settings) in connections {
            for attempt in 1..=TRIES {
                let failure = match self.once(asker, &row, &settings, &ask, until).await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                };
                tracing::warn!(run = %asker.of.run, model = row.name, code = failure.code, attempt, "a model gave no answer");
                // What the ledger says holds for all; and another model is not asked until one says what the first would not.
                if failure.code.starts_with("spend.") || failure.code.starts_with("denied.ai") || failure.code == "model.refused"
                {
                    return Err(failure);
                }
                let rest = failure.retry_after.map_or_else(|| rest(&failure.code), |ms| Duration::from_millis(ms.unsigned_abs()));
                let again = failure.class.retryable() && attempt < TRIES && Instant::now() + rest + LEAST < until;
                last = Some(failure);
                if !again {
                    break;
                }
                tokio::time::sleep(rest).await;
            }
        }
        Err(last.unwrap_or_else(timed_out))
    }

    /// Asks one connection once.
    async fn once<T: Serialize + DeserializeOwned + Send>(
        &self,
        asker: &Asker,
        row: &ModelRow,
        settings: &Settings,
        ask: &Ask<'_, T>,
        until: Instant,
    ) -> Result<T, Failure> {
        let key = question(asker, row, &ask.words);
        if let Some(known) = self.answers.get(&key).and_then(|known| serde_json::from_slice(&known).ok()) {
            return Ok(known);
        }
        let kept = asker.place.as_ref().map(|place| (place, kept_under(place, &key)));
        if let Some((place, name)) = &kept {
            let found = self.store.kept_answer(asker.of.workspace, place.conversation.as_ref(), place.event, *name).await;
            // What cannot be read is asked for again.
            if let Some(known) = found.ok().flatten().and_then(|known| serde_json::from_slice(&known).ok()) {
                tracing::info!(run = %asker.of.run, model = row.name, "an answer was kept when this leg was played before");
                return Ok(known);
            }
        }
        let _place = self.place(row, settings, until).await?;
        // It may have waited for long.
        allowed(&self.store, asker).await?;
        let left = until.saturating_duration_since(Instant::now());
        if left < LEAST {
            return Err(timed_out());
        }
        let request = (ask.request)(settings, Millis::try_from(left.as_millis()).unwrap_or(Millis::MAX))?;
        let name = (ask.model)(settings).map_or("", String::as_str);
        let price = self.price(settings, name)?;
        let reserved = self.reserve(asker, row, settings, name, (price, ask.tokens)).await?;
        let credentials: Vec<StoredCredential> = row.credentials.iter().cloned().map(sealed).collect();
        let sent = self.broker.send_placed(&request, &credentials, &[slot(settings)]).await;
        let (answer, settled) = match sent {
            Ok(response) => {
                let (answer, used) = (ask.read)(settings, &response);
                let settled = match used {
                    _ if !(200..300).contains(&response.status) => Settled::Nothing,
                    Some((input, output)) => {
                        let (input, output) = (i64::from(input), i64::from(output));
                        Settled::Cost { amount: price.of(input, output), input, output }
                    }
                    None => Settled::Whole,
                };
                (answer, settled)
            }
            Err(EgressError::Refused(failure) | EgressError::NotSent(failure)) => (Err(failure), Settled::Nothing),
            Err(EgressError::Lost(why)) => (Err(Failure::new(Class::Transient, "model.no_answer", why)), Settled::Whole),
        };
        self.points.reach("model.answered");
        let bytes = answer.as_ref().ok().and_then(|answer| serde_json::to_vec(answer).ok());
        let keep = kept.zip(bytes.clone()).filter(|(_, bytes)| bytes.len() <= KEPT);
        let keep = keep.map(|((place, question), body)| KeptAnswer {
            conversation: place.conversation.clone(),
            event: place.event,
            question,
            body,
        });
        self.settle(asker, reserved, settled, keep).await;
        self.points.reach("model.settled");
        let code = answer.as_ref().err().map(|failure| failure.code.as_str());
        tracing::info!(run = %asker.of.run, workflow = asker.of.workflow, connection = row.name, provider = settings.provider.word(), model = name, no_training = settings.provider.no_training(), spend = %reserved, ?settled, code, "a model was asked");
        if let Some(bytes) = bytes {
            self.answers.insert(key, bytes.into());
        }
        answer
    }

    /// A place among the calls of a connection.
    async fn place(&self, row: &ModelRow, settings: &Settings, until: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        let at_once = settings.at_once.max(1);
        let gate = {
            let mut gates = self.gates.lock();
            let gate = gates.entry(row.id).or_insert_with(|| (at_once, Arc::new(Semaphore::new(at_once as usize))));
            if gate.0 != at_once {
                *gate = (at_once, Arc::new(Semaphore::new(at_once as usize)));
            }
            Arc::clone(&gate.1)
        };
        match tokio::time::timeout_at(until, gate.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Failure::new(
                Class::Transient,
                "model.busy",
                "all calls that this connection may have at once are under way; it is tried again (pointsman model add --at-once)",
            )),
        }
    }

    /// What a model costs. Where anything is bounded, a price that nobody knows is no price: nothing is asked.
    fn price(&self, settings: &Settings, model: &str) -> Result<Price, Failure> {
        let caps = self.config.caps;
        let bounded = [caps.day, caps.month, caps.workflow, caps.contact].iter().any(Option::is_some);
        match self.config.prices.get(model) {
            Some(price) => Ok(*price),
            None if settings.provider.at_home() || !bounded => Ok(Price::default()),
            None => Err(Failure::new(
                Class::Permanent,
                "spend.price",
                format!(
                    "what {model} costs is not known, so no cap would hold; write it under [models.prices] in pointsman.toml"
                ),
            )),
        }
    }

    async fn reserve(
        &self,
        asker: &Asker,
        row: &ModelRow,
        settings: &Settings,
        model: &str,
        (price, tokens): (Price, (i64, i64)),
    ) -> Result<Id, Failure> {
        let amount = price.of(tokens.0, tokens.1);
        let model = format!("{}/{model}", row.name);
        let new = NewSpend { of: asker.of.clone(), model, amount, tokens, flag: settings.provider.no_training(), send: None };
        let reserved = self.store.reserve_spend(new, self.config.caps).await.map_err(|error| {
            tracing::error!(%error, "the ledger cannot be written; nothing is asked");
            Failure::new(Class::Transient, "spend.ledger", "the ledger cannot be written at the moment, so nothing is asked")
        })?;
        reserved.map_err(|reached| capped(&reached, "question", amount))
    }

    /// What cannot be settled goes on counting whole, and is told by `spend`.
    async fn settle(&self, asker: &Asker, id: Id, settled: Settled, keep: Option<KeptAnswer>) {
        let (ws, keeps) = (asker.of.workspace, keep.is_some());
        let mut done = self.store.settle_spend(ws, id, settled, keep).await;
        // The contact may have been erased meanwhile: what it cost is known all the same.
        if done.is_err() && keeps {
            done = self.store.settle_spend(ws, id, settled, None).await;
        }
        if let Err(error) = done {
            tracing::error!(%error, spend = %id, "a call cannot be settled; it counts whole");
        }
    }
}

/// Whether a workspace lets this be asked now. Read at each call, like every permission.
pub(crate) async fn allowed(store: &Store, asker: &Asker) -> Result<(), Failure> {
    let (code, sentence) = match store.ai(asker.of.workspace).await.map_err(|e| e.failure())? {
        AiMode::On => return Ok(()),
        AiMode::OnRequest if asker.by_person => return Ok(()),
        AiMode::OnRequest => (
            "denied.ai_on_request",
            "this workspace asks models only in runs that a person began (pointsman run start); go on without",
        ),
        AiMode::Off => {
            ("denied.ai_off", "this workspace asks no models; go on without, or allow it with `pointsman model ai on`")
        }
    };
    Err(Failure::new(Class::Denied, code, sentence))
}

/// Whether an answer is JSON of the form that was asked for.
fn fits(schema: &Schema<'_>, answer: &Completion) -> Result<(), Failure> {
    let wrong = |why: String| {
        let cut = if answer.truncated { " (it was cut at max_tokens)" } else { "" };
        Failure::new(
            Class::Transient,
            "model.schema",
            format!("the model's answer has not the form that was asked for: {why}{cut}"),
        )
    };
    let value = serde_json::from_str(&answer.text).map_err(|_| wrong("it is no JSON".to_owned()))?;
    schema.check(&value).map_err(wrong)
}

/// What a cap says to a `what` that may cost this.
pub(crate) fn capped(reached: &CapReached, what: &str, amount: i64) -> Failure {
    let key = match reached.scope {
        "day" => "cap_day",
        "month" => "cap_month",
        "workflow" => "cap_workflow",
        _ => "cap_contact",
    };
    Failure::new(
        Class::Limit,
        "spend.cap",
        format!(
            "of [models] {key} = {} there are {} left, and this {what} may cost {}; a person goes on, or raise the cap and retry the run",
            price::shown(reached.cap),
            price::shown((reached.cap - reached.spent).max(0)),
            price::shown(amount)
        ),
    )
}

/// A server that answers badly is well enough to be asked again at once.
fn rest(code: &str) -> Duration {
    let badly = ["model.garbage", "model.truncated_stream", "model.schema", "model.empty"];
    if badly.contains(&code) { Duration::ZERO } else { REST }
}

fn timed_out() -> Failure {
    Failure::new(Class::Transient, "model.timeout", "no model answered within [models] timeout; it is tried again")
}

/// One contact's question to one connection, by a hash: nobody is told what another asked.
fn question(asker: &Asker, row: &ModelRow, words: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for id in [asker.of.workspace.0, asker.of.contact.map_or(0, |id| id.0), row.id.0] {
        hash.update(id.to_be_bytes());
    }
    hash.update(row.settings.to_string());
    hash.update([0]);
    hash.update(words);
    hash.finalize().into()
}

/// The same at one place.
fn kept_under(place: &AskedAt, question: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(question);
    hash.update(&place.name);
    hash.finalize().into()
}

/// Where the key may stand.
fn slot(settings: &Settings) -> CredentialSlot {
    CredentialSlot {
        slot: KEY.to_owned(),
        hosts: vec![settings.origin()],
        placements: vec![match settings.provider.placement() {
            Placement::Header { .. } => PlacementKind::Header,
            _ => PlacementKind::Bearer,
        }],
        why: "the model's provider asks for it".to_owned(),
        optional: true,
        generate: false,
    }
}
