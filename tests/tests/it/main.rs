//! One binary for all tests of the whole: `flow` (the line on real input), `durability` (kill -9 and what is left),
//! `store` (what lies on disk), `pages` (a real browser), `security` (hostile plugins, leaks, erasure), `tidy` (the house's own rules).

mod durability;
mod flow;
mod pages;
mod security;
mod support;
mod tidy;
