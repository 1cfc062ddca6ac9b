//! Takes every secret that a request carried out of its answer, before anybody sees it. Stops the echo attack: a pinned
//! host that shows requests back (error pages do, debugging endpoints do) would hand the token to the plugin.
//!
//! Looked for: the secret itself; base64 of it, also inside of a longer text that was encoded whole (all three alignments,
//! both alphabets); hex; URL-encoded; JSON-escaped. Then, where an answer has escapes at all, all of these once more behind
//! percent, JSON and HTML escapes, and behind gzip where an answer is a gzip file; what is found there blanks the whole
//! value, since its place is not known. A gzip file that was written in base64 is looked into as well, and taken out whole.
//!
//! Cost: nothing is built or copied unless a text is at least as long as the shortest secret, so the short answers of
//! message APIs pass for the price of a comparison and a search for what gzip files begin with in base64; and then it is a
//! handful of `memmem` searches.

use std::cell::OnceCell;
use std::io::Read;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::{memchr, memmem};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// What stands where a secret stood.
pub(crate) const MARK: &[u8] = b"[redacted]";

/// An encoded form shorter than this would be found in innocent text.
const SHORTEST_FORM: usize = 6;

/// What every gzip file begins with, in base64.
const GZIP_IN_BASE64: &[u8] = b"H4sI";

/// What a gzip file has around what it holds, in base64.
const SHORTEST_FILE: usize = 24;

/// How far the gzip files in a text are looked into, all together.
const INFLATED: u64 = 8 << 20;

type Pattern = Zeroizing<Vec<u8>>;

/// The secrets of one request.
pub(crate) struct Scrubber {
    secrets: Vec<SecretString>,
    shortest: usize,
    patterns: OnceCell<Vec<Pattern>>,
}

impl Scrubber {
    /// A scrubber of `secrets`, none of them empty.
    pub(crate) fn new(secrets: Vec<SecretString>) -> Self {
        let shortest = secrets.iter().map(|secret| secret.expose_secret().len()).min().unwrap_or(usize::MAX);
        Self { secrets, shortest, patterns: OnceCell::new() }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Scrubs a body in place.
    pub(crate) fn body(&self, body: &mut Vec<u8>) {
        if let Some(clean) = self.value(body) {
            *body = clean;
        } else if self.behind_gzip(body) {
            *body = MARK.to_vec();
        }
    }

    /// Scrubs one value of a header, or leaves it as it is: `None`.
    pub(crate) fn value(&self, value: &[u8]) -> Option<Vec<u8>> {
        let clean = if self.concerns(value) { self.clean(value) } else { None };
        self.without_packed(clean.as_deref().unwrap_or(value)).or(clean)
    }

    /// Every form looked for is at least as long as its secret, so most texts need no look.
    fn concerns(&self, text: &[u8]) -> bool {
        text.len() >= self.shortest
    }

    fn clean(&self, text: &[u8]) -> Option<Vec<u8>> {
        let patterns = self.patterns.get_or_init(|| patterns(&self.secrets));
        let mut clean: Option<Vec<u8>> = None;
        for pattern in patterns {
            let current = clean.as_deref().unwrap_or(text);
            if let Some(next) = replace(current, pattern) {
                clean = Some(next);
            }
        }
        if hidden(clean.as_deref().unwrap_or(text), patterns) {
            clean = Some(MARK.to_vec());
        }
        clean
    }

    /// A gzip file as an answer: looked into, as far as answers may be large.
    fn behind_gzip(&self, body: &[u8]) -> bool {
        if self.is_empty() || !body.starts_with(&[0x1f, 0x8b]) {
            return false;
        }
        let mut inside = Zeroizing::new(Vec::new());
        let mut decoder = flate2::bufread::MultiGzDecoder::new(body).take(INFLATED);
        // A file that breaks off is looked at as far as it goes.
        let _ = decoder.read_to_end(&mut inside);
        self.value(&inside).is_some()
    }

    /// The text without the gzip files in base64 that hold a secret; `None` when there are none.
    fn without_packed(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() || memmem::find(text, GZIP_IN_BASE64).is_none() {
            return None;
        }
        let runs = self.packed(text);
        if unescaped(text).any(|text| !self.packed(&text).is_empty()) {
            return Some(MARK.to_vec());
        }
        let (mut clean, mut from) = (Vec::with_capacity(text.len()), 0);
        for run in &runs {
            clean.extend_from_slice(text.get(from..run.start).unwrap_or_default());
            clean.extend_from_slice(MARK);
            from = run.end;
        }
        clean.extend_from_slice(text.get(from..).unwrap_or_default());
        (!runs.is_empty()).then_some(clean)
    }

    /// Where such files stand. One that would unpack to more than is looked at has something to hide.
    fn packed(&self, text: &[u8]) -> Vec<Range<usize>> {
        let (mut runs, mut from, mut left) = (Vec::new(), 0, INFLATED);
        while let Some(start) = text.get(from..).and_then(|rest| memmem::find(rest, GZIP_IN_BASE64)) {
            let run = text.get(from + start..).unwrap_or_default();
            // In lines, perhaps, as mails have it.
            let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(byte);
            let run = run.get(..run.iter().position(|byte| !part(byte)).unwrap_or(run.len())).unwrap_or_default();
            let at = from + start..from + start + run.len();
            from = at.end;
            if run.len() < SHORTEST_FILE {
                continue;
            }
            let mut inside = Zeroizing::new(Vec::new());
            // What breaks off is looked at as far as it goes.
            let _ = flate2::bufread::MultiGzDecoder::new(file(run).as_slice()).take(left + 1).read_to_end(&mut inside);
            let fits = left.checked_sub(inside.len() as u64);
            left = fits.unwrap_or(0);
            if fits.is_none() || (self.concerns(&inside) && self.clean(&inside).is_some()) {
                runs.push(at);
            }
        }
        runs
    }
}

/// What stands in base64, in either alphabet, up to the last whole group.
fn file(run: &[u8]) -> Pattern {
    let plain = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let mut run = Zeroizing::new(run.iter().filter(|byte| !b"=\r\n".contains(byte)).map(plain).collect::<Vec<u8>>());
    let whole = run.len() / 4 * 4;
    run.truncate(whole);
    Zeroizing::new(STANDARD_NO_PAD.decode(&*run).unwrap_or_default())
}

/// Replaces each occurrence; `None` when there is none.
fn replace(text: &[u8], pattern: &[u8]) -> Option<Vec<u8>> {
    let first = memmem::find(text, pattern)?;
    let finder = memmem::Finder::new(pattern);
    let mut clean = Vec::with_capacity(text.len());
    let (mut rest, mut at) = (text, Some(first));
    while let Some(found) = at {
        clean.extend_from_slice(rest.get(..found).unwrap_or_default());
        clean.extend_from_slice(MARK);
        rest = rest.get(found + pattern.len()..).unwrap_or_default();
        at = finder.find(rest);
    }
    clean.extend_from_slice(rest);
    Some(clean)
}

/// Whether a pattern stands in the text behind escapes.
fn hidden(text: &[u8], patterns: &[Pattern]) -> bool {
    unescaped(text).any(|text| patterns.iter().any(|pattern| memmem::find(&text, pattern).is_some()))
}

/// The text with its escapes undone, for each kind of them that it has.
fn unescaped(text: &[u8]) -> impl Iterator<Item = Pattern> {
    let kinds: [(u8, Escape); 3] = [(b'%', percent), (b'\\', json), (b'&', html)];
    kinds.into_iter().filter_map(move |(introducer, escape)| unescape(text, introducer, escape))
}

/// A decoder of one escape: the text after the introducing byte gives the decoded bytes and how many were read.
type Escape = fn(&[u8]) -> Option<(char, usize)>;

fn unescape(text: &[u8], introducer: u8, escape: Escape) -> Option<Pattern> {
    memchr(introducer, text)?;
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some(at) = memchr(introducer, rest) {
        decoded.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        match escape(rest) {
            // `percent` gives single bytes as the characters of the same number.
            Some((byte, read)) if introducer == b'%' => {
                decoded.push(u8::try_from(u32::from(byte)).unwrap_or(b'?'));
                rest = rest.get(read..).unwrap_or_default();
            }
            Some((character, read)) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(read..).unwrap_or_default();
            }
            None => decoded.push(introducer),
        }
    }
    decoded.extend_from_slice(rest);
    Some(decoded)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn percent(text: &[u8]) -> Option<(char, usize)> {
    let byte = number(text.get(..2)?, 16)?;
    Some((char::from_u32(byte)?, 2))
}

fn json(text: &[u8]) -> Option<(char, usize)> {
    let simple = match text.first()? {
        b'u' => {
            let high = number(text.get(1..5)?, 16)?;
            if let Some(character) = char::from_u32(high) {
                return Some((character, 5));
            }
            // A surrogate pair.
            let low = text.get(5..11)?.strip_prefix(b"\\u").and_then(|digits| number(digits, 16))?;
            let code = 0x1_0000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
            return Some((char::from_u32(code)?, 11));
        }
        b'x' => return Some((char::from_u32(number(text.get(1..3)?, 16)?)?, 3)),
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        other => char::from(*other),
    };
    Some((simple, 1))
}

fn html(text: &[u8]) -> Option<(char, usize)> {
    let end = memchr(b';', text.get(..text.len().min(10))?)?;
    let name = text.get(..end)?;
    let character = match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((character, end + 1))
}

/// All forms of all secrets, the longest first, so that a form which contains another is replaced whole.
fn patterns(secrets: &[SecretString]) -> Vec<Pattern> {
    let mut all: Vec<Pattern> = Vec::with_capacity(secrets.len() * 10);
    for secret in secrets {
        let secret = secret.expose_secret();
        let mut add = |form: Vec<u8>| {
            let form = Zeroizing::new(form);
            if (form.len() >= SHORTEST_FORM || form.as_slice() == secret.as_bytes()) && !all.contains(&form) {
                all.push(form);
            }
        };
        add(secret.as_bytes().to_vec());
        for shift in 0..3 {
            add(base64_core(secret.as_bytes(), shift, &STANDARD_NO_PAD));
            add(base64_core(secret.as_bytes(), shift, &URL_SAFE_NO_PAD));
        }
        add(hex::encode(secret).into_bytes());
        add(hex::encode_upper(secret).into_bytes());
        if secret.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._~".contains(&b))) {
            add(percent_encoded(secret, b"-._~", false));
            add(percent_encoded(secret, b"-._~", true));
            add(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().into_bytes());
            let quoted = Zeroizing::new(serde_json::to_string(secret).unwrap_or_default());
            add(quoted.as_bytes().get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_vec());
            add(secret.replace('/', "\\/").into_bytes());
        }
    }
    all.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
    all
}

/// What base64 of any text with `secret` in it looks like where `secret` begins `shift` bytes into a group of three: the
/// characters that depend on the secret alone.
fn base64_core(secret: &[u8], shift: usize, engine: &impl base64::Engine) -> Vec<u8> {
    let mut padded = Zeroizing::new(vec![0; shift]);
    padded.extend_from_slice(secret);
    let encoded = Zeroizing::new(engine.encode(&*padded));
    let (from, to) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    encoded.as_bytes().get(from..to).unwrap_or_default().to_vec()
}

fn percent_encoded(secret: &str, plain: &[u8], lower: bool) -> Vec<u8> {
    let digits = if lower { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
    let digit = |n: u8| digits.get(usize::from(n)).copied().unwrap_or(b'0');
    let mut encoded = Vec::with_capacity(secret.len() * 3);
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(byte);
        } else {
            encoded.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// A secret as one segment of a path: characters that RFC 3986 allows there stay, all else is percent-encoded.
pub(crate) fn path_segment(secret: &str) -> Zeroizing<String> {
    // All bytes are ASCII by construction.
    Zeroizing::new(String::from_utf8(percent_encoded(secret, b"-._~!$&'()*+,;=:@", false)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
