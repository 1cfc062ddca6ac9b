//! The private port: API, page, health and metrics, for the operator alone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::listen::{self, Patience};
use crate::ports::House;
use crate::{meters, pages};

mod api;
mod demo;
mod guard;
mod problem;

pub use demo::DemoLink;
use problem::Problem;

/// Connections at once: an operator's browser, a scraper, a few scripts.
const CONNECTIONS: u32 = 256;

/// What the private port shows besides the API.
pub struct PrivateConfig {
    /// With an emulated provider, `/` is the page that plays a contact.
    pub demo: Option<DemoLink>,
    /// From [`install_metrics`](crate::install_metrics).
    pub metrics: PrometheusHandle,
}

/// What the routes share.
struct Room {
    house: Arc<dyn House>,
    metrics: PrometheusHandle,
    emulator: Option<demo::Emulator>,
    own: SocketAddr,
}

/// Serves the operator until `closing` turns true; returns when the last request is answered.
pub async fn serve_private<H: House>(
    listener: TcpListener,
    house: Arc<H>,
    config: PrivateConfig,
    closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let own = listener.local_addr()?;
    let emulator = config.demo.as_ref().map(demo::Emulator::new);
    let room = Arc::new(Room { house, metrics: config.metrics.clone(), emulator, own });
    let service = TowerToHyperService::new(router(&room));
    let folding = tokio::spawn(meters::fold(config.metrics));
    let served = listen::serve(listener, Patience::with(CONNECTIONS), closing, move |request| {
        let answer = service.call(request);
        async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
    .await;
    folding.abort();
    served
}

/// All routes of the private port.
fn router(room: &Arc<Room>) -> Router {
    let mut router = Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .merge(api::router());
    if room.emulator.is_some() {
        router = router.route("/demo/say", post(demo::say));
    }
    router.layer(from_fn_with_state(Arc::clone(room), guard::around)).with_state(Arc::clone(room))
}

async fn page(State(room): State<Arc<Room>>) -> Html<&'static str> {
    Html(if room.emulator.is_some() { pages::DEMO } else { pages::STATUS })
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    pages::asset(&name).ok_or_else(|| Problem::of(StatusCode::NOT_FOUND))
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
