//! Markdown: headings make sections; items and rows of tables are paragraphs. A head of settings is not text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Entry;
use super::outline::Outline;

pub(super) fn read(text: &str) -> Vec<Entry> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS | Options::ENABLE_STRIKETHROUGH;
    let mut outline = Outline::default();
    let mut words = String::new();
    let mut hidden = 0_u32;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => hidden += 1,
            Event::End(TagEnd::MetadataBlock(_)) => hidden = hidden.saturating_sub(1),
            Event::Text(part) | Event::Code(part) if hidden == 0 => words.push_str(&part),
            Event::SoftBreak | Event::HardBreak => words.push('\n'),
            Event::End(TagEnd::TableCell) => words.push_str(" | "),
            Event::End(TagEnd::Heading(level)) => {
                let heading = std::mem::take(&mut words);
                outline.heading(level as u8, &heading);
            }
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                outline.paragraph(std::mem::take(&mut words).trim_end_matches(" | "));
            }
            Event::Start(Tag::Item | Tag::List(_) | Tag::Heading { .. } | Tag::Paragraph)
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::BlockQuote(_)) => {
                outline.paragraph(&std::mem::take(&mut words));
            }
            _ => {}
        }
    }
    outline.paragraph(&words);
    outline.finish()
}
