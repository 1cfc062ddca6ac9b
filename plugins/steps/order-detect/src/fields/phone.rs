//! Telephone numbers, as E.164 or not at all: a number is taken only where its country's rules for the count of digits hold.
//!
//! A crate with the metadata of all numbering plans would parse them with regular expressions when the component starts, which
//! alone takes the time that a call may take. The table below has what the rules below need.

use super::Found;
use crate::read::Text;
use crate::text::digit;

/// Country, its calling code, the digits that begin a national number when it is dialled at home, and how many digits follow
/// those (from, to).
const COUNTRIES: &[(&str, &str, &str, usize, usize)] = &[
    ("US", "1", "1", 10, 10),
    ("CA", "1", "1", 10, 10),
    ("ID", "62", "0", 8, 12),
    ("MY", "60", "0", 8, 10),
    ("SG", "65", "", 8, 8),
    ("BN", "673", "", 7, 7),
    ("PH", "63", "0", 10, 10),
    ("TH", "66", "0", 8, 9),
    ("VN", "84", "0", 9, 10),
    ("IN", "91", "0", 10, 10),
    ("PK", "92", "0", 9, 10),
    ("SA", "966", "0", 8, 9),
    ("AE", "971", "0", 8, 9),
    ("KW", "965", "", 8, 8),
    ("QA", "974", "", 8, 8),
    ("BH", "973", "", 8, 8),
    ("OM", "968", "", 8, 8),
    ("EG", "20", "0", 8, 10),
    ("JO", "962", "0", 8, 9),
    ("LB", "961", "0", 7, 8),
    ("IQ", "964", "0", 8, 10),
    ("YE", "967", "0", 7, 9),
    ("SY", "963", "0", 8, 9),
    ("PS", "970", "0", 8, 9),
    ("MA", "212", "0", 9, 9),
    ("DZ", "213", "0", 8, 9),
    ("TN", "216", "", 8, 8),
    ("LY", "218", "0", 8, 9),
    ("SD", "249", "0", 9, 9),
    ("BR", "55", "0", 10, 11),
    ("PT", "351", "", 9, 9),
    ("AO", "244", "", 9, 9),
    ("MZ", "258", "", 8, 9),
    ("ES", "34", "", 9, 9),
    ("MX", "52", "", 10, 10),
    ("AR", "54", "0", 10, 11),
    ("CO", "57", "", 10, 10),
    ("CL", "56", "", 9, 9),
    ("PE", "51", "0", 8, 9),
    ("EC", "593", "0", 8, 9),
    ("VE", "58", "0", 10, 10),
    ("UY", "598", "0", 8, 8),
    ("GT", "502", "", 8, 8),
    ("DE", "49", "0", 7, 11),
    ("AT", "43", "0", 7, 13),
    ("CH", "41", "0", 9, 9),
    ("FR", "33", "0", 9, 9),
    ("BE", "32", "0", 8, 9),
    ("LU", "352", "", 6, 9),
    ("NL", "31", "0", 9, 9),
    ("GB", "44", "0", 9, 10),
    ("IE", "353", "0", 8, 9),
    ("IT", "39", "", 8, 11),
    ("PL", "48", "", 9, 9),
    ("TR", "90", "0", 10, 10),
    ("AU", "61", "0", 9, 9),
    ("NZ", "64", "0", 8, 10),
    ("ZA", "27", "0", 9, 9),
    ("NG", "234", "0", 8, 10),
    ("KE", "254", "0", 9, 9),
];

/// Whether a country's numbers can be read.
pub(crate) fn knows(country: &str) -> bool {
    COUNTRIES.iter().any(|(name, ..)| name.eq_ignore_ascii_case(country))
}

/// The first number that is one, and takes it. `asked`: the question was for it, so nothing need say so.
pub(super) fn read(text: &mut Text, country: &str, asked: bool) -> Found {
    let mut at = 0;
    while let Some((start, end, digits)) = run(text.said, at) {
        if let Some(number) = e164(&digits, country) {
            let (from, to) = text.within(start, end);
            text.take(from, to);
            let sure = if digits.starts_with('+') || asked { 0.98 } else { 0.9 };
            return Some((number, sure));
        }
        at = end;
    }
    None
}

/// The next run of digits as numbers are written, from a byte on: where it begins and ends, and its digits with a "+".
fn run(said: &str, from: usize) -> Option<(usize, usize, String)> {
    let rest = said.get(from..)?;
    let begins = |c: char| digit(c).is_some() || c == '+' || c == '(';
    let start = from + rest.find(begins)?;
    let (mut end, mut digits, mut gap) = (start, String::new(), 0);
    for (at, c) in said.get(start..)?.char_indices() {
        match (digit(c), c) {
            (Some(d), _) => {
                digits.push(d);
                (end, gap) = (start + at + c.len_utf8(), 0);
            }
            (None, '+') if digits.is_empty() => digits.push('+'),
            (None, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') if gap < 2 => gap += 1,
            _ => break,
        }
    }
    let end = end.max(start + said.get(start..)?.chars().next()?.len_utf8());
    Some((start, end, digits))
}

/// The number as E.164, if it is one.
pub(crate) fn e164(digits: &str, country: &str) -> Option<String> {
    let abroad = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00"));
    if let Some(number) = abroad {
        let (_, code, trunk, from, to) = COUNTRIES.iter().find(|(_, code, ..)| number.starts_with(code))?;
        let rest = number.strip_prefix(code)?;
        // "+44 (0)20": the zero is for callers at home.
        let rest = rest.strip_prefix("0").filter(|_| *trunk == "0").unwrap_or(rest);
        return (*from..=*to).contains(&rest.len()).then(|| format!("+{code}{rest}"));
    }
    let (_, code, trunk, from, to) = COUNTRIES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(country))?;
    let fits = |rest: &str| (*from..=*to).contains(&rest.len());
    let home = match *trunk {
        "" => Some(digits).filter(|rest| fits(rest)),
        // In North America and Brazil people leave the prefix out.
        _ if matches!(*code, "1" | "55") => {
            [digits.strip_prefix(trunk).unwrap_or(digits), digits].into_iter().find(|rest| fits(rest))
        }
        trunk => digits.strip_prefix(trunk).filter(|rest| fits(rest)),
    };
    // "62812...": with the code, without the plus.
    let bare = || digits.strip_prefix(code).filter(|rest| fits(rest));
    home.or_else(bare).map(|rest| format!("+{code}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::e164;

    #[test]
    fn a_number_is_written_as_e164_or_not_at_all() {
        for (digits, country, expected) in [
            ("081234567890", "ID", Some("+6281234567890")),
            ("6281234567890", "ID", Some("+6281234567890")),
            ("+6281234567890", "BR", Some("+6281234567890")),
            ("004915123456789", "DE", Some("+4915123456789")),
            ("+4402079460000", "GB", Some("+442079460000")),
            ("4155550132", "US", Some("+14155550132")),
            ("14155550132", "US", Some("+14155550132")),
            ("11987654321", "BR", Some("+5511987654321")),
            ("612345678", "ES", Some("+34612345678")),
            ("01012345678", "EG", Some("+201012345678")),
            // Too short, too long, no country, a country that nobody knows.
            ("12345", "ID", None),
            ("0812345", "ID", None),
            ("0123456789012345", "ID", None),
            ("61234567", "ES", None),
            ("081234567890", "", None),
            ("+99912345678", "ID", None),
        ] {
            assert_eq!(e164(digits, country).as_deref(), expected, "{digits} {country}");
        }
    }
}
