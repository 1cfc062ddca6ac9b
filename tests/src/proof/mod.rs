//! Proofs against the real binary, by oracles that do not depend on it (SAFETY, method).
//!
//! Three witnesses write down what they saw, each in a file of its own: the emulated provider what it took ([`provider`]), the
//! load generator what was acknowledged ([`sender`]), the host its journal, read through its command line and its API
//! ([`journal`]). [`check`] joins them. A [`Trial`] says what is sent and what goes wrong meanwhile ([`trial`]);
//! [`catalog`] has the trials with their targets, [`points`] kills at each named point, [`loss`] takes hosts or the
//! database away for a while; [`stored`] measures what a message costs
//! when many are stored.

pub mod catalog;
pub mod check;
pub mod fill;
pub mod journal;
pub mod killer;
pub mod loss;
pub mod points;
pub mod provider;
pub mod sender;
pub mod site;
pub mod stored;
pub mod table;
pub mod trial;

use std::path::PathBuf;

pub use check::Seen;
pub use table::Row;
pub use trial::Trial;

/// Under which circumstances proofs run.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The binary under test.
    pub binary: PathBuf,
    /// Where compiled plugins are kept, shared by all hosts.
    pub cache: PathBuf,
    /// Which database.
    pub store: Kind,
    /// Hosts on that database: 1, or 2 on Postgres.
    pub hosts: usize,
    /// 1.0 is the full size of a proof.
    pub scale: f64,
    /// Where the sites and the witnesses' files are put; kept when a proof fails.
    pub folder: PathBuf,
    /// Makes what is random the same again.
    pub seed: u64,
}

/// Which database a host keeps its things in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file in each site's folder.
    Sqlite,
    /// A server, by the address of a database in which others may be made: `postgres://user@host/postgres`.
    Postgres(String),
}

impl Setting {
    /// So many things at this scale, never fewer than `least`.
    #[must_use]
    pub fn scaled(&self, full: usize, least: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a count")]
        let scaled = (full as f64 * self.scale) as usize;
        scaled.max(least)
    }
}

/// Bytes of memory that a process really has: its number, or `self`.
#[must_use]
pub fn resident(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())?;
    Some(kib << 10)
}

/// A small source of numbers that look random and come again with the same seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).checked_rem(end).unwrap_or(0)
    }

    /// Puts a list into a random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            list.swap(last, other);
        }
    }
}
