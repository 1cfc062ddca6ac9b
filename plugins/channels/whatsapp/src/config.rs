//! The operator's settings for one phone number, and the addresses that follow from them.

use pointsman_sdk::channel::Account;
use pointsman_sdk::prelude::*;

/// The slot of the system user's token.
pub(crate) const TOKEN: &str = "access_token";

/// Settings, valid against the manifest's schema.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Origin of the Graph API.
    api_url: String,
    /// Its version, for example `v23.0`.
    api_version: String,
    /// The WhatsApp business account that the number belongs to; only needed to subscribe.
    waba_id: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_url: "https://graph.facebook.com".into(), api_version: "v23.0".into(), waba_id: None }
    }
}

impl Config {
    pub(crate) fn of(account: &Account) -> Result<Self, Failure> {
        match account.config.trim() {
            "" | "null" => Ok(Self::default()),
            text => serde_json::from_str(text).map_err(|_| {
                Failure::malformed("config", "the channel's settings are not api_url, api_version and waba_id as text")
            }),
        }
    }

    /// `{origin}/{version}/{path}`; every segment of the path is checked by the caller.
    fn url(&self, path: &str) -> Result<String, Failure> {
        Ok(format!("{}/{}/{path}", self.api_url.trim_end_matches('/'), segment(&self.api_version, "api_version")?))
    }

    pub(crate) fn messages(&self, account: &Account) -> Result<String, Failure> {
        self.url(&format!("{}/messages", segment(&account.id, "account id")?))
    }

    /// Where the number tells its own name.
    pub(crate) fn number(&self, account: &Account) -> Result<String, Failure> {
        self.url(&format!("{}?fields=verified_name,display_phone_number", segment(&account.id, "account id")?))
    }

    pub(crate) fn uploads(&self, account: &Account) -> Result<String, Failure> {
        self.url(&format!("{}/media", segment(&account.id, "account id")?))
    }

    pub(crate) fn media(&self, id: &str) -> Result<String, Failure> {
        self.url(segment(id, "media id")?)
    }

    pub(crate) fn subscribed_apps(&self) -> Result<String, Failure> {
        let waba = self.waba_id.as_deref().ok_or_else(|| {
            Failure::rejected(
                "waba_id",
                "subscribing needs the WhatsApp business account: set `waba_id` in the channel's settings",
            )
        })?;
        self.url(&format!("{}/subscribed_apps", segment(waba, "waba_id")?))
    }
}

/// One segment of a path, as it is: an id with a slash or a question mark would lead the token elsewhere on the same host.
fn segment<'a>(text: &'a str, what: &str) -> Result<&'a str, Failure> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'='));
    if plain && !text.trim_matches('.').is_empty() {
        Ok(text)
    } else {
        Err(Failure::rejected("address", format!("the {what} must be letters and digits")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Config};

    fn account(id: &str, config: &str) -> Account {
        Account { id: id.into(), config: config.into() }
    }

    #[test]
    fn settings_change_origin_and_version() {
        let plain = account("123", "{}");
        assert_eq!(Config::of(&plain).unwrap().messages(&plain).unwrap(), "https://graph.facebook.com/v23.0/123/messages");
        let fields = "https://graph.facebook.com/v23.0/123?fields=verified_name,display_phone_number";
        assert_eq!(Config::of(&plain).unwrap().number(&plain).unwrap(), fields);
        let own = account("123", r#"{"api_url":"http://127.0.0.1:9/","api_version":"v21.0"}"#);
        assert_eq!(Config::of(&own).unwrap().messages(&own).unwrap(), "http://127.0.0.1:9/v21.0/123/messages");
        assert!(Config::of(&account("1", r#"{"api_url":1}"#)).is_err());
    }

    #[test]
    fn ids_cannot_lead_elsewhere() {
        let config = Config::default();
        for id in ["", "..", "1/2", "1?x", "1#x", "%2e%2e", "a b"] {
            assert!(config.media(id).is_err(), "{id}");
            assert!(config.messages(&account(id, "")).is_err(), "{id}");
            assert!(config.number(&account(id, "")).is_err(), "{id}");
        }
        assert!(config.subscribed_apps().is_err());
    }
}
