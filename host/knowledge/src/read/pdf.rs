//! PDF: what its pages say, each page an entry with its number as its place (`menu.pdf#page-3`). `lopdf` takes the file apart, opens
//! what is locked without a password and says which letters a font's codes stand for; here the text is put together from where
//! it stands. Pictures of text are not read, and it is told which pages hold nothing else.

mod font;
mod lines;
mod order;

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::content::{Content, Operation};
use lopdf::xref::XrefRecovery;
use lopdf::{DecompressError, Dictionary, Document, Error, LoadOptions, Object, ObjectId, Stream, decode_text_string};
use pointsman_core::failure::Failure;

use super::{Entry, refused};
use font::Font;
use lines::{Lines, Matrix};

/// Bytes that a stream may unpack to: a page of text has some ten KiB.
const UNPACKED: usize = 64 << 20;

/// Forms within forms that are followed.
const DEPTH: usize = 8;

/// The pages as entries, and what is to be told of those that gave none.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<(Vec<Entry>, Vec<String>), Failure> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(refused("empty", format!("{name} is empty")));
    }
    let options = LoadOptions::with_max_decompressed_size(UNPACKED);
    let mut document = Document::load_mem_with_options(bytes, options).map_err(|e| broken(name, &e))?;
    if document.trailer.has(b"Encrypt") {
        return Err(locked(name));
    }
    let tail = bytes.get(bytes.len().saturating_sub(2_048)..).unwrap_or_default();
    if document.xref_recovery == Some(XrefRecovery::Reconstructed) && !tail.windows(5).any(|part| part == b"%%EOF") {
        return Err(refused("damaged", format!("{name} is cut off: its end is missing; get the file again")));
    }
    prefer_unicode(&mut document);
    let (mut entries, mut remarks) = (Vec::new(), Vec::new());
    let (mut blank, mut unread) = (Vec::new(), Vec::new());
    let mut fonts = HashMap::new();
    let pages = document.get_pages();
    let count = count(&document).max(1);
    if pages.len() < count {
        let text = format!("{name} is damaged: {} of its {count} pages can be found; get the file again", pages.len());
        return Err(refused("damaged", text));
    }
    for (number, id) in &pages {
        let mut page = Page { document: &document, fonts, lines: Lines::default(), given: Vec::new(), strange: false };
        let read = page.read(*id);
        fonts = page.fonts;
        let paragraphs = page.lines.paragraphs();
        match read {
            Err(e @ Error::Decompress(DecompressError::MemoryLimitExceeded { .. })) => return Err(broken(name, &e)),
            Err(_) => unread.push(*number),
            Ok(()) if page.strange => unread.push(*number),
            Ok(()) if paragraphs.is_empty() => blank.push(*number),
            Ok(()) => {}
        }
        if !paragraphs.is_empty() {
            entries.push(Entry { id: format!("page-{number}"), paragraphs, ..Entry::default() });
        }
    }
    if entries.is_empty() && !unread.is_empty() {
        let text = format!("{name}: its pages cannot be read (damaged, or letters without a meaning); export it again as PDF");
        return Err(refused("damaged", text));
    }
    if entries.is_empty() {
        let text = format!("{name} holds no text, only pictures; have the text recognized (OCR) and give it that file");
        return Err(refused("empty", text));
    }
    if !unread.is_empty() {
        remarks.push(format!("not all of it can be read, on {}", told(&unread)));
    }
    if !blank.is_empty() {
        remarks.push(format!("no text, perhaps pictures of it, on {}", told(&blank)));
    }
    Ok((entries, remarks))
}

/// How many pages it says it has.
fn count(document: &Document) -> usize {
    let pages = document.catalog().and_then(|catalog| catalog.get_deref(b"Pages", document)).and_then(Object::as_dict);
    let count = pages.and_then(|pages| pages.get_deref(b"Count", document)).and_then(Object::as_i64);
    count.ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// `pages 1, 2, 3`, not more than twenty of them.
fn told(pages: &[u32]) -> String {
    let first: Vec<String> = pages.iter().take(20).map(u32::to_string).collect();
    let more = pages.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{more}", if pages.len() == 1 { "page" } else { "pages" }, first.join(", "))
}

fn broken(name: &str, error: &Error) -> Failure {
    match error {
        Error::Decompress(DecompressError::MemoryLimitExceeded { limit }) => {
            let text = format!("{name}: a part of it unpacks to more than {} MiB; export it again as PDF", limit >> 20);
            refused("too_costly", text)
        }
        Error::Decryption(_) | Error::InvalidPassword => locked(name),
        _ => refused("damaged", format!("{name} is no PDF that can be read; open it, save it again as PDF")),
    }
}

fn locked(name: &str) -> Failure {
    refused("encrypted", format!("{name} opens only with a password; save it without one"))
}

/// Where a font says what its codes mean in Unicode, names of glyphs and tables of other scripts are not asked.
fn prefer_unicode(document: &mut Document) {
    for object in document.objects.values_mut() {
        let Ok(font) = object.as_dict_mut() else { continue };
        if !font.has_type(b"Font") || font.get(b"ToUnicode").and_then(Object::as_reference).is_err() {
            continue;
        }
        if font.get(b"Subtype").and_then(Object::as_name).is_ok_and(|kind| kind == b"Type0") {
            font.set("Encoding", Object::Name(b"Identity-H".to_vec()));
        } else if font.get(b"Encoding").and_then(Object::as_name).is_err() {
            font.remove(b"Encoding");
        }
    }
}

/// One page on its way into lines.
struct Page<'a> {
    document: &'a Document,
    /// Those that were met so far, by where they lie in the document.
    fonts: HashMap<usize, Rc<Font<'a>>>,
    lines: Lines,
    /// What marked parts say in place of their glyphs, where they say it: the widest first. Said once.
    given: Vec<Option<String>>,
    /// Whether a font does not say which letters its codes stand for.
    strange: bool,
}

/// What operators change and `q` keeps.
#[derive(Clone)]
struct State<'a> {
    place: Matrix,
    font: Option<Rc<Font<'a>>>,
    size: f64,
    /// Between letters, and more between words.
    spacing: (f64, f64),
    stretch: f64,
    leading: f64,
}

impl<'a> Page<'a> {
    fn read(&mut self, id: ObjectId) -> Result<(), Error> {
        let (own, inherited) = self.document.get_page_resources(id)?;
        let inherited = inherited.into_iter().filter_map(|id| self.document.get_dictionary(id).ok());
        let resources: Vec<&'a Dictionary> = own.into_iter().chain(inherited).collect();
        let content = self.document.get_page_content_with_limit(id, UNPACKED)?;
        let state = State { place: Matrix::SAME, font: None, size: 0.0, spacing: (0.0, 0.0), stretch: 1.0, leading: 0.0 };
        self.draw(&content, &resources, state, 0)
    }

    /// Something that the nearest of the resources has under a name.
    fn resource(&self, resources: &[&'a Dictionary], kind: &[u8], name: &[u8]) -> Option<&'a Object> {
        let document = self.document;
        resources.iter().find_map(|of| {
            let all = of.get_deref(kind, document).and_then(Object::as_dict).ok()?;
            all.get_deref(name, document).ok()
        })
    }

    fn draw(&mut self, content: &[u8], resources: &[&'a Dictionary], mut state: State<'a>, depth: usize) -> Result<(), Error> {
        // What is no operator ends the reading below without a word.
        self.strange |= Content::decode_strict(content).is_err();
        let mut kept: Vec<State<'a>> = Vec::new();
        // Where the next letter stands, and where its line began.
        let (mut at, mut line) = (Matrix::SAME, Matrix::SAME);
        for operation in Content::decode_iter(content) {
            let Operation { operator, operands } = operation?;
            let number = |n: usize| operands.get(n).and_then(|o| o.as_float().ok()).map_or(0.0, f64::from);
            let matrix = || Matrix([number(0), number(1), number(2), number(3), number(4), number(5)]);
            let mut next_line = |x: f64, y: f64| {
                line = line.moved(x, y);
                line
            };
            match operator.as_str() {
                "q" => kept.push(state.clone()),
                "Q" => state = kept.pop().unwrap_or(state),
                "cm" => state.place = matrix().then(&state.place),
                "BT" => (at, line) = (Matrix::SAME, Matrix::SAME),
                "Tf" => {
                    state.size = number(1);
                    state.font = operands.first().and_then(|name| name.as_name().ok()).and_then(|n| self.font(resources, n));
                }
                "Tc" => state.spacing.0 = number(0),
                "Tw" => state.spacing.1 = number(0),
                "Tz" => state.stretch = number(0) / 100.0,
                "TL" => state.leading = number(0),
                "Td" => at = next_line(number(0), number(1)),
                "TD" => {
                    state.leading = -number(1);
                    at = next_line(number(0), number(1));
                }
                "T*" => at = next_line(0.0, -state.leading),
                "Tm" => (at, line) = (matrix(), matrix()),
                "Tj" => self.show(&operands, &state, &mut at),
                "'" => {
                    at = next_line(0.0, -state.leading);
                    self.show(&operands, &state, &mut at);
                }
                "\"" => {
                    state.spacing = (number(1), number(0));
                    at = next_line(0.0, -state.leading);
                    self.show(operands.get(2..).unwrap_or_default(), &state, &mut at);
                }
                "TJ" => {
                    let parts = operands.first().and_then(|parts| parts.as_array().ok());
                    self.show(parts.map(Vec::as_slice).unwrap_or_default(), &state, &mut at);
                }
                "BMC" => self.given.push(None),
                "BDC" => {
                    let named = |name| self.resource(resources, b"Properties", name);
                    let told = operands.get(1).and_then(|told| told.as_name().ok().map_or(Some(told), named));
                    let text = told.and_then(|told| told.as_dict().ok()?.get(b"ActualText").ok());
                    self.given.push(text.and_then(|text| decode_text_string(text).ok()));
                }
                "EMC" => drop(self.given.pop()),
                "Do" if depth < DEPTH => {
                    let name = operands.first().and_then(|name| name.as_name().ok()).unwrap_or_default();
                    let found = self.resource(resources, b"XObject", name).and_then(|object| object.as_stream().ok());
                    let form = |stream: &&Stream| {
                        stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|kind| kind == b"Form")
                    };
                    if let Some(stream) = found.filter(form) {
                        let inner = stream.decompressed_content_with_limit(UNPACKED)?;
                        let own = stream.dict.get_deref(b"Resources", self.document).and_then(Object::as_dict).ok();
                        let resources: Vec<&'a Dictionary> = own.into_iter().chain(resources.iter().copied()).collect();
                        let placed = stream.dict.get_deref(b"Matrix", self.document).and_then(Object::as_array).ok();
                        let placed = placed.and_then(|numbers| Matrix::of(numbers)).unwrap_or(Matrix::SAME);
                        let state = State { place: placed.then(&state.place), ..state.clone() };
                        self.draw(&inner, &resources, state, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn font(&mut self, resources: &[&'a Dictionary], name: &[u8]) -> Option<Rc<Font<'a>>> {
        let found = self.resource(resources, b"Font", name)?.as_dict().ok()?;
        let document = self.document;
        let known = self.fonts.entry(std::ptr::from_ref(found).addr());
        Some(Rc::clone(known.or_insert_with(|| Rc::new(Font::new(found, document, UNPACKED)))))
    }

    /// Strings, and between them how far to go back, in thousandths.
    fn show(&mut self, parts: &[Object], state: &State<'a>, at: &mut Matrix) {
        for part in parts {
            if let Ok(back) = part.as_float() {
                *at = at.moved(-f64::from(back) / 1_000.0 * state.size * state.stretch, 0.0);
            } else if let Ok(codes) = part.as_str() {
                let font = state.font.as_deref();
                let advance = font.map_or(0.0, |font| font.advance(codes, state.size, state.spacing)) * state.stretch;
                let text = self.said(font, codes);
                self.lines.put(&text, at.then(&state.place), advance, state.size);
                *at = at.moved(advance, 0.0);
            }
        }
    }

    /// What codes say, in the order in which it is seen.
    fn said(&mut self, font: Option<&Font<'a>>, codes: &[u8]) -> String {
        if let Some(given) = self.given.iter_mut().flatten().next() {
            return order::seen(&std::mem::take(given));
        }
        let text = font.and_then(|font| font.text(codes));
        self.strange |= text.as_ref().is_none_or(|text| text.contains('\u{fffd}')) && !codes.is_empty();
        text.unwrap_or_default().replace('\u{fffd}', "")
    }
}

#[cfg(test)]
mod tests;
