//! `pointsman key`: the master key.

mod rotate;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use pointsman_store::{Rotation, Store};
use pointsman_vault::MasterKey;
use serde_json::{Value, json};

use super::Context;
use super::init::{write_key, write_note};
use crate::wiring;

/// Example: `pointsman key status`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// Which master key seals; how far its replacement is.
    ///
    /// Example: `pointsman key status`
    Status,
    /// Puts another master key in the place of this one, while hosts run. What is sealed under the old one is sealed anew; then the
    /// old one opens nothing any more. Interrupted, it is run again and goes on.
    ///
    /// Example: `pointsman key rotate`
    Rotate(rotate::Args),
    /// Makes a master key and its recovery note, for a KMS or a variable. No host uses it yet.
    ///
    /// Example: `pointsman key new --out new.key`
    New {
        /// The file to write. The recovery note stands beside it.
        #[arg(long)]
        out: PathBuf,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    match &args.verb {
        KeyVerb::Status => status(context)?,
        KeyVerb::Rotate(args) => rotate::run(context, args)?,
        KeyVerb::New { out } => {
            let key = MasterKey::generate()?;
            let note = out.with_extension("recovery.txt");
            write_key(out, &key)?;
            write_note(&note, &key, out)?;
            let told = json!({ "key": name(key.key_id()), "file": out, "recovery_note": note });
            context.answer(&told, || {
                format!(
                    "Made the master key {} in {}.\nPrint {} and keep it safe.",
                    name(key.key_id()),
                    out.display(),
                    note.display()
                )
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As people and the audit see the id of a master key.
fn name(id: u32) -> String {
    format!("{id:08x}")
}

fn status(context: &Context) -> Result<()> {
    let config = context.config()?;
    let (current, rotation) = wiring::block_on(async {
        let store: Store = wiring::open_store(&config).await?;
        let found = store.rotation().await?;
        store.close().await?;
        Ok(found)
    })?;
    context.answer(&json!({ "key": name(current), "rotation": rotation.as_ref().map(progress) }), || match rotation {
        None => format!("The master key {} seals, and nothing is under another.", name(current)),
        Some(Rotation { old, new, keys, credentials, .. }) => format!(
            "The master key {} is replacing {}: {keys} keys and {credentials} credentials are still under the old one.\n\
             `pointsman key rotate` goes on with it.",
            name(new),
            name(old)
        ),
    });
    Ok(())
}

fn progress(rotation: &Rotation) -> Value {
    let Rotation { old, new, begun, keys, credentials } = *rotation;
    json!({ "old": name(old), "new": name(new), "begun": begun, "keys_left": keys, "credentials_left": credentials })
}
