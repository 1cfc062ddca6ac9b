//! `log`: a guest's own lines. Attacks stopped here: a log without end (64 KiB a call, what is more is dropped and counted),
//! and lines forged in a log by line breaks, terminal escapes or marks that turn the direction of text.

use pointsman_core::ports::LogLine;

use crate::ctx::Ctx;
use crate::world::log::{Host, Level};

/// What a line costs beside its text: a million empty ones must end too.
const LINE: usize = 16;

/// The log of one call.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: Vec<LogLine>,
    left: usize,
    dropped: u64,
}

impl Book {
    /// A log of at most `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { lines: Vec::new(), left: bytes, dropped: 0 }
    }

    /// Adds one line, or what there is room for.
    pub(crate) fn write(&mut self, level: &'static str, text: &str) {
        let Some(room) = self.left.checked_sub(LINE).filter(|room| *room > 0 || text.is_empty()) else {
            self.left = 0;
            self.dropped += text.len() as u64;
            return;
        };
        let (line, taken) = escape(text, room);
        self.dropped += (text.len() - taken) as u64;
        self.left = room - line.len();
        self.lines.push(LogLine { level, text: line });
    }

    /// All lines, and a last one that tells of what was dropped.
    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        let mut lines = std::mem::take(&mut self.lines);
        if self.dropped > 0 {
            lines.push(LogLine { level: "warn", text: format!("{} more bytes of log were dropped", self.dropped) });
            self.dropped = 0;
        }
        lines
    }
}

/// The text with everything escaped that is not plainly visible, cut at `room` bytes; and how much of it was taken.
fn escape(text: &str, room: usize) -> (String, usize) {
    let mut out = String::with_capacity(text.len().min(room));
    for (at, c) in text.char_indices() {
        let before = out.len();
        if c.is_control() || steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > room {
            out.truncate(before);
            return (out, at);
        }
    }
    (out, text.len())
}

/// Invisible characters that break lines or turn the direction of what follows.
fn steers(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Host for Ctx {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.called().log.write(level, &message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_be_forged() {
        let mut book = Book::new(1_000);
        book.write("info", "a\nERROR forged\r\u{1b}[31mred\u{202e}txt é\u{9b}");
        let lines = book.take();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "a\\nERROR forged\\r\\u{1b}[31mred\\u{202e}txt é\\u{9b}");
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted() {
        let mut book = Book::new(100);
        for _ in 0..1_000_000 {
            book.write("info", "0123456789");
        }
        let lines = book.take();
        assert_eq!(lines.iter().filter(|l| l.text.starts_with("0123456789")).count(), 3);
        assert_eq!(lines.last().map(|l| l.text.as_str()), Some("9999964 more bytes of log were dropped"));

        let mut book = Book::new(100);
        for _ in 0..1_000_000 {
            book.write("info", "");
        }
        assert_eq!(book.take().len(), 6);
    }
}
