//! Building is tested by building: a crate without dependencies becomes a component, and is not built again without need.

use std::time::SystemTime;

use super::*;

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A workspace of plugins with one plugin and a neighbour that is none.
fn workspace(root: &Path) {
    write(
        root.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"steps/*\"]\n[workspace.dependencies]\nshared = { path = \"../shared\" }\n",
    );
    write(root.join("steps/echo/plugin.toml"), "id = \"test/echo\"\n");
    write(
        root.join("steps/echo/Cargo.toml"),
        "[package]\nname = \"echo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n",
    );
    write(root.join("steps/echo/src/lib.rs"), "#[unsafe(no_mangle)]\npub extern \"C\" fn double(n: i32) -> i32 { n * 2 }\n");
    write(root.join("steps/notes/README.md"), "not a plugin\n");
    write(root.join("steps/notes/Cargo.toml"), "[package]\nname = \"notes\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write(root.join("steps/notes/src/lib.rs"), "");
}

fn written(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn a_crate_becomes_a_component_and_is_built_again_only_for_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (root, out) = (folder.path().join("plugins"), folder.path().join("out"));
    workspace(&root);
    let toolchain = Toolchain::find_or_make().unwrap();

    let built = toolchain.build_all(&root, &out).unwrap();
    let [echo] = built.as_slice() else { panic!("one plugin, not {built:?}") };
    assert_eq!((echo.folder.as_str(), &echo.component), ("echo", &out.join("echo.wasm")));
    assert!(echo.manifest.is_file());
    let bytes = fs::read(&echo.component).unwrap();
    assert!(bytes.starts_with(COMPONENT));
    let home = folder.path().to_str().unwrap().as_bytes();
    assert!(!bytes.windows(home.len()).any(|part| part == home), "the path of this machine must not be in it");

    // The first time cargo wrote the lock file, so that the second call looks once more.
    toolchain.build_all(&root, &out).unwrap();
    let first = written(&echo.component);
    assert_eq!(toolchain.build_all(&root, &out).unwrap(), built);
    assert_eq!(written(&echo.component), first, "nothing changed, so nothing is written");

    // What it does changed.
    write(root.join("steps/echo/src/lib.rs"), "#[unsafe(no_mangle)]\npub extern \"C\" fn triple(n: i32) -> i32 { n * 3 }\n");
    toolchain.build_all(&root, &out).unwrap();
    assert_ne!(fs::read(&echo.component).unwrap(), bytes);

    // A component that went missing comes back.
    fs::remove_file(&echo.component).unwrap();
    toolchain.build_all(&root, &out).unwrap();
    assert!(echo.component.is_file());

    // One that does not compile is told, and what was built before is not passed off as built from it.
    write(root.join("steps/echo/src/lib.rs"), "compile_error!(\"expected by the test\");\n");
    let told = toolchain.build_all(&root, &out).unwrap_err().to_string();
    assert!(told.contains("does not build") && told.contains("echo"), "{told}");
    assert!(toolchain.build_all(&root, &out).is_err(), "and again");
}

#[test]
fn inputs_reach_the_workspace_and_shared_crates_but_not_the_house_next_door() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    workspace(&base.join("plugins"));
    write(
        base.join("Cargo.toml"),
        "[workspace]\nmembers = [\"shared\", \"host\"]\n[workspace.dependencies]\nhost = { path = \"host\" }\n",
    );
    write(base.join("shared/Cargo.toml"), "[package]\nname = \"shared\"\n[dependencies]\ndeep = { path = \"../deep\" }\n");
    write(base.join("deep/Cargo.toml"), "[package]\nname = \"deep\"\n");
    write(base.join("host/Cargo.toml"), "[package]\nname = \"host\"\n");
    write(base.join("sdk/wit/v1/step.wit"), "");

    let found = inputs(&base.join("plugins/steps/echo"));
    for path in
        ["plugins/steps/echo", "plugins/Cargo.toml", "plugins/Cargo.lock", "shared", "deep", "Cargo.toml", "sdk/wit", "sdk/rust"]
    {
        assert!(found.contains(&base.join(path)), "{path} is missing in {found:#?}");
    }
    assert!(!found.contains(&base.join("host")) && !found.contains(&base.join("plugins/steps/notes")), "{found:#?}");
}

#[test]
fn only_our_own_library_counts_as_the_artifact() {
    let manifest = Path::new("/p/steps/echo/Cargo.toml");
    let line = |reason: &str, from: &str, file: &str| {
        format!(r#"{{"reason":"{reason}","manifest_path":"{from}","filenames":["/t/libecho.rlib","{file}"]}}"#)
    };
    let ours = "/p/steps/echo/Cargo.toml";
    assert_eq!(artifact(&line("compiler-artifact", ours, "/t/echo.wasm"), manifest), Some("/t/echo.wasm".into()));
    assert_eq!(artifact(&line("compiler-artifact", "/p/other/Cargo.toml", "/t/other.wasm"), manifest), None);
    assert_eq!(artifact(&line("compiler-artifact", ours, "/t/echo.so"), manifest), None);
    assert_eq!(artifact(&line("build-script-executed", ours, "/t/echo.wasm"), manifest), None);
    assert_eq!(artifact("warning: not json", manifest), None);
}
