//! Looks at a component before it is compiled. The attack this stops: compiling is the cheapest way to hurt a wasm host
//! (400 KB of empty functions took half a minute), so what is large in any count is refused by counting alone, in
//! milliseconds, before a compiler sees a byte of it. What passes is still validated in full by the compiler.

use pointsman_core::failure::Failure;
use wasmparser::{Encoding, Parser, Payload};

use crate::engine::{PARTS, TABLE_ELEMENTS};

/// What a component may count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of the whole.
    pub(crate) bytes: usize,
    /// Bytes of linear memory at the start.
    pub(crate) memory: usize,
}

impl Bounds {
    /// For a plugin of the class `step`.
    pub(crate) fn step(memory: usize) -> Self {
        Self { bytes: 8 << 20, memory }
    }

    /// For the interpreter that ships with the host.
    pub(crate) fn interpreter(memory: usize) -> Self {
        Self { bytes: 32 << 20, memory }
    }
}

const FUNCTIONS: u64 = 20_000;
const LOCALS: u64 = 2_000;
const BODY: usize = 256 << 10;
/// Components inside components: the bindings make one for each exported interface.
const NESTED: usize = 16;
const DEPTH: usize = 3;
/// Types, aliases, imports, exports and the like: each section's count, added up.
const ITEMS: u64 = 20_000;
const PAGE: u64 = 64 << 10;

/// What the scan found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Full names of the component's own imports, in order.
    pub(crate) imports: Vec<String>,
}

/// Counts what is in a component.
pub(crate) fn scan(bytes: &[u8], bounds: Bounds) -> Result<Found, Failure> {
    if bytes.len() > bounds.bytes {
        return Err(refused(format!("has {} bytes and may have {}", bytes.len(), bounds.bytes)));
    }
    if bytes.is_empty() {
        return Err(Failure::bug("plugin.no_component", "this file is empty"));
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() || bytes.starts_with(b"\x7fELF") {
        return Err(Failure::bug(
            "plugin.precompiled",
            "this is compiled code; a plugin is given as a component, and compiled here",
        ));
    }
    let mut count = Count { bounds, found: Found::default(), modules: 0, nested: 0, depth: 0, functions: 0, items: 0, tables: 0 };
    let mut first = true;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| invalid(&e))?;
        if std::mem::take(&mut first) && !matches!(payload, Payload::Version { encoding: Encoding::Component, .. }) {
            return Err(Failure::bug(
                "plugin.no_component",
                "this is a plain WebAssembly module; build it with `pointsman plugin build`, which makes a component of it",
            ));
        }
        count.payload(payload)?;
    }
    Ok(count.found)
}

fn refused(what: String) -> Failure {
    Failure::bug("plugin.refused", format!("the component {what}; it is not compiled"))
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Failure {
    Failure::bug(
        "plugin.invalid",
        format!("the component is damaged, or no component: {} at byte {}", error.message(), error.offset()),
    )
}

struct Count {
    bounds: Bounds,
    found: Found,
    modules: usize,
    nested: usize,
    depth: usize,
    functions: u64,
    items: u64,
    tables: u64,
}

impl Count {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Failure> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.modules += 1;
                self.depth += 1;
                if self.modules > PARTS as usize {
                    return Err(refused(format!("holds more than {PARTS} modules")));
                }
            }
            Payload::ComponentSection { .. } => {
                self.nested += 1;
                self.depth += 1;
                if self.nested > NESTED || self.depth > DEPTH {
                    return Err(refused(format!("holds more than {NESTED} components, or more than {DEPTH} inside each other")));
                }
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                self.functions += u64::from(count);
                if self.functions > FUNCTIONS {
                    return Err(refused(format!("has more than {FUNCTIONS} functions")));
                }
            }
            Payload::CodeSectionEntry(body) => {
                if body.as_bytes().len() > BODY {
                    return Err(refused(format!("has a function of more than {} KiB", BODY >> 10)));
                }
                let mut locals = 0;
                for group in body.get_locals_reader().map_err(|e| invalid(&e))? {
                    locals += u64::from(group.map_err(|e| invalid(&e))?.0);
                    if locals > LOCALS {
                        return Err(refused(format!("has a function with more than {LOCALS} locals")));
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.map_err(|e| invalid(&e))?;
                    let limit = self.bounds.memory as u64;
                    if memory.shared || memory.memory64 || memory.initial.saturating_mul(PAGE) > limit {
                        return Err(refused(format!("starts with more than {} MiB of memory, or an unusual one", limit >> 20)));
                    }
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.tables += table.map_err(|e| invalid(&e))?.ty.initial;
                    if self.tables > TABLE_ELEMENTS as u64 {
                        return Err(refused(format!("starts with tables of more than {TABLE_ELEMENTS} elements")));
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                self.items(imports.count())?;
                if self.depth == 0 {
                    for import in imports {
                        let import = import.map_err(|e| invalid(&e))?;
                        self.found.imports.push(import.name.full_name().into_owned());
                    }
                }
            }
            Payload::TypeSection(s) => self.items(s.count())?,
            Payload::ImportSection(s) => self.items(s.count())?,
            Payload::FunctionSection(s) if u64::from(s.count()) > FUNCTIONS => {
                return Err(refused(format!("has more than {FUNCTIONS} functions")));
            }
            Payload::FunctionSection(_) => {}
            Payload::TagSection(s) => self.items(s.count())?,
            Payload::GlobalSection(s) => self.items(s.count())?,
            Payload::ExportSection(s) => self.items(s.count())?,
            Payload::ElementSection(s) => self.items(s.count())?,
            Payload::DataSection(s) => self.items(s.count())?,
            Payload::InstanceSection(s) => self.items(s.count())?,
            Payload::CoreTypeSection(s) => self.items(s.count())?,
            Payload::ComponentInstanceSection(s) => self.items(s.count())?,
            Payload::ComponentAliasSection(s) => self.items(s.count())?,
            Payload::ComponentTypeSection(s) => self.items(s.count())?,
            Payload::ComponentCanonicalSection(s) => self.items(s.count())?,
            Payload::ComponentExportSection(s) => self.items(s.count())?,
            _ => {}
        }
        Ok(())
    }

    fn items(&mut self, count: u32) -> Result<(), Failure> {
        self.items += u64::from(count);
        if self.items > ITEMS { Err(refused(format!("has more than {ITEMS} types, aliases and names"))) } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
