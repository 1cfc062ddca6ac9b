//! A mistake in a workflow, shown where it stands, with what was expected and how to mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Place {
    pub(super) fn new(line: usize, column: usize) -> Self {
        let small = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column) }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot be published.
    Error,
    /// It can, but look.
    Warning,
}

/// One finding of the check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable: `workflow.unknown_key`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The file, as the source set names it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What would have been right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

impl Diagnostic {
    /// Whether it stands in the way of publishing.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_error() { "error" } else { "warning" };
        writeln!(f, "{word}[{}]: {}", self.code, self.message)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        write!(f, "{margin}--> {}:{}:{}", self.file, self.line, self.column)?;
        if !self.source.is_empty() {
            // Tabs are kept in the caret's line, so that it stands below what it means in every terminal.
            let before: String = self
                .source
                .chars()
                .take(self.column.saturating_sub(1) as usize)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            write!(f, "\n{margin} |\n{number} | {}\n{margin} | {before}^", self.source)?;
            if let Some(expected) = &self.expected {
                write!(f, " expected {expected}")?;
            }
        } else if let Some(expected) = &self.expected {
            write!(f, "\n{margin} = expected {expected}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}
