//! Who makes the vectors of a knowledge base: a model at home, run by a child process (`pointsman-embed`), or a connection's, asked through
//! the broker and paid from the ledger like any question to a model. A base names its connection; one that names none has no vectors.

use std::path::PathBuf;

use pointsman_broker::Broker;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_embed::{Embedder, Kind, ModelFile};
use pointsman_model::{Provider, Settings};
use pointsman_store::{KnowledgeBase, SpendFor, Store};

use crate::model::{Asker, Models, ModelsConfig, allowed};
use crate::points::Points;

/// What a call for the house's own knowledge is named by in the ledger.
const KNOWLEDGE: &str = "knowledge";

/// Models that run at home: what runs them, and where their files lie.
#[derive(Debug, Clone)]
pub struct Home {
    /// Runs them.
    pub embedder: Embedder,
    /// The folder of their files.
    pub folder: PathBuf,
}

/// Everybody who makes vectors. A cheap handle.
#[derive(Clone)]
pub struct Voices {
    store: Store,
    home: Home,
    /// `None`: nobody outside can be asked from here.
    away: Option<Models>,
}

/// Whoever makes the vectors of a base.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    of: Of,
    /// Whose vectors they are: those of two cannot be compared.
    pub(crate) model: String,
}

#[derive(Debug, Clone)]
enum Of {
    Home(ModelFile),
    Away(String),
}

impl Voice {
    /// Whether it is the model that runs at home: what its cosines say is known.
    pub(crate) fn at_home(&self) -> bool {
        matches!(self.of, Of::Home(_))
    }
}

impl Asker {
    /// The house itself, by a person's command.
    pub(crate) fn house(workspace: WorkspaceId) -> Self {
        let of = SpendFor { workspace, workflow: KNOWLEDGE.to_owned(), contact: None, run: Id(0) };
        Self { of, by_person: true, place: None }
    }
}

impl Voices {
    /// Models at home, and those of connections where there is a broker. With one it must be called inside the runtime that has the broker's
    /// sockets.
    #[must_use]
    pub fn new(store: Store, home: Home, broker: Option<(Broker, ModelsConfig)>) -> Self {
        let away = broker.map(|(broker, config)| Models::new(store.clone(), broker, config, Points::default()));
        Self { store, home, away }
    }

    /// With the models of a host.
    pub(crate) fn with(store: Store, home: Home, away: Models) -> Self {
        Self { store, home, away: Some(away) }
    }

    /// Who makes the vectors of a base, for this asker. `None`: nobody is to.
    ///
    /// # Errors
    /// `denied.ai_off` and `denied.ai_on_request`: the workspace does not want it. `knowledge.model`: the connection is gone, or makes none.
    pub(crate) async fn of(&self, asker: &Asker, base: &KnowledgeBase) -> Result<Option<Voice>, Failure> {
        let Some(name) = &base.embed else { return Ok(None) };
        allowed(&self.store, asker).await?;
        let rows = self.store.models(asker.of.workspace).await.map_err(|e| e.failure())?;
        let row = rows.into_iter().find(|row| row.name == *name);
        let settings = row.as_ref().and_then(|row| serde_json::from_value::<Settings>(row.settings.clone()).ok());
        let Some((row, settings)) = row.zip(settings) else { return Err(unknown(&base.name, name)) };
        let voice = match (settings.provider, settings.file, settings.embed) {
            (Provider::Local, Some(digest), _) => {
                let of = Of::Home(ModelFile::installed(&self.home.folder, &digest));
                Voice { of, model: digest }
            }
            (_, _, Some(model)) if settings.provider != Provider::Local => {
                Voice { of: Of::Away(row.name), model: format!("{}/{model}/{}", row.id, settings.url) }
            }
            _ => return Err(unknown(&base.name, name)),
        };
        Ok(Some(voice))
    }

    /// The vector of a question.
    pub(crate) async fn question(&self, voice: &Voice, asker: &Asker, text: &str) -> Result<Vec<f32>, Failure> {
        match &voice.of {
            Of::Home(file) => self.home.embedder.embed(file, Kind::Query, text).await,
            Of::Away(name) => {
                let vectors = self.away(name, asker, vec![text.to_owned()]).await?;
                vectors.into_iter().next().ok_or_else(|| Failure::bug("vectors.none", "the model gave no vector"))
            }
        }
    }

    /// The vectors of passages, one each. A text that the model at home cannot do has none, with the reason; everything else ends it.
    pub(crate) async fn passages(
        &self,
        voice: &Voice,
        asker: &Asker,
        texts: Vec<String>,
    ) -> Result<Vec<Result<Vec<f32>, Failure>>, Failure> {
        let file = match &voice.of {
            Of::Home(file) => file,
            Of::Away(name) => return Ok(self.away(name, asker, texts).await?.into_iter().map(Ok).collect()),
        };
        let mut made = Vec::with_capacity(texts.len());
        for text in texts {
            made.push(match self.home.embedder.embed(file, Kind::Passage, &text).await {
                Err(failure) if failure.code == "vectors.too_slow" || failure.code == "vectors.crashed" => Err(failure),
                ended => Ok(ended?),
            });
        }
        Ok(made)
    }

    async fn away(&self, name: &str, asker: &Asker, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let Some(models) = &self.away else { return Err(Failure::bug("vectors.away", "nobody outside can be asked from here")) };
        models.embed(asker.clone(), Some(name.to_owned()), texts).await
    }
}

impl std::fmt::Debug for Voices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voices").field("home", &self.home).field("away", &self.away.is_some()).finish_non_exhaustive()
    }
}

fn unknown(base: &str, name: &str) -> Failure {
    let text = format!(
        "the connection `{name}` makes no vectors, or is gone; name another: pointsman knowledge embed {base} --model NAME, or --none"
    );
    Failure::new(Class::Permanent, "knowledge.model", text)
}
