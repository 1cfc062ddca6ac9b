//! Which credential may go where. A credential is pinned to origins (scheme, host and port, compared whole); this file
//! decides before it is opened. Stops a plugin from sending a token to a look-alike host, to another port, over plain http
//! or to another tenant's account.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{HttpRequest, Placement};
use pointsman_manifest::{CredentialSlot, PlacementKind};
use url::Url;

use crate::StoredCredential;
use crate::egress::destination::short;

/// Whether a pinned origin (`https://graph.facebook.com`, `http://127.0.0.1:9000`) is the URL's own. Exact: no wildcards, no
/// subdomains. Allocates nothing, as it runs for every request.
fn is_origin(pinned: &str, url: &Url) -> bool {
    let Some((scheme, authority)) = pinned.split_once("://") else { return false };
    let Some(host) = url.host_str() else { return false };
    if scheme != url.scheme() {
        return false;
    }
    let Some(port) = authority.strip_prefix(host) else { return false };
    let pinned_port = match port.strip_prefix(':') {
        Some(digits) if !digits.starts_with(['+', '0']) => digits.parse::<u16>().ok(),
        None if port.is_empty() => match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        },
        _ => None,
    };
    pinned_port.is_some() && pinned_port == url.port_or_known_default()
}

/// Whether any of `hosts` is the URL's origin.
fn pinned(hosts: &[String], url: &Url) -> bool {
    hosts.iter().any(|host| is_origin(host, url))
}

/// The credential of `slot`, when it may go to `url`.
pub(crate) fn pick<'a>(slot: &str, credentials: &'a [StoredCredential], url: &Url) -> Result<&'a StoredCredential, Failure> {
    let mut with_slot = credentials.iter().filter(|credential| credential.slot == slot);
    let Some(credential) = with_slot.next() else {
        return Err(Failure::new(
            Class::Denied,
            "denied.credential",
            format!("no secret is stored in the slot `{}`; store one for this channel", short(slot)),
        ));
    };
    if with_slot.next().is_some() {
        return Err(Failure::bug("egress.credentials", "two secrets stand in one slot; remove one"));
    }
    if pinned(&credential.hosts, url) {
        return Ok(credential);
    }
    tracing::warn!(workspace = credential.workspace, owner = credential.owner, slot, "credential refused: not pinned there");
    Err(Failure::new(
        Class::Denied,
        "denied.credential",
        format!(
            "the slot `{}` is not pinned to {}; it goes only to: {}",
            short(slot),
            short(&url.origin().ascii_serialization()),
            if credential.hosts.is_empty() { "nowhere, it only verifies".to_owned() } else { credential.hosts.join(", ") },
        ),
    ))
}

/// All credentials handed to one request belong to one owner: a mix is a mistake of the host that could cross tenants.
pub(crate) fn one_owner(credentials: &[StoredCredential]) -> Result<(), Failure> {
    let mut owners = credentials.iter().map(|credential| (credential.workspace, credential.owner));
    let first = owners.next();
    if owners.all(|owner| Some(owner) == first) {
        Ok(())
    } else {
        Err(Failure::bug("egress.credentials", "the secrets of two owners were given to one request"))
    }
}

/// A request without credentials still goes only where it was granted: what a contact wrote is worth protecting too. `origins` are
/// those that the plugin may speak to without a secret.
pub(crate) fn destination(url: &Url, credentials: &[StoredCredential], origins: &[String]) -> Result<(), Failure> {
    if pinned(origins, url) || credentials.iter().any(|credential| pinned(&credential.hosts, url)) {
        return Ok(());
    }
    let origin = url.origin().ascii_serialization();
    Err(Failure::new(
        Class::Denied,
        "denied.http",
        format!("{} is not among the hosts that this plugin may speak to; its manifest must name it", short(&origin)),
    ))
}

/// Whether every secret that a request names may stand where it asks for it.
pub(crate) fn placements(request: &HttpRequest, slots: &[CredentialSlot]) -> Result<(), Failure> {
    request.credentials.iter().try_for_each(|used| placement(&used.slot, &used.place, slots))
}

/// Whether a secret may stand at this place. A destination is not enough: a plugin that could put a token into the text of a
/// message would send it to a stranger through the very host it is pinned to. `slots` is what the manifest says; a slot that
/// is not in it goes as a bearer token alone.
fn placement(slot: &str, place: &Placement, slots: &[CredentialSlot]) -> Result<(), Failure> {
    let kind = place.kind();
    let known = slots.iter().find(|known| known.slot == slot);
    if known.map_or(kind == PlacementKind::Bearer, |known| known.allows(kind)) {
        return Ok(());
    }
    Err(Failure::new(
        Class::Denied,
        "denied.credential",
        format!(
            "the manifest does not let the secret of `{}` stand there; add the placement to its [[credentials]]",
            short(slot)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(slot: &str, hosts: &[&str]) -> StoredCredential {
        StoredCredential {
            workspace: 1,
            owner: 2,
            slot: slot.to_owned(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            sealed: Vec::new(),
        }
    }

    #[test]
    fn only_the_pinned_origin() {
        let list = [stored("token", &["https://graph.facebook.com", "https://other.example:8443", "http://127.0.0.1:9000"])];
        for url in [
            "https://graph.facebook.com/v21.0/x",
            "https://graph.facebook.com:443/",
            "https://GRAPH.facebook.com/",
            "https://other.example:8443/",
            "http://127.0.0.1:9000/x",
        ] {
            assert!(pick("token", &list, &Url::parse(url).unwrap()).is_ok(), "{url}");
        }
        for url in [
            "http://graph.facebook.com/",
            "https://graph.facebook.com:8443/",
            "https://graph.facebook.com.evil.example/",
            "https://evil-graph.facebook.com/",
            "https://facebook.com/",
            "https://x.graph.facebook.com/",
            "https://graph.facebook.co/",
            "https://graph.facebook.comm/",
            "https://graph.facebook.com./",
            "https://other.example/",
            "https://other.example:844/",
            "https://other.example:8444/",
            "https://127.0.0.1:9000/",
            "http://127.0.0.1/",
            "https://graph.facebоok.com/",
            "http://127.0.0.1:90/",
        ] {
            let refused = pick("token", &list, &Url::parse(url).unwrap()).expect_err(url);
            assert_eq!(refused.code, "denied.credential", "{url}");
        }
    }

    #[test]
    fn crooked_pins_match_nothing() {
        let url = Url::parse("https://a.example/").unwrap();
        for pin in [
            "a.example",
            "https://a.example/",
            "https://*.example",
            "*",
            "",
            "https://",
            "https://a.example:",
            "https://a.example:+443",
            "https://a.example:0443",
            "https://A.example",
        ] {
            assert!(!is_origin(pin, &url), "{pin}");
        }
        assert!(is_origin("https://a.example:443", &url));
    }

    #[test]
    fn slots_and_owners() {
        let url = Url::parse("https://a.example/").unwrap();
        let one = stored("token", &["https://a.example"]);
        assert!(pick("tok", std::slice::from_ref(&one), &url).is_err());
        assert!(pick("token", &[one.clone(), one.clone()], &url).is_err());
        assert!(pick("secret", &[stored("secret", &[])], &url).is_err());
        let mut other = one.clone();
        other.workspace = 9;
        assert!(one_owner(&[one.clone(), one.clone()]).is_ok() && one_owner(&[]).is_ok());
        assert!(one_owner(&[one.clone(), other]).is_err());
        assert!(destination(&url, std::slice::from_ref(&one), &[]).is_ok());
        assert_eq!(destination(&url, &[], &[]).unwrap_err().code, "denied.http");
        let other = Url::parse("https://b.example/").unwrap();
        assert_eq!(destination(&other, std::slice::from_ref(&one), &[]).unwrap_err().code, "denied.http");
        let origins = ["https://b.example".to_owned()];
        assert!(destination(&other, &[], &origins).is_ok());
        assert_eq!(destination(&url, &[], &origins).unwrap_err().code, "denied.http");
        // To speak to a host is not to have a secret go there.
        assert!(pick("token", std::slice::from_ref(&one), &other).is_err());
    }

    #[test]
    fn a_token_stands_only_where_the_manifest_says() {
        let slot = |places: Vec<PlacementKind>| CredentialSlot {
            slot: "token".to_owned(),
            hosts: vec!["a.example".to_owned()],
            placements: places,
            why: "sends".to_owned(),
            optional: false,
            generate: false,
        };
        let json = Placement::JsonField("/text/body".to_owned());
        assert!(placement("token", &Placement::Bearer, &[]).is_ok());
        assert_eq!(placement("token", &json, &[]).unwrap_err().code, "denied.credential");
        assert!(placement("token", &json, &[slot(vec![])]).is_err());
        assert!(placement("token", &Placement::Bearer, &[slot(vec![])]).is_ok());
        assert!(placement("token", &json, &[slot(vec![PlacementKind::JsonField])]).is_ok());
        assert!(placement("token", &Placement::Bearer, &[slot(vec![PlacementKind::JsonField])]).is_err());
        assert!(placement("other", &json, &[slot(vec![PlacementKind::JsonField])]).is_err());
    }
}
