//! A step that speaks to the host below the contract: texts and lists that lie outside of its memory or are longer than it,
//! handles that it was never given, more handles than it may hold. Its input, less its quotes, names the deed.

wit_bindgen::generate!({
    path: "../../../sdk/wit/v0.1.0",
    inline: "
        package acme:forger;
        interface things { resource thing { constructor(); } resource other { constructor(); } }
        world forger { include pointsman:plugin/step@0.1.0; export things; }
    ",
    world: "acme:forger/forger",
    generate_all,
});

use exports::acme::forger::things::{Guest as Things, GuestOther, GuestThing, Other, Thing};
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

impl GuestOther for Nothing {
    fn new() -> Self {
        Nothing
    }
}

impl Things for Forger {
    type Thing = Nothing;
    type Other = Nothing;
}

#[link(wasm_import_module = "pointsman:plugin/log@0.1.0")]
unsafe extern "C" {
    #[link_name = "log"]
    fn raw_log(level: i32, text: usize, length: usize);
}

#[link(wasm_import_module = "pointsman:plugin/http@0.1.0")]
unsafe extern "C" {
    // Method, URL, headers, the kind of body and the body, credentials, whether it is kept, whether there is a time, and that.
    #[link_name = "send"]
    fn raw_send(
        _: i32,
        url: *const u8,
        _: usize,
        _: usize,
        _: usize,
        kind: i32,
        body: usize,
        length: usize,
        _: usize,
        _: usize,
        _: i32,
        _: i32,
        _: i64,
        answer: &mut Answer,
    );
}

#[link(wasm_import_module = "pointsman:plugin/act@0.1.0")]
unsafe extern "C" {
    // Name, language, parameters, whether there is more, and that.
    #[link_name = "send-template"]
    fn raw_template(
        _: usize,
        _: usize,
        _: usize,
        _: usize,
        parameters: *const [usize; 2],
        count: usize,
        _: i32,
        _: usize,
        _: usize,
        answer: &mut Answer,
    );
}

#[link(wasm_import_module = "[export]acme:forger/things")]
unsafe extern "C" {
    #[link_name = "[resource-drop]thing"]
    fn raw_drop(handle: u32);
    #[link_name = "[resource-rep]thing"]
    fn raw_rep(handle: u32) -> usize;
}

/// Room for what the host answers.
#[repr(C, align(8))]
struct Answer([u8; 64]);

/// Makes a request with a body that is said to lie there and to have this length.
unsafe fn send(body: usize, length: usize) {
    let url = "https://api.example.com/";
    // The second kind of body: bytes.
    unsafe { raw_send(0, url.as_ptr(), url.len(), 0, 0, 1, body, length, 0, 0, 0, 0, 0, &mut Answer([0; 64])) }
}

/// Called by nobody: a start section that names it is put in afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn endless() {
    loop {
        std::hint::black_box(0);
    }
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
                "bytes-of-4-gib" => send(0, usize::MAX),
                "bytes-of-all-memory" => send(0, core::arch::wasm32::memory_size::<0>() << 16),
                "empty-lists" => {
                    let lists = vec![[0; 2]; 1 << 20];
                    raw_template(0, 0, 0, 0, lists.as_ptr(), lists.len(), 0, 0, 0, &mut Answer([0; 64]));
                }
                "guess-a-handle" => raw_drop(12_345),
                "read-a-handle" => {
                    std::hint::black_box(raw_rep(1));
                }
                "drop-another's" => raw_drop(Other::new(Nothing).take_handle()),
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
