//! A base of 100,000 passages (or as many as the argument says): how long its words take to read, its index to build, a question to
//! answer, and how much memory the index holds. Words are drawn by Zipf's law from 200,000 made-up ones, 90 a passage.
//!
//! `cargo bench --package pointsman-knowledge --bench base`

use std::io::Write as _;
use std::time::Instant;

use pointsman_knowledge::{Index, Language, Passage, pack};

/// Words that there are.
const WORDS: u64 = 200_000;
/// Words of a passage.
const LONG: usize = 90;
/// Passages of a source.
const SOURCE: usize = 1_000;
/// Questions asked.
const QUESTIONS: usize = 2_000;

struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A word of rank r with a likelihood of about 1/r.
    fn word(&mut self) -> String {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut rank = ((WORDS as f64).powf(part) as u64).min(WORDS);
        let mut word = String::new();
        for _ in 0..3 {
            word.push(char::from(b"bdfgklmnprstvz"[(rank % 14) as usize]));
            rank /= 14;
            word.push(char::from(b"aeiou"[(rank % 5) as usize]));
            rank /= 5;
        }
        word
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000_usize);
    let mut out = std::io::stdout().lock();
    let mut draw = Draw(7);
    let english = Language::from_code("en").unwrap_or_default();
    let (mut packed, mut reading) = (Vec::new(), std::time::Duration::ZERO);
    for from in (0..count).step_by(SOURCE) {
        let passage = |_| Passage {
            id: String::new(),
            headings: vec![draw.text(4)],
            text: draw.text(LONG),
            whole: false,
            language: english,
        };
        let passages: Vec<Passage> = (from..(from + SOURCE).min(count)).map(passage).collect();
        let since = Instant::now();
        packed.push(pack(&passages));
        reading += since.elapsed();
    }
    let bytes: usize = packed.iter().map(Vec::len).sum();
    let _ = writeln!(out, "{count} passages: words read in {reading:.1?}, packed into {:.1} MB", bytes as f64 / 1e6);
    let before = memory();
    let since = Instant::now();
    let index = Index::build((0..).zip(packed.iter().map(Vec::as_slice))).unwrap_or_default();
    let built = since.elapsed();
    drop(packed);
    let grown = memory().saturating_sub(before.saturating_sub(bytes as u64)) as f64 / 1e6;
    let _ = writeln!(
        out,
        "index built in {built:.1?}: {:.1} MB by its own count, process grew by {grown:.0} MB",
        index.bytes() as f64 / 1e6
    );
    let mut times: Vec<u128> = (0..QUESTIONS)
        .map(|_| {
            let question = draw.text(8);
            let since = Instant::now();
            std::hint::black_box(index.search(&question, 5));
            since.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    let (half, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let _ = writeln!(out, "a question of 8 words: p50 {half} us, p99 {most} us ({QUESTIONS} asked)");
}
