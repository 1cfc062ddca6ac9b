//! Questions that no single workspace asks: what is open, due or newest anywhere. Every key is led by the workspace, so such
//! a question goes from one workspace to the next through an index (a seek each) and never over the rows between.

/// `with recursive w(ws)` that names each workspace which has rows in `table` where `condition` holds. The condition must be
/// that of a partial index led by `ws`, or `true` for the primary key.
pub(crate) fn workspaces_in(table: &str, condition: &str) -> String {
    format!(
        "with recursive w(ws) as (select min(ws) from {table} where {condition} union all \
         select (select min(ws) from {table} where {condition} and ws>w.ws) from w where w.ws is not null) "
    )
}
