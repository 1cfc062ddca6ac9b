//! The texts of a workflow, given by whoever read them: core opens no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A workflow file and the scripts beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSet {
    /// The name of the YAML file, as diagnostics show it.
    main: String,
    /// Every text by the name by which the workflow calls it: `workflow.yaml`, `take-order.rhai`.
    files: BTreeMap<String, Arc<str>>,
}

impl SourceSet {
    /// A set of one YAML file.
    pub fn new(main: impl Into<String>, yaml: impl Into<Arc<str>>) -> Self {
        let main = main.into();
        Self { files: BTreeMap::from([(main.clone(), yaml.into())]), main }
    }

    /// Adds a file that lies beside it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        self.files.insert(name.into(), text.into());
        self
    }

    /// The name of the YAML file.
    #[must_use]
    pub fn main(&self) -> &str {
        &self.main
    }

    /// The YAML text.
    #[must_use]
    pub fn yaml(&self) -> &str {
        self.get(&self.main).map_or("", |text| text)
    }

    /// A file's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<str>> {
        self.files.get(name)
    }

    /// All files with their texts, by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text))
    }
}
