//! Bytes to text. UTF-8 is taken as it is and UTF-16 by its mark; an older encoding is guessed only when the whole file can be in
//! one. A file that mixes encodings is refused: any guess would spoil a part of it.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;
use pointsman_core::failure::Failure;

use super::refused;

pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<String, Failure> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(refused("empty", format!("{name} is empty")));
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, broken) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
        return if broken { Err(mixed(name, bytes)) } else { told(name, text.into_owned()) };
    }
    if looks_binary(bytes) {
        let text = format!("{name} is no text (a picture, an archive, a PDF?); save it as text, Markdown or HTML");
        return Err(refused("binary", text));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => told(name, text.to_owned()),
        Err(_) if has_utf8(bytes) => Err(mixed(name, bytes)),
        Err(_) => {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
            detector.feed(bytes, true);
            let encoding = detector.guess(None, Utf8Detection::Deny);
            match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
                Some(text) => told(name, text.into_owned()),
                None => Err(mixed(name, bytes)),
            }
        }
    }
}

fn told(name: &str, text: String) -> Result<String, Failure> {
    if text.contains('\0') {
        return Err(refused("binary", format!("{name} holds NUL characters: it is no text")));
    }
    Ok(text)
}

/// The marks of formats that people take for texts, and bytes that no text has.
fn looks_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4_096)).unwrap_or_default();
    bytes.starts_with(b"%PDF-") || bytes.starts_with(b"PK\x03\x04") || head.iter().any(|b| matches!(b, 0..=8 | 0x0e..=0x1a))
}

/// Whether some of it is UTF-8 beyond ASCII: then the rest should be too. One such pair may be chance in an older encoding.
fn has_utf8(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars()).filter(|c| !c.is_ascii()).nth(1).is_some()
}

fn mixed(name: &str, bytes: &[u8]) -> Failure {
    let good = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    let line = bytes.get(..good).unwrap_or_default().iter().filter(|b| **b == b'\n').count() + 1;
    refused("encoding", format!("{name} mixes encodings: line {line} is not UTF-8 as other lines are; save the file as UTF-8"))
}
