//! What a proof found, as a line of a table.

use std::fmt::Write as _;

/// A promise, what it asks, what was seen.
#[derive(Debug, Clone)]
pub struct Row {
    /// `T13`.
    pub test: String,
    /// What must hold.
    pub target: String,
    /// What was seen.
    pub seen: String,
    /// Whether it held.
    pub held: bool,
}

/// The table, in columns, with the verdicts at the end.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let width = |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).max(6);
    let (test, target, seen) = (width(|r| &r.test), width(|r| &r.target), width(|r| &r.seen));
    let mut text = format!("{:test$}  {:target$}  {:seen$}  VERDICT\n", "TEST", "TARGET", "SEEN");
    for row in rows {
        let verdict = if row.held { "held" } else { "BROKEN" };
        let _ = writeln!(text, "{:test$}  {:target$}  {:seen$}  {verdict}", row.test, row.target, row.seen);
    }
    text
}
