//! The private port: API, the operator's pages, health and metrics, for the operator alone.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::Html;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::ports::House;
use crate::problem::Problem;
use crate::{guard, listen, meters, pages};

mod api;

/// What the private port shows besides the API.
pub struct PrivateConfig {
    /// From [`install_metrics`](crate::install_metrics).
    pub metrics: PrometheusHandle,
}

/// What the routes share.
struct Room {
    house: Arc<dyn House>,
    metrics: PrometheusHandle,
}

/// Serves the operator until `closing` turns true; returns when the last request is answered.
pub async fn serve_private<H: House>(
    listener: TcpListener,
    house: Arc<H>,
    config: PrivateConfig,
    closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let own = listener.local_addr()?;
    let room = Arc::new(Room { house, metrics: config.metrics.clone() });
    let router = router(&room).layer(from_fn_with_state(own, guard::around));
    let folding = tokio::spawn(meters::fold(config.metrics));
    let served = listen::serve_router(listener, router, closing).await;
    folding.abort();
    served
}

/// All routes of the private port.
fn router(room: &Arc<Room>) -> Router {
    Router::new()
        .route("/", get(status))
        .merge(pages::router(pages::Place::Host))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .merge(api::router())
        .with_state(Arc::clone(room))
}

async fn status() -> Result<Html<String>, Problem> {
    pages::status(pages::Place::Host)
}

async fn ready(State(room): State<Arc<Room>>) -> Result<&'static str, Problem> {
    room.house.ready().await.map(|()| "ready\n").map_err(|why| {
        tracing::warn!(%why, "not ready");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "house.not_ready", "the host cannot take webhooks now; its log says why")
    })
}

async fn numbers(State(room): State<Arc<Room>>) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], room.metrics.render())
}
