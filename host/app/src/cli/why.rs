//! `pointsman why`: the whole story of one message on one screen, the verdict first.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::clock::{Clock, SystemClock};

use super::Context;
use crate::versions::Versions;
use crate::why::verdict::Standing;
use crate::why::{gather, telling, verdict};
use crate::wiring;

/// Example: `pointsman why wamid.HBgLMTU1NTAxMDAwMDEVAgASGBQz`
///
/// Exit codes: 0 it is known, 1 nothing is kept under this id, 2 cannot look.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of a webhook, event, run or send, the key of a send, or the provider's id of a message.
    id: String,
    /// Show what was said, and what steps gave.
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    let story = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let mut versions = Versions::new(&store).await?;
        let story = gather(&store, wiring::FIRST_WORKSPACE, &args.id, SystemClock.now(), &mut versions).await;
        store.close().await?;
        story
    })?;
    let judged = verdict::judge(&story, args.reveal);
    let known = judged.standing != Standing::NotKept;
    context.answer(&telling::json(&story, &judged, args.reveal), || telling::screen(&story, &judged, args.reveal));
    Ok(ExitCode::from(u8::from(!known)))
}
