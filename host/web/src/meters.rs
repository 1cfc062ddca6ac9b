//! Numbers for Prometheus. The names are part of the operator's interface: see `/metrics`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Histogram, Unit};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

const ANSWERED: &str = "pointsman_hooks_answered_total";
const SECONDS: &str = "pointsman_hook_seconds";

static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Makes Prometheus the process's recorder. Asked again, it gives the same handle.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let handle =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(SECONDS.to_owned()), &seconds)?.install_recorder()?;
    metrics::describe_counter!(ANSWERED, "Webhooks answered, by class of status.");
    metrics::describe_histogram!(SECONDS, Unit::Seconds, "From a webhook's headers to its answer.");
    *installed = Some(handle.clone());
    Ok(handle)
}

/// The recorder keeps single samples until somebody folds them; this does so for ever.
pub(crate) async fn fold(handle: PrometheusHandle) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}

/// The meters of the public port, looked up once.
#[derive(Clone)]
pub(crate) struct Hooks {
    ok: Counter,
    refused: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl Hooks {
    pub(crate) fn new() -> Self {
        Self {
            ok: metrics::counter!(ANSWERED, "status" => "2xx"),
            refused: metrics::counter!(ANSWERED, "status" => "4xx"),
            failed: metrics::counter!(ANSWERED, "status" => "5xx"),
            seconds: metrics::histogram!(SECONDS),
        }
    }

    pub(crate) fn answered(&self, status: u16, took: Duration) {
        match status {
            0..400 => self.ok.increment(1),
            400..500 => self.refused.increment(1),
            _ => self.failed.increment(1),
        }
        self.seconds.record(took.as_secs_f64());
    }
}
