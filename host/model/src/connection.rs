//! Connections to models: who provides it, where it is, which model. No secrets: the key lies sealed beside it.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{CredentialUse, Placement};
use serde::{Deserialize, Serialize};
use url::Url;

/// The slot of a connection's key.
pub const KEY: &str = "api_key";

/// Who provides models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Provider {
    Openai,
    Azure,
    Anthropic,
    Ollama,
    Vllm,
    LlamaCpp,
    /// No service at all: a file of the operator's, run by the host. It makes vectors of the house's own knowledge.
    Local,
}

impl Provider {
    /// All that are asked over the wire.
    pub const ALL: [Self; 6] = [Self::Openai, Self::Azure, Self::Anthropic, Self::Ollama, Self::Vllm, Self::LlamaCpp];

    /// As it is typed and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
            Self::Vllm => "vllm",
            Self::LlamaCpp => "llama-cpp",
            Self::Local => "local",
        }
    }

    /// Of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.word() == word)
    }

    /// Where it is unless the operator says otherwise. Azure's address is the customer's own.
    #[must_use]
    pub fn usual_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Azure | Self::Local => None,
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434/v1"),
            Self::Vllm => Some("http://127.0.0.1:8000/v1"),
            Self::LlamaCpp => Some("http://127.0.0.1:8080/v1"),
        }
    }

    /// Whether it runs in the operator's own house: then it has no key as a rule, and costs nothing unless a price says so.
    #[must_use]
    pub fn at_home(self) -> bool {
        matches!(self, Self::Ollama | Self::Vllm | Self::LlamaCpp | Self::Local)
    }

    /// What is sent so that the provider does not keep what it is asked for its own ends, as it is told to people; `None`: it has no
    /// such flag.
    #[must_use]
    pub fn no_training(self) -> Option<&'static str> {
        matches!(self, Self::Openai | Self::Azure).then_some("store=false")
    }

    /// Where in a request its key stands.
    #[must_use]
    pub fn placement(self) -> Placement {
        let header = |name: &str| Placement::Header { name: name.to_owned(), prefix: String::new() };
        match self {
            Self::Azure => header("api-key"),
            Self::Anthropic => header("x-api-key"),
            _ => Placement::Bearer,
        }
    }
}

/// A connection's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Who provides it.
    pub provider: Provider,
    /// What the paths of the API follow: `https://api.openai.com/v1`.
    pub url: String,
    /// The model that chats; absent: this connection does not chat.
    pub model: Option<String>,
    /// The model that makes vectors of texts; absent: this connection makes none.
    pub embed: Option<String>,
    /// Calls under way at the same moment.
    pub at_once: u32,
    /// Whether there is a key.
    pub key: bool,
    /// Of a model that the host itself runs: the SHA-256 of its file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Settings {
    /// Checks an address and gives it in the form in which it is kept: without a slash at its end, and for Azure with the path of its API.
    ///
    /// # Errors
    /// `model.url`
    pub fn address(provider: Provider, url: Option<&str>) -> Result<String, Failure> {
        let wrong =
            |why: &str| Failure::new(Class::Permanent, "model.url", format!("{why}, as in --url https://models.example.com/v1"));
        let Some(given) = url.or_else(|| provider.usual_url()) else {
            return Err(wrong("azure has no address of its own: give that of your resource"));
        };
        let parsed = Url::parse(given).map_err(|_| wrong("the address is no URL"))?;
        let plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() || !plain || parsed.fragment().is_some() {
            return Err(wrong("the address is http or https, a host and a path, and nothing more"));
        }
        let address = parsed.as_str().trim_end_matches('/').to_owned();
        let bare = parsed.path() == "/";
        Ok(if provider == Provider::Azure && bare { format!("{address}/openai/v1") } else { address })
    }

    /// Scheme, host and port: to these alone its key may go. Empty for an address that [`Settings::address`] did not give.
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }

    /// The secrets of a request to it.
    pub(crate) fn credentials(&self) -> Vec<CredentialUse> {
        if self.key { vec![CredentialUse { slot: KEY.to_owned(), place: self.provider.placement() }] } else { Vec::new() }
    }

    /// Where a path of its API is.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        let check = |provider: Provider, url: Option<&str>| Settings::address(provider, url).map_err(|e| e.code);
        assert_eq!(check(Provider::Openai, None).unwrap(), "https://api.openai.com/v1");
        assert_eq!(check(Provider::Vllm, Some("http://10.0.0.4:8000/v1/")).unwrap(), "http://10.0.0.4:8000/v1");
        assert_eq!(check(Provider::Azure, Some("https://shop.example")).unwrap(), "https://shop.example/openai/v1");
        assert_eq!(check(Provider::Azure, Some("https://shop.example/own")).unwrap(), "https://shop.example/own");
        for bad in ["ftp://a", "https://u:p@a.example", "https://a.example/?x=1", "a.example", "https://a.example/#x"] {
            assert_eq!(check(Provider::Openai, Some(bad)).unwrap_err(), "model.url", "{bad}");
        }
        assert_eq!(check(Provider::Azure, None).unwrap_err(), "model.url");
    }

    #[test]
    fn words_name_providers() {
        for provider in Provider::ALL {
            assert_eq!(Provider::of(provider.word()), Some(provider));
            assert_eq!(serde_json::to_value(provider).unwrap(), provider.word(), "it is stored as it is typed");
        }
        assert_eq!(Provider::of("skynet"), None);
    }
}
