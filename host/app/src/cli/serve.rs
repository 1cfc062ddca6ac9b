//! `pointsman serve`: runs the host until SIGTERM or Ctrl-C.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_broker::Broker;
use pointsman_broker::process::Connection;
use pointsman_core::clock::SystemClock;
use pointsman_engine::points::Points;
use pointsman_web::{PrivateConfig, PublicConfig};
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::time::Instant;

use super::{Context, broker, say};
use crate::config::Config;
use crate::harden::{connections, harden};
use crate::house::EngineHouse;
use crate::shutdown::{self, Closing};
use crate::{telemetry, wiring};

/// How long work under way may take after the signal, requests included. A little less than the ten seconds that supervisors
/// grant.
const DRAIN: Duration = Duration::from_secs(9);

/// How long the broker's process is waited for. It finishes by itself what takes longer, and the next start knows of it.
const FAREWELL: Duration = Duration::from_millis(500);

/// Example: `pointsman serve --dir /srv/pointsman`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also end when standard input closes: for a supervisor, whose end closes it whatever ended it.
    #[arg(long)]
    until_closed: bool,
    /// The broker is there already, at the other end of standard input.
    #[arg(long, hide = true)]
    joined: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    if config.broker.process && !args.joined {
        return broker::begin(context, &config, args.until_closed);
    }
    harden()?;
    telemetry::start(&config.telemetry)?;
    let json = context.json;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (broker, connection) = if args.joined {
            let (broker, connection) = broker::join().await?;
            (broker, Some(connection))
        } else {
            (wiring::broker(&config)?, None)
        };
        let closing = match &connection {
            // It has the standard input of both.
            Some(connection) => shutdown::listen_with(connection.closing())?,
            None if args.until_closed => shutdown::listen_until_closed()?,
            None => shutdown::listen()?,
        };
        serve(&config, broker, connection, closing, |public, private| {
            if json {
                say(&serde_json::json!({ "public": public, "private": private }).to_string());
            } else {
                say(&format!("webhooks on http://{public}, pages and API on http://{private}"));
            }
        })
        .await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a host: everything open is taken up first, then the ports open, then `ready` is told their addresses.
async fn serve(
    config: &Config,
    broker: Broker,
    connection: Option<Connection>,
    mut closing: Closing,
    ready: impl FnOnce(&str, &str),
) -> Result<()> {
    let public = bind("[http] public", &config.http.public).await?;
    let private = bind("[http] private", &config.http.private).await?;
    let metrics = pointsman_web::install_metrics()?;
    let engine = wiring::engine(config, broker, Arc::new(SystemClock), points()).await?;
    engine.start().await.context("what was open could not be taken up")?;
    let house = Arc::new(EngineHouse::new(engine.clone(), config.http.clone(), config.models.caps()));
    let (public_at, private_at) = (public.local_addr()?.to_string(), private.local_addr()?.to_string());
    let granted = PublicConfig { connections: connections(), ..config.public() };
    let public = tokio::spawn(pointsman_web::serve_public(public, Arc::clone(&house), closing.clone(), granted));
    let private = tokio::spawn(pointsman_web::serve_private(private, house, PrivateConfig { metrics }, closing.clone()));
    ready(&public_at, &private_at);
    let store = engine.store().clone();
    let closed = tokio::spawn(async move {
        let _ = closing.wait_for(|closing| *closing).await;
        Instant::now()
    });
    let no_broker = async {
        match &connection {
            Some(connection) => connection.ended().await,
            None => std::future::pending().await,
        }
    };
    let until_the_end = async {
        public.await??;
        private.await??;
        engine.drain(DRAIN.saturating_sub(closed.await?.elapsed())).await;
        engine.store().close().await?;
        Ok(())
    };
    let ended: Result<()> = tokio::select! {
        ended = until_the_end => ended,
        () = no_broker => bail!("the broker's process has ended, and with it this host; start it again: it begins with what is on disk"),
        () = store.outlived() => bail!(
            "keys.outlived: the master key was replaced while this host stood still; start it again with the new one"
        ),
        () = store.lost() => bail!(
            "the disk could not keep what it had taken (fsync failed): nothing of that was acknowledged, and nothing more may be \
             trusted to this process; look at the disk and the system's log, then start again: it begins with what is on disk"
        ),
    };
    if let Some(connection) = connection {
        connection.close(FAREWELL).await;
    }
    ended
}

/// Connections that the system holds until they are taken: as many as may come at the same moment without one being turned away. The
/// system has a bound of its own.
const QUEUE: u32 = 16_384;

async fn bind(key: &str, address: &str) -> Result<TcpListener> {
    open(address).await.with_context(|| format!("{key} = {address:?}: the port cannot be opened"))
}

async fn open(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As every server does: the port is free again at once after an end.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(QUEUE)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Named places at which a test may end the process. Only in builds for tests.
#[cfg(feature = "kill-points")]
pub(super) fn points() -> Points {
    crate::config::kill_points()
}

#[cfg(not(feature = "kill-points"))]
pub(super) fn points() -> Points {
    Points::default()
}
