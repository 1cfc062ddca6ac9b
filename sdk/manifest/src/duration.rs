//! Lengths of time in a manifest: `"30s"` for people, a number of milliseconds for machines.

use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a time like \"250ms\", \"30s\", \"5m\", \"2h\", \"1d\", or a number of milliseconds")]
enum Written {
    Number(u64),
    Text(String),
}

/// Milliseconds.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => parse(&text)
            .ok_or_else(|| de::Error::custom(format!("`{text}` is no time; write \"250ms\", \"30s\", \"5m\", \"2h\" or \"1d\""))),
    }
}

/// Milliseconds, where the key may be missing.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    millis(deserializer).map(Some)
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_read_and_anything_else_is_refused() {
        for (text, want) in [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("0s", 0)] {
            assert_eq!(parse(text), Some(want), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5s", "1 s", "1s ", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
