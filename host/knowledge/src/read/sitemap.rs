//! A sitemap: the addresses of a site's pages, or of further sitemaps.

use html5gum::{Token, Tokenizer};

use super::LINKS;

/// What stands in `loc`, wherever that stands.
pub(super) fn read(text: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), None::<String>);
    for token in Tokenizer::new(text).flatten() {
        match token {
            Token::StartTag(tag) if **tag.name == *b"loc" => open = Some(String::new()),
            Token::EndTag(tag) if **tag.name == *b"loc" => {
                found.extend(open.take().map(|address| address.trim().to_owned()).filter(|address| !address.is_empty()));
            }
            Token::String(part) => {
                if let Some(open) = &mut open {
                    open.push_str(&String::from_utf8_lossy(&part));
                }
            }
            _ => {}
        }
        if found.len() == LINKS {
            break;
        }
    }
    found
}
