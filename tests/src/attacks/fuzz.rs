//! T2: whatever reads what others wrote gets it nearly right, a million times: components, every channel's webhooks, workflows,
//! expressions, scripts, manifests, packages, what a guest hands to the host, addresses of requests. A panic, a trap of a parser or an address that leads inside is a find; its input is
//! kept in a file. `cargo xtask fuzz` runs it whole, the tests of every day a little.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use pointsman::{bundled, wiring};
use pointsman_broker::{Broker, EgressConfig, StoredCredential};
use pointsman_core::failure::Class;
use pointsman_core::id::Id;
use pointsman_core::mark::Marked;
use pointsman_core::ports::{Account, Body, ChannelAdapter as _, Expressions, HttpRequest, Method, Webhook};
use pointsman_core::workflow::Workflow;
use pointsman_engine::workflows::sources;
use pointsman_manifest::Manifest;
use pointsman_package::{Package, PublishingKey};
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use pointsman_vault::Keyring;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use super::mutate::Mutator;
use super::rig::Rig;
use super::{Proved, bombs, corpus, rig};
use crate::proof::Setting;

/// What is tried.
pub const TARGETS: [&str; 10] =
    ["whatsapp", "telegram", "component", "import", "workflow", "expression", "script", "manifest", "package", "address"];

/// T2 at the size of the setting.
pub async fn prove(setting: &Setting) -> Proved {
    let targets = Targets::new(setting).await?;
    let mut seen = Vec::new();
    let mut held = true;
    for target in TARGETS {
        // A component that is nearly right is compiled, which takes a thousand times as long as all else.
        let count = setting.scaled(if target == "component" { 20_000 } else { 1_000_000 }, 100);
        let finds = targets.run(target, count, setting)?;
        held &= finds.is_empty();
        let told = finds.first().map_or_else(String::new, |find| format!(", {} finds: {find}", finds.len()));
        seen.push(format!("{target} {count}{told}"));
    }
    Ok((seen.join(", "), held))
}

/// Everything that reads.
pub struct Targets {
    sandbox: Sandbox,
    rig: Rig,
    expressions: Arc<dyn Expressions>,
    installed: bundled::Installed,
    broker: Broker,
    seeds: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

impl Targets {
    /// With the inputs of the project to begin with.
    pub async fn new(setting: &Setting) -> Result<Self> {
        let sandbox = Sandbox::new(SandboxConfig { cache: Some(setting.cache.clone()), ..SandboxConfig::default() })?;
        for (manifest, component) in bundled::all()? {
            sandbox.load(manifest, component, Trust::Bundled).await?;
        }
        Ok(Self {
            sandbox,
            rig: Rig::new(&setting.binary, setting.cache.clone()).await?,
            expressions: wiring::expressions(),
            installed: bundled::Installed::bundled()?,
            broker: Broker::new(Keyring::generate()?.credential_vault().1, &EgressConfig::default())?,
            seeds: seeds()?,
        })
    }

    /// Tries so many inputs; tells what was found. Blocks.
    pub fn run(&self, target: &str, count: usize, setting: &Setting) -> Result<Vec<String>> {
        let seeds =
            self.seeds.get(target).with_context(|| format!("there is no target {target}; there are {}", TARGETS.join(", ")))?;
        let mut mutator = Mutator::new(seeds.clone(), setting.seed);
        let mut finds = Vec::new();
        for _ in 0..count {
            let input = mutator.input();
            let tried = catch_unwind(AssertUnwindSafe(|| self.attempt(target, &input)));
            let find = match tried {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "a panic".to_owned(),
            };
            std::fs::create_dir_all(&setting.folder)?;
            let file = setting.folder.join(format!("found-{target}-{}", finds.len()));
            std::fs::write(&file, &input)?;
            finds.push(format!("{find} ({})", file.display()));
            if finds.len() >= 10 {
                break;
            }
        }
        Ok(finds)
    }

    /// One input. An error is a find.
    fn attempt(&self, target: &str, input: &[u8]) -> Result<()> {
        let text = || String::from_utf8_lossy(input).into_owned();
        match target {
            "whatsapp" | "telegram" => self.webhook(target, input),
            "component" => self.component(input),
            "workflow" => {
                let files = [("workflow.yaml".to_owned(), text()), ("talk.rhai".to_owned(), "reply(\"x\")".to_owned())];
                // What it says about a mistake must be sayable, too.
                if let Err(found) = Workflow::parse(&sources(&files), &*self.expressions, &self.installed) {
                    drop(format!("{found:?}"));
                }
                Ok(())
            }
            "expression" => {
                let text = text();
                if self.expressions.check(&text).is_ok() {
                    let value = Marked { value: json!({"text": "hello", "n": [1, 2.5, null, {"a": "b"}]}), marked: true };
                    drop(self.expressions.eval(&text, &[("event".to_owned(), value)].into_iter().collect()));
                }
                Ok(())
            }
            "script" => {
                drop(self.expressions.check_script(&text()));
                Ok(())
            }
            "manifest" => {
                if let Ok(manifest) = Manifest::parse(&text()) {
                    drop((manifest.imports_allowed().len(), manifest.short_name().len(), manifest.kind().to_string()));
                }
                Ok(())
            }
            "import" => self.import(input),
            "package" => self.package(input),
            "address" => self.address(&text()),
            other => bail!("there is no target {other}"),
        }
    }

    /// A channel's plugin reads it, or says that it cannot: it neither traps nor reaches a limit.
    fn webhook(&self, channel: &str, body: &[u8]) -> Result<()> {
        let webhook = Webhook {
            method: Method::Post,
            path: String::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: body.to_vec().into(),
            received: 1_700_000_000_000,
        };
        let account = Account { id: "1122334455667".to_owned(), config: json!({}) };
        let id = format!("pointsman/{channel}");
        let parsed =
            tokio::task::block_in_place(|| Handle::current().block_on(self.sandbox.parse(Id(1), &id, &webhook, &account)));
        match parsed {
            Ok(_) => Ok(()),
            // Events that are larger than the contract allows: the fence behind the parser has held them.
            Err(failure) if failure.code == "plugin.output" => Ok(()),
            Err(failure) => bail!("{failure}"),
        }
    }

    /// A component is refused with a sentence, or let in.
    fn component(&self, bytes: &[u8]) -> Result<()> {
        match self.sandbox.load_blocking(rig::manifest("acme/fuzzed")?, bytes, Trust::Stranger) {
            Err(failure) if failure.message.is_empty() => bail!("refused without a word"),
            _ => Ok(()),
        }
    }

    /// Whatever a guest hands to the host, the host answers, or ends the guest for what the guest did.
    fn import(&self, bytes: &[u8]) -> Result<()> {
        let end = tokio::task::block_in_place(|| Handle::current().block_on(self.rig.babbler(bytes)));
        match end.result {
            Err(failure) if failure.class == Class::Bug || failure.code == "plugin.trap" => bail!("{failure}"),
            _ => Ok(()),
        }
    }

    /// A package is one of those that were written here, or refused. With its digest made right again, what it holds is read.
    fn package(&self, bytes: &[u8]) -> Result<()> {
        if let Ok(package) = Package::read(bytes)
            && package.key.is_some()
            && !self.seeds.get("package").is_some_and(|seeds| seeds.iter().any(|seed| seed == bytes))
        {
            bail!("a package that nobody signed was taken for signed");
        }
        if let Some((covered, _)) = bytes.split_last_chunk::<32>() {
            let righted = [covered, Sha256::digest(covered).as_slice()].concat();
            drop(Package::read(&righted));
        }
        Ok(())
    }

    /// No address that is let out leads inside, in the eyes of another classifier than ours.
    fn address(&self, url: &str) -> Result<()> {
        let origin = url::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let pinned =
            StoredCredential { workspace: 1, owner: 1, slot: "token".to_owned(), hosts: vec![origin], sealed: Vec::new() };
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        };
        let passed = tokio::task::block_in_place(|| Handle::current().block_on(self.broker.check(&request, &[pinned], &[])));
        if passed.is_err() {
            return Ok(());
        }
        let parsed = url::Url::parse(url).context("let out, and no URL")?;
        let host = parsed.host_str().context("let out without a host")?;
        let inside = match host.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V4(v4)) => {
                v4.is_private()
                    || v4.is_loopback()
                    || v4.is_link_local()
                    || v4.is_unspecified()
                    || v4.is_multicast()
                    || v4.is_broadcast()
            }
            Ok(IpAddr::V6(v6)) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
            Err(_) => host == "localhost" || host.ends_with(".localhost") || !host.contains('.'),
        };
        if inside || parsed.scheme() != "https" || !parsed.username().is_empty() || parsed.password().is_some() {
            bail!("{url} was let out");
        }
        Ok(())
    }
}

/// What the project itself has of each kind.
fn seeds() -> Result<BTreeMap<&'static str, Vec<Vec<u8>>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |folder: &str, ending: &str| -> Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        walk(&root.join(folder), ending, &mut files)?;
        files.sort();
        files.iter().map(|file| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))).collect()
    };
    let lines = |text: &str| text.lines().map(|line| line.trim().as_bytes().to_vec()).collect::<Vec<_>>();
    let mut manifests = read("plugins", "plugin.toml")?;
    manifests.extend(read("sdk/manifest/testdata", ".toml")?);
    let mut scripts = read("workflows", ".rhai")?;
    scripts.extend(corpus::all().into_iter().filter_map(|case| match case.act {
        corpus::Act::Script(source, _) => Some(source.into_bytes()),
        _ => None,
    }));
    let components = vec![
        bombs::importing("pointsman:plugin/log@0.1.0")?,
        bombs::spins_when_started()?,
        bombs::huge_table()?,
        rig::guest("forger")?,
    ];
    let manifest = "id = \"acme/fuzzed\"\nversion = \"1.0.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"Nothing\"\n";
    let packages = vec![
        Package::write(manifest, b"a component", None)?,
        Package::write(manifest, b"a component", Some(&PublishingKey::generate()?))?,
    ];
    // One of each call, and its arguments by the way in which the guest draws them.
    let calls =
        (0..24u8).map(|call| [&[call, 1, 5][..], b"hello", &[1, 4], b"{\"a\"", &[2, 7], b"words{}", &[0; 40]].concat()).collect();
    Ok(BTreeMap::from([
        ("whatsapp", read("plugins/channels/whatsapp/fixtures/payloads", ".json")?),
        ("telegram", read("plugins/channels/telegram/fixtures/payloads", ".json")?),
        ("component", components),
        ("workflow", read("workflows", ".yaml")?),
        ("expression", lines(EXPRESSIONS)),
        ("script", scripts),
        ("manifest", manifests),
        ("import", calls),
        ("package", packages),
        ("address", lines(ADDRESSES)),
    ]))
}

fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, ending, found)?;
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    Ok(())
}

const EXPRESSIONS: &str = r#"event.text == "hello" && event.n.len() > 2
event.text.contains("hell") || !(event.n[0] >= 1.5)
`${event.text} and ${event.n[3].a}`
#{ a: event.n, b: [1, 2, -3.5e2] }.a[1]
event.text.sub_string(1, 3).to_upper() + 'x' + "\u{1F600}"
if event.n[1] > 2 { "more" } else { "less" }
switch event.text { "hello" => 1, _ => 2 }
event.missing ?? event?.text
(1 + 2 * 3 - 4 / 5 % 6) ** 2 << 3 ^ 1 & 7 | 8"#;

const ADDRESSES: &str = "https://graph.facebook.com/v21.0/1/messages
https://127.0.0.1:8443/
https://[::ffff:127.0.0.1]/x?y=z
https://2130706433/
https://0x7f.1/
https://user:pass@a.example/
https://10.0.0.1.example.com/
https://localhost/
https://8.8.8.8/
https://[2606:4700:4700::1111]:443/
https://bücher.example/%2e%2e/
http://169.254.169.254/latest/meta-data";
