//! Components made by hand, byte by byte: what a compiler would have choked on is refused in milliseconds.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

fn leb(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len() as u64), content.to_vec()].concat()
}

fn vector(items: &[Vec<u8>]) -> Vec<u8> {
    [leb(items.len() as u64), items.concat()].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// A component around one module.
fn around(module: &[u8]) -> Vec<u8> {
    component(&[section(1, module)])
}

/// A module of `count` functions with this body each.
fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let body = [leb(body.len() as u64), body.to_vec()].concat();
    module(&[
        section(1, &vector(&[vec![0x60, 0, 0]])),
        section(3, &[leb(count as u64), vec![0; count]].concat()),
        section(10, &vector(&vec![body; count])),
    ])
}

/// An import of an instance type, under this name.
fn import(name: &str) -> Vec<u8> {
    let ty = section(7, &vector(&[vec![0x42, 0]]));
    let import = [vec![0], leb(name.len() as u64), name.as_bytes().to_vec(), vec![5, 0]].concat();
    component(&[ty, section(10, &vector(&[import]))])
}

const BOUNDS: Bounds = Bounds { bytes: 8 << 20, memory: 64 << 20 };

#[track_caller]
fn refused(bytes: &[u8], code: &str, says: &str) {
    let since = Instant::now();
    let failure = scan(bytes, BOUNDS).unwrap_err();
    assert!(since.elapsed() < Duration::from_millis(50), "{:?}", since.elapsed());
    assert_eq!(failure.code, code, "{}", failure.message);
    assert!(failure.message.contains(says), "{}", failure.message);
}

#[test]
fn what_is_small_passes() {
    assert!(scan(&component(&[]), BOUNDS).is_ok());
    assert!(scan(&around(&functions(100, &[0, 0x0b])), BOUNDS).is_ok());
    assert!(scan(&around(&functions(1, &[1, 0xd0, 0x0f, 0x7f, 0x0b])), BOUNDS).is_ok(), "2,000 locals");
    assert!(scan(&around(&module(&[section(5, &[1, 0, 17])])), BOUNDS).is_ok());
    let found = scan(&import("pointsman:plugin/log@0.1.0"), BOUNDS).unwrap();
    assert_eq!(found.imports, ["pointsman:plugin/log@0.1.0"]);
}

#[test]
fn bombs_for_the_compiler_are_refused_by_counting() {
    refused(&around(&functions(100_000, &[0, 0x0b])), "plugin.refused", "20000 functions");
    refused(&around(&functions(200, &[vec![1], leb(50_000), vec![0x7f, 0x0b]].concat())), "plugin.refused", "locals");
    // So are those of several modules together, and the last that may be there is let in.
    let some = |count| section(1, &functions(count, &[0, 0x0b]));
    refused(&component(&[some(10_000), some(10_001)]), "plugin.refused", "20000 functions");
    assert!(scan(&component(&[some(10_000), some(10_000)]), BOUNDS).is_ok());
    // Many small groups of locals add up as well.
    let groups = [leb(3_000), [1, 0x7f].repeat(3_000), vec![0x0b]].concat();
    refused(&around(&functions(1, &groups)), "plugin.refused", "locals");
    let long = [vec![0], vec![0x01; 300 << 10], vec![0x0b]].concat();
    refused(&around(&functions(1, &long)), "plugin.refused", "256 KiB");
    refused(&around(&functions(1, &[vec![0], vec![0x01; 10 << 20], vec![0x0b]].concat())), "plugin.refused", "bytes");
    refused(&around(&module(&[section(1, &vector(&vec![vec![0x60, 0, 0]; 100_000]))])), "plugin.refused", "types");
    refused(&component(&[section(7, &vector(&vec![vec![0x42, 0]; 100_000]))]), "plugin.refused", "types");
    // Names for a function that the first instance exports as `f`, in one section and in as many as there are names.
    let alias = vec![1, 0, 0, 1, b'f'];
    refused(&component(&[section(6, &vector(&vec![alias.clone(); 100_000]))]), "plugin.refused", "aliases");
    refused(&component(&vec![section(6, &vector(&[alias])); 100_000]), "plugin.refused", "aliases");
}

#[test]
fn huge_beginnings_are_refused() {
    refused(&around(&module(&[section(5, &[vec![1, 0], leb(65_536)].concat())])), "plugin.refused", "64 MiB");
    refused(&around(&module(&[section(5, &[vec![1, 4], leb(1)].concat())])), "plugin.refused", "64 MiB");
    refused(&around(&module(&[section(4, &[vec![1, 0x70, 0], leb(100_000_000)].concat())])), "plugin.refused", "tables");
    refused(&component(&vec![section(1, &module(&[])); 9]), "plugin.refused", "8 modules");
}

#[test]
fn components_in_components_are_refused() {
    let doll = |deep| (0..deep).fold(component(&[]), |doll, _| component(&[section(4, &doll)]));
    let row = |count| component(&vec![section(4, &component(&[])); count]);
    assert!(scan(&doll(3), BOUNDS).is_ok() && scan(&row(16), BOUNDS).is_ok());
    refused(&doll(4), "plugin.refused", "inside each other");
    refused(&doll(1_000), "plugin.refused", "inside each other");
    refused(&row(17), "plugin.refused", "components");
    refused(&row(1_000), "plugin.refused", "components");
}

#[test]
fn what_is_no_component_is_told_apart() {
    refused(b"", "plugin.no_component", "empty");
    refused(&module(&[]), "plugin.no_component", "plain WebAssembly module");
    refused(b"PK\x03\x04 a zip file", "plugin.invalid", "damaged");
    refused(b"\x7fELF\x02\x01\x01 and so on", "plugin.precompiled", "compiled code");
    let engine = crate::engine::engine(2, 1 << 20, &crate::engine::Computing::default()).unwrap();
    let compiled = wasmtime::component::Component::new(&engine, component(&[])).unwrap().serialize().unwrap();
    refused(&compiled, "plugin.precompiled", "compiled code");
    // Any cut of a good one ends in an error or in a scan, never in a panic.
    let good = around(&functions(20, &[0, 0x0b]));
    for at in 0..good.len() {
        let _ = scan(&good[..at], BOUNDS);
        let mut bent = good.clone();
        bent[at] ^= 0xff;
        let _ = scan(&bent, BOUNDS);
    }
}
