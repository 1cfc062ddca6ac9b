//! `[http]`: ports and addresses.

use std::net::IpAddr;

use serde::Deserialize;

/// Two ports: what the world may reach, and what only the operator may.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port for providers' webhooks.
    pub public: String,
    /// Address and port of API, pages and metrics.
    pub private: String,
    /// The public port's address as providers see it; empty: `http://<public>`.
    pub public_url: String,
    /// Addresses of proxies before the public port.
    pub proxies: Vec<IpAddr>,
}

impl Http {
    /// The address under which providers reach a channel's hook.
    #[must_use]
    pub fn hook_url(&self, channel: &str) -> String {
        let base = if self.public_url.is_empty() { format!("http://{}", self.public) } else { self.public_url.clone() };
        format!("{}/hooks/{channel}", base.trim_end_matches('/'))
    }
}
