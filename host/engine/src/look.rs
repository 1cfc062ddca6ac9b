//! For people who look at a run: what is not kept because it follows from what is.

use pointsman_core::run;
use pointsman_store::{RunRow, StoreError};
use serde_json::Value;
use std::sync::Arc;

use crate::Engine;
use crate::step::View;

impl Engine {
    /// What went into the steps of a run, in the order of its entries (see [`run::inputs`]). Empty when its event, channel or
    /// version is gone.
    pub async fn inputs(&self, row: &RunRow) -> Result<Vec<Option<Value>>, StoreError> {
        let Some(kept) = self.about(row).await? else { return Ok(Vec::new()) };
        let Some(workflow) = self.pinned(row.workspace, &row.workflow).await? else { return Ok(Vec::new()) };
        let Some(channel) = self.home(&kept) else { return Ok(Vec::new()) };
        // Past the bodies in memory: only the conversation's own lane may put one there.
        let view = match kept.conversation.clone() {
            Some(conversation) => View {
                conversation: Arc::new(self.store.conversation_body(&conversation).await?),
                contact: Arc::new(self.store.contact_body(&conversation).await?),
                conversation_ref: Some(conversation),
                word: channel.word().into(),
            },
            None => View::homeless(),
        };
        let names = self.names(&kept, &view, &self.catalog.routes(row.workspace), &channel);
        Ok(run::inputs(&workflow, &row.entries, &names, &*self.expressions))
    }
}
