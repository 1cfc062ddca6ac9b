//! Ranking, on small bases whose right order is plain.

use super::*;
use crate::{cut, quote, read};

fn base(files: &[(&str, &str)]) -> (Index, Vec<Vec<Passage>>) {
    let passages: Vec<Vec<Passage>> = files.iter().map(|(name, text)| cut(&read(name, text.as_bytes()).unwrap(), None)).collect();
    let packed: Vec<Vec<u8>> = passages.iter().map(|all| pack(all)).collect();
    let index = Index::build((0..).zip(packed.iter().map(Vec::as_slice))).unwrap();
    (index, passages)
}

const HOUSE: &str = "# Bakery\n\n## Opening hours\n\nMonday to Saturday from 9 to 18. On Sundays we are closed.\n\n\
    ## Delivery\n\nWe deliver within the city for 3 euros. Orders before noon arrive on the same day.\n\n\
    ## Allergens\n\nOur bread is vegan. Everything is baked in one room with nuts and wheat.\n";

const RUMAH: &str = "# Toko roti\n\n## Jam buka\n\nSenin sampai Sabtu pukul 9 sampai 18. Hari Minggu kami tutup dan semua orang beristirahat.\n\n\
    ## Pengiriman\n\nKami mengirim pesanan ke seluruh kota dengan biaya tiga puluh ribu rupiah untuk setiap alamat.\n";

#[test]
fn the_right_section_comes_first_in_each_language_of_the_base() {
    let (index, passages) = base(&[("house.md", HOUSE), ("rumah.md", RUMAH)]);
    for (question, source, id) in [
        ("when do you open?", 0, "opening-hours"),
        ("Do you deliver on the same day", 0, "delivery"),
        ("is there anything with nut in it", 0, "allergens"),
        ("berapa biaya kirim?", 1, "pengiriman"),
        ("hari minggu buka?", 1, "jam-buka"),
    ] {
        let found = index.search(question, 3);
        let place = found.hits.first().map(|hit| hit.place).unwrap_or_else(|| panic!("{question}"));
        assert_eq!((place.source, passages[place.source as usize][place.n as usize].id.as_str()), (source, id), "{question}");
    }
    let found = index.search("quantum chromodynamics", 3);
    assert_eq!((found.hits.len(), found.matched.0), (0, 0));
    assert_eq!(index.search("", 3).hits.len(), 0);
    assert_eq!(index.search("open", 0).hits.len(), 0);
}

#[test]
fn scores_are_those_of_bm25() {
    // Worked out by hand: N = 200 at least, df = 1, both as long as the mean.
    let (index, _) = base(&[("a.txt", "zzqa zzqb"), ("b.txt", "zzqc zzqd")]);
    let found = index.search("zzqa", 5);
    let idf = (1.0_f32 + (200.0 - 1.0 + 0.5) / 1.5).ln();
    assert_eq!(found.hits.len(), 1);
    assert!((found.hits[0].score - idf * 2.2 / (1.0 + 1.2)).abs() < 1e-6, "{:?}", found.hits);
    assert!((found.hits[0].share - 1.0 / 2.2).abs() < 1e-6);
    assert_eq!((found.coverage, found.matched), (1.0, (1, 1)));
    let half = index.search("zzqa unheardof", 5);
    assert!(half.coverage < 0.5 && half.matched == (1, 2), "{half:?}");
}

#[test]
fn what_was_packed_otherwise_is_told_by_its_number() {
    let (_, passages) = base(&[("a.md", HOUSE)]);
    let good = pack(&passages[0]);
    let mut old = good.clone();
    old[0] = 99;
    assert_eq!(Index::build([(7, good.as_slice()), (9, old.as_slice())]).map(|_| ()), Err(9));
    assert_eq!(Index::build([(7, &good[..good.len() - 3])]).map(|_| ()), Err(7));
}

#[test]
fn a_quotation_is_what_answers() {
    let long = "The house was built in 1890. Nobody remembers who lived here first. Later a school moved in. ".repeat(4);
    let text =
        format!("# House\n\n{long} Parking is behind the house, for two hours at most. Ask for a ticket at the counter. {long}");
    let (index, passages) = base(&[("house.md", &text)]);
    let found = index.search("Where can I park?", 3);
    let best = found.hits[0].place;
    let quote = quote(&passages[0][best.n as usize], &found);
    assert!(quote.text.starts_with("Parking is behind the house"), "{quote:?}");
    assert!(quote.text.len() < 400 && quote.near > 0.9, "{quote:?}");
}
