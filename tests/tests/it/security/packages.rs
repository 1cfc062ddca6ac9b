//! Plugins of strangers (T24; cases 11, 13, 14 and 15 of the corpus): what was tampered with is refused and leaves nothing
//! behind, an update that asks for more waits while the old version serves, one that asks for less does not.

use pointsman::packages::{Terms, add};
use pointsman_core::failure::Failure;
use pointsman_package::Package;
use pointsman_sandbox::{Sandbox, SandboxConfig};
use pointsman_store::{PackageState, Standing, Store, Will};
use sha2::{Digest as _, Sha256};

use crate::support::parcels::{SMALL, body, component, key, manifest, package};
use crate::support::{Site, binary, cache};

const WS: pointsman_core::id::Id = pointsman::wiring::FIRST_WORKSPACE;

/// A host's folder, and the way in.
struct Desk {
    site: Site,
    store: Store,
    sandbox: Sandbox,
}

impl Desk {
    async fn new() -> Self {
        let site = Site::new(&[]).await;
        let store = pointsman::wiring::open_store(&site.config()).await.unwrap();
        let compiler = Some(pointsman::config::compiler(&binary().to_string_lossy()));
        let sandbox = Sandbox::new(SandboxConfig { cache: Some(cache()), compiler, ..SandboxConfig::default() }).unwrap();
        Self { site, store, sandbox }
    }

    async fn add(&self, bytes: &[u8], terms: Terms) -> Result<Standing, Failure> {
        let package = Package::read(bytes).map_err(pointsman::packages::failure);
        add(&self.store, &self.sandbox, package, terms).await.unwrap()
    }

    async fn audit(&self) -> String {
        let lines = self.store.audit_lines(WS, 500).await.unwrap();
        lines.iter().rev().map(|line| format!("{} {}\n", line.action, line.detail)).collect()
    }
}

fn granted() -> Terms {
    Terms { wills: vec![Will::GrantAll], ..Terms::default() }
}

fn change(bytes: &[u8], at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    change(bytes, at, &[bytes[at] ^ 1])
}

/// A component that imports an interface of this name and does nothing.
fn importing(name: &str) -> Vec<u8> {
    let head = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0".to_vec();
    let import = [&[1, 0, u8::try_from(name.len()).unwrap()][..], name.as_bytes(), &[5, 0]].concat();
    [head, vec![10, u8::try_from(import.len()).unwrap()], import].concat()
}

/// 100,000 empty functions in 400 KB.
fn functions() -> Vec<u8> {
    let count = [0xa0, 0x8d, 0x06];
    let section = |id: u8, content: Vec<u8>| {
        let n = content.len();
        let length = [(n & 0x7f) as u8 | 0x80, ((n >> 7) & 0x7f) as u8 | 0x80, ((n >> 14) & 0x7f) as u8 | 0x80, (n >> 21) as u8];
        [vec![id], length.to_vec(), content].concat()
    };
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 0, 0]),
        section(3, [&count[..], &[0; 100_000]].concat()),
        section(10, [&count[..], &[2, 0, 0x0b].repeat(100_000)].concat()),
    ]
    .concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, module)].concat()
}

/// Code that this very host compiled, as it stands in the folder of compiled plugins behind its hash.
fn precompiled() -> Vec<u8> {
    let files = std::fs::read_dir(cache()).unwrap().filter_map(|entry| entry.ok());
    let compiled = files.filter(|entry| entry.path().extension().is_some_and(|e| e == "compiled"));
    let smallest = compiled.min_by_key(|entry| entry.metadata().map_or(u64::MAX, |m| m.len())).expect("something was compiled");
    std::fs::read(smallest.path()).unwrap().split_off(32)
}

/// A name, the file, and the codes under which it may be refused.
type Tampered = (&'static str, Vec<u8>, &'static [&'static str]);

fn tampered() -> Vec<Tampered> {
    let text = manifest("acme/desk", "1.0.0", SMALL);
    let (m, c) = (text.as_bytes(), component(b'a'));
    let good = package(m, &c, 7);
    let at = |part: usize| [20, 20 + m.len(), 20 + m.len() + c.len(), 52 + m.len() + c.len(), 84 + m.len() + c.len()][part];
    let long = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
    let signed = |manifest: &str| package(manifest.as_bytes(), &c, 7);
    let coded = |component: &[u8]| package(m, component, 7);
    let other = package(m, &component(b'b'), 7);
    let lie = |from: &str| signed(&text.replace(from, ""));
    const DAMAGED: &[&str] = &["package.length", "package.digest"];
    const SIGNATURE: &[&str] = &["package.signature"];
    const IMPORT: &[&str] = &["denied.import"];
    vec![
        ("an empty file", Vec::new(), &["package.not_one"]),
        ("a head alone", good[..12].to_vec(), &["package.length"]),
        ("another magic word", flip(&good, 0), &["package.not_one"]),
        ("a format of the future", change(&good, 8, &[0, 2]), &["package.format"]),
        ("format 0", change(&good, 8, &[0, 0]), &["package.format"]),
        ("an unknown flag", change(&good, 10, &[0, 3]), &["package.format"]),
        ("the flag says unsigned", change(&good, 10, &[0, 0]), DAMAGED),
        ("a longer manifest", change(&good, 12, &long(m.len() + 1)), DAMAGED),
        ("no manifest", change(&good, 12, &long(0)), DAMAGED),
        ("a manifest of 4 GiB", change(&good, 12, &[0xff; 4]), DAMAGED),
        ("a longer component", change(&good, 16, &long(c.len() + 1)), DAMAGED),
        ("a component of 4 GiB", change(&good, 16, &[0xff; 4]), DAMAGED),
        ("a border that moved", change(&good, 12, &[long(m.len() + 1), long(c.len() - 1)].concat()), DAMAGED),
        ("a letter of the manifest", flip(&good, at(0) + 8), DAMAGED),
        ("the first byte of the component", flip(&good, at(1)), DAMAGED),
        ("a byte inside of the component", flip(&good, at(1) + 4_000), DAMAGED),
        ("the last byte of the component", flip(&good, at(2) - 1), DAMAGED),
        ("the digest", flip(&good, at(2)), DAMAGED),
        (
            "a digest made anew over another manifest",
            {
                let wider = text.replace("\"reply\"", "\"untag\"");
                [body(wider.as_bytes(), &c, true), good[at(3)..].to_vec()].concat()
            },
            SIGNATURE,
        ),
        ("a digest made anew over other code", [body(m, &component(b'z'), true), good[at(3)..].to_vec()].concat(), SIGNATURE),
        ("the key", flip(&good, at(3)), SIGNATURE),
        ("another's key over the same signature", change(&good, at(3), key(8).public().as_bytes()), SIGNATURE),
        ("the signature's first half", flip(&good, at(4)), SIGNATURE),
        ("the signature's second half", flip(&good, at(4) + 40), SIGNATURE),
        ("a signature of zeros", change(&good, at(4), &[0; 64]), SIGNATURE),
        ("another package's signature", [&good[..at(3)], &other[at(3)..]].concat(), SIGNATURE),
        ("another's signature under this key", change(&good, at(4), &key(8).sign(&good[at(2)..at(3)])), SIGNATURE),
        ("its signature taken off", good[..at(3)].to_vec(), DAMAGED),
        ("its signature taken off and the digest made anew", package(m, &c, 0), &["package.unsigned"]),
        ("a byte behind it", [&good[..], b"x"].concat(), DAMAGED),
        ("a second package behind it", [good.clone(), other].concat(), DAMAGED),
        ("its last byte cut", good[..good.len() - 1].to_vec(), DAMAGED),
        ("cut in the middle", good[..good.len() / 2].to_vec(), DAMAGED),
        ("a manifest that is no text", package(&[0xff, 0xfe, 0], &c, 7), &["package.manifest"]),
        ("a manifest without end", signed(&format!("{text}\n# {}", "x".repeat(65 << 10))), &["package.length"]),
        ("a key of the manifest that nobody knows", signed(&format!("files = [\"/etc/passwd\"]\n{text}")), &["manifest.syntax"]),
        ("an id that climbs", signed(&text.replace("acme/desk", "../../etc")), &["manifest.id"]),
        ("an id that is a path", signed(&text.replace("acme/desk", "/etc/passwd")), &["manifest.id"]),
        ("the name of a shipped plugin", signed(&text.replace("acme/desk", "pointsman/keyword")), &["plugin.bundled"]),
        ("the world of the interpreter", signed(&text.replace("plugin/step@", "plugin/script@")), &["plugin.kind"]),
        ("compiled code of this host", coded(&precompiled()), &["plugin.precompiled"]),
        ("an executable", coded(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"), &["plugin.precompiled"]),
        ("a plain module", coded(b"\0asm\x01\0\0\0"), &["plugin.no_component"]),
        ("no code at all", coded(b""), &["plugin.no_component"]),
        ("imports files of WASI", coded(&importing("wasi:filesystem/types@0.2.0")), IMPORT),
        ("imports sockets of WASI", coded(&importing("wasi:sockets/tcp@0.2.0")), IMPORT),
        ("imports the environment of WASI", coded(&importing("wasi:cli/environment@0.2.0")), IMPORT),
        ("imports what no host has", coded(&importing("acme:host/shell@1.0.0")), IMPORT),
        ("does not say that it calls http", lie(SMALL.lines().last().unwrap()), IMPORT),
        ("does not say that it acts", lie(SMALL.lines().nth(1).unwrap()), IMPORT),
        ("does not say that it looks things up", lie("knowledge = { why = \"looks answers up\" }"), IMPORT),
        ("compressed code", coded(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1\x01\r\0\0\0\xc2\xa0\xf7Om"), &["plugin.invalid"]),
        (
            "an archive with a link and a path that climbs",
            coded(b"PK\x03\x04\x14\0\0\0\0\0../../etc/cron.d/x"),
            &["plugin.invalid"],
        ),
        ("a zip file", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), &["package.not_one"]),
        ("a gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), &["package.not_one"]),
        ("9 MiB of code", coded(&[b"\0asm\x0d\0\x01\0".to_vec(), vec![0; 9 << 20]].concat()), &["plugin.refused"]),
        ("a bomb for the compiler", coded(&functions()), &["plugin.refused"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_tampered_packages_are_refused_and_leave_nothing_behind() {
    let desk = Desk::new().await;
    let text = manifest("acme/first", "1.0.0", SMALL);
    // Compiles the code, so that there is compiled code to steal.
    desk.add(&package(text.as_bytes(), &component(b'a'), 7), Terms::default()).await.unwrap();
    let (kept, versions) = (desk.store.packages().await.unwrap(), desk.store.plugin_versions().await.unwrap());
    let all = tampered();
    assert!(all.len() >= 40, "{}", all.len());
    for (name, bytes, codes) in &all {
        let refused = desk.add(bytes, granted()).await.map(|standing| standing.package).expect_err(name);
        assert!(codes.contains(&refused.code.as_str()), "{name}: {refused}");
        assert!(desk.audit().await.trim_end().ends_with(&refused.code), "{name}: it stands in the audit");
    }
    assert_eq!(desk.store.packages().await.unwrap(), kept);
    assert_eq!(desk.store.plugin_versions().await.unwrap(), versions);

    // The same through the command line: a file, a link to something without end, and the good one.
    // Not in the site's own folder, of which every file is read when the test ends.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| elsewhere.path().join(name);
    let good = package(manifest("acme/desk", "1.0.0", SMALL).as_bytes(), &component(b'a'), 7);
    std::fs::write(file("bad.plugin"), flip(&good, 400)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", file("endless.plugin")).unwrap();
    std::fs::write(file("good.plugin"), &good).unwrap();
    for (name, exit, says) in [
        ("bad.plugin", 1, "package.digest"),
        ("endless.plugin", 1, "package.not_one"),
        ("absent.plugin", 1, "package.unreadable"),
        ("good.plugin", 3, "act:reply"),
    ] {
        let output = desk.site.cli(&["plugin", "add", &file(name).to_string_lossy()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(exit) && told.contains(says), "{name}: {told}");
    }
    desk.store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_keeps_its_publisher_and_goes_back_to_nothing_older_by_itself() {
    let desk = Desk::new().await;
    let of = |version: &str, signer: u8| package(manifest("acme/desk", version, SMALL).as_bytes(), &component(b'a'), signer);
    let named = |key: String| Terms { trust: Some(key), unsigned: true, ..granted() };
    let unsigned = || Terms { unsigned: true, ..granted() };
    assert_eq!(desk.add(&of("1.0.0", 0), granted()).await.unwrap_err().code, "package.unsigned");
    let wrong = named(key(8).public().to_string());
    assert_eq!(desk.add(&of("1.0.0", 7), wrong).await.unwrap_err().code, "package.other_key", "not the key that was named");
    assert_eq!(desk.add(&of("1.0.0", 7), granted()).await.unwrap().package.state, PackageState::Serves);
    let by_key = format!("FILE --trust {}`", key(8).public());
    for (bytes, terms, cure) in
        [(of("1.1.0", 8), granted(), by_key.as_str()), (of("1.1.0", 0), unsigned(), "FILE --unsigned --trust nobody`")]
    {
        let refused = desk.add(&bytes, terms).await.unwrap_err();
        assert_eq!(refused.code, "package.other_key");
        assert!(refused.message.contains(cure) && refused.message.contains(&key(7).public().to_string()), "{refused}");
    }
    desk.store.remove_packages(WS, "cli", "acme/desk").await.unwrap().unwrap();
    assert_eq!(desk.add(&of("1.1.0", 8), granted()).await.unwrap_err().code, "package.other_key", "known though it was removed");
    desk.add(&of("1.1.0", 8), named(key(8).public().to_string())).await.unwrap();
    assert_eq!(
        desk.add(&of("1.2.0", 7), granted()).await.unwrap_err().code,
        "package.other_key",
        "the old key is no key any more"
    );
    assert_eq!(desk.add(&of("1.0.9", 8), granted()).await.unwrap_err().code, "package.older");
    desk.add(&of("1.1.0", 8), granted()).await.unwrap();
    desk.add(&of("1.10.0", 8), granted()).await.unwrap();
    desk.add(&of("2.0.0", 0), named("nobody".to_owned())).await.unwrap();
    let audit = desk.audit().await;
    let told = format!(
        "plugin.add acme/desk 2.0.0 {} unsigned",
        hex::encode(Sha256::digest(
            body(manifest("acme/desk", "2.0.0", SMALL).as_bytes(), &component(b'a'), false).split_last_chunk::<32>().unwrap().0
        ))
    );
    assert!(audit.contains(&told) && audit.contains("plugin.refuse acme/desk package.older"), "{audit}");
    assert_eq!(desk.store.audit_check(WS).await.unwrap(), None);
    desk.store.close().await.unwrap();
}

/// A change of a manifest's capabilities.
type Change = (&'static str, &'static str);

/// Serves with `before`, and is updated by each change of it in turn, each time as a plugin of its own.
async fn update(desk: &Desk, kind: &str, before: &str, changes: &[Change]) -> Vec<(String, Standing)> {
    let mut all = Vec::new();
    for (n, (from, to)) in changes.iter().enumerate() {
        assert!(before.contains(from), "{from}");
        let id = format!("acme/{kind}-{n}");
        let of = |version: &str, capabilities: &str, mark| {
            package(manifest(&id, version, capabilities).as_bytes(), &component(mark), 7)
        };
        let first = desk.add(&of("1.0.0", before, b'a'), granted()).await.unwrap();
        assert!(first.package.state == PackageState::Serves && first.undecided.is_empty());
        // Every other one brings new code as well.
        let mark = if n % 2 == 0 { b'a' } else { b'b' };
        all.push((id.clone(), desk.add(&of("1.1.0", &before.replace(from, to), mark), Terms::default()).await.unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_updates_that_ask_for_more_wait_and_ten_that_ask_for_less_do_not() {
    let desk = Desk::new().await;
    let wider: [Change; 11] = [
        ("[\"reply\"]", "[\"reply\", \"tag\"]"),
        ("effects = [\"reply\"], ", ""),
        ("[\"reply\"]", "[\"emit\"]"),
        ("scope = \"contact\"", "scope = [\"contact\", \"workspace\"]"),
        ("[\"GET\"]", "[\"GET\", \"POST\"]"),
        ("\"/v1\"", "\"/\""),
        ("\"/v1\"", "\"/v10\""),
        ("api.example.com", "api.example.com:8443"),
        ("api.example.com", "api.example.com.evil.example"),
        ("credential = \"token\"", "credential = \"token\", placements = [\"bearer\", \"query\"]"),
        ("conversation =", "model = { why = \"thinks\" }\nconversation ="),
    ];
    for (id, standing) in update(&desk, "wider", SMALL, &wider).await {
        assert_eq!(standing.package.state, PackageState::Waiting, "{id}");
        let words: Vec<String> = standing.undecided.iter().map(ToString::to_string).collect();
        let told = format!("plugin.wait {id} 1.1.0 {}: {}", standing.package.digest, words.join(" "));
        assert!(!words.is_empty() && desk.audit().await.contains(&told), "{id}");
        let serves = pointsman::packages::serving(&desk.store).await.unwrap();
        assert_eq!(serves.iter().find(|row| row.id == id).unwrap().version, "1.0.0", "{id}");
        let kept = desk.store.plugin_component(&id, &serves.iter().find(|row| row.id == id).unwrap().component).await.unwrap();
        assert!(kept.unwrap().manifest.contains("1.0.0"), "{id}: what waits is not asked for in the name of what serves");
        desk.store.decide_plugin(WS, "cli", &id, vec![Will::GrantAll]).await.unwrap().unwrap();
        let serves = pointsman::packages::serving(&desk.store).await.unwrap();
        assert_eq!(serves.iter().find(|row| row.id == id).unwrap().version, "1.1.0", "{id}");
    }
    let wide = r#"
act = { effects = ["reply", "tag"], why = "answers" }
conversation = { why = "reads" }
state = { scope = ["contact", "workspace"], why = "counts" }
model = { why = "thinks" }
knowledge = { why = "looks up" }
http = [{ host = "api.example.com", methods = ["GET", "POST"], credential = "token", placements = ["bearer", "query"], why = "asks" }, { host = "b.example.com", methods = ["GET"], why = "asks" }]
"#;
    let narrower: [Change; 10] = [
        ("[\"reply\", \"tag\"]", "[\"reply\"]"),
        ("[\"reply\", \"tag\"]", "[\"tag\"]"),
        ("[\"contact\", \"workspace\"]", "\"workspace\""),
        ("model = { why = \"thinks\" }", ""),
        ("model = {", "model = { calls = [\"embed\"],"),
        ("[\"contact\", \"workspace\"]", "\"contact\""),
        ("[\"GET\", \"POST\"]", "[\"POST\"]"),
        ("credential =", "paths = [\"/v1\"], credential ="),
        ("credential = \"token\", placements = [\"bearer\", \"query\"], ", ""),
        (", { host = \"b.example.com\", methods = [\"GET\"], why = \"asks\" }", ""),
    ];
    for (id, standing) in update(&desk, "narrower", wide, &narrower).await {
        assert_eq!((standing.package.state, standing.package.version.as_str()), (PackageState::Serves, "1.1.0"), "{id}");
        assert!(standing.undecided.is_empty(), "{id}");
    }
    desk.store.close().await.unwrap();
}
