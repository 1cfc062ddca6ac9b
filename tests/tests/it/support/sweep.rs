//! The sweep: looks for a secret, or a contact's words, in everything that a host leaves behind, in every form in which they
//! could hide. Each [`Site`](super::Site) is swept when its test ends, so a run of all tests is one sweep over all of their
//! files; what was swept is noted in `target/tmp/swept.log`, and `cargo xtask test` adds it up.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use memchr::memmem;
use pointsman_emulator::By;
pub use pointsman_tests::attacks::forms::forms;

use super::{APP_SECRET, MODEL_KEY, Site, TOKEN, VERIFY_TOKEN};

/// What no file, log or answer may hold.
pub const SECRETS: [&str; 4] = [TOKEN, APP_SECRET, VERIFY_TOKEN, MODEL_KEY];

/// Something that was left behind, and its bytes.
pub type Place = (String, Vec<u8>);

/// Where the needle stands in what is left behind.
pub fn hits(places: &[Place], needle: &str) -> Vec<String> {
    let mut hits = Vec::new();
    for (form, bytes) in forms(needle) {
        let finder = memmem::Finder::new(&bytes);
        hits.extend(
            places.iter().filter(|(_, content)| finder.find(content).is_some()).map(|(place, _)| format!("{place} ({form})")),
        );
    }
    hits
}

impl Site {
    /// Everything that the host left in its folder and in its databases, but the recovery note (which is for a person's safe) and
    /// the customer's own workflows.
    pub fn left_behind(&self) -> Vec<Place> {
        let name = |path: &Path| path.strip_prefix(self.dir.path()).unwrap_or(path).display().to_string();
        self.files()
            .into_iter()
            .filter(|(path, _)| !path.ends_with("RECOVERY.txt") && !path.starts_with(self.workflows()))
            .map(|(path, bytes)| (name(&path), bytes))
            .chain(self.dumps())
            .collect()
    }

    /// What contacts are called, their numbers and what they said, as the provider saw it. Left out: what is too short to tell
    /// from chance, what a button says, and words that stand in a workflow.
    fn private_words(&self) -> BTreeSet<String> {
        let workflows: Vec<Vec<u8>> =
            self.files().into_iter().filter(|(path, _)| path.starts_with(self.workflows())).map(|(_, bytes)| bytes).collect();
        let mut words = BTreeSet::new();
        for contact in self.emulator.contacts() {
            words.extend(
                self.emulator.lines(&contact.id).into_iter().filter(|l| l.by == By::Contact && l.kind != "press").map(|l| l.text),
            );
            words.extend([contact.id, contact.name]);
        }
        words.retain(|w| w.len() >= 9 && workflows.iter().all(|text| memmem::find(text, w.as_bytes()).is_none()));
        words
    }

    fn sweep(&self) {
        let places = self.left_behind();
        let words = self.private_words();
        for needle in SECRETS.into_iter().chain(words.iter().map(String::as_str)) {
            let found = hits(&places, needle);
            assert!(found.is_empty(), "{needle:?} was left behind in {found:?}");
        }
        let bytes: usize = places.iter().map(|(_, content)| content.len()).sum();
        let line = format!("{} {bytes} {}\n", places.len(), SECRETS.len() + words.len());
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("swept.log");
        // One write of one short line: tests of other processes write beside.
        let _ =
            std::fs::OpenOptions::new().create(true).append(true).open(log).and_then(|mut log| log.write_all(line.as_bytes()));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that failed has said enough.
        if !std::thread::panicking() {
            self.sweep();
        }
    }
}
