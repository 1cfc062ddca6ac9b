//! PDFs as shops have them (`testdata/`), whole and damaged.

use super::read;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

fn pages(name: &str) -> Vec<(String, Vec<String>)> {
    let (entries, remarks) = read(name, &file(name)).unwrap();
    assert_eq!(remarks, Vec::<String>::new());
    entries.into_iter().map(|entry| (entry.id, entry.paragraphs)).collect()
}

fn code(bytes: &[u8]) -> String {
    let failure = read("a.pdf", bytes).unwrap_err();
    assert!(failure.message.contains("a.pdf"), "{failure:?}");
    failure.code
}

#[test]
fn what_a_browser_prints_is_read_as_it_was_written() {
    let found = pages("menu.pdf");
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["page-1", "page-2", "page-3"]);
    let english = [
        "Coffee and office",
        "The first flat white of the day costs 3.50 euros. Refills are free of charge until noon, as long as you bring the original \
         cup and the waiter can see that it is yours.",
        "Allergens",
        "Dish Contains Carrot cake walnuts Brownie milk, eggs",
    ];
    assert_eq!(found[0].1, english);
    let german = found[1].1.join(" / ");
    assert_eq!(
        german,
        "Öffnungszeiten / Wir öffnen täglich um neun Uhr, außer an Feiertagen. / Montag bis Freitag: 9 bis 18 Uhr Samstag: 10 bis 14 Uhr"
    );
    let arabic = "نفتح كل يوم من التاسعة صباحا حتى السادسة مساء ما عدا يوم الجمعة. الهاتف 555 1234.";
    assert_eq!(found[2].1, [arabic]);
}

#[test]
fn what_nobody_locked_is_read_and_what_is_locked_is_told() {
    let wanted =
        [("page-1", "Returns are possible within 30 days. Bring the receipt along."), ("page-2", "Shipping costs 4 euros.")];
    for name in ["plain.pdf", "guarded.pdf"] {
        let found = pages(name);
        let told: Vec<(&str, String)> = found.iter().map(|(id, paragraphs)| (id.as_str(), paragraphs.join(" / "))).collect();
        assert_eq!(told, wanted.map(|(id, text)| (id, text.to_owned())), "{name}");
    }
    assert_eq!(code(&file("locked.pdf")), "knowledge.encrypted");
}

#[test]
fn what_is_cut_off_or_no_pdf_or_no_text_is_told() {
    for name in ["plain.pdf", "menu.pdf", "guarded.pdf"] {
        let whole = file(name);
        for part in 1..20 {
            let cut = &whole[..whole.len() * part / 20];
            assert_eq!(code(cut), "knowledge.damaged", "{name}: {part} of 20 parts");
        }
    }
    assert_eq!(code(b"%PDF-1.7\n"), "knowledge.damaged");
    assert_eq!(code(b"no PDF at all"), "knowledge.damaged");
    assert_eq!(code(b" \n"), "knowledge.empty");
    assert_eq!(code(&file("scan.pdf")), "knowledge.empty");
}
