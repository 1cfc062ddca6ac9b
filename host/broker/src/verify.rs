//! Signatures of webhooks and the handshake before them. Stops forged events: without the right signature over the very
//! bytes that came (or, where the provider signs nothing, the secret in its header), nothing is parsed and nothing is kept. Fails closed: no secret, an empty secret, a header that is
//! missing or comes twice, a byte too many: no.

use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use pointsman_manifest::{Encoding, HandshakeKind, SignatureScheme, VerifyScheme};
use pointsman_vault::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Characters of a challenge at most. It is echoed, so it is kept to letters, digits and three signs.
const MAX_CHALLENGE: usize = 256;

/// Headers, in whichever form the caller has them.
pub trait HeaderLookup {
    /// The value of a header that came exactly once; names are compared without case.
    fn only(&self, name: &str) -> Option<&[u8]>;
}

impl HeaderLookup for [(String, String)] {
    fn only(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_bytes())
    }
}

impl HeaderLookup for Vec<(String, String)> {
    fn only(&self, name: &str) -> Option<&[u8]> {
        self.as_slice().only(name)
    }
}

impl HeaderLookup for HeaderMap {
    fn only(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.get_all(name).iter();
        let value = found.next()?;
        found.next().is_none().then_some(value.as_bytes())
    }
}

/// Whether the request comes from the provider: `body` is signed, or the header is the secret, as the scheme says.
pub(crate) fn signed<H: HeaderLookup + ?Sized>(
    scheme: &VerifyScheme,
    secret: Option<&SecretString>,
    headers: &H,
    body: &[u8],
) -> bool {
    // An empty key is a key that everybody knows.
    let secret = secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
    let given = headers.only(&scheme.header);
    // The work is done in any case, so that a stranger cannot measure whether an address has a channel, or of which scheme.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.unwrap_or("none").as_bytes()) else { return false };
    let expected = black_box(mac.chain_update(body).finalize().into_bytes());
    let (Some(secret), Some(given)) = (secret, given) else { return false };
    match scheme.scheme {
        SignatureScheme::HmacSha256 => decode(scheme, given).is_some_and(|given| expected.as_slice().ct_eq(&given).into()),
        SignatureScheme::SecretHeader => same(secret.as_bytes(), given),
    }
}

/// Whether two texts are the same. Their digests have one length, so the comparison does not tell the secret's.
fn same(secret: &[u8], given: &[u8]) -> bool {
    Sha256::digest(secret).as_slice().ct_eq(Sha256::digest(given).as_slice()).into()
}

/// The bytes of a signature of exact form.
fn decode(scheme: &VerifyScheme, value: &[u8]) -> Option<[u8; 32]> {
    let digits = value.strip_prefix(scheme.prefix.as_bytes())?;
    let mut signature = [0; 32];
    match scheme.encoding.unwrap_or_default() {
        Encoding::Hex => hex::decode_to_slice(digits, &mut signature).ok()?,
    }
    Some(signature)
}

/// The answer to a handshake; `None` when the query is none.
pub(crate) fn handshake(kind: HandshakeKind, token: &SecretString, query: &[(String, String)]) -> Option<(u16, String)> {
    let HandshakeKind::HubChallenge = kind;
    let only = |name: &str| {
        let mut found = query.iter().filter(|(own, _)| own == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_str())
    };
    let (mode, given, challenge) = (only("hub.mode")?, only("hub.verify_token")?, only("hub.challenge")?);
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if mode != "subscribe" || challenge.is_empty() || challenge.len() > MAX_CHALLENGE || !challenge.chars().all(harmless) {
        return None;
    }
    let token = token.expose_secret();
    if same(token.as_bytes(), given.as_bytes()) && !token.is_empty() {
        Some((200, challenge.to_owned()))
    } else {
        Some((403, String::new()))
    }
}

#[cfg(test)]
mod tests;
