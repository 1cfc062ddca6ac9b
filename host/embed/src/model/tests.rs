//! The arithmetic on a model that is small enough to be made here. That the real one gives the vectors of its own package is shown by
//! `cargo xtask eval retrieval`, which has it.

use super::*;

/// A model of one layer that changes nothing but by its scales: every matrix is nought.
fn small() -> Vec<u8> {
    let (width, inner, pieces, window) = (32_usize, 64_usize, 8_usize, 16_usize);
    let mut out = b"E5S1".to_vec();
    let number = |out: &mut Vec<u8>, n: usize| out.extend(u32::try_from(n).unwrap().to_le_bytes());
    [1, width, 1, 4, inner, pieces, window, 2].into_iter().for_each(|n| number(&mut out, n));
    out.extend(1e-12_f32.to_le_bytes());
    number(&mut out, 32);
    // Its pieces: four marks, the space, two letters, and what stands before each text as far as it is known.
    let text = ["<s>", "<pad>", "</s>", "<unk>", "\u{2581}", "a", "b", "query:"];
    [8, 0, 2, 1, 3].into_iter().for_each(|n| number(&mut out, n));
    let ends = text.iter().scan(0, |end, piece| {
        *end += piece.len();
        Some(*end)
    });
    out.extend((text.concat().len() as u64).to_le_bytes());
    std::iter::once(0).chain(ends).for_each(|n| number(&mut out, n));
    (0..8).for_each(|_| out.extend((-1.0_f32).to_le_bytes()));
    out.extend(text.concat().bytes());
    [0, 0].into_iter().for_each(|n| number(&mut out, n));
    let ones = |count: usize| (0..count).flat_map(|_| 1.0_f32.to_le_bytes()).collect::<Vec<u8>>();
    let noughts = |count: usize| vec![0_u8; count * 4];
    let nothing = |rows: usize, columns: usize| vec![0_u8; blocks(rows * columns)];
    // Piece n has its own weight, and no other, above the rest.
    let words: Vec<u8> = (0..pieces)
        .flat_map(|n| {
            let mut block = vec![0x00, 0x3c];
            block.extend((0..16).map(|at| if at == n { 0x8f } else { 0x88 }));
            block
        })
        .collect();
    let mut parts = vec![
        ("emb.word".to_owned(), words),
        ("emb.pos".to_owned(), noughts(window * width)),
        ("emb.type".to_owned(), noughts(2 * width)),
        ("emb.ln.w".to_owned(), ones(width)),
        ("emb.ln.b".to_owned(), noughts(width)),
    ];
    for (name, rows, columns) in [
        ("q", width, width),
        ("k", width, width),
        ("v", width, width),
        ("ao", width, width),
        ("fi", inner, width),
        ("fo", width, inner),
    ] {
        parts.push((format!("l0.{name}.w"), nothing(rows, columns)));
        parts.push((format!("l0.{name}.b"), noughts(rows)));
    }
    for name in ["aln", "oln"] {
        parts.push((format!("l0.{name}.w"), ones(width)));
        parts.push((format!("l0.{name}.b"), noughts(width)));
    }
    number(&mut out, parts.len());
    let names: usize = parts.iter().map(|(name, _)| 2 + name.len() + 1 + 4 + 8 + 8).sum();
    let mut at = out.len() + names;
    for (name, bytes) in &parts {
        out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        out.extend(name.bytes());
        out.push(0);
        number(&mut out, 0);
        [at, bytes.len()].into_iter().for_each(|n| out.extend((n as u64).to_le_bytes()));
        at += bytes.len();
    }
    parts.into_iter().for_each(|(_, bytes)| out.extend(bytes));
    out
}

fn likeness(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn what_is_alike_lies_near() {
    let model = Model::read(small()).unwrap();
    assert_eq!(model.width(), 32);
    let [a, aa, b] = ["a", "a a", "b"].map(|text| model.embed(Kind::Query, text));
    assert!((likeness(&a, &a) - 1.0).abs() < 1e-5);
    assert!(likeness(&a, &aa) > likeness(&a, &b) + 0.01, "{} {}", likeness(&a, &aa), likeness(&a, &b));
    // A text of any length has a vector, and of one without end the beginning counts.
    let long = model.embed(Kind::Passage, &"a".repeat(100_000));
    assert_eq!(long, model.embed(Kind::Passage, &"a".repeat(5_000)));
    assert!((likeness(&long, &long) - 1.0).abs() < 1e-5);
    assert_eq!(model.embed(Kind::Query, "").len(), 32);
}

#[test]
fn a_broken_file_is_told_and_never_read_past_its_end() {
    let good = small();
    for length in 0..good.len() - 1 {
        assert_eq!(Model::read(good[..length].to_vec()).unwrap_err().code, "model.file", "{length}");
    }
    // Any number of it may be wrong: it is read, or refused.
    for at in 0..good.len().min(1_400) {
        let mut bad = good.clone();
        bad[at] = 0xff;
        if let Ok(model) = Model::read(bad) {
            let _ = model.embed(Kind::Query, "a b");
        }
    }
}

#[test]
fn the_error_function_is_that_of_the_books() {
    for (x, wanted) in [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (-1.0, -0.842_700_8), (9.0, 1.0)]
    {
        assert!((erf(x) - wanted).abs() < 3e-6, "{x}: {}", erf(x));
    }
    assert!((gelu(1.0) - 0.841_344_7).abs() < 1e-5 && gelu(-9.0).abs() < 1e-4);
}
