//! Names of hosts, as a secret is pinned to them. Only one spelling of each is accepted, because a pin is compared byte for
//! byte: upper case, a trailing dot, an escaped letter or a user part would be a second name for another place.

use crate::ManifestError;

/// Checks a host as a manifest writes it: `api.example.com` or `api.example.com:8443`, a name in lower case with at least one
/// dot, never an address (an address of our own network is the operator's to allow), never a pattern, never the default
/// port.
///
/// # Errors
/// `manifest.host`, with the spelling that would do.
pub fn host(text: &str) -> Result<(), ManifestError> {
    let refuse =
        |why: &str| Err(ManifestError::new("manifest.host", format!("`{text}`: {why}; write it like `api.example.com`")));
    if text.contains('*') {
        return refuse("a host is one exact name, not a pattern: name each");
    }
    if text.contains("://") || text.contains('/') || text.contains('@') {
        return refuse("only the host belongs here, without https://, user or path");
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    if let Some(port) = port {
        if !plain_port(port) {
            return refuse("the port must be a number from 1 to 65535 without leading zeros");
        }
        if port == "443" {
            return refuse("443 is what https means already; leave it out");
        }
    }
    if !dns_name(name) {
        return refuse("a host is a name of lower-case letters, digits, hyphens and at least one dot (an IDN in its xn-- form)");
    }
    Ok(())
}

/// Brings an address that the operator named to the form in which pins are stored: scheme, host, and the port unless it is
/// the scheme's own: `https://graph.facebook.com`, `http://127.0.0.1:9000`. A path after it must be `/` or absent.
///
/// # Errors
/// `manifest.origin`.
pub fn origin(text: &str) -> Result<String, ManifestError> {
    let refuse = || {
        ManifestError::new(
            "manifest.origin",
            "an API address is written like `https://graph.facebook.com`: scheme, host and perhaps a port, nothing else",
        )
    };
    let lower = text.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").ok_or_else(refuse)?;
    let own_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return Err(refuse()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (name, port) = match rest.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, after)) => {
            let v6: std::net::Ipv6Addr = v6.parse().map_err(|_| refuse())?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(refuse)?) };
            (format!("[{v6}]"), port)
        }
        None => {
            let (name, port) = rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port)));
            let known = dns_name(name) || name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok();
            if !known {
                return Err(refuse());
            }
            (name.to_owned(), port)
        }
    };
    match port {
        Some(port) if !plain_port(port) => Err(refuse()),
        Some(port) if port != own_port => Ok(format!("{scheme}://{name}:{port}")),
        _ => Ok(format!("{scheme}://{name}")),
    }
}

fn plain_port(port: &str) -> bool {
    !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// A name with a dot whose last label begins with a letter: so no IPv4 address in any of its spellings (`127.1`,
/// `0x7f.0.0.1`, `1.2.3.4`) passes for one.
fn dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_host_is_accepted() {
        for good in ["graph.facebook.com", "api.example.com:8443", "xn--bcher-kva.example", "a-b.c1.io"] {
            assert!(host(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "Graph.facebook.com",
            "graph.facebook.com.",
            ".example.com",
            "a..b",
            "*.fbcdn.net",
            "https://a.com",
            "a.com/",
            "user@a.com",
            "a.com:443",
            "a.com:0",
            "a.com:080",
            "a.com:65536",
            "a.com:",
            "a.com:1:2",
            "127.0.0.1",
            "127.1",
            "0x7f.0.0.1",
            "[::1]",
            "::1",
            "bücher.example",
            "a_b.com",
            "-a.com",
            "a-.com",
            "a.com ",
            "a%2ecom",
            "a.com\n",
        ] {
            assert_eq!(host(bad).map_err(|e| e.code), Err("manifest.host"), "{bad}");
        }
    }

    #[test]
    fn an_address_comes_to_one_form() {
        for (text, want) in [
            ("https://graph.facebook.com", "https://graph.facebook.com"),
            ("HTTPS://Graph.Facebook.com:443/", "https://graph.facebook.com"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://localhost:80", "http://localhost"),
            ("http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(want), "{text}");
        }
        for bad in [
            "",
            "graph.facebook.com",
            "ftp://a.com",
            "https://",
            "https://user@a.com",
            "https://a.com/path",
            "https://a.com?x",
            "https://a.com#x",
            "https://a.com:",
            "https://a.com:0",
            "https://127.1",
            "http://[::1",
            "http://[::1]x",
            "https://a.com:99999",
            "https://a.com//",
        ] {
            assert_eq!(origin(bad).map_err(|e| e.code), Err("manifest.origin"), "{bad}");
        }
    }
}
