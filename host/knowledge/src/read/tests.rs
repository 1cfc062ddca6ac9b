//! Files as businesses have them, and files that are none.

use super::*;

fn ids(name: &str, text: &str) -> Vec<(String, String)> {
    let document = read(name, text.as_bytes()).unwrap();
    document.entries.into_iter().map(|e| (e.id, [e.headings.join(" > "), e.paragraphs.join(" / ")].join(": "))).collect()
}

fn code(name: &str, bytes: &[u8]) -> String {
    let failure = read(name, bytes).unwrap_err();
    assert!(failure.message.contains(name), "{failure:?}");
    failure.code
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn each_format_gives_entries_with_their_headings() {
    let markdown = "---\ntitle: x\n---\nBefore *all*.\n\n# Top\n\nOne\ntwo.\n\n## Hours\n\n- Monday\n- Tuesday `9`\n\n| a | b |\n|--|--|\n| c | d |\n\n# Hours\n\nAgain";
    let wanted = [
        ("", ": Before all."),
        ("top", "Top: One two."),
        ("hours", "Top > Hours: Monday / Tuesday 9 / a | b / c | d"),
        ("hours-2", "Hours: Again"),
    ];
    assert_eq!(ids("a.md", markdown), told(&wanted));
    let html = "<!doctype html><html><head><title>Shop</title><style>p{}</style></head><body><nav><a>Home</a></nav>\
        <h1>Returns &amp; refunds</h1><p>Within <b>30</b> days.<p>Free.<script>alert('<p>no')</script><ul><li>Keep the receipt</ul>\
        <footer>(c)</footer></body></html>";
    assert_eq!(
        ids("a.html", html),
        told(&[("returns-refunds", "Shop > Returns & refunds: Within 30 days. / Free. / Keep the receipt")])
    );
    assert_eq!(ids("a.txt", "one\ntwo\n\nthree\n"), told(&[("", ": one two / three")]));
    let csv = "Question;Answer;id\n\"Open?\";\"From 9;\nto 18\";hours\nParking?;Yes;\n";
    assert_eq!(ids("a.csv", csv), told(&[("hours", "Open?: From 9; to 18"), ("2", "Parking?: Yes")]));
    assert_eq!(
        ids("a.json", r#"{"Open?": "From 9", "Parking?": "Yes"}"#),
        told(&[("1", "Open?: From 9"), ("2", "Parking?: Yes")])
    );
    assert_eq!(ids("a.json", r#"[{"id": 7, "pertanyaan": "Buka?", "jawaban": "Jam 9"}]"#), told(&[("7", "Buka?: Jam 9")]));
    assert_eq!(
        ids("a.jsonl", "{\"id\":\"p0\",\"title\":\"T\",\"text\":\"x\"}\n\n{\"text\":\"y\"}\n"),
        told(&[("p0", "T: x"), ("3", ": y")])
    );
}

#[test]
fn what_is_no_knowledge_is_refused_by_its_code() {
    assert_eq!(code("a.docx", b"PK"), "knowledge.kind");
    assert_eq!(code("noend", b"text"), "knowledge.kind");
    assert_eq!(code("a.txt", b"%PDF-1.7 \n"), "knowledge.binary");
    assert_eq!(code("a.txt", b"\x89PNG\r\n\x1a\n\0\0"), "knowledge.binary");
    for empty in [&b""[..], b" \n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"] {
        assert_eq!(code("a.md", empty), "knowledge.empty", "{empty:?}");
    }
    assert_eq!(code("a.md", b"# Only a heading\n"), "knowledge.empty");
    assert_eq!(code("a.html", b"<html><script>x()</script></html>"), "knowledge.empty");
    assert_eq!(code("a.txt", &vec![b'a'; LIMIT + 1]), "knowledge.too_large");
    let login = b"<html><title>Sign in</title><body><h1>Welcome back</h1><p>Please sign in.<form><input type=PassWord></form></body></html>";
    assert_eq!(code("a.html", login), "knowledge.login_page");
    assert_eq!(code("a.csv", b"name,price\nloaf,4\n"), "knowledge.columns");
    assert_eq!(code("a.csv", b"question,answer\nOpen?,9,to 18\n"), "knowledge.csv");
    assert_eq!(code("a.json", b"[1]"), "knowledge.json");
    assert_eq!(code("a.json", b"{\"a\": "), "knowledge.json");
    assert_eq!(code("a.jsonl", b"{\"text\":\"x\"}\nnot json\n"), "knowledge.json");
}

#[test]
fn a_page_that_also_has_a_sign_in_form_is_a_page() {
    let page =
        format!("<html><form><input type=password></form><h1>Help</h1><p>{}</html>", "We help you with your order. ".repeat(50));
    assert_eq!(read("a.html", page.as_bytes()).unwrap().entries.len(), 1);
}

#[test]
fn encodings_are_told_apart_and_never_mixed() {
    let text = "Öffnungszeiten: täglich von neun bis achtzehn Uhr, außer an Feiertagen. Schöne Grüße";
    let (latin, _, broken) = encoding_rs::WINDOWS_1252.encode(text);
    assert!(!broken);
    let line = |document: Document| document.entries[0].paragraphs[0].clone();
    assert_eq!(line(read("a.txt", &latin).unwrap()), text);
    let arabic = "نفتح كل يوم من التاسعة صباحا حتى السادسة مساء ما عدا يوم الجمعة";
    let (windows, _, _) = encoding_rs::WINDOWS_1256.encode(arabic);
    assert_eq!(line(read("a.txt", &windows).unwrap()), arabic);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(line(read("a.txt", &utf16).unwrap()), text);
    let mut mixed = format!("{text}\n").into_bytes();
    mixed.extend_from_slice(&latin);
    let failure = read("a.txt", &mixed).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.message.contains("line 2")), ("knowledge.encoding", true), "{failure:?}");
}

#[test]
fn hostile_files_end_in_time() {
    let deep = format!("{}x", "<div>".repeat(200_000));
    assert_eq!(read("a.html", deep.as_bytes()).unwrap().entries.len(), 1);
    let hidden = "<nav>".repeat(200_000);
    assert_eq!(code("a.html", hidden.as_bytes()), "knowledge.empty");
    let quotes = format!("{}x", "> ".repeat(50_000));
    assert_eq!(read("a.md", quotes.as_bytes()).map(|d| d.entries.len()).unwrap_or(0), 1);
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code("a.json", nested.as_bytes()), "knowledge.json");
}

#[test]
fn products_of_a_shop_are_entries_with_variants_and_prices() {
    let shop = r#"{"products": [
        {"title": "Sourdough loaf", "handle": "sourdough", "body_html": "<h2>Care</h2><p>Keeps for <b>four</b> days.</p>", "vendor": "Hearth",
         "product_type": "Bread", "tags": ["vegan", "organic"], "variants": [
           {"title": "Small", "price": "4.20", "compare_at_price": "5.00", "available": true, "sku": "SD-S"},
           {"title": "Large", "price": "6.80", "available": false}]},
        {"title": "Gift card", "body_html": null, "variants": [{"title": "Default Title", "price": "10.00"}]}]}"#;
    let wanted = [
        (
            "sourdough",
            "Sourdough loaf: Kind: Bread / By: Hearth / Tags: vegan, organic / Small: 4.20 (before 5.00), SKU SD-S / Large: 6.80, sold out / \
             Care / Keeps for four days.",
        ),
        ("2", "Gift card: Gift card: 10.00"),
    ];
    assert_eq!(ids("products.json", shop), told(&wanted));
    assert_eq!(code("products.json", br#"{"products": [{"name": "x"}]}"#), "knowledge.json");
    assert_eq!(code("products.json", br#"{"products": []}"#), "knowledge.empty");
}

#[test]
fn links_of_pages_and_sitemaps_are_told() {
    let page = b"<nav><a href='/help'>Help</a></nav><p>Text <a href=\" https://shop.example/a?b=1&amp;c=2 \">here</a> <a name=x>x</a></p>";
    assert_eq!(read("a.html", page).unwrap().links, ["/help", "https://shop.example/a?b=1&c=2"]);
    let map = b"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>\n https://shop.example/a?b=1&amp;c=2\n\
        </loc><lastmod>2026-01-01</lastmod></url><url><loc>https://shop.example/b</loc></url></urlset>";
    let read = read_as(Kind::Sitemap, "sitemap.xml", map).unwrap();
    assert_eq!(
        (read.links, read.entries),
        (vec!["https://shop.example/a?b=1&c=2".to_owned(), "https://shop.example/b".to_owned()], vec![])
    );
    assert_eq!(read_as(Kind::Sitemap, "feed.xml", b"<rss></rss>").unwrap_err().code, "knowledge.empty");
}
