//! Signatures of webhooks and the handshake before them. Stops forged events: without the right signature over the very
//! bytes that came (or, where the provider signs nothing, the secret in its header), nothing is parsed and nothing is kept. Fails closed: no secret, an empty secret, a header that is
//! missing or comes twice, a byte too many: no.

use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use pointsman_manifest::{Encoding, HandshakeKind, SignatureScheme};
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

/// How a provider signs: what is left of the manifest's scheme once header and secret are found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) scheme: SignatureScheme,
    pub(crate) encoding: Encoding,
    pub(crate) prefix: &'a str,
}

/// Whether the request comes from the provider: `body` is signed, or the header is the secret, as the scheme says. `given` is
/// the value of the scheme's header, when it came exactly once.
pub(crate) fn signed(form: Form<'_>, secret: Option<&SecretString>, given: Option<&[u8]>, body: &[u8]) -> bool {
    // An empty key is a key that everybody knows.
    let secret = secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
    // The work is done in any case, so that a stranger cannot measure whether an address has a channel, or of which scheme.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.unwrap_or("none").as_bytes()) else { return false };
    let expected = black_box(mac.chain_update(body).finalize().into_bytes());
    let (Some(secret), Some(given)) = (secret, given) else { return false };
    match form.scheme {
        SignatureScheme::HmacSha256 => decode(form, given).is_some_and(|given| expected.as_slice().ct_eq(&given).into()),
        SignatureScheme::SecretHeader => same(secret.as_bytes(), given),
    }
}

/// Whether two texts are the same. Their digests have one length, so the comparison does not tell the secret's.
fn same(secret: &[u8], given: &[u8]) -> bool {
    Sha256::digest(secret).as_slice().ct_eq(Sha256::digest(given).as_slice()).into()
}

/// The bytes of a signature of exact form.
fn decode(form: Form<'_>, value: &[u8]) -> Option<[u8; 32]> {
    let digits = value.strip_prefix(form.prefix.as_bytes())?;
    let mut signature = [0; 32];
    match form.encoding {
        Encoding::Hex => hex::decode_to_slice(digits, &mut signature).ok()?,
    }
    Some(signature)
}

/// Whether `given` is the secret. Nothing is an empty secret.
pub(crate) fn is_secret(secret: &SecretString, given: &str) -> bool {
    let secret = secret.expose_secret();
    same(secret.as_bytes(), given.as_bytes()) && !secret.is_empty()
}

/// What a provider asks before it delivers: the token that it repeats, and what it wants to hear; `None` when the query is no
/// such question.
pub(crate) fn question(kind: HandshakeKind, query: &[(String, String)]) -> Option<(&str, &str)> {
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
    Some((given, challenge))
}

#[cfg(test)]
mod tests;
