//! Where a request may go: reads the URL once, strictly, before any credential is opened. Stops look-alike destinations
//! (user info, odd spellings that two parsers read differently, trailing dots), plain http, and addresses inside the house.

use std::net::IpAddr;

use pointsman_core::failure::{Class, Failure};
use url::{Host, Url};

use super::address::{Reach, reach};

/// Bytes of a URL at most.
pub(crate) const MAX_URL: usize = 8 << 10;

/// Names that lead into a private network, or nowhere, by definition.
const LOCAL_NAMES: [&str; 9] = ["localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion", "invalid", "test"];

/// `host:port` pairs of the inside that the operator opened (`[egress] allow_private`).
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowPrivate {
    entries: Vec<(String, u16)>,
}

impl AllowPrivate {
    /// Reads the operator's list. Hosts are brought into the one form that URLs have after parsing.
    pub(crate) fn parse(list: &[String]) -> Result<Self, Failure> {
        let entries = list.iter().map(|entry| Self::entry(entry)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { entries })
    }

    fn entry(entry: &str) -> Result<(String, u16), Failure> {
        let wrong = || {
            Failure::new(
                Class::Permanent,
                "config.egress",
                format!("[egress] allow_private: `{}` is no host:port; write for example \"127.0.0.1:9000\"", short(entry)),
            )
        };
        let (host, port) = entry.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = Host::parse(host).map_err(|_| wrong())?.to_string();
        if port == 0 || host.is_empty() || host.contains('*') { Err(wrong()) } else { Ok((host, port)) }
    }

    fn names(&self, host: &str, port: u16) -> bool {
        self.entries.iter().any(|(h, p)| *p == port && h == host)
    }

    /// Whether anything is opened at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A URL that may be dialled.
#[derive(Debug)]
pub(crate) struct Destination {
    /// As parsed: what is checked is what is sent.
    pub(crate) url: Url,
    /// Named by the operator, so it is served by the client that may go inside.
    pub(crate) private: bool,
}

impl Destination {
    /// Checks a plugin's URL.
    pub(crate) fn check(text: &str, allow: &AllowPrivate) -> Result<Self, Failure> {
        if text.len() > MAX_URL {
            return Err(Failure::limit("url", "the URL is longer than 8 KiB; move data from the query into the body"));
        }
        // The parser drops tabs and newlines, and turns backslashes into slashes; whoever writes those means mischief.
        if text.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\' || b == b'#') {
            return Err(malformed("a URL has no spaces, control characters, backslashes or fragment"));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        if authority.is_empty() {
            return Err(malformed("a URL is absolute and begins with https://, then a host"));
        }
        if authority.contains('@') {
            return Err(malformed("a URL names no user; name a credential instead"));
        }
        let url = Url::parse(text).map_err(|_| malformed("the URL cannot be read"))?;
        let (host, port) = match (url.host(), url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(text), Some(port)) if port != 0 => (host, (text, port)),
            _ => return Err(malformed("a URL has a host and a port other than 0")),
        };
        let private = allow.names(port.0, port.1);
        if !private {
            if url.scheme() != "https" {
                return Err(denied(port.0, port.1, "is not spoken to in plain http; use https"));
            }
            if !public(&host) {
                return Err(denied(port.0, port.1, "is not a public host"));
            }
        }
        Ok(Self { url, private })
    }
}

/// Whether a host may be on the public internet. A name is checked once more when it is resolved.
fn public(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => reach(IpAddr::V4(*address)) == Reach::Global,
        Host::Ipv6(address) => reach(IpAddr::V6(*address)) == Reach::Global,
        Host::Domain(name) => {
            let dotted = name.contains('.') && !name.starts_with('.') && !name.ends_with('.');
            dotted && !LOCAL_NAMES.iter().any(|local| under(name, local))
        }
    }
}

/// Whether `name` ends in the labels of `zone`.
fn under(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn malformed(message: &str) -> Failure {
    Failure::bug("egress.url", message)
}

/// The refusal of a destination, with the line that would allow it.
pub(crate) fn denied(host: &str, port: u16, why: &str) -> Failure {
    let host = short(host);
    Failure::new(
        Class::Denied,
        "denied.egress",
        format!("{host}:{port} {why}; an operator who trusts it names it: [egress] allow_private = [\"{host}:{port}\"]"),
    )
}

/// The first characters of a text, for a sentence.
pub(crate) fn short(text: &str) -> &str {
    text.char_indices().nth(80).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
