//! A page: what people read of it. Menus, forms, scripts and what stands around the matter are left out; a page that is nothing but
//! a door (sign in, captcha) is refused, for what it says is not what the business says.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};
use pointsman_core::failure::Failure;

use super::outline::Outline;
use super::{Entry, LINKS, refused};

/// Elements whose text is not the page's.
const HIDDEN: [&str; 15] = [
    "script", "style", "template", "noscript", "svg", "nav", "footer", "aside", "form", "button", "select", "iframe", "object",
    "math", "dialog",
];

/// Elements that end a paragraph.
const BLOCKS: [&str; 22] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "table",
    "tr",
    "blockquote",
    "pre",
    "br",
    "hr",
    "figure",
    "figcaption",
    "summary",
    "details",
];

/// Characters that a page beside its sign-in form must have to count as a page.
const MATTER: usize = 1_000;

/// The entries, and where its links lead.
pub(super) fn read(name: &str, text: &str) -> Result<(Vec<Entry>, Vec<String>), Failure> {
    let mut page = Page::default();
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(text, emitter).flatten() {
        match token {
            Token::StartTag(tag) => {
                let word = String::from_utf8_lossy(&tag.name);
                let password =
                    tag.attributes.iter().any(|(key, value)| ***key == *b"type" && value.eq_ignore_ascii_case(b"password"));
                page.password |= word == "input" && password;
                if word == "a" && page.links.len() < LINKS {
                    let href = tag.attributes.iter().find_map(|(key, to)| (***key == *b"href").then_some(to));
                    page.links.extend(href.map(|to| String::from_utf8_lossy(to).trim().to_owned()));
                }
                page.start(&word, tag.self_closing);
            }
            Token::EndTag(tag) => page.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(part) => page.text(&String::from_utf8_lossy(&part)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.flush();
    let entries = page.outline.finish();
    let matter: usize = entries.iter().flat_map(|entry| &entry.paragraphs).map(|text| text.chars().count()).sum();
    if page.password && matter < MATTER {
        return Err(refused(
            "login_page",
            format!("{name} is a sign-in page, not the page behind it; save that one while signed in"),
        ));
    }
    Ok((entries, page.links))
}

#[derive(Default)]
struct Page {
    links: Vec<String>,
    outline: Outline,
    words: String,
    hidden: Vec<String>,
    title: bool,
    password: bool,
}

impl Page {
    fn start(&mut self, word: &str, closed: bool) {
        if HIDDEN.contains(&word) {
            if !closed {
                self.hidden.push(word.to_owned());
            }
            return;
        }
        match word {
            "title" => self.title = true,
            "td" | "th" if !self.words.trim().is_empty() => self.words.push_str(" | "),
            _ if level(word).is_some() || BLOCKS.contains(&word) => self.flush(),
            _ => {}
        }
    }

    fn end(&mut self, word: &str) {
        if let Some(at) = self.hidden.iter().rposition(|open| open == word) {
            self.hidden.truncate(at);
            return;
        }
        match (word, level(word)) {
            ("title", _) if self.title => {
                self.title = false;
                let title = std::mem::take(&mut self.words);
                self.outline.heading(1, &title);
            }
            (_, Some(level)) => {
                let heading = std::mem::take(&mut self.words);
                // The title of the page stands above its own first heading.
                self.outline.heading(level + 1, &heading);
            }
            _ if BLOCKS.contains(&word) => self.flush(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden.is_empty() {
            self.words.push_str(text);
        }
    }

    fn flush(&mut self) {
        self.outline.paragraph(&std::mem::take(&mut self.words));
    }
}

fn level(word: &str) -> Option<u8> {
    match word {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        "h5" => Some(5),
        "h6" => Some(6),
        _ => None,
    }
}
