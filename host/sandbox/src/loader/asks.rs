//! What a component imports against what its manifest asks for. The attack this stops: a manifest that says `log` over a
//! component that calls `http`. The operator grants what he reads, so code that wants more never gets in.

use pointsman_core::failure::{Class, Failure};
use pointsman_manifest::Manifest;

/// The one package whose interfaces a plugin may import.
const PACKAGE: &str = "pointsman:plugin/";

/// Refuses the first import that the manifest does not cover.
pub(crate) fn check(manifest: &Manifest, imports: &[String]) -> Result<(), Failure> {
    let allowed = manifest.imports_allowed();
    for import in imports {
        let ours = import.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
        let why = match ours {
            Some((name, version)) if !version.starts_with("0.1.") => {
                format!("it imports `{name}` of version {version}; this host speaks {}", pointsman_manifest::WORLD_VERSION)
            }
            Some((name, _)) if allowed.contains(name) => continue,
            Some((name, _)) => format!(
                "it imports `{name}`, and its manifest does not ask for that; add `{name}` under [capabilities] of plugin.toml, with its reason"
            ),
            None if import.starts_with("wasi:") => format!(
                "it imports `{import}`; a plugin has no files, sockets, environment or clock of its own: build it for wasm32-unknown-unknown"
            ),
            None => format!("it imports `{import}`, which this host does not have"),
        };
        return Err(Failure::new(Class::Denied, "denied.import", format!("{} is refused: {why}", manifest.id)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(capabilities: &str) -> Manifest {
        Manifest::parse(&format!(
            "id = \"acme/x\"\nversion = \"1.0.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"x\"\n[capabilities]\n{capabilities}"
        ))
        .unwrap()
    }

    #[test]
    fn only_what_the_manifest_asks_for() {
        let act = step("act = { why = \"answers\" }");
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            check(&act, &names(&["pointsman:plugin/act@0.1.0", "pointsman:plugin/types@0.1.0", "pointsman:plugin/log@0.1.3"])),
            Ok(())
        );
        for (import, says) in [
            ("pointsman:plugin/http@0.1.0", "add `http`"),
            ("pointsman:plugin/act@0.2.0", "0.2.0"),
            ("wasi:filesystem/types@0.2.0", "no files"),
            ("wasi:cli/environment@0.2.0", "no files"),
            ("acme:other/thing@1.0.0", "does not have"),
            ("act", "does not have"),
        ] {
            let failure = check(&act, &names(&["pointsman:plugin/log@0.1.0", import])).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.class), ("denied.import", Class::Denied), "{import}");
            assert!(failure.message.contains(says), "{import}: {}", failure.message);
        }
    }
}
