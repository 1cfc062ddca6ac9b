//! Long texts in parts. Telegram counts UTF-16 units.

/// How long Telegram takes a text to be.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Parts of at most `limit` UTF-16 units, cut at the end of a line or word where one is near; the white space at the cut goes.
pub(super) fn split(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(end) = beyond(rest, limit) {
        let (head, _) = rest.split_at(end);
        // A cut in the first half would make more parts than are needed.
        let near = |at: &usize| *at > end / 2;
        let cut = head.rfind('\n').filter(near).or_else(|| head.rfind(' ').filter(near)).unwrap_or(end);
        let (part, tail) = rest.split_at(cut);
        parts.push(part.trim_end());
        rest = tail.trim_start();
    }
    parts.push(rest);
    parts.retain(|p| !p.trim().is_empty());
    parts
}

/// The byte where the first character begins that does not fit; `None` when all do.
fn beyond(text: &str, limit: usize) -> Option<usize> {
    let mut units = 0;
    text.char_indices().find_map(|(at, c)| {
        units += c.len_utf16();
        // A first character goes, whatever the limit: else nothing ever would.
        (units > limit && at > 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::{length, split};

    #[test]
    fn parts_are_within_the_limit_and_lose_no_word() {
        assert_eq!(split("hi", 4), ["hi"]);
        assert_eq!(split("abcd", 4), ["abcd"]);
        assert_eq!(split("abcde", 4), ["abcd", "e"]);
        assert_eq!(split("ab cd ef", 6), ["ab cd", "ef"]);
        assert_eq!(split("ééééé", 2), ["éé", "éé", "é"]);
        assert!(split("", 4).is_empty());
        assert!(split(" \n ", 4).is_empty());
        let long = "word ".repeat(3000);
        let parts = split(&long, 4096);
        assert!(parts.iter().all(|p| length(p) <= 4096));
        assert_eq!(parts.join(" ").split_whitespace().count(), 3000);
        assert_eq!(parts.len(), 4);
    }

    #[test]
    fn a_character_of_two_units_counts_two_and_is_never_cut() {
        assert_eq!(length("a👍é"), 4);
        assert_eq!(split("👍👍👍", 4), ["👍👍", "👍"]);
        assert_eq!(split("👍👍👍", 3), ["👍", "👍", "👍"]);
        assert_eq!(split("👍👍", 1), ["👍", "👍"]);
        let thumbs = "👍".repeat(5000);
        let parts = split(&thumbs, 4096);
        assert!(parts.iter().all(|p| length(p) <= 4096));
        assert_eq!(parts.concat(), thumbs);
    }
}
