//! The operator's settings for one bot, and the addresses that follow from them. The token stands in the path: its place is
//! marked, and the host puts it there.

use pointsman_sdk::channel::Account;
use pointsman_sdk::prelude::*;

/// The slot of the bot's token.
const TOKEN: &str = "bot_token";
/// The slot of what Telegram repeats in the header of every webhook.
const SECRET: &str = "webhook_secret";
/// Where in the path the token goes.
const MARKER: &str = "{bot_token}";

/// Settings, valid against the manifest's schema.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Origin of the Bot API.
    api_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_url: "https://api.telegram.org".into() }
    }
}

impl Config {
    pub(crate) fn of(account: &Account) -> Result<Self, Failure> {
        match account.config.trim() {
            "" | "null" => Ok(Self::default()),
            text => serde_json::from_str(text)
                .map_err(|_| Failure::malformed("config", "the channel's settings are not api_url as text")),
        }
    }

    /// A request to one of the API's methods, without a body yet.
    pub(crate) fn method(&self, name: &str) -> HttpRequest {
        let url = format!("{}/bot{MARKER}/{name}", self.api_url.trim_end_matches('/'));
        HttpRequest::new(Method::Post, url).secret(TOKEN, Placement::Path(MARKER.into()))
    }

    /// The file behind a path that `getFile` told.
    pub(crate) fn file(&self, path: &str) -> Result<HttpRequest, Failure> {
        let plain = |part: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            part.bytes().all(known) && !part.trim_matches('.').is_empty()
        };
        // Anything else could lead the token to another place on the same host.
        if path.len() > 512 || !path.split('/').all(plain) {
            return Err(Failure::rejected("file-path", "the provider told a path of the file that no URL can have"));
        }
        let url = format!("{}/file/bot{MARKER}/{path}", self.api_url.trim_end_matches('/'));
        let request = HttpRequest::new(Method::Get, url).secret(TOKEN, Placement::Path(MARKER.into()));
        Ok(HttpRequest { keep_body: true, ..request })
    }
}

/// Tells Telegram, beside the body's own fields, what it must repeat in the header of every webhook.
pub(crate) fn with_secret(request: HttpRequest) -> HttpRequest {
    request.secret(SECRET, Placement::JsonField("/secret_token".into()))
}

#[cfg(test)]
mod tests {
    use super::{Account, Config, Credential, Placement};

    fn config(text: &str) -> Config {
        Config::of(&Account { id: "1".into(), config: text.into() }).unwrap()
    }

    #[test]
    fn settings_change_the_origin_and_the_token_stays_a_mark() {
        let request = config("{}").method("getMe");
        assert_eq!(request.url, "https://api.telegram.org/bot{bot_token}/getMe");
        assert_eq!(request.credentials, [Credential { slot: "bot_token".into(), place: Placement::Path("{bot_token}".into()) }]);
        assert_eq!(config(r#"{"api_url":"http://127.0.0.1:9/"}"#).method("getMe").url, "http://127.0.0.1:9/bot{bot_token}/getMe");
        assert_eq!(config("null").method("x").url, config("").method("x").url);
        assert!(Config::of(&Account { id: "1".into(), config: r#"{"api_url":1}"#.into() }).is_err());
    }

    #[test]
    fn paths_of_files_cannot_lead_elsewhere() {
        let url = config("").file("photos/file_12.jpg").unwrap().url;
        assert_eq!(url, "https://api.telegram.org/file/bot{bot_token}/photos/file_12.jpg");
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a?b", "a#b", "a b", "{bot_token}", "%2e%2e/x", "a\\b", "."] {
            assert!(config("").file(path).is_err(), "{path}");
        }
    }
}
