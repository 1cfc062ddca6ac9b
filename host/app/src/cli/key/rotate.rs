//! `pointsman key rotate`. Where the master key is a file, the new one lies beside it (`.next`) until everything is under it, and then
//! takes its place. Elsewhere the operator has put the new key somewhere, and lets `[keys] master` say so when asked to.
//!
//! Nothing is lost when this is killed at any moment: the new key is on disk before anything is sealed under it, both keys lie in the
//! key store, each sealed under the other, until the end, and a run begins where the tables say.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_core::clock::{Clock as _, SystemClock};
use pointsman_core::failure::{Class, Failure};
use pointsman_store::{CredentialRow, HeldKeys, Store, StoreError};
use pointsman_vault::{CredentialPlace, Keyring, MasterKey, Succession};
use serde_json::json;
use tokio::time::Instant;

use super::name;
use crate::cli::Context;
use crate::cli::init::{write_key, write_note};
use crate::config::{Config, Source};
use crate::wiring::{self, FIRST_WORKSPACE};

/// How the name of the key file that comes ends.
const NEXT: &str = ".next";

/// What is sealed anew in one transaction.
const BATCH: usize = 256;

/// For so long after the beginning both keys lie in the key store at least, in milliseconds: each running host looks twice a second.
const HEARD: i64 = 5_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the new key is: `file:PATH`, `env:NAME`, or `command`. Without it: `[keys] master` is a file, and a new key is made.
    #[arg(long)]
    to: Option<String>,
    /// Keep the old key good until this is run again without it: for hosts on other machines, which are to get the new key first.
    #[arg(long)]
    hold: bool,
}

/// What was done.
struct Done {
    link: Succession,
    keys: u64,
    credentials: u64,
    retired: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<()> {
    let config = context.config()?;
    let done = wiring::block_on(rotate(&config, args))?;
    let (old, new) = (name(done.link.old), name(done.link.new));
    let Done { keys, credentials, retired, .. } = done;
    let told = json!({ "old": old, "new": new, "keys": keys, "credentials": credentials, "retired": retired });
    context.answer(&told, || {
        let next = match (retired, args.hold) {
            (true, _) => format!("The old one opens nothing any more. Keep the recovery note of {new}; destroy that of {old} when no backup from before is left."),
            (false, true) => "The old one still opens the house. When every host has the new key: pointsman key rotate".to_owned(),
            (false, false) => format!("The old one still opens the house. Let [keys] master give {new}, then: pointsman key rotate"),
        };
        format!("Everything is under the master key {new} now: {keys} keys and {credentials} credentials were sealed anew.\n{next}")
    });
    Ok(())
}

async fn rotate(config: &Config, args: &Args) -> Result<Done> {
    let held = HeldKeys::new(Keyring::new(config.keys.read_master(&config.dir)?));
    let store = wiring::open_store_with(config, Arc::clone(&held)).await?;
    let link = match store.succession().await? {
        Some(link) => link,
        None => {
            let new = new_key(config, args)?;
            held.with(|keyring| keyring.replace(new))?
        }
    };
    coded(store.begin_rotation(FIRST_WORKSPACE, "cli", &link).await)?;
    let (mut keys, mut place) = (0, None);
    loop {
        let began = Instant::now();
        let (count, next) = store.rewrap_keys(place, BATCH).await?;
        keys += count;
        place = next;
        if place.is_none() {
            break;
        }
        let_others(began).await;
    }
    let credentials = reseal(&store, &held, link.old).await?;
    put_in_place(config, &held, args)?;
    let retired = !args.hold && config.keys.read_master(&config.dir)?.key_id() == link.new;
    if retired {
        if let (_, Some(rotation)) = store.rotation().await? {
            let over = rotation.begun + HEARD - SystemClock.now();
            tokio::time::sleep(Duration::from_millis(u64::try_from(over).unwrap_or(0))).await;
        }
        coded(store.end_rotation(FIRST_WORKSPACE, "cli").await)?;
    }
    store.close().await?;
    Ok(Done { link, keys, credentials, retired })
}

fn coded<T>(result: Result<T, StoreError>) -> Result<T> {
    Ok(result.map_err(|error| error.failure())?)
}

/// Half of the time belongs to the hosts.
async fn let_others(began: Instant) {
    tokio::time::sleep(began.elapsed()).await;
}

async fn reseal(store: &Store, held: &HeldKeys, old: u32) -> Result<u64> {
    let (sealer, opener) = held.with(|keyring| keyring.credential_vault());
    let anew = |row: &CredentialRow| {
        let place =
            CredentialPlace { workspace: row.workspace.0, owner: row.owner.0, slot: row.slot.clone(), hosts: row.hosts.clone() };
        let sealed = opener.open(&place, &row.sealed).and_then(|secret| sealer.seal(&place, &secret));
        sealed.map_err(|error| {
            StoreError::Unreadable(format!("the secret {} of channel {}: {error}; add the channel again", row.slot, row.owner))
        })
    };
    let mut credentials = 0;
    loop {
        let began = Instant::now();
        match store.reseal_credentials(old, BATCH, anew).await? {
            0 => return Ok(credentials),
            count => credentials += count,
        }
        let_others(began).await;
    }
}

/// The new key, which is on disk or wherever the operator has put it.
fn new_key(config: &Config, args: &Args) -> Result<MasterKey> {
    if let Some(to) = &args.to {
        return config.keys.read(Source::parse("--to", to)?, &config.dir).context("--to");
    }
    let Some(file) = config.keys.master_file(&config.dir) else {
        let message = "[keys] master is no file: make a key with `pointsman key new`, put it where the host can read it, and say where: --to";
        return Err(Failure::new(Class::Permanent, "keys.no_target", message).into());
    };
    let next = beside(&file, NEXT);
    if !next.exists() {
        let key = MasterKey::generate()?;
        // The note first: what lies at `.next` is used.
        write_note(&config.dir.join(format!("RECOVERY-{}.txt", name(key.key_id()))), &key, &file)?;
        let draft = beside(&file, ".draft");
        // Of one who was killed here: nothing is under it.
        fs::remove_file(&draft).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        write_key(&draft, &key)?;
        fs::rename(&draft, &next)?;
        sync_folder(&next)?;
    }
    config.keys.read(Source::File(&next.to_string_lossy()), &config.dir)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Puts the new key file in the place of the old one, whose bytes are overwritten.
fn put_in_place(config: &Config, held: &HeldKeys, args: &Args) -> Result<()> {
    let Some(file) = config.keys.master_file(&config.dir).filter(|_| args.to.is_none()) else { return Ok(()) };
    let next = beside(&file, NEXT);
    if !next.exists() {
        return Ok(());
    }
    let lies = config.keys.read(Source::File(&next.to_string_lossy()), &config.dir)?.key_id();
    let wanted = held.with(|keyring| keyring.current().key_id());
    if lies != wanted {
        bail!("keys.other_file: {} holds the key {}, and {} is wanted; move it away", next.display(), name(lies), name(wanted));
    }
    let mut old = File::options().write(true).open(&file).with_context(|| format!("cannot open {}", file.display()))?;
    fs::rename(&next, &file).with_context(|| format!("cannot replace {}", file.display()))?;
    sync_folder(&file)?;
    let length = usize::try_from(old.metadata()?.len()).unwrap_or(0);
    old.write_all(&vec![0; length])?;
    old.sync_all().context("the old key file cannot be overwritten")
}

fn sync_folder(of: &Path) -> Result<()> {
    let folder = of.parent().context("a folder")?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("cannot sync {}", folder.display()))
}
