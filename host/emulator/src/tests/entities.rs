//! Marks in texts, as the Bot API reads them.

use serde_json::{Value, json};

use crate::telegram::parse_marks;

fn check(mode: &str, text: &str, plain: &str, entities: &[(&str, u64, u64)]) {
    let (got, marks) = parse_marks(text, Some(mode)).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(got, plain, "{text}");
    let marks: Vec<_> = marks
        .iter()
        .map(|e| (e["type"].as_str().unwrap(), e["offset"].as_u64().unwrap(), e["length"].as_u64().unwrap()))
        .collect();
    assert_eq!(marks, entities, "{text}");
}

fn refused(mode: &str, text: &str, why: &str) {
    let told = parse_marks(text, Some(mode)).expect_err(text);
    assert!(told.contains(why), "{text}: {told}");
}

#[test]
fn html_is_read() {
    check("HTML", "🥖 <b>a <i>b</i></b> &lt;&amp;&#x41;&nope; &", "🥖 a b <&A&nope; &", &[("bold", 3, 3), ("italic", 5, 1)]);
    check("html", "<pre><code class=\"language-x\">y</code></pre>", "y", &[("code", 0, 1), ("pre", 0, 1)]);
    let (_, marks) = parse_marks("<a href=\"https://x.example/?a=b\">x</a>", Some("HTML")).unwrap();
    assert_eq!(marks, [json!({ "type": "text_link", "offset": 0, "length": 1, "url": "https://x.example/?a=b" })]);
    refused("HTML", "a <h1>b</h1>", "Unsupported start tag \"h1\" at byte offset 2");
    refused("HTML", "<b>a</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"");
    refused("HTML", "<b>a", "Can't find end tag corresponding to start tag \"b\"");
    refused("HTML", "a</b>", "Unexpected end tag at byte offset 1");
    refused("HTML", "1 < 2", "Unclosed start tag at byte offset 2");
}

#[test]
fn markdown_is_read() {
    check(
        "MarkdownV2",
        "*a _b_* 1\\.5 ~c~ ||d||",
        "a b 1.5 c d",
        &[("bold", 0, 3), ("italic", 2, 1), ("strikethrough", 8, 1), ("spoiler", 10, 1)],
    );
    check("MarkdownV2", "`a*b.c` __u__", "a*b.c u", &[("code", 0, 5), ("underline", 6, 1)]);
    check("MarkdownV2", ">quoted", "quoted", &[]);
    let (plain, marks) = parse_marks("[x](https://x.example/a\\.b)", Some("MarkdownV2")).unwrap();
    assert_eq!((plain.as_str(), &marks[0]["url"]), ("x", &json!("https://x.example/a.b")));
    refused("MarkdownV2", "1.5", "Character '.' is reserved and must be escaped with the preceding '\\'");
    refused("MarkdownV2", "a *b", "Can't find end of Bold entity at byte offset 2");
    check("Markdown", "*a* 1.5 (b) c!", "a 1.5 (b) c!", &[("bold", 0, 1)]);
    refused("Markdown", "snake_case", "Can't find end of Italic entity at byte offset 5");
    refused("BBCode", "a", "unsupported parse_mode");
    assert_eq!(parse_marks("*a <b>", None), Ok(("*a <b>".to_owned(), Vec::<Value>::new())), "without a mode nothing is a mark");
}
