//! Components that are made to hurt whoever compiles them, or that ask for what nobody has. Written as text, in the words of
//! WebAssembly.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

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
        let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
        put(&mut outer, COMPONENT, &doll)?;
        doll = outer;
    }
    Ok(doll)
}

/// An instance, and a hundred thousand names for what it exports.
pub fn many_aliases() -> Result<Vec<u8>> {
    let aliases = "(alias export $i \"f\" (func))".repeat(100_000);
    component(&format!("(import \"i\" (instance $i (export \"f\" (func)))) {aliases}"))
}

/// A hundred thousand types, each made of the one before.
pub fn many_types() -> Result<Vec<u8>> {
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

/// A component whose own module calls this function of its when it is started: not by its bindings, but by its start section.
pub fn started_by(plugin: &[u8], function: &str) -> Result<Vec<u8>> {
    let mut out = plugin.get(..HEAD).context(CUT)?.to_vec();
    let mut found = false;
    for (number, content) in sections(plugin)? {
        match if number == MODULE { exported(content, function)? } else { None } {
            Some(place) => {
                found = true;
                put(&mut out, MODULE, &with_start(content, place)?)?;
            }
            None => put(&mut out, number, content)?,
        }
    }
    ensure!(found, "no module exports {function}");
    Ok(out)
}

/// A module, with a start section at its place: behind the exports.
fn with_start(module: &[u8], function: usize) -> Result<Vec<u8>> {
    let mut out = module.get(..HEAD).context(CUT)?.to_vec();
    for (number, content) in sections(module)? {
        put(&mut out, number, content)?;
        if number == EXPORTS {
            put(&mut out, START, &written(function)?)?;
        }
    }
    Ok(out)
}

/// The number of a function that a module exports.
fn exported(module: &[u8], function: &str) -> Result<Option<usize>> {
    let Some((_, exports)) = sections(module)?.into_iter().find(|(number, _)| *number == EXPORTS) else { return Ok(None) };
    let (count, mut rest) = read(exports)?;
    for _ in 0..count {
        let (length, name) = read(rest)?;
        let (name, kind) = name.split_at_checked(length).context(CUT)?;
        let (kind, place) = kind.split_first().context(CUT)?;
        let (place, after) = read(place)?;
        if name == function.as_bytes() && *kind == 0 {
            return Ok(Some(place));
        }
        rest = after;
    }
    Ok(None)
}

/// Bytes before the first section.
const HEAD: usize = 8;

/// Numbers of sections: in a component a module and a component, in a module what it exports and where it starts.
const MODULE: u8 = 1;
const COMPONENT: u8 = 4;
const EXPORTS: u8 = 7;
const START: u8 = 8;

const CUT: &str = "it is cut short";

/// The sections of a module or a component.
fn sections(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut rest = bytes.get(HEAD..).context(CUT)?;
    let mut all = Vec::new();
    while let Some((number, size)) = rest.split_first() {
        let (size, content) = read(size)?;
        let (content, after) = content.split_at_checked(size).context(CUT)?;
        all.push((*number, content));
        rest = after;
    }
    Ok(all)
}

/// Adds a section.
fn put(out: &mut Vec<u8>, number: u8, content: &[u8]) -> Result<()> {
    out.push(number);
    out.extend(written(content.len())?);
    out.extend_from_slice(content);
    Ok(())
}

/// A number as it stands in a component, and what is behind it.
fn read(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let last = bytes.iter().position(|byte| *byte < 0x80).context(CUT)?;
    let (number, after) = bytes.split_at_checked(last + 1).context(CUT)?;
    Ok((number.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f)), after))
}

/// A number as it stands in a component.
fn written(mut number: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f)? | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number)?);
    Ok(out)
}
