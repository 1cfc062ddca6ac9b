//! WhatsApp through the Cloud API. Webhooks become events ([`parse`]), jobs become requests to the Graph API ([`send`]), and
//! the provider's answers become one word for each thing the host can do about them ([`faults`]).
//!
//! The plugin sees neither the app secret nor the token: the host has verified the signature before `parse` is called, and
//! puts the token into requests after `begin` and `advance` have named its slot.

mod config;
mod faults;
mod job;
mod parse;
mod send;
mod wire;

use pointsman_sdk::channel::{Account, Job, Reception, Turn, Webhook};
use pointsman_sdk::prelude::*;

/// The channel plugin.
pub struct Whatsapp;

impl Channel for Whatsapp {
    fn parse(webhook: Webhook, _account: Account) -> Result<Reception, String> {
        parse::parse(&webhook.body, webhook.received).map(Reception::events)
    }

    fn begin(job: Job) -> Turn {
        job::begin(&job).unwrap_or_else(Turn::Failed)
    }

    fn advance(job: Job, state: String, response: HttpResponse) -> Turn {
        job::advance(&job, &state, &response).unwrap_or_else(Turn::Failed)
    }
}

export_channel!(Whatsapp);
