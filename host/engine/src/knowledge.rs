//! Knowledge bases at work: what was read goes in, questions are answered. `pointsman-knowledge` reads and ranks, the store keeps, a model may
//! make vectors ([`crate::vectors`]); here they meet. Whatever keeps a question from having a vector, it is answered by its words.
//!
//! The index of a base is put together when it is first asked, and again after a change: each search compares the version of the base, one
//! small read, so a base that another process changed is seen at once. An index lies in memory without its texts, about 60 MB for
//! 100,000 passages, and 45 MB more with their vectors; those that were asked last stay, up to [`MEMORY`].

use std::collections::HashMap;
use std::sync::Arc;

use moka::sync::Cache;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_knowledge::{
    DEPTH, Evidence, Index, Language, Meant, Passage, READING, Reading, THRESHOLD, Vectors, fuse, pack, quote,
};
use pointsman_store::{KnowledgeBase, KnowledgeSource, NewSource, Store, StoreError};
use sha2::{Digest as _, Sha256};

use crate::model::Asker;
use crate::vectors::{Voice, Voices};

mod fill;

pub use fill::Filled;

/// Bytes of indexes that are kept.
const MEMORY: u64 = 512 << 20;

/// How often a search begins anew because a source was exchanged while it read.
const TRIES: usize = 3;

/// The knowledge of all workspaces, as it is searched. A cheap handle.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    store: Store,
    voices: Voices,
    shelves: Cache<(WorkspaceId, Id), Arc<Shelf>>,
    /// One index is put together at a time: it takes memory and a processor.
    building: tokio::sync::Mutex<()>,
}

/// A base in memory.
struct Shelf {
    version: Id,
    index: Index,
    /// Names of its sources.
    names: HashMap<i64, String>,
    /// Vectors of its passages, and whose they are.
    vectors: Vectors,
    model: Option<String>,
}

/// By what a base is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By words alone.
    Words,
    /// By meaning alone, where there are vectors.
    Meaning,
    /// By both, as the languages of question and base want it.
    Both,
}

/// The vector of a question and whose it is; `None` where nobody is to make one; or why there is none.
type Meaning = Result<Option<(Voice, Vec<f32>)>, Failure>;

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Best first.
    pub passages: Vec<Ranked>,
    /// What speaks for the first.
    pub evidence: Evidence,
    /// How likely the first one answers, 0 to 1.
    pub confidence: f32,
    /// Why the base's vectors were not asked, where they should have been.
    pub by_words: Option<Failure>,
}

impl Answer {
    /// Whether the first passage counts as an answer.
    #[must_use]
    pub fn found(&self) -> bool {
        self.confidence >= THRESHOLD
    }
}

/// A passage that was found.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The source.
    pub source: String,
    /// The passage.
    pub passage: Passage,
    /// BM25.
    pub score: f32,
    /// The score as a share of what could be reached.
    pub share: f32,
    /// The part that answers.
    pub quote: String,
}

impl Ranked {
    /// What it is cited by: `faq.md#opening-hours`.
    #[must_use]
    pub fn citation(&self) -> String {
        if self.passage.id.is_empty() { self.source.clone() } else { format!("{}#{}", self.source, self.passage.id) }
    }
}

impl Library {
    /// Over a store, with those who make vectors.
    #[must_use]
    pub fn new(store: Store, voices: Voices) -> Self {
        let weight = |_: &(WorkspaceId, Id), shelf: &Arc<Shelf>| {
            u32::try_from(shelf.index.bytes() + shelf.vectors.bytes()).unwrap_or(u32::MAX)
        };
        let shelves = Cache::builder().weigher(weight).max_capacity(MEMORY).build();
        Self(Arc::new(Inner { store, voices, shelves, building: tokio::sync::Mutex::default() }))
    }

    /// Puts what was read of some bytes into a base under a name, in place of what it had there. Returns how many passages.
    pub async fn put(
        &self,
        ws: WorkspaceId,
        actor: &str,
        base: &KnowledgeBase,
        (name, bytes): (&str, &[u8]),
        reading: Reading,
    ) -> Result<usize, Failure> {
        let (name, hash, kind) = (name.to_owned(), fingerprint(base, bytes), reading.kind.word().to_owned());
        let work = move || {
            let read = reading.passages;
            let bodies = read.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>();
            Ok::<_, Failure>((pack(&read), bodies.map_err(|e| broken(&e.to_string()))?, read))
        };
        let (words, passages, read) = tokio::task::spawn_blocking(work).await.map_err(|e| broken(&e.to_string()))??;
        let (count, vectors) = (passages.len(), self.kept(ws, base, &name, &read).await?);
        let new = NewSource { name, hash, kind, words, passages, vectors };
        self.0.store.put_knowledge_source(ws, actor, base.id, new).await.map_err(|e| e.failure())?;
        Ok(count)
    }

    /// The passages of a base that fit a question best, for the house itself. Refusals: `knowledge.unknown`, and the store's.
    pub async fn search(&self, ws: WorkspaceId, base: &str, question: &str, count: usize, by: By) -> Result<Answer, Failure> {
        self.search_for(&Asker::house(ws), base, question, count, by).await
    }

    /// The same for whoever asks.
    pub(crate) async fn search_for(
        &self,
        asker: &Asker,
        base: &str,
        question: &str,
        count: usize,
        by: By,
    ) -> Result<Answer, Failure> {
        let (ws, mut asked) = (asker.of.workspace, None);
        for _ in 0..TRIES {
            let found = self.0.store.knowledge_base(ws, base).await.map_err(|e| e.failure())?;
            let base = found.ok_or_else(|| unknown(base))?;
            // Once, whatever else begins anew.
            let meaning = match asked.take() {
                Some(meaning) => meaning,
                None if by == By::Words => Ok(None),
                None => self.meaning(asker, &base, question).await,
            };
            let shelf = self.shelf(ws, base, meaning.as_ref().ok().and_then(Option::as_ref).map(|(voice, _)| voice)).await?;
            if let Some(answer) = self.answer(ws, &shelf, question, (count, by), &meaning).await.map_err(|e| e.failure())? {
                return Ok(answer);
            }
            asked = Some(meaning);
        }
        Err(Failure::new(
            Class::Transient,
            "knowledge.changing",
            format!("the knowledge base `{base}` is being changed; try again"),
        ))
    }

    /// The vector of a question, and whose it is. `None`: the base has no vectors.
    async fn meaning(&self, asker: &Asker, base: &KnowledgeBase, question: &str) -> Meaning {
        let Some(voice) = self.0.voices.of(asker, base).await? else { return Ok(None) };
        let vector = self.0.voices.question(&voice, asker, question).await?;
        Ok(Some((voice, vector)))
    }

    /// `None`: a passage was exchanged meanwhile.
    async fn answer(
        &self,
        ws: WorkspaceId,
        shelf: &Shelf,
        question: &str,
        (count, by): (usize, By),
        meaning: &Meaning,
    ) -> Result<Option<Answer>, StoreError> {
        let found = shelf.index.search(question, count.max(DEPTH));
        let near = match meaning {
            Ok(Some((voice, vector))) if shelf.model.as_ref() == Some(&voice.model) => {
                Meant::of(&shelf.vectors, vector).map(|meant| (voice, meant))
            }
            _ => None,
        };
        let by_words = meaning.as_ref().err().cloned();
        if let Some(failure) = &by_words {
            tracing::warn!(
                code = failure.code,
                message = failure.message,
                "a question has no vector; it is answered by its words"
            );
        }
        let fused = near.map(|(voice, meant)| {
            (voice, fuse(&shelf.index, &shelf.vectors, question, &found, &meant, by == By::Meaning, count.max(2)))
        });
        let hits = fused.as_ref().map_or(&found.hits, |(_, fused)| &fused.hits);
        let (mut passages, mut first) = (Vec::new(), 0.0);
        for hit in hits.iter().take(count.max(1)) {
            let Some(body) = self.0.store.knowledge_passage(ws, Id(hit.place.source), hit.place.n).await? else {
                return Ok(None);
            };
            let passage: Passage = serde_json::from_slice(&body).map_err(|e| StoreError::Unreadable(e.to_string()))?;
            let quoted = quote(&passage, &found);
            if passages.is_empty() {
                first = quoted.near;
            }
            let source = shelf.names.get(&hit.place.source).cloned().unwrap_or_default();
            passages.push(Ranked { source, passage, score: hit.score, share: hit.share.max(0.0), quote: quoted.text });
        }
        // What the words say holds for the passage that they found.
        let same = hits.first().map(|hit| hit.place) == found.hits.first().map(|hit| hit.place);
        let mut evidence = if same { Evidence::of(&found, first) } else { Evidence::default() };
        evidence.likeness = fused.as_ref().filter(|(voice, _)| voice.at_home()).map(|(_, fused)| fused.likeness);
        passages.truncate(count);
        Ok(Some(Answer { passages, evidence, confidence: evidence.confidence(), by_words }))
    }

    /// The index of a base as it now is.
    async fn shelf(&self, ws: WorkspaceId, base: KnowledgeBase, voice: Option<&Voice>) -> Result<Arc<Shelf>, Failure> {
        let model = voice.map(|voice| voice.model.clone());
        let wanted = (base.version, model.clone());
        // Whoever asks by words takes what is there.
        let current = move |shelf: &Arc<Shelf>| shelf.version == wanted.0 && (wanted.1.is_none() || shelf.model == wanted.1);
        if let Some(shelf) = self.0.shelves.get(&(ws, base.id)).filter(&current) {
            return Ok(shelf);
        }
        // In a task of its own: it comes to its end even when the step that asked has no time left, and the next one finds it done.
        let this = self.clone();
        let task = tokio::spawn(async move {
            let _alone = this.0.building.lock().await;
            if let Some(shelf) = this.0.shelves.get(&(ws, base.id)).filter(current) {
                return Ok(shelf);
            }
            let shelf = Arc::new(this.build(ws, &base, model).await?);
            this.0.shelves.insert((ws, base.id), Arc::clone(&shelf));
            Ok(shelf)
        });
        task.await.map_err(|e| broken(&e.to_string()))?
    }

    async fn build(&self, ws: WorkspaceId, base: &KnowledgeBase, model: Option<String>) -> Result<Shelf, Failure> {
        let sources = self.0.store.knowledge_sources(ws, base.id).await.map_err(|e| e.failure())?;
        let vectors = match &model {
            Some(model) => self.vectors(ws, &sources, model).await?,
            None => Vectors::default(),
        };
        let mut packed = Vec::with_capacity(sources.len());
        for source in &sources {
            // One that was exchanged since then has given the base another version, and is seen by the next search.
            if let Some(words) = self.0.store.knowledge_words(ws, base.id, source).await.map_err(|e| e.failure())? {
                packed.push((source.id.0, words));
            }
        }
        loop {
            let tried = tokio::task::spawn_blocking(move || {
                let built = Index::build(packed.iter().map(|(id, words)| (*id, words.as_slice())));
                (built, packed)
            });
            let (built, back) = tried.await.map_err(|e| broken(&e.to_string()))?;
            packed = back;
            let stale = match built {
                Ok(index) => {
                    let names = sources.iter().map(|source| (source.id.0, source.name.clone())).collect();
                    return Ok(Shelf { version: base.version, index, names, vectors, model });
                }
                Err(stale) => stale,
            };
            // Packed by an older program: the passages are at hand.
            let Some(source) = sources.iter().find(|source| source.id.0 == stale) else { return Err(broken("a source is lost")) };
            let anew = self.pack_anew(ws, source).await?;
            let Some((_, words)) = packed.iter_mut().find(|(id, _)| *id == stale).filter(|(_, words)| *words != anew) else {
                return Err(broken("the words of a source cannot be read"));
            };
            *words = anew;
        }
    }

    async fn pack_anew(&self, ws: WorkspaceId, source: &KnowledgeSource) -> Result<Vec<u8>, Failure> {
        let mut passages = Vec::new();
        for n in 0..u32::try_from(source.passages).unwrap_or(u32::MAX) {
            let Some(body) = self.0.store.knowledge_passage(ws, source.id, n).await.map_err(|e| e.failure())? else { break };
            passages.push(serde_json::from_slice::<Passage>(&body).map_err(|e| broken(&e.to_string()))?);
        }
        Ok(pack(&passages))
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("shelves", &self.0.shelves.entry_count()).finish_non_exhaustive()
    }
}

/// In which language the texts of a base are read, where that was said.
#[must_use]
pub fn language_of(base: &KnowledgeBase) -> Option<Language> {
    base.language.as_deref().and_then(Language::from_code)
}

/// Of a source's bytes and of how they are read: when either changes, it is read anew.
#[must_use]
pub fn fingerprint(base: &KnowledgeBase, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(READING.to_le_bytes());
    hash.update(base.language.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(bytes);
    hex::encode(hash.finalize())
}

fn unknown(base: &str) -> Failure {
    let text = format!("there is no knowledge base `{base}`; make it with `pointsman knowledge add {base} FILE`");
    Failure::new(Class::Permanent, "knowledge.unknown", text)
}

fn broken(what: &str) -> Failure {
    Failure::bug("knowledge.broken", what)
}
