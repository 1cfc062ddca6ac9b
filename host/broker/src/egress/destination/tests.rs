//! The table of URLs: 0 ways inside, 0 false blocks.

use super::*;

fn allow(list: &[&str]) -> AllowPrivate {
    AllowPrivate::parse(&list.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

#[test]
fn refused() {
    let none = allow(&[]);
    for url in [
        // not https, not absolute, odd forms
        "http://graph.facebook.com/",
        "ftp://graph.facebook.com/",
        "file:///etc/passwd",
        "graph.facebook.com/v21.0",
        "//graph.facebook.com/",
        "https:graph.facebook.com",
        "https:/graph.facebook.com",
        "https:///graph.facebook.com/",
        "https://",
        "",
        "data:text/plain,x",
        "HTTPS://graph.facebook.com/",
        "javascript:alert(1)",
        "https://?x",
        "https:///",
        // user info, fragment, control characters, backslashes
        "https://graph.facebook.com@evil.example/",
        "https://@graph.facebook.com/",
        "https://u:p@graph.facebook.com/",
        "https://graph.facebook.com/#x",
        "https://graph.facebook.com#@evil.example/",
        "https://evil.example\\@graph.facebook.com/",
        "https://graph.facebook.com\\.evil.example/",
        "https://graph.face\tbook.com/",
        "https://graph.facebook.com/\r\nx: y",
        "https://graph.facebook.com/ x",
        " https://graph.facebook.com/",
        "https://graph.facebook.com/\0",
        // the house itself, in every spelling
        "https://localhost/",
        "https://LOCALHOST/",
        "https://a.localhost/",
        "https://localhost./",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.0.0.1./",
        "https://127.0.0.1:8443/",
        "https://0/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001::1]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://%31%32%37.0.0.1/",
        "https://１２７.０.０.１/",
        "https://ⓛocalhost/",
        "https://127。0。0。1/",
        // neighbours and metadata
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://2852039166/",
        "https://metadata.google.internal/",
        "https://metadata/",
        "https://100.100.100.200/",
        "https://168.63.129.16/",
        "https://router/",
        "https://nas.local/",
        "https://db.internal/",
        "https://x.lan/",
        "https://x.home.arpa/",
        "https://x.onion/",
        "https://intranet/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[ff02::1]/",
        // ports and dots
        "https://graph.facebook.com:0/",
        "https://graph.facebook.com:65536/",
        "https://graph.facebook.com:x/",
        "https://graph.facebook.com./",
        "https://.graph.facebook.com/",
        "https://..",
        "https://a..b.example./",
    ] {
        assert!(Destination::check(url, &none).is_err(), "{url:?} passed");
    }
    assert!(Destination::check(&format!("https://a.example/{}", "x".repeat(MAX_URL)), &none).is_err());
}

#[test]
fn allowed() {
    let none = allow(&[]);
    for url in [
        "https://graph.facebook.com/v21.0/123/messages",
        "https://graph.facebook.com",
        "https://graph.facebook.com:443/x",
        "https://graph.facebook.com:8443/x",
        "https://api.telegram.org/bot{token}/sendMessage",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://shop.myshopify.com/admin/api?x=1&y=%20",
        "https://bücher.example/",
        "https://mylocal.example/",
        "https://localhost.example.com/",
        "https://internal.example.com/",
        "https://internal-api.com/",
        "https://a-b.c.example/?q=@x",
        "https://api.example.com/users/@me",
        "https://Graph.Facebook.com/",
    ] {
        let found = Destination::check(url, &none).unwrap_or_else(|why| panic!("{url}: {why}"));
        assert!(!found.private, "{url}");
    }
}

#[test]
fn the_operator_opens_host_and_port_only() {
    let some = allow(&["127.0.0.1:9000", "[::1]:9001", "LLM:11434", "api.example.com:80"]);
    for url in [
        "http://127.0.0.1:9000/x",
        "https://127.0.0.1:9000/",
        "http://127.1:9000/",
        "http://[::1]:9001/",
        "http://llm:11434/v1",
        "http://api.example.com/",
    ] {
        assert!(Destination::check(url, &some).unwrap_or_else(|why| panic!("{url}: {why}")).private, "{url}");
    }
    for url in [
        "http://127.0.0.1:9001/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://127.0.0.2:9000/",
        "http://localhost:9000/",
        "http://llm/",
        "http://llm:11435/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://u@127.0.0.1:9000/",
    ] {
        assert!(Destination::check(url, &some).is_err(), "{url} passed");
    }
    for wrong in ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", ":80", "127.0.0.1:99999", "http://x:80", "*:80"] {
        assert!(AllowPrivate::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
    }
}

#[test]
fn a_denial_prints_its_cure() {
    let failure = Destination::check("https://10.1.2.3:8443/x?secret=1", &allow(&[])).unwrap_err();
    assert_eq!(failure.code, "denied.egress");
    assert!(failure.message.contains("allow_private = [\"10.1.2.3:8443\"]"), "{}", failure.message);
    assert!(!failure.message.contains("secret"));
}
