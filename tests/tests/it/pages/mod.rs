//! The pages in a real browser. These tests need chromium, so they are left out unless asked for: `cargo xtask pages`, and
//! `cargo xtask test` where chromium is installed.

mod browser;
mod demo;
mod hostile;
mod spend;
