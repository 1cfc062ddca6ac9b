//! Splicing of JSON, forms and multipart bodies.

use super::*;

fn text(body: &str, pointer: &str, secret: &str) -> Result<String, String> {
    insert_json(body.as_bytes(), pointer, secret)
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        .map_err(|failure| failure.code)
}

#[test]
fn json_is_spliced_and_stays_as_it_was() {
    for (body, pointer, expected) in [
        ("{}", "/auth", r#"{"auth":"s\"x"}"#),
        (" { } ", "/auth", r#" {"auth":"s\"x" } "#),
        (r#"{"n":12345678901234567890.10,"b":[1, 2]}"#, "/auth", r#"{"auth":"s\"x","n":12345678901234567890.10,"b":[1, 2]}"#),
        (r#"{"a":{"b":{}}, "z":1}"#, "/a/b/k", r#"{"a":{"b":{"k":"s\"x"}}, "z":1}"#),
        (r#"{"a":[0,{"x":1}]}"#, "/a/1/k", r#"{"a":[0,{"k":"s\"x","x":1}]}"#),
        (r#"{"m~/n":{}}"#, "/m~0~1n/k", r#"{"m~/n":{"k":"s\"x"}}"#),
        ("{}", "/", r#"{"":"s\"x"}"#),
        ("\n{\"é\":{\"a\":1}}", "/é/k", "\n{\"é\":{\"k\":\"s\\\"x\",\"a\":1}}"),
    ] {
        assert_eq!(text(body, pointer, "s\"x").as_deref(), Ok(expected), "{body} {pointer}");
    }
}

#[test]
fn json_places_that_are_refused() {
    for (body, pointer) in [
        ("", "/a"),
        ("[]", "/a"),
        ("\"x\"", "/a"),
        ("{", "/a"),
        ("{}x", "/a"),
        ("{\"a\":1", "/b"),
        ("{}", ""),
        ("{}", "a"),
        ("{}", "/a~2"),
        ("{}", "/a/b"),
        (r#"{"a":1}"#, "/a"),
        (r#"{"a":1}"#, "/a/b"),
        (r#"{"\u0061":1}"#, "/a"),
        (r#"{"a":{},"a":{}}"#, "/a/b"),
        (r#"{"a":[{}]}"#, "/a/01/k"),
        (r#"{"a":[{}]}"#, "/a/-/k"),
        (r#"{"a":[{}]}"#, "/a/1/k"),
        (r#"{"a":[]}"#, "/a/0"),
    ] {
        assert_eq!(text(body, pointer, "secret"), Err("egress.request".to_owned()), "{body} {pointer}");
    }
    assert!(insert_json(&[b'{', 0xff, b'}'], "/a", "s").is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(insert_json(deep.as_bytes(), "/0/0/0/k", "s").is_err());
}

fn part(name: &str, content: PartContent) -> Part {
    Part { name: name.to_owned(), file_name: None, mime_type: None, content }
}

#[test]
fn forms() {
    let own = vec![("to".to_owned(), "+1 5&x".to_owned())];
    let filled = fill(&Body::Form(own.clone()), &[("token", "a b/c")], &[]).unwrap();
    assert_eq!(filled.bytes, "to=%2B1+5%26x&token=a+b%2Fc");
    assert_eq!(filled.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
    assert!(fill(&Body::Form(own.clone()), &[("to", "x")], &[]).is_err(), "taken");
    assert!(fill(&Body::Form(own.clone()), &[("a", "x"), ("a", "y")], &[]).is_err(), "twice");
    assert!(fill(&Body::Form(own), &[], &[("/a", "x")]).is_err(), "no JSON");
    assert!(fill(&Body::Bytes(b"{}".to_vec()), &[("a", "x")], &[]).is_err(), "no form");
    assert_eq!(fill(&Body::Blob("b1".to_owned()), &[], &[]).unwrap_err().code, "unsupported.blob");
}

#[test]
fn multipart_cannot_be_broken_out_of() {
    let mut file = part("file\"\r\nx: y", PartContent::Bytes(vec![0, 255, b'\r', b'\n']));
    file.file_name = Some("a\"b\r\n\u{7}.png".to_owned());
    file.mime_type = Some("image/png".to_owned());
    let body = Body::Multipart(vec![part("text", PartContent::Text("--pointsman-\r\n\r\n".to_owned())), file.clone()]);
    let filled = fill(&body, &[("token", "s3cret")], &[]).unwrap();
    let boundary = filled.content_type.unwrap().split_once("boundary=").unwrap().1.to_owned();
    let text = String::from_utf8_lossy(&filled.bytes).into_owned();
    assert_eq!(text.matches(&format!("--{boundary}")).count(), 4);
    assert!(text.ends_with(&format!("--{boundary}--\r\n")));
    assert!(text.contains("name=\"file%22%0D%0Ax: y\"; filename=\"a%22b%0D%0A_.png\"\r\ncontent-type: image/png\r\n\r\n\0"));
    assert!(text.contains("name=\"token\"\r\n\r\ns3cret\r\n"));
    let again = fill(&body, &[], &[]).unwrap().content_type.unwrap();
    assert!(!again.contains(&boundary), "boundaries are random");
    file.mime_type = Some("image/png\r\nx: y".to_owned());
    assert!(fill(&Body::Multipart(vec![file]), &[], &[]).is_err());
    assert!(fill(&Body::Multipart(vec![part("token", PartContent::Text(String::new()))]), &[("token", "x")], &[]).is_err());
    let blob = Body::Multipart(vec![part("a", PartContent::Blob("b".to_owned()))]);
    assert_eq!(fill(&blob, &[], &[]).unwrap_err().code, "unsupported.blob");
}

#[test]
fn bodies_have_a_limit() {
    assert!(fill(&Body::Bytes(vec![b'x'; MAX_BODY]), &[], &[]).is_ok());
    for body in [
        Body::Bytes(vec![b'x'; MAX_BODY + 1]),
        Body::Form(vec![("a".to_owned(), "x".repeat(MAX_BODY))]),
        Body::Multipart(vec![part("a", PartContent::Bytes(vec![b'x'; MAX_BODY]))]),
        Body::Multipart(vec![part("a", PartContent::Bytes(vec![b'x'; 4 * MAX_BODY]))]),
    ] {
        assert_eq!(fill(&body, &[], &[]).unwrap_err().code, "limit.request-body");
    }
}
