//! `pointsman plugin pack` and `plugin key`: for publishers. A folder with `plugin.toml` and its component becomes one file, signed by
//! a key that its publisher keeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pointsman_core::failure::Failure;
use pointsman_manifest::Manifest;
use pointsman_package::{Package, PublishingKey};
use serde_json::json;

use super::super::init::write_secret;
use super::find::{Component, MANIFEST, of_folder};
use super::{Context, report, say, unusable};
use crate::packages::failure;

/// Example: `pointsman plugin pack plugins/steps/shout --sign acme.key`
#[derive(Debug, clap::Args)]
pub(super) struct Pack {
    /// The plugin's folder: `plugin.toml`, and its component, or sources from which one was built.
    folder: PathBuf,
    /// The file with your publishing key.
    #[arg(long, value_name = "KEY_FILE")]
    sign: Option<PathBuf>,
    /// Where the package goes; default: NAME-VERSION.plugin, here.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// Makes a publishing key: a file that you alone can read. Whoever has it can publish in your name.
    New {
        /// The file; it must not be there yet.
        file: PathBuf,
    },
    /// Says which public key belongs to a publishing key.
    Show {
        /// The file.
        file: PathBuf,
    },
}

pub(super) fn key(context: &Context, verb: &Key) -> Result<ExitCode> {
    let (key, file, word) = match verb {
        Key::New { file } => {
            let key = PublishingKey::generate()?;
            write_secret(file, format!("{}\n", key.to_text().as_str()).as_bytes())?;
            (key, file, "made")
        }
        Key::Show { file } => (read(file)?, file, "read"),
    };
    let (id, public) = (key.public().id(), key.public().to_string());
    context.answer(&json!({ "file": file, "id": id, "public": public }), || {
        format!("{word} {}\nid      {id}\npublic  {public}", file.display())
    });
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<PublishingKey> {
    let text = zeroize::Zeroizing::new(fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?);
    Ok(PublishingKey::from_text(&text)?)
}

pub(super) fn pack(context: &Context, args: &Pack) -> Result<ExitCode> {
    let key = args.sign.as_deref().map(read).transpose()?;
    match packed(&args.folder, key.as_ref()) {
        Ok((package, bytes)) => {
            let m = &package.manifest;
            let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-{}.plugin", m.short_name(), m.version)));
            fs::write(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
            let publisher = package.key.map(|key| key.to_string());
            let shown = json!({
                "file": out, "id": m.id, "version": m.version, "digest": package.digest, "bytes": bytes.len(), "publisher": publisher,
            });
            context.answer(&shown, || {
                let signed =
                    publisher.as_ref().map_or("by nobody: --sign KEY_FILE signs it".to_owned(), |key| format!("by {key}"));
                format!("{}  {} {}\ndigest  {}\nsigned  {signed}", out.display(), m.id, m.version, package.digest)
            });
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            if context.json {
                say(&super::error(&refused).to_string())
            } else {
                report(&refused.to_string())
            }
            Ok(ExitCode::from(1))
        }
    }
}

/// What a host would refuse is not packed.
fn packed(folder: &Path, key: Option<&PublishingKey>) -> Result<(Package, Vec<u8>), Failure> {
    let file = folder.join(MANIFEST);
    let text = fs::read_to_string(&file).map_err(|e| unusable("manifest", format!("cannot read {}: {e}", file.display())))?;
    let manifest = Manifest::parse(&text).map_err(|e| Failure::bug(e.code, format!("{}: {}", file.display(), e.message)))?;
    let component = match of_folder(folder)? {
        Component::File(file) => {
            fs::read(&file).map_err(|e| unusable("plugin", format!("cannot read {}: {e}", file.display())))?
        }
        Component::Bundled(bytes) => bytes.to_vec(),
        Component::Missing(cure) => return Err(unusable("component", cure)),
    };
    pointsman_sandbox::inspect(&manifest, &component)?;
    let bytes = Package::write(&text, &component, key).map_err(failure)?;
    Package::read(&bytes).map(|package| (package, bytes)).map_err(failure)
}
