//! One binary for all tests of the whole: `flow` (the line on real input), `durability` (kill -9 and what is left),
//! `doors` (every command and example of the three doors' pages),
//! `store` (what lies on disk), `pages` (a real browser), `security` (hostile plugins, leaks, erasure), `tidy` (the house's own rules).

mod doors;
mod durability;
mod flow;
mod pages;
mod security;
mod support;
mod tidy;
