//! The demo's data folder: a host as an operator would make one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pointsman_web::DemoChannel;

use super::Args;
use super::child::Up;
use super::providers::Providers;
use crate::cli::{Context, channel, init, knowledge, publish};
use crate::config;

/// What was made.
pub(super) struct Made {
    /// The connected channels.
    pub(super) channels: Vec<DemoChannel>,
}

/// Makes the folder: configuration, keys, stores, channels, workflows.
pub(super) fn make(context: &Context, args: &Args, providers: &Providers) -> Result<Made> {
    let dir = &context.dir;
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: the demo makes a host of its own, so give it a new folder", dir.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    configure(context, providers, &args.public, "127.0.0.1:0")?;
    init::make(context, "demo bakery", "UTC")?;
    let mut channels = Vec::new();
    for connected in providers.connected() {
        let added = channel::add(context, &connected.new)?;
        channels.push(connected.shown(added.id.to_string()));
    }
    let workflows = std::slice::from_ref(&args.workflows);
    let outcome = publish::publish_folders(context, workflows, false)
        .with_context(|| format!("the workflows in {}", args.workflows.display()))?;
    if outcome.published.is_empty() {
        bail!(
            "{} workflows in {} are broken and none is in order: `pointsman check` tells why",
            outcome.broken.len(),
            args.workflows.display()
        );
    }
    know(context, &args.workflows)?;
    Ok(Made { channels })
}

/// Makes the knowledge bases that lie beside the workflows: each folder in a folder `knowledge` is one.
fn know(context: &Context, workflows: &Path) -> Result<()> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|path| path.is_dir()).collect();
        found.sort();
        found
    };
    let homes = std::iter::once(workflows.to_path_buf()).chain(below(workflows));
    for folder in homes.flat_map(|home| below(&home.join("knowledge"))) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        knowledge::fill(context, &name, &folder).with_context(|| format!("the knowledge in {}", folder.display()))?;
    }
    Ok(())
}

/// Writes down the ports that the host took, so that it comes back at the same ones.
pub(super) fn settle(context: &Context, providers: &Providers, up: &Up) -> Result<()> {
    configure(context, providers, &up.public, &up.private)
}

fn configure(context: &Context, providers: &Providers, public: &str, private: &str) -> Result<()> {
    let file = context.dir.join(config::FILE);
    let allowed: Vec<String> = providers.addresses().iter().map(|address| format!("{address:?}")).collect();
    let text = format!(
        "# Written by `pointsman demo`: a host whose providers are emulated on this machine.\n\n\
         [http]\npublic = {public:?}\nprivate = {private:?}\n\n\
         # The emulators.\n[egress]\nallow_private = [{}]\n",
        allowed.join(", ")
    );
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
