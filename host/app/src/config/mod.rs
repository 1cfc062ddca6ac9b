//! The configuration: one small file a topic, unknown keys refused, everything parsed before a port opens.
//!
//! Three layers, the later ones winning: the compiled-in default (`default.toml`, which is also the commented file that
//! `pointsman init` writes), the operator's `pointsman.toml`, and the environment as `POINTSMAN_<TOPIC>__<KEY>`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pointsman_web::PublicConfig;
use serde::Deserialize;
use toml::{Table, Value};

mod broker;
mod egress;
mod http;
mod keys;
#[cfg(feature = "kill-points")]
mod kill;
mod limits;
mod models;
mod sandbox;
mod store;
mod telemetry;
mod templates;

pub use broker::Broker;
pub use egress::Egress;
pub use http::Http;
pub use keys::{Keys, Source};
#[cfg(feature = "kill-points")]
pub use kill::{hastened, kill_points};
pub use limits::Limits;
pub use models::{Models, embedder};
pub use sandbox::{Sandbox, compiler, reader};
pub use store::Store;
pub use telemetry::{Format, Telemetry};
pub use templates::Templates;

/// The commented default file.
pub const DEFAULT: &str = include_str!("default.toml");

/// The name of the file in the host's folder.
pub const FILE: &str = "pointsman.toml";

/// Everything an operator can set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Ports and addresses.
    pub http: Http,
    /// Where the data lies.
    pub store: Store,
    /// Where the keys lie.
    pub keys: Keys,
    /// Who makes requests.
    pub broker: Broker,
    /// Where requests may go.
    pub egress: Egress,
    /// What the host may use.
    pub limits: Limits,
    /// What models may cost and be told.
    pub models: Models,
    /// What templates cost.
    pub templates: Templates,
    /// How plugins run.
    pub sandbox: Sandbox,
    /// What is written to the log.
    pub telemetry: Telemetry,
    /// The folder that relative paths start from. Not a key: it is where the file was found.
    #[serde(skip)]
    pub dir: PathBuf,
}

impl Config {
    /// Reads the configuration of the host in `dir`. A missing file means the defaults.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::layered(dir, &text, std::env::vars()).with_context(|| format!("in {} and the environment", path.display()))
    }

    /// The three layers, from texts: no file is read and no variable looked up.
    pub fn layered(dir: &Path, file: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut table: Table = DEFAULT.parse().context("the compiled-in default does not parse")?;
        merge(&mut table, file.parse().context("not valid TOML")?);
        for (name, value) in environment {
            let Some((topic, key)) = name.strip_prefix("POINTSMAN_").and_then(|rest| rest.split_once("__")) else { continue };
            let (topic, key) = (topic.to_lowercase(), key.to_lowercase());
            let Some(Value::Table(entries)) = table.get_mut(&topic) else {
                bail!("{name}: there is no topic [{topic}]; the topics are those of the default file, see `pointsman init`");
            };
            // A number, a flag or a list may be written as in the file; anything else is text.
            let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
            let as_text = matches!(entries.get(&key), Some(Value::String(_)));
            entries.insert(key, parsed.filter(|_| !as_text).unwrap_or(Value::String(value)));
        }
        let mut config: Self = Value::Table(table).try_into().context("a key is unknown or of the wrong kind")?;
        config.dir = dir.to_path_buf();
        Ok(config)
    }

    /// How much the public port looks at.
    #[must_use]
    pub fn public(&self) -> PublicConfig {
        PublicConfig {
            webhooks_a_second: self.limits.webhooks_a_second,
            refused_a_second: self.limits.refused_a_second,
            proxies: self.http.proxies.clone(),
            ..PublicConfig::default()
        }
    }

    /// A path of the configuration, from the host's folder where it is relative.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }
}

/// Lays `over` over `base`, topic by topic.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, env: &[(&str, &str)]) -> Result<Config> {
        Config::layered(Path::new("/x"), file, env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let c = load("[http]\npublic = \"0.0.0.0:80\"\nprivate = \"127.0.0.1:1\"", &[("POINTSMAN_HTTP__PRIVATE", "127.0.0.1:9")])
            .unwrap();
        assert_eq!((c.http.public.as_str(), c.http.private.as_str()), ("0.0.0.0:80", "127.0.0.1:9"));
        let c =
            load("", &[("POINTSMAN_EGRESS__ALLOW_PRIVATE", "[\"127.0.0.1:7200\"]"), ("POINTSMAN_LIMITS__LANES", "7")]).unwrap();
        assert_eq!((c.egress.allow_private.len(), c.limits.lanes), (1, 7));
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_name() {
        let message = format!("{:#}", load("[http]\nport = 1", &[]).unwrap_err());
        assert!(message.contains("port"), "{message}");
        assert!(load("", &[("POINTSMAN_NOPE__X", "1")]).is_err());
        assert!(load("", &[("POINTSMAN_HTTP__NOPE", "1")]).is_err());
    }
}
