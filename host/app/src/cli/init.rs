//! `pointsman init`: a host's folder from nothing. Never overwrites a key or a database.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_vault::MasterKey;
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
        &json!({ "config": made.config, "master_key": made.master, "recovery_note": made.note, "workspace": args.workspace }),
        || {
            format!(
                "Made a host in {}.\n  configuration  {}\n  master key     {} (readable by you alone)\n  recovery note  {}\n\
                 Print the recovery note, put it into a safe place, and delete it from this machine: without the key nothing \
                 stored here can ever be read again.\nNext: pointsman channel add whatsapp --help",
                context.dir.display(),
                made.config.display(),
                made.master.display(),
                made.note.display()
            )
        },
    );
    Ok(ExitCode::SUCCESS)
}

/// What was made.
pub(super) struct Made {
    config: PathBuf,
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
    let Some(master) = config.keys.master_file().map(|path| config.path(path)) else {
        bail!("[keys] master is not a file: put the key where it says, then run `pointsman serve`");
    };
    if master.exists() {
        bail!("{} is there already: this folder has been initialised, and its key is never overwritten", master.display());
    }
    let key = MasterKey::generate()?;
    let note = dir.join("RECOVERY.txt");
    if let Some(parent) = master.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    write_secret(&master, format!("{}\n", key.to_text().as_str()).as_bytes())?;
    write_secret(&note, recovery_note(&key, &master).as_bytes())?;
    crate::wiring::block_on(async {
        let store = crate::wiring::open_store(&config).await?;
        crate::wiring::make_workspace(&store, workspace, time_zone).await
    })?;
    Ok(Made { config: file, master, note })
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

fn recovery_note(key: &MasterKey, path: &Path) -> String {
    format!(
        "POINTSMAN RECOVERY NOTE\n\n\
         This is the master key of the host whose key file is {}.\n\
         Whoever has it and a copy of the data and key stores can read everything.\n\
         Whoever loses it can read nothing.\n\n    {}\n\n\
         To recover: write that line into the key file (or into the variable that [keys] master names),\n\
         put back the data and the key store, and run `pointsman serve`.\n",
        path.display(),
        key.to_text().as_str()
    )
}
