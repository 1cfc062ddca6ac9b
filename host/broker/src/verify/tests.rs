//! The recorded vectors of WhatsApp and Telegram, and everything that is nearly right.

use serde_json::Value;

use pointsman_manifest::VerifyScheme;

use super::*;

const WHATSAPP: &str = include_str!("../../testdata/whatsapp-vectors.json");
const TELEGRAM: &str = include_str!("../../testdata/telegram-vectors.json");

fn scheme() -> VerifyScheme {
    VerifyScheme {
        scheme: SignatureScheme::HmacSha256,
        header: "X-Hub-Signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        secret: "app_secret".to_owned(),
        encoding: None,
    }
}

/// As Telegram does it.
fn header_scheme() -> VerifyScheme {
    VerifyScheme {
        scheme: SignatureScheme::SecretHeader,
        header: "X-Telegram-Bot-Api-Secret-Token".to_owned(),
        prefix: String::new(),
        secret: "webhook_secret".to_owned(),
        encoding: None,
    }
}

/// As the broker asks.
fn signed<H: HeaderLookup + ?Sized>(scheme: &VerifyScheme, secret: Option<&SecretString>, headers: &H, body: &[u8]) -> bool {
    let encoding = scheme.encoding.unwrap_or_default();
    super::signed(Form { scheme: scheme.scheme, encoding, prefix: &scheme.prefix }, secret, headers.only(&scheme.header), body)
}

fn handshake(kind: HandshakeKind, token: &SecretString, query: &[(String, String)]) -> Option<(u16, String)> {
    let (given, challenge) = question(kind, query)?;
    Some(if is_secret(token, given) { (200, challenge.to_owned()) } else { (403, String::new()) })
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[test]
fn vectors() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap()["vectors"].as_array().unwrap().clone();
    let (mut signatures, mut tokens, mut handshakes) = (0, 0, 0);
    for vector in read(WHATSAPP).iter().chain(&read(TELEGRAM)) {
        let (name, valid) = (vector["name"].as_str().unwrap(), vector["valid"].as_bool().unwrap());
        match vector["scheme"].as_str().unwrap() {
            word @ ("x-hub-signature-256" | "telegram-secret-token") => {
                let scheme = if word == "telegram-secret-token" { header_scheme() } else { scheme() };
                *(if word == "telegram-secret-token" { &mut tokens } else { &mut signatures }) += 1;
                let headers: Vec<(String, String)> = vector["headers"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned()))
                    .collect();
                let key = secret(vector["secret"].as_str().unwrap());
                let body = vector["body"].as_str().unwrap().as_bytes();
                assert_eq!(signed(&scheme, Some(&key), &headers, body), valid, "{name}");
                assert!(!signed(&scheme, None, &headers, body), "{name} without a secret");
            }
            "hub-challenge" => {
                handshakes += 1;
                let token = secret(vector["verify_token"].as_str().unwrap());
                let query = pairs(vector["query"].as_str().unwrap());
                let (status, body) = handshake(HandshakeKind::HubChallenge, &token, &query).unwrap();
                assert_eq!(u64::from(status), vector["response_status"].as_u64().unwrap(), "{name}");
                assert_eq!(body, vector["response_body"].as_str().unwrap_or_default(), "{name}");
            }
            other => panic!("unknown scheme {other}"),
        }
    }
    assert_eq!((signatures, tokens, handshakes), (3, 2, 2));
}

fn sign(key: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(body).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

#[test]
fn nearly_right_is_wrong() {
    let (key, body) = (secret("app secret"), b"{\"a\":1}".as_slice());
    let good = sign("app secret", body);
    let with = |values: &[&str]| -> Vec<(String, String)> {
        values.iter().map(|value| ("X-HUB-signature-256".to_owned(), (*value).to_owned())).collect()
    };
    let upper = format!("sha256={}", good["sha256=".len()..].to_ascii_uppercase());
    assert!(signed(&scheme(), Some(&key), &with(&[&good]), body));
    assert!(signed(&scheme(), Some(&key), &with(&[&upper]), body));
    let mut map = HeaderMap::new();
    map.append("x-hub-signature-256", good.parse().unwrap());
    assert!(signed(&scheme(), Some(&key), &map, body));
    map.append("x-hub-signature-256", good.parse().unwrap());
    assert!(!signed(&scheme(), Some(&key), &map, body), "twice");
    assert!(!signed(&scheme(), Some(&key), &with(&[&good, &good]), body), "twice");

    let hex = &good["sha256=".len()..];
    for value in [
        String::new(),
        "sha256=".to_owned(),
        hex.to_owned(),
        format!("SHA256={hex}"),
        format!("sha1={hex}"),
        format!("sha256= {hex}"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}0"),
        format!("{good}00"),
        good[..good.len() - 1].to_owned(),
        good[..good.len() - 2].to_owned(),
        format!("{good},{good}"),
        format!("sha256=0x{}", &hex[2..]),
        format!("sha256={}zz", &hex[2..]),
        "sha256=é".to_owned(),
        format!("sha256=sha256={hex}"),
        sign("", body),
        sign("none", body),
    ] {
        assert!(!signed(&scheme(), Some(&key), &with(&[&value]), body), "{value:?}");
    }
    for other in ["{\"a\":1} ", "", "{\"a\": 1}", "{\"a\":2}"] {
        assert!(!signed(&scheme(), Some(&key), &with(&[&good]), other.as_bytes()), "{other:?}");
    }
    let empty = with(&[&sign("", body)]);
    assert!(!signed(&scheme(), Some(&secret("")), &empty, body), "an empty secret signs nothing");
    assert!(!signed(&scheme(), None, &with(&[&sign("none", body)]), body), "no secret signs nothing");
}

#[test]
fn no_mutation_of_a_signature_passes() {
    let (key, body) = (secret("k3y"), b"body of a webhook".as_slice());
    let good = sign("k3y", body);
    let mut tried = 0;
    for position in 0..good.len() {
        for byte in 32..127u8 {
            let mut changed = good.clone().into_bytes();
            if changed[position].eq_ignore_ascii_case(&byte) && position >= "sha256=".len() || changed[position] == byte {
                continue;
            }
            changed[position] = byte;
            let headers = vec![("x-hub-signature-256".to_owned(), String::from_utf8(changed).unwrap())];
            assert!(!signed(&scheme(), Some(&key), &headers, body));
            tried += 1;
        }
    }
    assert!(tried > 6_000);
    for bit in 0..body.len() * 8 {
        let mut changed = body.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!signed(&scheme(), Some(&key), &vec![("x-hub-signature-256".to_owned(), good.clone())], &changed));
    }
}

#[test]
fn only_the_very_secret_passes_in_a_header() {
    let (key, name) = (secret("s3cr3t_Token-1"), "x-telegram-bot-api-secret-token".to_owned());
    let with = |values: &[&str]| -> Vec<(String, String)> { values.iter().map(|v| (name.clone(), (*v).to_owned())).collect() };
    let ask = |headers: &Vec<(String, String)>| signed(&header_scheme(), Some(&key), headers, b"{}");
    assert!(ask(&with(&["s3cr3t_Token-1"])));
    let mut map = HeaderMap::new();
    map.append("x-telegram-bot-api-secret-token", "s3cr3t_Token-1".parse().unwrap());
    assert!(signed(&header_scheme(), Some(&key), &map, b"anything, for the body is not signed"));
    map.append("x-telegram-bot-api-secret-token", "s3cr3t_Token-1".parse().unwrap());
    assert!(!signed(&header_scheme(), Some(&key), &map, b"{}"), "twice");
    assert!(!ask(&with(&["s3cr3t_Token-1", "s3cr3t_Token-1"])), "twice");
    assert!(!ask(&with(&["wrong", "s3cr3t_Token-1"])), "twice");
    assert!(!ask(&vec![("x-other".to_owned(), "s3cr3t_Token-1".to_owned())]), "another header");
    for wrong in ["", " ", "s3cr3t_token-1", "s3cr3t_Token-", "s3cr3t_Token-12", " s3cr3t_Token-1", "s3cr3t_Token-1 ", "none"] {
        assert!(!ask(&with(&[wrong])), "{wrong:?}");
    }
    for (at, byte) in
        "s3cr3t_Token-1".bytes().enumerate().flat_map(|(at, own)| (32..127).filter(move |b| *b != own).map(move |b| (at, b)))
    {
        let mut changed = b"s3cr3t_Token-1".to_vec();
        changed[at] = byte;
        assert!(!ask(&with(&[std::str::from_utf8(&changed).unwrap()])), "{changed:?}");
    }
    assert!(!signed(&header_scheme(), Some(&secret("")), &with(&[""]), b"{}"), "an empty secret lets nobody in");
    assert!(!signed(&header_scheme(), None, &with(&["none"]), b"{}"), "no secret lets nobody in");
    let signature = sign("s3cr3t_Token-1", b"{}");
    assert!(!ask(&with(&[&signature])), "a signature is not the secret");
    let hub = vec![("x-hub-signature-256".to_owned(), "s3cr3t_Token-1".to_owned())];
    assert!(!signed(&scheme(), Some(&key), &hub, b"{}"), "the secret is not a signature");
}

#[test]
fn handshakes() {
    let ask = |token: &str, query: &str| handshake(HandshakeKind::HubChallenge, &secret(token), &pairs(query));
    let good = "hub.mode=subscribe&hub.verify_token=tok&hub.challenge=115";
    assert_eq!(ask("tok", good), Some((200, "115".to_owned())));
    assert_eq!(ask("tok2", good), Some((403, String::new())));
    assert_eq!(ask("to", good), Some((403, String::new())));
    assert_eq!(ask("", "hub.mode=subscribe&hub.verify_token=&hub.challenge=1"), Some((403, String::new())));
    for query in [
        "",
        "hub.mode=subscribe",
        "hub.mode=unsubscribe&hub.verify_token=tok&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=tok",
        "hub.mode=subscribe&hub.verify_token=tok&hub.challenge=",
        "hub.mode=subscribe&hub.verify_token=tok&hub.challenge=<script>",
        "hub.mode=subscribe&hub.verify_token=tok&hub.challenge=a%0d%0ab",
        "hub.mode=subscribe&hub.verify_token=x&hub.verify_token=tok&hub.challenge=1",
        &format!("hub.mode=subscribe&hub.verify_token=tok&hub.challenge={}", "1".repeat(257)),
    ] {
        assert_eq!(ask("tok", query), None, "{query}");
    }
}
