//! `pointsman spend`: what models and paid templates cost today and this month, what may still be spent, the calls of which nobody knows
//! the cost, and what is left of months of which the calls are not kept any more.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::clock::{Clock as _, SystemClock};
use pointsman_model::price;
use pointsman_store::{SpendRow, SpendTotal};

use super::Context;
use super::table::table;
use crate::spend::{Ledger, Sum, month};
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
    let ledger = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let ledger = Ledger::read(&store, FIRST_WORKSPACE, config.models.caps(), SystemClock.now(), args.calls).await?;
        store.close().await?;
        Ok(ledger)
    })?;
    context.answer(&ledger.json(), || text(&ledger));
    Ok(ExitCode::SUCCESS)
}

fn text(ledger: &Ledger) -> String {
    if ledger.is_empty() {
        return "nothing was spent this month".to_owned();
    }
    let amount = |amount: Option<i64>| amount.map_or_else(|| "-".to_owned(), price::shown);
    let row = |one: &Sum| {
        let sum = &one.sum;
        let (spent, reserved) = (price::shown(sum.amount), price::shown(sum.reserved));
        let refused = sum.refused.to_string();
        [sum.scope.to_owned(), sum.owner.clone(), spent, reserved, amount(one.cap), amount(one.left()), refused]
    };
    let rows: Vec<[String; 7]> = ledger.sums.iter().map(row).collect();
    let mut told = table(["A", "OF", "SPENT", "OF IT RESERVED", "CAP", "LEFT", "CALLS REFUSED"], &rows);
    let (calls, reserved) = ledger.unsettled;
    if calls > 0 {
        told.push_str(&format!(
            "\n{calls} calls are under way, or were begun by a host that ended: {} counts as spent until they are settled",
            price::shown(reserved)
        ));
    }
    let tokens = |input: i64, output: i64| format!("{input}+{output}");
    if !ledger.models.is_empty() {
        let row = |one: &SpendTotal| {
            [one.model.clone(), one.calls.to_string(), tokens(one.input, one.output), price::shown(one.amount)]
        };
        let rows: Vec<[String; 4]> = ledger.models.iter().map(row).collect();
        told.extend(["\n\n", &table(["TODAY'S MODEL", "CALLS", "TOKENS", "COST"], &rows)]);
    }
    if !ledger.calls.is_empty() {
        let row = |row: &SpendRow| {
            let flag = row.flag.clone().unwrap_or_else(|| "-".to_owned());
            [
                moment(row.at),
                row.model.clone(),
                row.workflow.clone(),
                row.state.to_owned(),
                tokens(row.input, row.output),
                price::shown(row.amount),
                flag,
            ]
        };
        let rows: Vec<[String; 7]> = ledger.calls.iter().map(row).collect();
        let heads = ["WHEN", "MODEL", "WORKFLOW", "STATE", "TOKENS", "COST", "SENT AGAINST TRAINING"];
        told.extend(["\n\n", &table(heads, &rows)]);
    }
    if !ledger.months.is_empty() {
        let row = |one: &SpendTotal| {
            let calls = one.calls.to_string();
            [month(one), one.model.clone(), calls, tokens(one.input, one.output), price::shown(one.amount)]
        };
        let rows: Vec<[String; 5]> = ledger.months.iter().map(row).collect();
        told.extend(["\n\n", &table(["MONTH", "MODEL", "CALLS", "TOKENS", "COST"], &rows)]);
    }
    told
}
