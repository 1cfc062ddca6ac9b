//! The vectors of 100,000 passages (or as many as the argument says), of 384 numbers each: how much memory they take, and how long a question
//! is compared with all of them.
//!
//! `cargo bench --package pointsman-knowledge --bench vectors`

use std::io::Write as _;
use std::time::Instant;

use pointsman_knowledge::{Meant, Place, Vector, Vectors};

const WIDTH: usize = 384;
const QUESTIONS: usize = 200;

/// Numbers between -1 and 1, by xorshift.
fn draw(state: &mut u64) -> Vec<f32> {
    let next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(WIDTH).collect()
}

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000_u32);
    let (mut state, mut vectors) = (7_u64, Vectors::default());
    for n in 0..count {
        if let Some(vector) = Vector::new([0; 16], &draw(&mut state)) {
            vectors.push(Place { source: 1, n }, &vector);
        }
    }
    let mut micros: Vec<u128> = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let question = draw(&mut state);
        let since = Instant::now();
        let meant = Meant::of(&vectors, &question);
        micros.push(since.elapsed().as_micros());
        assert!(meant.is_some());
    }
    micros.sort_unstable();
    let at = |part: usize| micros.get(micros.len() * part / 100).copied().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let mib = vectors.bytes() >> 20;
    writeln!(out, "{} vectors: {mib} MiB; a question {} us (p50), {} us (p99)", vectors.len(), at(50), at(99))
        .unwrap_or_default();
}
