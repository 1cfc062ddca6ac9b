//! `pointsman trends`: what contacts felt, week by week. A workflow that uses `sentiment` has its answers counted here, by channel and by the
//! tags that the workflows of the same message put; no words are kept for it.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::trends::{self, Week};
use crate::wiring::{self, FIRST_WORKSPACE};

/// Example: `pointsman trends --weeks 4`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// So many weeks, this one among them.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=520))]
    weeks: u32,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    let weeks = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let felt = store.trends(FIRST_WORKSPACE, trends::since(args.weeks, SystemClock.now())).await?;
        let channels = store.channels(FIRST_WORKSPACE).await?;
        store.close().await?;
        Ok(trends::weeks(&felt, &channels))
    })?;
    let all: Vec<Value> = weeks.iter().map(trends::json).collect();
    context.answer(&json!({ "weeks": all }), || text(&weeks));
    Ok(ExitCode::SUCCESS)
}

fn text(weeks: &[Week]) -> String {
    if weeks.is_empty() {
        return "nothing was felt: no workflow used `sentiment` in these weeks".to_owned();
    }
    let row = |week: &Week| {
        let [positive, neutral, negative] = week.felt.map(|count| count.to_string());
        let topic = if week.topic.is_empty() { "(all)" } else { &week.topic };
        [week.week.clone(), week.name.clone(), topic.to_owned(), positive, neutral, negative]
    };
    let rows: Vec<[String; 6]> = weeks.iter().map(row).collect();
    table(["WEEK FROM", "CHANNEL", "TOPIC", "POSITIVE", "NEUTRAL", "NEGATIVE"], &rows)
}
