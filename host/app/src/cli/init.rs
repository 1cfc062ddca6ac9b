//! `pointsman init`: a host's folder from nothing. Never overwrites a key or a database.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_vault::{MasterKey, Zeroizing};
use serde_json::json;

use super::Context;
use crate::config;

/// Example: `pointsman init --dir /srv/pointsman`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of the first workspace.
    #[arg(long, default_value = "main")]
    workspace: String,
    /// Its time zone, as in the IANA data base.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let made = make(context, &args.workspace, &args.time_zone)?;
    context.answer(
        &json!({
            "config": made.config, "master_key": made.written.as_ref().map(|w| &w.master),
            "recovery_note": made.written.as_ref().map(|w| &w.note), "workspace": args.workspace,
        }),
        || {
            let key = made.written.as_ref().map_or_else(
                || "  master key     from where [keys] master says; keep a copy of it in a safe place\n".to_owned(),
                |Written { master, note }| {
                    format!(
                        "  master key     {} (readable by you alone)\n  recovery note  {}\n\
                         Print the recovery note, put it into a safe place, and delete it from this machine: without the key nothing \
                         stored here can ever be read again.\n",
                        master.display(),
                        note.display()
                    )
                },
            );
            format!(
                "Made a host in {}.\n  configuration  {}\n{key}Next: pointsman channel add whatsapp --help",
                context.dir.display(),
                made.config.display()
            )
        },
    );
    Ok(ExitCode::SUCCESS)
}

/// What was made.
pub(super) struct Made {
    config: PathBuf,
    /// Where the master key is a file.
    written: Option<Written>,
}

/// A key file and its note.
struct Written {
    master: PathBuf,
    note: PathBuf,
}

/// Makes the folder.
pub(super) fn make(context: &Context, workspace: &str, time_zone: &str) -> Result<Made> {
    let dir = &context.dir;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let file = dir.join(config::FILE);
    if !file.exists() {
        fs::write(&file, config::DEFAULT)?;
    }
    let config = context.config()?;
    let written = config.keys.master_file(dir).map(|master| key_file(dir, master)).transpose()?;
    crate::wiring::block_on(async {
        let store = crate::wiring::open_store(&config).await?;
        crate::wiring::make_workspace(&store, workspace, time_zone).await
    })?;
    Ok(Made { config: file, written })
}

/// A new master key in its file, and the recovery note.
fn key_file(dir: &Path, master: PathBuf) -> Result<Written> {
    if master.exists() {
        bail!("{} is there already: this folder has been initialised, and its key is never overwritten", master.display());
    }
    let key = MasterKey::generate()?;
    let note = dir.join("RECOVERY.txt");
    if let Some(parent) = master.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    write_key(&master, &key)?;
    write_note(&note, &key, &master)?;
    Ok(Written { master, note })
}

/// Writes a key file.
pub(super) fn write_key(path: &Path, key: &MasterKey) -> Result<()> {
    write_secret(path, Zeroizing::new(format!("{}\n", key.to_text().as_str())).as_bytes())
}

/// Writes a new file that its owner alone can read; refuses to follow or overwrite anything.
pub(super) fn write_secret(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(())
}

/// Writes what is to be printed and kept safe.
pub(super) fn write_note(note: &Path, key: &MasterKey, path: &Path) -> Result<()> {
    let text = Zeroizing::new(format!(
        "POINTSMAN RECOVERY NOTE\n\n\
         This is the master key {:08x} of the host whose key file is {}.\n\
         Whoever has it and a copy of the data and key stores can read everything.\n\
         Whoever loses it can read nothing.\n\n    {}\n\n\
         To recover: write that line into the key file (or into the variable that [keys] master names),\n\
         put back the data and the key store, and run `pointsman serve`.\n",
        key.key_id(),
        path.display(),
        key.to_text().as_str()
    ));
    write_secret(note, text.as_bytes())
}
