//! Which room may know which, and which room owns which heavy library. The map is ARCHITECTURE.md; this is its guard.

use std::collections::BTreeMap;

use super::{files, root, shown};

/// Every crate of the house and what it may depend on among our own.
const ARROWS: [(&str, &[&str]); 18] = [
    ("sdk/manifest", &[]),
    ("sdk/package", &["pointsman-manifest"]),
    ("sdk/rust", &[]),
    ("sdk/build", &["pointsman-manifest"]),
    ("host/core", &["pointsman-manifest"]),
    ("host/embed", &["pointsman-core"]),
    ("host/knowledge", &["pointsman-core"]),
    ("host/model", &["pointsman-core"]),
    ("host/vault", &["pointsman-core"]),
    ("host/store", &["pointsman-core", "pointsman-vault"]),
    ("host/broker", &["pointsman-core", "pointsman-vault", "pointsman-manifest"]),
    ("host/sandbox", &["pointsman-core", "pointsman-manifest"]),
    ("host/script", &["pointsman-core"]),
    ("host/emulator", &[]),
    (
        "host/engine",
        &[
            "pointsman-core",
            "pointsman-embed",
            "pointsman-knowledge",
            "pointsman-model",
            "pointsman-store",
            "pointsman-vault",
            "pointsman-broker",
            "pointsman-manifest",
        ],
    ),
    ("host/web", &["pointsman-core", "pointsman-engine"]),
    (
        "host/app",
        &[
            "pointsman-core",
            "pointsman-manifest",
            "pointsman-package",
            "pointsman-vault",
            "pointsman-embed",
            "pointsman-knowledge",
            "pointsman-model",
            "pointsman-store",
            "pointsman-broker",
            "pointsman-sandbox",
            "pointsman-script",
            "pointsman-emulator",
            "pointsman-engine",
            "pointsman-web",
            "pointsman-build",
        ],
    ),
    ("host/xtask", &["pointsman-build"]),
];

/// A heavy library and the only crates of the house that may name it.
const OWNERS: [(&str, &[&str]); 17] = [
    ("sqlx", &["host/store"]),
    ("aes-gcm", &["host/vault"]),
    ("reqwest", &["host/broker"]),
    ("rustls", &["host/broker"]),
    ("wasmtime", &["host/sandbox"]),
    ("wasmparser", &["host/sandbox"]),
    ("rhai", &["host/script"]),
    ("html5gum", &["host/knowledge"]),
    ("lopdf", &["host/knowledge"]),
    ("pulldown-cmark", &["host/knowledge"]),
    ("ndarray", &["host/embed"]),
    ("rust-stemmers", &["host/knowledge"]),
    ("whatlang", &["host/knowledge"]),
    ("axum", &["host/web", "host/emulator"]),
    ("askama", &["host/web"]),
    ("granit-parser", &["host/core"]),
    ("ring", &["sdk/package"]),
];

/// The names in a manifest's dependency tables, dev-dependencies left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[build-dependencies]");
        } else if inside && !line.starts_with('#') {
            if let Some(name) = line.split(['.', '=', ' ']).next().filter(|n| !n.is_empty()) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn manifests() -> BTreeMap<String, Vec<String>> {
    ["host", "sdk"]
        .iter()
        .flat_map(|dir| files(dir, &["Cargo.toml"]))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a manifest");
            (shown(path.parent().expect("a folder")), dependencies(&text))
        })
        .collect()
}

#[test]
fn arrows_go_down_only() {
    let manifests = manifests();
    let known: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for (room, names) in &manifests {
        let Some(allowed) = known.get(room.as_str()) else { panic!("{room} is no room of the design") };
        for name in names.iter().filter(|n| n.starts_with("pointsman")) {
            assert!(allowed.contains(&name.as_str()), "{room} may not know {name}; it may know {allowed:?}");
        }
    }
    assert_eq!(manifests.len(), ARROWS.len(), "a room of the design is missing");
}

#[test]
fn each_heavy_library_has_one_owner() {
    let manifests = manifests();
    for (library, owners) in OWNERS {
        for (room, names) in &manifests {
            let named = names.iter().any(|n| n == library);
            assert!(!named || owners.contains(&room.as_str()), "{room} names {library}, which belongs to {owners:?}");
        }
        for owner in owners {
            assert!(manifests[*owner].iter().any(|n| n == library), "{owner} no longer uses {library}: correct the table");
        }
    }
}

#[test]
fn a_plugin_knows_the_sdk_and_never_the_host() {
    for path in files("plugins", &["Cargo.toml"]).into_iter().chain(files("sdk/rust", &["Cargo.toml"])) {
        let text = std::fs::read_to_string(&path).expect("a manifest");
        assert!(!text.contains("host/"), "{} reaches into the host", shown(&path));
    }
}

#[test]
fn unsafe_code_stands_in_one_named_place() {
    let place = root().join("host/sandbox/src/loader/cache.rs");
    for path in files("host", &[".rs"]).into_iter().filter(|p| *p != place) {
        let text = std::fs::read_to_string(&path).expect("text");
        let found = text.lines().find(|l| l.contains("unsafe {") || l.contains("unsafe fn") || l.contains("unsafe impl"));
        assert!(found.is_none(), "{}: {found:?}", shown(&path));
    }
}
