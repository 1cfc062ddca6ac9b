//! Marks in a text (`parse_mode`): what is left when they are taken out, where they stood in UTF-16 units, and what the Bot
//! API complains about.

use serde_json::{Value, json};

/// A mark that has begun.
struct Open {
    /// The entity's type.
    kind: &'static str,
    /// As the complaint calls it, or the tag.
    name: String,
    /// In UTF-16 units of the text without marks.
    offset: usize,
    /// In bytes of the text with marks.
    at: usize,
    url: Option<String>,
}

/// A text without its marks.
#[derive(Default)]
struct Plain {
    text: String,
    units: usize,
    entities: Vec<Value>,
}

impl Plain {
    fn push(&mut self, c: char) {
        self.text.push(c);
        self.units += c.len_utf16();
    }

    fn close(&mut self, open: Open) {
        if self.units > open.offset {
            let mut entity = json!({ "type": open.kind, "offset": open.offset, "length": self.units - open.offset });
            if let (Some(url), Some(entity)) = (open.url, entity.as_object_mut()) {
                entity.insert("url".to_owned(), json!(url));
            }
            self.entities.push(entity);
        }
    }
}

/// A text's length as the Bot API counts it.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text without marks, and its entities; or the complaint.
pub(crate) fn parse(text: &str, mode: Option<&str>) -> Result<(String, Vec<Value>), String> {
    let mut plain = match mode.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => Plain { text: text.to_owned(), ..Plain::default() },
        "html" => html(text)?,
        "markdownv2" => markdown(text, true)?,
        "markdown" => markdown(text, false)?,
        _ => return Err("unsupported parse_mode".to_owned()),
    };
    plain.entities.sort_by_key(|entity| entity.get("offset").and_then(Value::as_u64));
    Ok((plain.text, plain.entities))
}

/// The entity of a tag.
fn tag_kind(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "code" => "code",
        "pre" => "pre",
        "a" => "text_link",
        "span" | "tg-spoiler" => "spoiler",
        "blockquote" => "blockquote",
        "tg-emoji" => "custom_emoji",
        _ => return None,
    })
}

fn html(text: &str) -> Result<Plain, String> {
    let mut plain = Plain::default();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if c == '&' {
            let (character, length) = reference(rest);
            plain.push(character);
            at += length;
            continue;
        }
        if c != '<' {
            plain.push(c);
            at += c.len_utf8();
            continue;
        }
        let end = rest.find('>').ok_or_else(|| format!("can't parse entities: Unclosed start tag at byte offset {at}"))?;
        let inside = rest.get(1..end).unwrap_or_default();
        if let Some(tag) = inside.strip_prefix('/') {
            let tag = tag.trim().to_ascii_lowercase();
            let last = open.pop().ok_or_else(|| format!("can't parse entities: Unexpected end tag at byte offset {at}"))?;
            if !tag.is_empty() && tag != last.name {
                let (expected, found) = (&last.name, &tag);
                return Err(format!(
                    "can't parse entities: Unmatched end tag at byte offset {at}, expected \"</{expected}>\", found \"</{found}>\""
                ));
            }
            plain.close(last);
        } else {
            let tag = inside.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            let kind = tag_kind(&tag)
                .ok_or_else(|| format!("can't parse entities: Unsupported start tag \"{tag}\" at byte offset {at}"))?;
            let href = inside.split_once("href=").map(|(_, value)| value.trim_matches(['"', '\'']).to_owned());
            open.push(Open { kind, name: tag, offset: plain.units, at, url: href.filter(|_| kind == "text_link") });
        }
        at += end + 1;
    }
    match open.pop() {
        Some(left) => Err(format!("can't parse entities: Can't find end tag corresponding to start tag \"{}\"", left.name)),
        None => Ok(plain),
    }
}

/// A character that is written by its name or number, and how many bytes that took.
fn reference(rest: &str) -> (char, usize) {
    let name = rest.get(1..).and_then(|r| r.split(';').next()).filter(|n| n.len() < 9 && n.len() + 1 < rest.len());
    let number = |digits: &str| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    let character = name.and_then(|name| match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        other => other.strip_prefix('#').and_then(number).and_then(char::from_u32),
    });
    character.zip(name).map_or(('&', 1), |(character, name)| (character, name.len() + 2))
}

/// The mark that a text begins with: its characters, its entity, its name in complaints.
fn mark(rest: &str, strict: bool) -> Option<(&'static str, &'static str, &'static str)> {
    const STRICT: [(&str, &str, &str); 8] = [
        ("```", "pre", "Pre"),
        ("`", "code", "Code"),
        ("||", "spoiler", "Spoiler"),
        ("__", "underline", "Underline"),
        ("_", "italic", "Italic"),
        ("*", "bold", "Bold"),
        ("~", "strikethrough", "Strikethrough"),
        ("[", "text_link", "TextUrl"),
    ];
    let found = STRICT.into_iter().find(|(signs, ..)| rest.starts_with(signs))?;
    (strict || matches!(found.0, "```" | "`" | "_" | "*" | "[")).then_some(found)
}

fn markdown(text: &str, strict: bool) -> Result<Plain, String> {
    let mut plain = Plain::default();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let verbatim = open.last().is_some_and(|o| matches!(o.kind, "pre" | "code"));
        let escaped = rest
            .get(1..)
            .and_then(|r| r.chars().next())
            .filter(|e| if strict { matches!(*e, '\x01'..='\x7e') } else { matches!(e, '_' | '*' | '`' | '[') });
        if let ('\\', Some(escaped)) = (c, escaped) {
            plain.push(escaped);
            at += 2;
            continue;
        }
        let found = mark(rest, strict).filter(|(_, kind, _)| !verbatim || open.last().is_some_and(|o| o.kind == *kind));
        if let Some((signs, kind, name)) = found {
            at += signs.len();
            match open.pop_if(|last| last.kind == kind && kind != "text_link") {
                Some(last) => plain.close(last),
                None => open.push(Open { kind, name: name.to_owned(), offset: plain.units, at: at - signs.len(), url: None }),
            }
            continue;
        }
        if !verbatim
            && c == ']'
            && let Some(mut link) = open.pop_if(|last| last.kind == "text_link")
        {
            let url = rest.get(1..).and_then(|r| r.strip_prefix('(')).and_then(|r| r.split_once(')')).map(|(url, _)| url);
            at += 1 + url.map_or(0, |url| url.len() + 2);
            link.url = url.map(|url| url.replace('\\', ""));
            if link.url.is_some() {
                plain.close(link);
            }
            continue;
        }
        let quote = c == '>' && (at == 0 || text.get(..at).is_some_and(|before| before.ends_with('\n')));
        if strict && !verbatim && !quote && "]()~>#+-=|{}.!".contains(c) {
            return Err(format!("can't parse entities: Character '{c}' is reserved and must be escaped with the preceding '\\'"));
        }
        if !(strict && quote) {
            plain.push(c);
        }
        at += c.len_utf8();
    }
    match open.pop() {
        Some(left) => Err(format!("can't parse entities: Can't find end of {} entity at byte offset {}", left.name, left.at)),
        None => Ok(plain),
    }
}
