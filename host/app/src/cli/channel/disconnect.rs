//! `pointsman channel disconnect`: the provider's subscription ends, then the secrets go and what waits to leave is parked, in
//! one transaction. What was said stays, and the account can be connected again under the same address.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::ports::Operation;
use pointsman_store::ChannelState;
use serde_json::json;

use super::ask::{engine, ready};
use super::{Context, stored};
use crate::wiring::{self, FIRST_WORKSPACE};

pub(super) fn run(context: &Context, id: &str, force: bool) -> Result<ExitCode> {
    let config = context.config()?;
    let (ended, gone, told) = wiring::block_on(async {
        let engine = engine(&config).await?;
        let row = stored(engine.store(), id).await?;
        if row.state != ChannelState::Active && row.credentials.is_empty() {
            bail!("channel {id} is not connected");
        }
        let channel = row.id;
        let told = engine.ask(&ready(&engine, row)?, Operation::Unsubscribe).await;
        match &told {
            Ok(_) => {}
            // A token that is no longer good cannot end anything, and nothing is delivered for it.
            Err(why) if matches!(why.code.as_str(), "provider.unauthorized" | "provider.revoked") => {}
            Err(why) if !force => bail!(
                "the provider could not be told ({}): {}\nNothing was changed. Try again, or go on without it: --force",
                why.code,
                why.message
            ),
            Err(_) => {}
        }
        let gone = engine.store().disconnect(FIRST_WORKSPACE, channel).await?;
        engine.store().audit(FIRST_WORKSPACE, "cli", "channel.disconnect", &channel.to_string()).await?;
        engine.store().close().await?;
        Ok((told.is_ok(), gone, told.err()))
    })?;
    context.answer(
        &json!({ "id": id, "unsubscribed": ended, "secrets_deleted": gone.secrets, "parked": gone.sends, "error": told }),
        || {
            let provider = match &told {
                None => "The provider delivers no longer.".to_owned(),
                Some(why) => format!("The provider could not be told ({}): {}", why.code, why.message),
            };
            let parked = match gone.sends {
                0 => String::new(),
                n => format!(" {n} messages that waited are parked, and go on when it is connected again."),
            };
            format!("{provider} {} secrets are deleted.{parked}", gone.secrets)
        },
    );
    Ok(ExitCode::SUCCESS)
}
