//! The log: tracing to standard error. Tokens and message texts are never fields; what is logged is ids, counts and codes.

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::{Format, Telemetry};

/// Starts writing the log. Only the first call of a process does.
pub fn start(config: &Telemetry) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("[telemetry] log = {:?}", config.log))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match config.format {
        Format::Text => builder.with_ansi(false).try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}
