//! Everything that speaks HTTP with the outside: two routers on two ports, and the demo's own.
//!
//! * The **public** port takes providers' webhooks at `/hooks/{channel}` and nothing else. It decides nothing: the raw bytes
//!   go to the [`House`], its answer goes back. It is on the path of every message, so it is hyper with one function.
//! * The **private** port has the API (`/api/v1`), the operator's pages, `/healthz`, `/readyz` and `/metrics`. It is for the
//!   operator alone and refuses what a foreign web page could make a browser send.
//! * The **demo** is served by another process than the host's, and asks the host like anybody else ([`serve_demo`]).
//!
//! Slow, large and many are dealt with here (`listen`, `body`, `flood`): no room behind meets a request that is not whole.

mod body;
mod demo;
mod flood;
mod guard;
mod listen;
mod meters;
mod pages;
pub mod ports;
mod private;
mod problem;
mod public;

#[cfg(test)]
mod tests;

pub use demo::{Act, Acting, DemoChannel, Door, Shut, Stage, serve_demo};
pub use flood::PublicConfig;
pub use meters::install_metrics;
pub use metrics_exporter_prometheus::PrometheusHandle;
pub use ports::{Answered, House, Incoming, Question, Trouble};
pub use private::{PrivateConfig, serve_private};
pub use public::serve_public;
