//! `cargo xtask pages`: the pages in a real browser. Those tests need chromium and nothing else; they are marked as ignored, so
//! that a plain `cargo test` passes where there is none, and `cargo xtask test` runs them where there is one.

use std::process::ExitCode;

use anyhow::Result;

use crate::house::{self, tell};
use crate::tests;

/// Names under which distributions install it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Whether there is a browser.
pub fn browser() -> bool {
    let path = house::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| NAMES.iter().any(|name| dir.join(name).is_file()))
}

/// What the names of these tests begin with.
pub const TESTS: &str = "pages::";

/// What is said where there is none.
pub const MISSING: &str = "the pages were not tried in a browser: chromium is not installed (apt-get install chromium)";

/// Runs the tests of the pages alone, and tells where the pictures are.
pub fn run() -> Result<ExitCode> {
    if !browser() {
        tell(MISSING);
        return Ok(ExitCode::from(2));
    }
    let code = tests::run(&[TESTS.to_owned()])?;
    tell(&format!("pictures: {}", house::target()?.join("pages").display()));
    Ok(code)
}
