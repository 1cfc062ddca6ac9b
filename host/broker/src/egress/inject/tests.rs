//! Every placement, and every way to misuse one.

use pointsman_core::ports::Body;

use super::*;

fn request(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Body::None,
        credentials: Vec::new(),
        keep_body: false,
        timeout: None,
    }
}

fn filled(request: &HttpRequest, places: &[(Placement, &str)]) -> Result<Ready, Failure> {
    let secrets: Vec<SecretString> = places.iter().map(|(_, secret)| SecretString::from(*secret)).collect();
    let placed: Vec<Placed<'_>> = places.iter().zip(&secrets).map(|((place, _), secret)| Placed { place, secret }).collect();
    fill(request, Url::parse(&request.url).unwrap(), &placed)
}

fn named(name: &str, prefix: &str) -> Placement {
    Placement::Header { name: name.to_owned(), prefix: prefix.to_owned() }
}

#[test]
fn headers_of_all_kinds() {
    let plain = request("https://a.example/x?y=1");
    for (place, name, expected) in [
        (Placement::Bearer, "authorization", "Bearer s3cret:"),
        (Placement::BasicPassword { user: "AC1".to_owned() }, "authorization", "Basic QUMxOnMzY3JldDo="),
        (named("X-Token", "Token "), "x-token", "Token s3cret:"),
        (named("Authorization", ""), "authorization", "s3cret:"),
    ] {
        let ready = filled(&plain, &[(place, "s3cret:")]).unwrap();
        assert_eq!(ready.headers.get(name).unwrap(), expected);
        assert!(ready.headers.get(name).unwrap().is_sensitive());
        assert!(!format!("{ready:?}").contains(expected), "debug output tells a secret");
        assert_eq!(ready.url.as_str(), plain.url);
    }
    let ready = filled(&plain, &[(Placement::BasicUserName, "s3cret")]).unwrap();
    assert_eq!(ready.headers.get("authorization").unwrap(), "Basic czNjcmV0Og==");
}

#[test]
fn query_path_and_body() {
    let query = |name: &str| Placement::Query(name.to_owned());
    let plain = request("https://a.example/x?y=1&key%5B=2");
    assert_eq!(filled(&plain, &[(query("key"), "a&b c")]).unwrap().url.as_str(), "https://a.example/x?y=1&key%5B=2&key=a%26b+c");
    for name in ["y", "", "key["] {
        assert!(filled(&plain, &[(query(name), "s")]).is_err(), "{name}");
    }
    assert!(filled(&plain, &[(query("k"), "s"), (query("k"), "t")]).is_err());

    let path = || Placement::Path("{token}".to_owned());
    let telegram = request("https://api.telegram.org/bot{token}/sendMessage");
    let ready = filled(&telegram, &[(path(), "123:AA-b_c")]).unwrap();
    assert_eq!(ready.url.as_str(), "https://api.telegram.org/bot123:AA-b_c/sendMessage");
    let ready = filled(&telegram, &[(path(), "a?b#c%2f d{token}é")]).unwrap();
    assert_eq!(ready.url.as_str(), "https://api.telegram.org/bota%3Fb%23c%252f%20d%7Btoken%7D%C3%A9/sendMessage");
    for secret in ["a/b", "..", ".", "a\\b", "a\nb", ""] {
        assert!(filled(&telegram, &[(path(), secret)]).is_err(), "{secret:?}");
    }
    for url in [
        "https://a.example/x",
        "https://a.example/{token}/{token}",
        "https://a.example/{token}?q={token}",
        "https://a.example/?q={token}",
        "https://a.example/%7Btoken%7D",
        "https://a.example/{token}/%7btoken%7d",
        "https://a.example/{tokens}",
        "https://a.example/{TOKEN}",
    ] {
        assert!(filled(&request(url), &[(path(), "s3cret")]).is_err(), "{url}");
    }
    assert!(filled(&request("https://a.example/.{token}/x"), &[(path(), ".")]).is_err(), "a dot segment");
    for marker in ["token", "{}", "{a/b}", "{", "}", "{tok en}", ""] {
        assert!(filled(&telegram, &[(Placement::Path(marker.to_owned()), "s")]).is_err(), "{marker}");
    }

    let mut json = request("https://a.example/");
    json.body = Body::Bytes(br#"{"auth":{}}"#.to_vec());
    let pointer = |text: &str| Placement::JsonField(text.to_owned());
    let ready = filled(&json, &[(pointer("/auth/token"), "s1"), (pointer("/auth/other"), "s2")]).unwrap();
    assert_eq!(ready.body, r#"{"auth":{"other":"s2","token":"s1"}}"#);
    assert!(filled(&json, &[(pointer("/auth/token"), "s1"), (pointer("/auth/token"), "s2")]).is_err());
    let mut form = request("https://a.example/");
    form.body = Body::Form(vec![("a".to_owned(), "1".to_owned())]);
    form.headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let ready = filled(&form, &[(Placement::FormField("token".to_owned()), "s1")]).unwrap();
    assert_eq!(ready.body, "a=1&token=s1");
    assert_eq!(ready.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["application/x-www-form-urlencoded"]);
}

#[test]
fn smuggling_is_refused() {
    for name in [
        "Host",
        "host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        "proxy-connection",
        "Keep-Alive",
        "Accept-Encoding",
        "HTTP2-Settings",
        "bad name",
        "",
        "x\r\ny",
        "x:",
        "\u{e9}",
    ] {
        let mut plain = request("https://a.example/");
        plain.headers = vec![(name.to_owned(), "1".to_owned())];
        assert!(filled(&plain, &[]).is_err(), "{name:?}");
    }
    for value in ["a\r\nb: c", "a\nb", "a\0b", "a\rb", "a\x7fb", "a\tb"] {
        let mut plain = request("https://a.example/");
        plain.headers = vec![("x-a".to_owned(), value.to_owned())];
        assert!(filled(&plain, &[]).is_err(), "{value:?}");
        assert_eq!(
            filled(&request("https://a.example/"), &[(Placement::Bearer, value)]).unwrap_err().code,
            "credential.unusable"
        );
        assert!(filled(&request("https://a.example/"), &[(named("x-a", value), "s")]).is_err());
    }
    for name in ["host", "content-length", "transfer-encoding", "proxy-authorization", "connection", "accept-encoding", "a b", ""]
    {
        assert!(filled(&request("https://a.example/"), &[(named(name, ""), "s3cret")]).is_err(), "{name}");
    }
    let mut plain = request("https://a.example/");
    plain.headers = vec![("x-token".to_owned(), "mine".to_owned()), ("range".to_owned(), "bytes=0-3".to_owned())];
    assert!(filled(&plain, &[]).is_ok());
    assert!(filled(&plain, &[(Placement::Bearer, "s")]).is_err(), "an echo in pieces");
    plain.headers.pop();
    assert!(filled(&plain, &[(named("X-Token", ""), "s")]).is_err(), "taken");
    assert!(filled(&plain, &[(Placement::Bearer, "s"), (named("authorization", ""), "t")]).is_err(), "twice");
    assert!(filled(&plain, &[(Placement::BasicPassword { user: "a:b".to_owned() }, "s")]).is_err());
    assert!(filled(&plain, &[(Placement::Bearer, "")]).is_err());
}

#[test]
fn header_floods_are_refused() {
    let mut plain = request("https://a.example/");
    plain.headers = (0..65).map(|n| (format!("x-{n}"), String::new())).collect();
    assert_eq!(filled(&plain, &[]).unwrap_err().code, "limit.http-headers");
    plain.headers = vec![("x".to_owned(), "y".repeat(1 << 20))];
    assert_eq!(filled(&plain, &[]).unwrap_err().code, "limit.http-headers");
}
