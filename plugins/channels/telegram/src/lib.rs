//! Telegram through the Bot API. Updates become events ([`parse`]), jobs become calls of the API's methods ([`send`]), and its
//! answers become one word for each thing the host can do about them ([`faults`]).
//!
//! The plugin sees neither the bot's token nor the webhook's secret: the host has compared the header before `parse` is called,
//! and puts the token into the path of the URL after `begin` and `advance` have marked its place.

mod address;
mod config;
mod faults;
mod job;
mod parse;
mod send;
mod wire;

use pointsman_sdk::channel::{Account, Job, Reception, Turn, Webhook};
use pointsman_sdk::prelude::*;

/// The channel plugin.
pub struct Telegram;

impl Channel for Telegram {
    fn parse(webhook: Webhook, _account: Account) -> Result<Reception, String> {
        parse::parse(&webhook.body)
    }

    fn begin(job: Job) -> Turn {
        job::begin(&job).unwrap_or_else(Turn::Failed)
    }

    fn advance(job: Job, state: String, response: HttpResponse) -> Turn {
        job::advance(&job, &state, &response).unwrap_or_else(Turn::Failed)
    }
}

export_channel!(Telegram);
