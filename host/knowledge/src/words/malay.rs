//! The stem of an Indonesian or Malay word, by its affixes: `pembayaran`, `membayar` and `dibayarkan` all come down to `bayar`. A light
//! stemmer without a dictionary: it never leaves fewer than four letters. Where a prefix swallowed the first letter of the root
//! (`menulis` from `tulis`) it is put back; `meng-` leaves open whether there was a `k`, so all stems go without theirs.

/// Letters of a root at least.
const ROOT: usize = 4;

const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// Prefixes that hardly ever begin a root.
const PLAIN: [&str; 5] = ["di", "ber", "ter", "meng", "peng"];

/// Takes the affixes off a word in lower case.
pub(super) fn stem(word: &str) -> String {
    let mut root = word;
    for particle in ["lah", "kah", "tah", "pun"] {
        root = without_end(root, particle);
    }
    for possessive in ["nya", "ku", "mu"] {
        root = without_end(root, possessive);
    }
    let bare = suffix(root);
    // `dipesan` ends in no suffix: what is left of it after its prefix would be no root.
    let stem = prefix(bare).or_else(|| PLAIN.iter().any(|head| root.starts_with(head)).then(|| prefix(root))?);
    let stem = stem.unwrap_or_else(|| bare.to_owned());
    let open = stem.strip_prefix('k').filter(|rest| rest.starts_with(VOWELS) && long_enough(rest));
    open.map(str::to_owned).unwrap_or(stem)
}

fn long_enough(root: &str) -> bool {
    root.chars().count() >= ROOT
}

fn without_end<'a>(word: &'a str, end: &str) -> &'a str {
    word.strip_suffix(end).filter(|rest| long_enough(rest)).unwrap_or(word)
}

fn suffix(word: &str) -> &str {
    for end in ["kan", "an"] {
        if let Some(rest) = word.strip_suffix(end).filter(|rest| long_enough(rest)) {
            return rest;
        }
    }
    // A root often ends in `i` itself (`beli`, `kopi`): only after a prefix that such a suffix comes with.
    let carried = ["me", "di", "pe"].iter().any(|prefix| word.starts_with(prefix));
    if carried { word.strip_suffix('i').filter(|rest| rest.chars().count() > ROOT + 2).unwrap_or(word) } else { word }
}

/// Without its prefix; `None` when it has none.
fn prefix(word: &str) -> Option<String> {
    let of = |head: &str| word.strip_prefix(head).filter(|rest| long_enough(rest));
    // Longest first. What follows `meng`, `men`, `mem`, `meny` (and `pe-`) may be a root whose first letter fell away before a vowel.
    for (heads, letter) in [(["meny", "peny"], "s"), (["meng", "peng"], ""), (["mem", "pem"], "p"), (["men", "pen"], "t")] {
        for head in heads {
            if let Some(rest) = of(head) {
                let lost = rest.starts_with(VOWELS);
                return Some(if lost { [letter, rest].concat() } else { rest.to_owned() });
            }
        }
    }
    for head in ["diper", "memper", "ber", "ter", "per", "di", "ke", "se", "me", "pe"] {
        if let Some(rest) = of(head) {
            return Some(rest.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_forms_of_a_word_have_one_stem() {
        for forms in [
            &["bayar", "membayar", "dibayar", "pembayaran", "dibayarkan", "bayarkan"][..],
            &["kirim", "mengirimkan", "dikirim", "pengiriman", "kiriman"],
            &["pesan", "pesanan", "dipesan", "pesanannya"],
            &["jual", "penjualan", "menjual", "dijual"],
            &["tulis", "menulis", "ditulis"],
            &["kembali", "kembalian"],
        ] {
            let stems: Vec<String> = forms.iter().map(|word| stem(word)).collect();
            assert!(stems.iter().all(|one| *one == stems[0]), "{forms:?}: {stems:?}");
        }
        for word in ["beli", "kopi", "roti", "makan", "ikan"] {
            assert_eq!(stem(word), word);
        }
    }
}
