//! A step that speaks to the host below the contract: texts that lie outside of its memory, handles that it was never given, more
//! handles than it may hold. Its input, less its quotes, names the deed.

wit_bindgen::generate!({
    path: "../../../sdk/wit/v0.1.0",
    inline: "
        package acme:forger;
        interface things { resource thing { constructor(); } }
        world forger { include pointsman:plugin/step@0.1.0; export things; }
    ",
    world: "acme:forger/forger",
    generate_all,
});

use exports::acme::forger::things::{Guest as Things, GuestThing, Thing};
use exports::pointsman::plugin::work::{Call, Guest, Outcome};
use pointsman::plugin::types::Failure;

struct Forger;

export!(Forger);

struct Nothing;

impl GuestThing for Nothing {
    fn new() -> Self {
        Nothing
    }
}

impl Things for Forger {
    type Thing = Nothing;
}

#[link(wasm_import_module = "pointsman:plugin/log@0.1.0")]
unsafe extern "C" {
    #[link_name = "log"]
    fn raw_log(level: i32, text: usize, length: usize);
}

#[link(wasm_import_module = "[export]acme:forger/things")]
unsafe extern "C" {
    #[link_name = "[resource-drop]thing"]
    fn raw_drop(handle: u32);
    #[link_name = "[resource-rep]thing"]
    fn raw_rep(handle: u32) -> usize;
}

impl Guest for Forger {
    fn run(call: Call) -> Result<Outcome, Failure> {
        // Each of these is what no generated binding would do.
        unsafe {
            match call.input.trim_matches('"') {
                "all-memory" => raw_log(0, 0, usize::MAX),
                "outside" => raw_log(0, usize::MAX - 8, 4),
                "wraps" => raw_log(0, usize::MAX - 8, 64),
                "no-such-level" => raw_log(77, 0, 0),
                "no-text" => {
                    let bytes = [0xff_u8, 0xfe, 0xfd];
                    raw_log(0, bytes.as_ptr() as usize, bytes.len());
                }
                "guess-a-handle" => raw_drop(12_345),
                "read-a-handle" => {
                    std::hint::black_box(raw_rep(1));
                }
                "drop-twice" => {
                    let handle = Thing::new(Nothing).take_handle();
                    raw_drop(handle);
                    raw_drop(handle);
                }
                "many-handles" => {
                    for _ in 0..100_000 {
                        std::mem::forget(Thing::new(Nothing));
                    }
                }
                _ => {}
            }
        }
        Ok(Outcome::Done("\"not caught\"".to_owned()))
    }
}
