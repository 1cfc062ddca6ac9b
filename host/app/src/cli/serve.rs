//! `pointsman serve`: runs the host until SIGTERM or Ctrl-C.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pointsman_core::clock::SystemClock;
use pointsman_engine::points::Points;
use pointsman_web::PrivateConfig;
use tokio::net::TcpListener;

use super::{Context, say};
use crate::config::Config;
use crate::house::EngineHouse;
use crate::shutdown::{self, Closing};
use crate::{telemetry, wiring};

/// How long work under way may take after the signal.
const DRAIN: Duration = Duration::from_secs(10);

/// Example: `pointsman serve --dir /srv/pointsman`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also end when standard input closes: for a supervisor, whose end closes it whatever ended it.
    #[arg(long)]
    until_closed: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    telemetry::start(&config.telemetry)?;
    let json = context.json;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let closing = if args.until_closed { shutdown::listen_until_closed()? } else { shutdown::listen()? };
        serve(&config, closing, |public, private| {
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
async fn serve(config: &Config, closing: Closing, ready: impl FnOnce(&str, &str)) -> Result<()> {
    let public = bind("[http] public", &config.http.public).await?;
    let private = bind("[http] private", &config.http.private).await?;
    let metrics = pointsman_web::install_metrics()?;
    let engine = wiring::engine(config, Arc::new(SystemClock), points()).await?;
    engine.start().await.context("what was open could not be taken up")?;
    let house = Arc::new(EngineHouse::new(engine.clone(), config.http.clone()));
    let (public_at, private_at) = (public.local_addr()?.to_string(), private.local_addr()?.to_string());
    let public = tokio::spawn(pointsman_web::serve_public(public, Arc::clone(&house), closing.clone()));
    let private = tokio::spawn(pointsman_web::serve_private(private, house, PrivateConfig { metrics }, closing));
    ready(&public_at, &private_at);
    public.await??;
    private.await??;
    engine.drain(DRAIN).await;
    engine.store().close().await?;
    Ok(())
}

async fn bind(key: &str, address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key} = {address:?}: the port cannot be opened"))
}

/// Named places at which a test may end the process. Only in builds for tests.
#[cfg(feature = "kill-points")]
fn points() -> Points {
    crate::config::kill_points()
}

#[cfg(not(feature = "kill-points"))]
fn points() -> Points {
    Points::default()
}
