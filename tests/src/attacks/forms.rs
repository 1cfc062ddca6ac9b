//! The forms in which a secret could hide in what a host leaves behind.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// The forms in which a secret could stand somewhere.
#[must_use]
pub fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let percent = |b: &u8| if b.is_ascii_alphanumeric() { vec![*b] } else { format!("%{b:02X}").into_bytes() };
    let mut forms = vec![
        ("raw", bytes.to_vec()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("HEX", hex::encode_upper(bytes).into_bytes()),
        ("base64", STANDARD.encode(bytes).into_bytes()),
        ("base64 of a bearer", STANDARD_NO_PAD.encode(format!("Bearer {secret}")).into_bytes()),
        ("base64url", URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
        ("URL", bytes.iter().flat_map(percent).collect()),
        ("JSON", bytes.iter().flat_map(|b| format!("\\u{b:04x}").into_bytes()).collect()),
        ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    // Base64 of a longer text shifts by one or two bytes: the inner characters stay the same.
    for shift in 1..3 {
        let shifted = STANDARD.encode([vec![b' '; shift], bytes.to_vec()].concat());
        forms.push(("base64, shifted", shifted.as_bytes().get(4..shifted.len().saturating_sub(4)).unwrap_or_default().to_vec()));
    }
    forms
}

/// The texts behind every gzip file that begins somewhere in these bytes, up to 4 MiB of each.
#[must_use]
pub fn inflated(bytes: &[u8]) -> Vec<Vec<u8>> {
    let begins = memmem::find_iter(bytes, b"\x1f\x8b\x08").filter_map(|at| bytes.get(at..));
    let texts = begins.map(|file| {
        let mut text = Vec::new();
        // One that breaks off is looked at as far as it goes.
        let _ = flate2::read::GzDecoder::new(file).take(4 << 20).read_to_end(&mut text);
        text
    });
    texts.filter(|text| !text.is_empty()).collect()
}
