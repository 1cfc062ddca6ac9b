//! Components that are made to hurt whoever compiles them, or that ask for what nobody has. Written as text, in the words of
//! WebAssembly.

use std::fmt::Write as _;

use anyhow::Result;

fn component(text: &str) -> Result<Vec<u8>> {
    Ok(wat::parse_str(format!("(component {text})"))?)
}

fn module(text: &str) -> Result<Vec<u8>> {
    component(&format!("(core module {text})"))
}

/// A memory that begins with 4 GiB.
pub fn huge_memory() -> Result<Vec<u8>> {
    module("(memory 65536)")
}

/// A table of a hundred million elements.
pub fn huge_table() -> Result<Vec<u8>> {
    module("(table 100000000 funcref)")
}

/// A hundred thousand functions with nothing in them.
pub fn many_functions() -> Result<Vec<u8>> {
    module(&"(func)".repeat(100_000))
}

/// Functions with more variables than anybody needs.
pub fn many_locals() -> Result<Vec<u8>> {
    module(&format!("(func (local {}))", "i64 ".repeat(50_000)).repeat(200))
}

/// One function of ten million bytes.
pub fn long_function() -> Result<Vec<u8>> {
    module(&format!("(func {})", "nop ".repeat(10_000_000)))
}

/// As large as every count allows, and made of what a compiler has most work with: many values that all live to the end.
pub fn under_every_count() -> Result<Vec<u8>> {
    let mut body = String::new();
    for n in 0..LOCALS {
        // A branch after each keeps every value alive over many blocks.
        write!(body, "(local.set {n} (i64.mul (local.get {}) (local.get {})))", (n * 7 + 1) % LOCALS, (n * 13 + 5) % LOCALS)?;
        write!(body, "(if (i64.eqz (local.get {n})) (then (local.set {} (i64.const {n}))))", (n * 31 + 3) % LOCALS)?;
    }
    let function = format!("(func (local {}) {})", "i64 ".repeat(LOCALS), body.repeat(5));
    module(&function.repeat(36))
}

const LOCALS: usize = 1_900;

/// Components inside each other like dolls.
pub fn nested() -> Result<Vec<u8>> {
    // Deeper than a parser of texts goes: put around it byte by byte.
    let mut doll = component("")?;
    for _ in 0..1_000 {
        let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
        let mut size = doll.len();
        while size >= 0x80 {
            outer.push(u8::try_from(size & 0x7f)? | 0x80);
            size >>= 7;
        }
        outer.push(u8::try_from(size)?);
        outer.extend_from_slice(&doll);
        doll = outer;
    }
    Ok(doll)
}

/// A type, and a hundred thousand names for it.
pub fn many_aliases() -> Result<Vec<u8>> {
    let mut text = "(type $t0 (func))".to_owned();
    for n in 1..=100_000 {
        write!(text, "(type $t{n} (list {}))", if n == 1 { "u8".to_owned() } else { format!("$t{}", n - 1) })?;
    }
    component(&text)
}

/// A component that imports an interface.
pub fn importing(interface: &str) -> Result<Vec<u8>> {
    component(&format!("(import \"{interface}\" (instance))"))
}

/// Loops while it is started, and exports nothing: it never gets so far.
pub fn spins_when_started() -> Result<Vec<u8>> {
    component("(core module $m (func $f (loop br 0)) (start $f)) (core instance (instantiate $m))")
}
