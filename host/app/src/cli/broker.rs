//! The broker's process: it alone holds the master key, the credentials subkey and the sockets to the outside.
//!
//! `serve` starts it as its child, and then begins anew itself, under the same process id, in an environment without secrets:
//! so neither the memory nor the environment of the engine's process ever holds one, and whoever started the host knows the
//! process that takes its signals and whose exit code counts. The two are joined by one socket: the standard output of the
//! broker, the standard input of the engine. When one of them ends, however it ends, the other sees the socket close: the broker
//! finishes what is under way (at most 30 s) and ends; the engine ends at once.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use pointsman_broker::Broker;
use pointsman_broker::process::{self, Connection};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Context;
use crate::config::Config;
use crate::harden::harden;
use crate::{shutdown, telemetry, wiring};

/// How variables with secrets for `channel add` begin.
const SECRETS: &str = "POINTSMAN_SECRET_";

/// Example: none, `pointsman serve` starts it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tell the engine to close when standard input does.
    #[arg(long)]
    until_closed: bool,
}

/// Starts the broker, and this process anew as the engine's. Returns only when that fails.
pub(super) fn begin(context: &Context, config: &Config, until_closed: bool) -> Result<ExitCode> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let (ours, theirs) = UnixStream::pair().context("no socket for the broker")?;
    let mut broker = Command::new(&program);
    broker.arg("--dir").arg(&context.dir).arg("broker").stdout(OwnedFd::from(theirs));
    if until_closed {
        broker.arg("--until-closed");
    } else {
        broker.stdin(Stdio::null());
    }
    broker.spawn().context("the broker's process cannot be started")?;
    let mut engine = Command::new(&program);
    engine.args(std::env::args_os().skip(1)).arg("--joined").stdin(OwnedFd::from(ours));
    for name in secret(config, std::env::vars_os().map(|(name, _)| name)) {
        engine.env_remove(name);
    }
    Err(engine.exec()).context("this program cannot be started anew")
}

/// The variables that the engine's process must not have.
fn secret(config: &Config, names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    names
        .filter(|name| {
            config.keys.master_variable().is_some_and(|own| own == name) || name.to_string_lossy().starts_with(SECRETS)
        })
        .collect()
}

/// Meets the broker that was started before this process began anew.
pub(super) async fn join() -> Result<(Broker, Connection)> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
    process::connect(UnixStream::from(socket)).await.map_err(|failure| anyhow::anyhow!(failure.message))
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let socket = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned().context("standard output")?);
    socket.local_addr().context("`pointsman serve` starts the broker; by itself it does nothing")?;
    harden()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let _deaf = deaf()?;
        match prepare(context) {
            Ok(broker) => {
                let input = args.until_closed.then(shutdown::end_of_input).transpose()?;
                let close = async {
                    match input {
                        Some(end) => end.await,
                        None => std::future::pending().await,
                    }
                };
                process::serve(broker, socket, close).await.context("the socket to the engine's process")
            }
            Err(error) => process::refuse(socket, &format!("{error:#}")).context("the engine's process has ended"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn prepare(context: &Context) -> Result<Broker> {
    let config = context.config()?;
    telemetry::start(&config.telemetry)?;
    wiring::broker(&config)
}

/// Ends by its socket alone: Ctrl-C and the end of a service reach both processes, and what the engine still has to send needs
/// its broker. It is over when the socket is, and 30 s later at most.
fn deaf() -> Result<Vec<Signal>> {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()];
    kinds.into_iter().map(|kind| signal(kind).context("a signal")).collect()
}
