//! Long texts in parts.

/// Parts of at most `limit` characters, cut at the end of a line or word where one is near; the white space at the cut goes.
pub(super) fn split(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((end, _)) = rest.char_indices().nth(limit) {
        let (head, _) = rest.split_at(end);
        // A cut in the first half would make more parts than are needed.
        let near = |at: &usize| *at > end / 2;
        let cut = head.rfind('\n').filter(near).or_else(|| head.rfind(' ').filter(near)).unwrap_or(end);
        let (part, tail) = rest.split_at(cut);
        parts.push(part.trim_end());
        rest = tail.trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn parts_are_within_the_limit_and_lose_no_word() {
        assert_eq!(split("hi", 4), ["hi"]);
        assert_eq!(split("abcd", 4), ["abcd"]);
        assert_eq!(split("abcde", 4), ["abcd", "e"]);
        assert_eq!(split("ab cd ef", 6), ["ab cd", "ef"]);
        assert_eq!(split("ééééé", 2), ["éé", "éé", "é"]);
        assert!(split("", 4).is_empty());
        let long = "word ".repeat(3000);
        let parts = split(&long, 4096);
        assert!(parts.iter().all(|p| p.chars().count() <= 4096));
        assert_eq!(parts.join(" ").split_whitespace().count(), 3000);
        assert_eq!(parts.len(), 4);
    }
}
