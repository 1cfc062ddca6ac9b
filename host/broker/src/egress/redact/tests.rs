//! Echoes of a secret in every form that providers, proxies and debuggers give back.

use std::io::Write;

use base64::Engine as _;

use super::*;

const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCgq-AbC_dEf.123";
const ODD: &str = "p:ss/wörd+\"quoted\"&<tag> \\ 100%=";

fn scrubbed(secret: &str, text: impl AsRef<[u8]>) -> Vec<u8> {
    let scrubber = Scrubber::new(vec![SecretString::from(secret)]);
    let mut body = text.as_ref().to_vec();
    scrubber.body(&mut body);
    body
}

/// Nothing of the secret's middle may be left, in any encoding that the test can undo.
fn check(secret: &str, text: impl AsRef<[u8]>) {
    let clean = scrubbed(secret, text.as_ref());
    assert!(memmem::find(&clean, MARK).is_some(), "not found in {}", String::from_utf8_lossy(text.as_ref()));
    assert!(memmem::find(&clean, secret.as_bytes()).is_none());
}

#[test]
fn every_form_is_found() {
    for secret in [TOKEN, ODD, "12345678:AAE-xyz_ABCdefGHIjklMNOpqrSTUvwx", "päss wörd mit Lücke"] {
        check(secret, format!("before {secret} after {secret}"));
        for prefix in ["", "a", "ab", "Bearer ", "user:", "Authorization: Basic "] {
            for suffix in ["", ":", "xy", "\r\n"] {
                let whole = format!("{prefix}{secret}{suffix}");
                check(secret, format!("x={};", base64::engine::general_purpose::STANDARD.encode(&whole)));
                check(secret, format!("x={};", URL_SAFE_NO_PAD.encode(&whole)));
                check(secret, hex::encode(&whole));
                check(secret, hex::encode_upper(&whole));
                check(secret, serde_json::to_string(&whole).unwrap());
                check(secret, serde_json::to_string(&serde_json::to_string(&whole).unwrap()).unwrap());
                check(secret, serde_json::to_string(&whole).unwrap().replace('/', "\\/"));
                check(secret, url::form_urlencoded::byte_serialize(whole.as_bytes()).collect::<String>());
                check(secret, percent_encoded(&whole, b"", false));
                check(secret, percent_encoded(&whole, b"", true));
                check(secret, percent_encoded(&whole, b"-._~", true));
                check(secret, whole.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"));
                check(secret, whole.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>());
                check(secret, whole.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>());
                // PHP escapes the slashes of base64 too.
                let encoded = base64::engine::general_purpose::STANDARD.encode(&whole);
                check(secret, encoded.replace('/', "\\/").replace('+', "\\u002b"));
                check(secret, percent_encoded(&encoded, b"", false));
                check(secret, gzip(format!("{{\"echo\":\"{encoded}\"}}").as_bytes()));
            }
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    file.write_all(text).unwrap();
    file.finish().unwrap()
}

/// A log that a service gives back packed, as several do: base64 of a gzip file, bare, in JSON, in lines.
#[test]
fn a_file_packed_and_written_in_base64_is_taken_out_and_what_stands_around_it_stays() {
    let standard = &base64::engine::general_purpose::STANDARD;
    for secret in [TOKEN, ODD] {
        for inside in [
            format!("POST /v1 HTTP/1.1\r\nauthorization: Bearer {secret}\r\n\r\n{{}}"),
            standard.encode(format!("Bearer {secret}")),
            hex::encode(secret),
            serde_json::to_string(secret).unwrap(),
            "x".repeat(100_000) + secret,
        ] {
            // Packed tightly: no form of the secret stands in it.
            let file = gzip(["x-forwarded-for: 10.0.0.1\r\n".repeat(20), inside].concat().as_bytes());
            let (encoded, other) = (standard.encode(&file), URL_SAFE_NO_PAD.encode(&file));
            let forms = patterns(&[SecretString::from(secret)]);
            assert!(forms.iter().all(|form| memmem::find(encoded.as_bytes(), form).is_none()));
            for form in [&encoded, encoded.trim_end_matches('='), &other] {
                check(secret, form);
                let clean = scrubbed(secret, format!("{{\"a\":1,\"log\":\"{form}\",\"n\":2}}"));
                assert_eq!(clean, b"{\"a\":1,\"log\":\"[redacted]\",\"n\":2}");
            }
            // Two of them, of which one is innocent.
            let innocent = standard.encode(gzip(b"nothing to see"));
            let clean = scrubbed(secret, format!("{innocent} {encoded} {innocent}"));
            assert_eq!(clean, format!("{innocent} [redacted] {innocent}").as_bytes());
            let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let lines = lines.join("\r\n");
            check(secret, format!("Content-Transfer-Encoding: base64\r\n\r\n{lines}\r\n"));
            // Behind escapes its place is not known.
            for escaped in [
                serde_json::to_string(&lines).unwrap(),
                format!("\"{}\"", encoded.replace('/', "\\/").replace('+', "\\u002b")),
                String::from_utf8(percent_encoded(&encoded, b"", false)).unwrap(),
            ] {
                let clean = scrubbed(secret, &escaped);
                assert!(memmem::find(&clean, MARK).is_some(), "{escaped}");
                assert!(memmem::find(&clean, escaped.as_bytes().get(40..80).unwrap()).is_none(), "{escaped}");
            }
            // As a header, and in an answer that is packed itself.
            assert!(Scrubber::new(vec![SecretString::from(secret)]).value(encoded.as_bytes()).is_some());
            check(secret, gzip(format!("{{\"log\":\"{encoded}\"}}").as_bytes()));
        }
    }
}

#[test]
fn packed_files_are_looked_into_within_bounds_and_left_alone_where_they_are_innocent() {
    let standard = &base64::engine::general_purpose::STANDARD;
    let innocent = standard.encode(gzip("{\"order\":42}".repeat(1_000).as_bytes()));
    let broken = format!("{}AAAA", &innocent[..24]);
    for text in ["H4sI".to_owned(), "H4sI".repeat(100), innocent.clone(), broken, format!("{{\"log\":\"{innocent}\"}}")] {
        assert_eq!(scrubbed(TOKEN, &text), text.as_bytes());
    }
    // Bombs: together they are not unpacked beyond the bound, and one that is not seen whole does not pass.
    let bomb = standard.encode(gzip(&vec![0; 9 << 20]));
    let many = format!("{bomb} ").repeat((1 << 20) / bomb.len());
    let since = std::time::Instant::now();
    let clean = scrubbed(TOKEN, &many);
    assert!(memmem::find(&clean, GZIP_IN_BASE64).is_none() && memmem::find(&clean, MARK).is_some());
    // What only looks like a file, over and over.
    let many = format!("{} ", "H4sI".repeat(6)).repeat(40_000);
    assert_eq!(scrubbed(TOKEN, &many), many.as_bytes());
    assert!(since.elapsed() < std::time::Duration::from_secs(10), "{:?}", since.elapsed());
    assert_eq!(scrubbed(TOKEN, "H4sI".repeat(1 << 18)), "H4sI".repeat(1 << 18).into_bytes());
}

#[test]
fn the_rest_stays() {
    assert_eq!(
        scrubbed(TOKEN, format!("{{\"a\":\"{TOKEN}\",\"b\":\"{TOKEN}x\"}}")),
        b"{\"a\":\"[redacted]\",\"b\":\"[redacted]x\"}"
    );
    for text in [
        "",
        "{}",
        "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"15550100001\",\"wa_id\":\"15550100001\"}]}",
        "100 % sure \\ and &amp; more &#65; %zz %4 \\u00 \\ud800 &#; & %",
        &"%41\\u0041".repeat(1000),
        "EAAGm0PX4ZCpsBAKZCgq",
        "\u{1f}\u{8b}",
    ] {
        assert_eq!(scrubbed(TOKEN, text), text.as_bytes());
    }
    let scrubber = Scrubber::new(vec![SecretString::from(TOKEN)]);
    assert!(scrubber.value(b"application/json").is_none());
    assert_eq!(scrubber.value(format!("Bearer {TOKEN}").as_bytes()).unwrap(), b"Bearer [redacted]");
    assert!(scrubber.patterns.get().is_some());
}

#[test]
fn short_texts_cost_nothing() {
    let scrubber = Scrubber::new(vec![SecretString::from(TOKEN)]);
    let mut body = b"{\"success\":true}".to_vec();
    scrubber.body(&mut body);
    assert!(scrubber.patterns.get().is_none(), "no form was built");
    Scrubber::new(Vec::new()).body(&mut body);
    assert_eq!(body, b"{\"success\":true}");
}

#[test]
fn several_secrets_and_overlaps() {
    let scrubber =
        Scrubber::new(vec![SecretString::from("secret-one"), SecretString::from("secret-one-longer"), SecretString::from("k")]);
    let mut body = b"secret-one-longer|secret-one|monkey".to_vec();
    scrubber.body(&mut body);
    assert_eq!(body, b"[redacted]|[redacted]|mon[redacted]ey");
}

#[test]
fn a_thousand_random_tokens_leave_no_trace() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..1000 {
        let length = 8 + next() % 200;
        let token: String = (0..length).map(|_| char::from(33 + u8::try_from(next() % 94).unwrap())).collect();
        let lead = "x".repeat(usize::try_from(next() % 7).unwrap());
        let text = format!(
            "{lead}{token} {} {} {} {}",
            base64::engine::general_purpose::STANDARD.encode(format!("{lead}{token}!")),
            hex::encode(&token),
            url::form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>(),
            serde_json::to_string(&token).unwrap(),
        );
        let clean = scrubbed(&token, &text);
        assert!(memmem::find(&clean, token.as_bytes()).is_none());
        assert!(memmem::find(&clean, hex::encode(&token).as_bytes()).is_none());
        assert!(memmem::find(&clean, &base64_core(token.as_bytes(), lead.len() % 3, &STANDARD_NO_PAD)).is_none());
    }
}
