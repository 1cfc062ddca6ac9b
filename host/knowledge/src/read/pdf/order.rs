//! Lines with letters that are read from right to left. A PDF draws them as they are seen, from left to right; here they are brought
//! into the order in which they are read: the reverse, but for what is read from left to right within it. It is the usual
//! (Unicode's) order for a line of one direction with words and numbers of the other in it, not for deeper nesting.

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A letter that is read from the left.
    Left,
    /// One that is read from the right.
    Right,
    /// A digit; always from the left, and alone.
    Digit,
    /// A space, a mark.
    Either,
}

fn way(letter: char) -> Way {
    match letter {
        '\u{590}'..='\u{65f}' | '\u{66a}'..='\u{6ef}' | '\u{6fa}'..='\u{8ff}' => Way::Right,
        '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => Way::Right,
        _ if letter.is_numeric() => Way::Digit,
        _ if letter.is_alphabetic() => Way::Left,
        _ => Way::Either,
    }
}

/// A line as it is read, from how it is seen.
pub(super) fn read(seen: &str) -> String {
    let letters: Vec<char> = seen.chars().collect();
    let count = |of: Way| letters.iter().filter(|letter| way(**letter) == of).count();
    let (right, left) = (count(Way::Right), count(Way::Left));
    if right == 0 {
        return seen.to_owned();
    }
    if left <= right {
        return turned(&letters);
    }
    let (mut out, mut rest) = (String::new(), letters.as_slice());
    while let Some((first, tail)) = rest.split_first() {
        if way(*first) != Way::Right {
            out.push(*first);
            rest = tail;
            continue;
        }
        let (part, tail) = rest.split_at(stretch(rest, Way::Left, &[Way::Right]));
        out.push_str(&turned(part));
        rest = tail;
    }
    out
}

/// A text that is read in this order, as it is seen where it stands by itself.
pub(super) fn seen(read: &str) -> String {
    if read.chars().any(|letter| way(letter) == Way::Right) { read.chars().rev().collect() } else { read.to_owned() }
}

/// How many letters there are up to the last of these kinds that comes before one of another.
fn stretch(letters: &[char], before: Way, ends: &[Way]) -> usize {
    let reach = letters.iter().take_while(|letter| way(**letter) != before);
    reach.enumerate().filter(|(_, letter)| ends.contains(&way(**letter))).last().map_or(1, |(at, _)| at + 1)
}

/// Turns a part round that is read from the right, but for the words and numbers in it that are not.
fn turned(letters: &[char]) -> String {
    let backwards: Vec<char> = letters.iter().rev().copied().collect();
    let (mut out, mut rest) = (String::new(), backwards.as_slice());
    while let Some((first, tail)) = rest.split_first() {
        if !matches!(way(*first), Way::Left | Way::Digit) {
            out.push(mirrored(*first));
            rest = tail;
            continue;
        }
        let (words, _) = rest.split_at(stretch(rest, Way::Right, &[Way::Left, Way::Digit]));
        let worded = words.iter().any(|letter| way(*letter) == Way::Left);
        let (part, tail) = rest.split_at(if worded { words.len() } else { number(words) });
        out.extend(part.iter().rev());
        rest = tail;
    }
    out
}

/// How long the number is that begins here: digits, and single marks between them.
fn number(letters: &[char]) -> usize {
    let digit = |at: usize| letters.get(at).is_some_and(|letter| way(*letter) == Way::Digit);
    let mark = |at: usize| letters.get(at).is_some_and(|letter| matches!(letter, '.' | ',' | ':' | '/' | '-'));
    let mut end = 1;
    loop {
        match (digit(end), mark(end) && digit(end + 1)) {
            (true, _) => end += 1,
            (_, true) => end += 2,
            _ => return end,
        }
    }
}

/// A bracket opens the other way round.
fn mirrored(letter: char) -> char {
    match letter {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for (seen, wanted) in [
            ("We open at 9.", "We open at 9."),
            ("ةعمجلا موي", "يوم الجمعة"),
            (".1234 555 فتاهلا", "الهاتف 555 1234."),
            ("9:30 ىلإ 3.50", "3.50 إلى 9:30"),
            ("(Wi-Fi 50 Pro) فويضلا لكل ةناجم", "مجانة لكل الضيوف (Wi-Fi 50 Pro)"),
            ("The word ماعط ةبيط is read", "The word طيبة طعام is read"),
        ] {
            assert_eq!(read(seen), wanted, "{seen:?}");
        }
        assert_eq!((seen("لا").as_str(), seen("ff").as_str()), ("ال", "ff"));
    }
}
