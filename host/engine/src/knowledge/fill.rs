//! Vectors for the passages of a base: made where there are none, or those of another model, a few dozens at a time, so that what was done
//! is kept whatever happens next. A passage whose text stayed the same keeps its vector when its source is read anew.

use std::collections::HashMap;

use pointsman_core::failure::Failure;
use pointsman_core::id::WorkspaceId;
use pointsman_knowledge::{Passage, Place, Vector, Vectors, meant, pack_vectors, unpack_vectors};
use pointsman_store::{KnowledgeBase, KnowledgeSource, VectorRow};
use sha2::{Digest as _, Sha256};

use super::{Library, broken};
use crate::model::Asker;
use crate::vectors::Voice;

/// Passages in a row of vectors.
const AT_ONCE: u32 = 64;

/// What became of a base's vectors.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// Passages that have a vector now, and had none of this model before.
    pub made: usize,
    /// Passages that had one.
    pub kept: usize,
    /// Passages that got none, each with the reason; they are found by their words.
    pub without: Vec<Failure>,
}

impl Library {
    /// Makes the vectors that the passages of a base lack. Nothing where the base names no connection for them.
    ///
    /// # Errors
    /// `knowledge.model`, what the model's connection or file is refused for, and the store's. What was made until then is kept.
    pub async fn fill(&self, ws: WorkspaceId, actor: &str, base: &KnowledgeBase) -> Result<Filled, Failure> {
        let (asker, mut filled) = (Asker::house(ws), Filled::default());
        let Some(voice) = self.0.voices.of(&asker, base).await? else { return Ok(filled) };
        let done = self.fill_sources(&asker, &voice, base, &mut filled).await;
        if filled.made > 0 {
            let store = &self.0.store;
            store.renew_knowledge_base(ws, actor, base.id, &filled.made.to_string()).await.map_err(|e| e.failure())?;
        }
        done.map(|()| filled)
    }

    async fn fill_sources(&self, asker: &Asker, voice: &Voice, base: &KnowledgeBase, filled: &mut Filled) -> Result<(), Failure> {
        let (ws, store) = (asker.of.workspace, &self.0.store);
        for source in store.knowledge_sources(ws, base.id).await.map_err(|e| e.failure())? {
            let count = u32::try_from(source.passages).unwrap_or(u32::MAX);
            let rows = store.knowledge_vectors(ws, source.id).await.map_err(|e| e.failure())?;
            let mut rows: HashMap<u32, VectorRow> = rows.into_iter().map(|row| (row.n, row)).collect();
            for n in (0..count).step_by(AT_ONCE as usize) {
                let wanted = (count - n).min(AT_ONCE);
                let there = rows.remove(&n).and_then(|row| read(&row, &voice.model)).unwrap_or_default();
                if there.len() == wanted as usize && there.iter().all(Option::is_some) {
                    filled.kept += there.len();
                    continue;
                }
                let Some(vectors) = self.row(asker, voice, &source, (n, wanted), there, filled).await? else { break };
                let row = VectorRow { n, model: voice.model.clone(), body: pack_vectors(&vectors) };
                store.put_knowledge_vectors(ws, base.id, source.id, row).await.map_err(|e| e.failure())?;
            }
        }
        Ok(())
    }

    /// The vectors of some passages; `there` are those that are known. `None`: the source was exchanged meanwhile.
    async fn row(
        &self,
        asker: &Asker,
        voice: &Voice,
        source: &KnowledgeSource,
        (n, wanted): (u32, u32),
        there: Vec<Option<Vector>>,
        filled: &mut Filled,
    ) -> Result<Option<Vec<Option<Vector>>>, Failure> {
        let known: HashMap<[u8; 16], Vector> = there.into_iter().flatten().map(|vector| (vector.of, vector)).collect();
        let (mut vectors, mut missing) = (Vec::new(), Vec::new());
        for n in n..n + wanted {
            let body = self.0.store.knowledge_passage(asker.of.workspace, source.id, n).await.map_err(|e| e.failure())?;
            let Some(body) = body else { return Ok(None) };
            let passage: Passage = serde_json::from_slice(&body).map_err(|e| broken(&e.to_string()))?;
            let text = meant(&passage);
            let known = known.get(&of(&text)).cloned();
            filled.kept += usize::from(known.is_some());
            if known.is_none() {
                missing.push((vectors.len(), text));
            }
            vectors.push(known);
        }
        let texts = missing.iter().map(|(_, text)| text.clone()).collect();
        let made = self.0.voices.passages(voice, asker, texts).await?;
        for ((at, text), made) in missing.into_iter().zip(made) {
            match made {
                Ok(numbers) => {
                    let made = Vector::new(of(&text), &numbers);
                    filled.made += usize::from(made.is_some());
                    if let Some(place) = vectors.get_mut(at) {
                        *place = made;
                    }
                }
                Err(failure) => filled.without.push(failure),
            }
        }
        Ok(Some(vectors))
    }

    /// What a source that is read anew keeps of the vectors of the one before, in a base that has vectors.
    pub(super) async fn kept(
        &self,
        ws: WorkspaceId,
        base: &KnowledgeBase,
        name: &str,
        passages: &[Passage],
    ) -> Result<Vec<VectorRow>, Failure> {
        if base.embed.is_none() {
            return Ok(Vec::new());
        }
        let sources = self.0.store.knowledge_sources(ws, base.id).await.map_err(|e| e.failure())?;
        let Some(before) = sources.iter().find(|source| source.name == name) else { return Ok(Vec::new()) };
        let rows = self.0.store.knowledge_vectors(ws, before.id).await.map_err(|e| e.failure())?;
        let Some(model) = rows.first().map(|row| row.model.clone()) else { return Ok(Vec::new()) };
        let known = rows.iter().filter_map(|row| read(row, &model)).flatten().flatten();
        let known: HashMap<[u8; 16], Vector> = known.map(|vector| (vector.of, vector)).collect();
        let row = |(n, passages): (u32, &[Passage])| {
            let vectors: Vec<Option<Vector>> = passages.iter().map(|passage| known.get(&of(&meant(passage))).cloned()).collect();
            let body = vectors.iter().any(Option::is_some).then(|| pack_vectors(&vectors))?;
            Some(VectorRow { n, model: model.clone(), body })
        };
        let parts = (0..).step_by(AT_ONCE as usize).zip(passages.chunks(AT_ONCE as usize));
        Ok(parts.filter_map(row).collect())
    }

    /// The vectors of a base that one model made, for its shelf.
    pub(super) async fn vectors(&self, ws: WorkspaceId, sources: &[KnowledgeSource], model: &str) -> Result<Vectors, Failure> {
        let mut all = Vectors::default();
        for source in sources {
            for row in self.0.store.knowledge_vectors(ws, source.id).await.map_err(|e| e.failure())? {
                for (n, vector) in (row.n..).zip(read(&row, model).unwrap_or_default()) {
                    if let Some(vector) = vector.filter(|_| u64::from(n) < source.passages) {
                        all.push(Place { source: source.id.0, n }, &vector);
                    }
                }
            }
        }
        Ok(all)
    }
}

/// The vectors of a row, if they are of this model.
fn read(row: &VectorRow, model: &str) -> Option<Vec<Option<Vector>>> {
    unpack_vectors(&row.body).filter(|_| row.model == model)
}

/// The hash of a text.
fn of(text: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(text).into();
    let (half, _) = whole.split_at(16);
    half.try_into().unwrap_or_default()
}
