//! `pointsman spend`: what models and paid templates cost today and this month, what may still be spent, the calls of which nobody knows
//! the cost, and what is left of months of which the calls are not kept any more.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::clock::{Clock as _, SystemClock};
use pointsman_model::price::{self, Amount};
use pointsman_store::{SpendRow, SpendSum, SpendTotal};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

/// Example: `pointsman spend --calls 20`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Shows the newest calls, too.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    calls: usize,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    let caps = config.models.caps();
    let (sums, open, calls, totals) = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let now = SystemClock.now();
        let sums = store.spend_sums(FIRST_WORKSPACE, now).await?;
        let open = store.open_spends(FIRST_WORKSPACE, i64::MAX).await?;
        let calls = store.spends(FIRST_WORKSPACE, args.calls).await?;
        let totals = store.spend_totals(FIRST_WORKSPACE).await?;
        store.close().await?;
        Ok((sums, open, calls, totals))
    })?;
    let cap_of = |scope: &str| match scope {
        "day" => caps.day,
        "month" => caps.month,
        "workflow" => caps.workflow,
        _ => caps.contact,
    };
    let reserved: Amount = open.iter().map(|row| row.amount).sum();
    let decimal = |amount: Amount| price::shown(amount);
    let sum = |sum: &SpendSum| json!({ "scope": sum.scope, "of": sum.owner, "spent": decimal(sum.amount), "cap": cap_of(sum.scope).map(decimal) });
    let call = |row: &SpendRow| {
        json!({
            "id": row.id, "at": row.at, "run": row.run, "workflow": row.workflow, "contact": row.contact, "model": row.model,
            "state": row.state, "amount": decimal(row.amount), "input_tokens": row.input, "output_tokens": row.output,
            "no_training": row.flag,
        })
    };
    let total = |one: &SpendTotal| {
        json!({
            "month": month(one), "model": one.model, "calls": one.calls, "amount": decimal(one.amount),
            "input_tokens": one.input, "output_tokens": one.output,
        })
    };
    let answer = json!({
        "sums": sums.iter().map(sum).collect::<Vec<Value>>(),
        "unsettled": { "calls": open.len(), "amount": decimal(reserved) },
        "calls": calls.iter().map(call).collect::<Vec<Value>>(),
        "months": totals.iter().map(total).collect::<Vec<Value>>(),
    });
    context.answer(&answer, || text(&sums, &cap_of, (open.len(), reserved), &calls, &totals));
    Ok(ExitCode::SUCCESS)
}

/// `2026-08`
fn month(of: &SpendTotal) -> String {
    moment(of.month).chars().take(7).collect()
}

fn text(
    sums: &[SpendSum],
    cap_of: &dyn Fn(&str) -> Option<Amount>,
    open: (usize, Amount),
    calls: &[SpendRow],
    totals: &[SpendTotal],
) -> String {
    if sums.is_empty() && calls.is_empty() && totals.is_empty() {
        return "nothing was spent this month".to_owned();
    }
    let cap = |scope: &str| cap_of(scope).map_or_else(|| "-".to_owned(), price::shown);
    let rows: Vec<[String; 4]> =
        sums.iter().map(|sum| [sum.scope.to_owned(), sum.owner.clone(), price::shown(sum.amount), cap(sum.scope)]).collect();
    let mut told = table(["A", "OF", "SPENT", "CAP"], &rows);
    if open.0 > 0 {
        told.push_str(&format!(
            "\n{} calls are under way, or were begun by a host that ended: {} counts as spent until they are settled",
            open.0,
            price::shown(open.1)
        ));
    }
    if !calls.is_empty() {
        let row = |row: &SpendRow| {
            let tokens = format!("{}+{}", row.input, row.output);
            let flag = row.flag.clone().unwrap_or_else(|| "-".to_owned());
            [
                moment(row.at),
                row.model.clone(),
                row.workflow.clone(),
                row.state.to_owned(),
                tokens,
                price::shown(row.amount),
                flag,
            ]
        };
        let rows: Vec<[String; 7]> = calls.iter().map(row).collect();
        let heads = ["WHEN", "MODEL", "WORKFLOW", "STATE", "TOKENS", "COST", "SENT AGAINST TRAINING"];
        told.extend(["\n\n", &table(heads, &rows)]);
    }
    if !totals.is_empty() {
        let row = |one: &SpendTotal| {
            let tokens = format!("{}+{}", one.input, one.output);
            [month(one), one.model.clone(), one.calls.to_string(), tokens, price::shown(one.amount)]
        };
        let rows: Vec<[String; 5]> = totals.iter().map(row).collect();
        told.extend(["\n\n", &table(["MONTH", "MODEL", "CALLS", "TOKENS", "COST"], &rows)]);
    }
    told
}
