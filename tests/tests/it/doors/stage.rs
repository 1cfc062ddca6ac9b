//! Where a page is played: a temporary folder, a shell that keeps its variables and its folder from one command to the next,
//! and emulated providers. What stands in for something of the real world is in the tables here, and nowhere else.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pointsman_emulator::{Fault, Telegram, TelegramConfig, Whatsapp, WhatsappConfig};
use serde_json::{Value, json};

use super::page::agrees;
use crate::support::papers::pages;
use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::web::Web;
use crate::support::{ANA, APP_SECRET, TOKEN, VERIFY_TOKEN, binary, cache};

/// Words in capitals that a person replaces by what the provider gave them.
const GIVEN: [&str; 6] = ["PHONE_NUMBER_ID", "WABA_ID", "ACCESS_TOKEN", "APP_SECRET", "VERIFY_TOKEN", "BOT_TOKEN"];

/// Words in capitals that a person replaces by what `pointsman` told them: which verbs, and the list's newest or last.
const TOLD: [(&str, &[&str], Which); 3] = [
    ("CHANNEL", &["channel", "list"], Which::Last),
    ("RUN", &["run", "list"], Which::First),
    ("PARKED", &["park", "list"], Which::First),
];

enum Which {
    First,
    Last,
}

/// The page's folder for a host.
const SRV: &str = "/srv/";

/// The page's business on the web.
const SITE: &str = "https://bakery.example.com";

/// What a real provider or the network would be, as `pointsman.toml` and `--set api_url` name it. An operator has none of it.
struct World {
    whatsapp: Whatsapp,
    telegram: Telegram,
    /// The site of the business, with its shop.
    site: Web,
    public: String,
    private: String,
}

pub struct Stage {
    dir: PathBuf,
    home: PathBuf,
    world: World,
    host: Option<Child>,
    /// How the host was started last.
    serve: String,
    /// What Ana said last, by the provider's id.
    message: Option<String>,
}

/// A port that is free now.
fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

impl Stage {
    /// `dir` is for everything, `home` (in it) is the checkout that the reader stands in.
    pub async fn new(dir: &Path, home: &Path) -> Self {
        let whatsapp = WhatsappConfig { app_secret: APP_SECRET.into(), token: TOKEN.into(), ..WhatsappConfig::default() };
        let world = World {
            whatsapp: Whatsapp::start(whatsapp).await.expect("an emulator"),
            telegram: Telegram::start(TelegramConfig::default()).await.expect("an emulator"),
            site: Web::start().await,
            public: free(),
            private: free(),
        };
        std::fs::create_dir_all(dir.join("tmp")).expect("a folder");
        std::fs::write(dir.join("environment"), "").expect("a file");
        std::fs::write(dir.join("folder"), home.to_string_lossy().as_bytes()).expect("a file");
        Self { dir: dir.to_path_buf(), home: home.to_path_buf(), world, host: None, serve: String::new(), message: None }
    }

    /// Writes a file of the page.
    pub fn write(&self, path: &Path, text: &str) {
        let path = self.here().join(self.real(&path.to_string_lossy()));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Where the reader stands.
    fn here(&self) -> PathBuf {
        PathBuf::from(std::fs::read_to_string(self.dir.join("folder")).expect("a folder").trim())
    }

    fn real(&self, text: &str) -> String {
        text.replace(SRV, &format!("{}{SRV}", self.dir.display())).replace(SITE, &self.world.site.url(""))
    }

    /// The other way round.
    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}{SRV}", self.dir.display()), SRV).replace(&self.world.site.url(""), SITE)
    }

    /// The command as it is run.
    fn played(&self, text: &str) -> String {
        let mut text = self.real(text);
        let (w, t) = (self.world.whatsapp.config(), self.world.telegram.config());
        let given = [&w.phone_number_id, &w.waba_id, TOKEN, APP_SECRET, VERIFY_TOKEN, &t.bot_token];
        for (word, value) in GIVEN.iter().zip(given) {
            text = replace(&text, word, || value.to_owned());
        }
        for (word, verbs, which) in TOLD {
            text = replace(&text, word, || self.told(verbs, &which));
        }
        text = replace(&text, "MESSAGE", || self.message.clone().expect("nobody has said anything on this page yet"));
        // The provider's address is that of the emulator.
        for (verb, api) in
            [("channel add whatsapp", self.world.whatsapp.url()), ("channel add telegram", self.world.telegram.url())]
        {
            text = text.replace(verb, &format!("{verb} --set api_url={api}"));
        }
        // The same program, without compiling it: the alias stands in a checkout that has its sources.
        let xtask = binary().with_file_name("pointsman-xtask");
        text.replace("cargo xtask", &xtask.to_string_lossy())
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(". {0}/environment\ncd \"$(cat {0}/folder)\"\n{script}", self.dir.display()));
        command.env_clear().stdin(Stdio::null());
        for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "LANG", "POINTSMAN_CACHE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let mut path = vec![binary().parent().expect("a folder").to_path_buf()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        command.env("PATH", std::env::join_paths(path).expect("a path"));
        command.env("TMPDIR", self.dir.join("tmp")).env("POINTSMAN_SANDBOX__CACHE", cache());
        command
    }

    /// Runs a command of the page: it must print and end as the page says.
    pub fn run(&mut self, text: &str, prints: &[String], code: i32) {
        let played = self.played(text);
        if text.starts_with("pointsman serve") {
            let line = self.start(&played);
            assert!(prints.is_empty() || agrees(prints, &[&line]), "{text}\nprints: {line}");
            return;
        }
        let keep = format!("export -p > {0}/environment\npwd > {0}/folder", self.dir.display());
        let output = self.shell(&format!("{{ {played}\n}} 2>&1\ncode=$?\n{keep}\nexit $code")).output().expect("a shell");
        let printed = self.shown(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(code), "{text}\nas: {played}\nprints:\n{printed}");
        for secret in [TOKEN, APP_SECRET, VERIFY_TOKEN, &self.world.telegram.config().bot_token] {
            assert!(!printed.contains(secret), "{text}\nprints a secret:\n{printed}");
        }
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(
            prints.is_empty() || agrees(prints, &lines),
            "{text}\nprints:\n{printed}\nand the page shows:\n{}",
            prints.join("\n")
        );
        if text.starts_with("pointsman init") {
            self.configure();
        }
    }

    /// What an operator's editor would do: this machine's ports, and the emulators as providers.
    fn configure(&self) {
        let World { whatsapp, telegram, site, public, private } = &self.world;
        let text = format!(
            "[http]\npublic = {public:?}\nprivate = {private:?}\n[egress]\nallow_private = [{:?}, {:?}, {:?}]\n",
            whatsapp.address(),
            telegram.url().trim_start_matches("http://"),
            site.address
        );
        std::fs::write(self.host_dir().join("pointsman.toml"), text).expect("a file");
    }

    fn host_dir(&self) -> PathBuf {
        PathBuf::from(self.real("/srv/pointsman"))
    }

    /// `pointsman serve` in a terminal of its own: gives its first line.
    fn start(&mut self, played: &str) -> String {
        assert!(self.host.is_none(), "a host runs already: the page must stop it first");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("host.log")).expect("a log");
        let mut child = self.shell(&format!("exec {played}")).stdout(Stdio::piped()).stderr(log).spawn().expect("a shell");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let log = std::fs::read_to_string(self.dir.join("host.log")).unwrap_or_default();
        assert!(!line.is_empty(), "{played} did not start:\n{log}");
        self.serve = played.to_owned();
        self.host = Some(child);
        line.trim_end().to_owned()
    }

    /// Ctrl-C in that terminal; it must end well.
    fn stop(&mut self) {
        let mut child = self.host.take().expect("a host runs");
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
        let status = child.wait().expect("an end");
        assert!(status.success(), "the host did not end well: {status}");
    }

    /// What `pointsman` answers in JSON, from the host's folder.
    fn asked(&self, verbs: &[&str]) -> Value {
        let dir = self.host_dir();
        let output =
            self.shell(&format!("pointsman --json --dir {} {}", dir.display(), verbs.join(" "))).output().expect("a shell");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&told)
            .unwrap_or_else(|e| panic!("{verbs:?}: {e}: {told}{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn told(&self, verbs: &[&str], which: &Which) -> String {
        let answer = self.asked(verbs);
        let list = answer.as_array().expect("a list");
        let one = match which {
            Which::First => list.first(),
            Which::Last => list.last(),
        };
        one.unwrap_or_else(|| panic!("{verbs:?} is empty"))["id"].as_str().expect("an id").to_owned()
    }

    /// Does what a direction of the page says.
    pub async fn direct(&mut self, direction: &str) {
        match direction.split_once(": ").unwrap_or((direction, "")) {
            ("a host with a WhatsApp number", _) => {
                self.run("pointsman init --dir /srv/pointsman", &[], 0);
                self.run("pointsman serve --dir /srv/pointsman", &[], 0);
                let secrets = "POINTSMAN_SECRET_ACCESS_TOKEN=ACCESS_TOKEN POINTSMAN_SECRET_APP_SECRET=APP_SECRET \
                               POINTSMAN_SECRET_VERIFY_TOKEN=VERIFY_TOKEN";
                let add = "channel add whatsapp --account PHONE_NUMBER_ID --set waba_id=WABA_ID --dir /srv/pointsman";
                self.run(&format!("{secrets} pointsman {add}"), &[], 0);
                self.dashboard().await;
            }
            ("the address is entered in the app's dashboard", _) => self.dashboard().await,
            ("Acme hands over its desk", _) => {
                let more = SMALL.replace("[\"reply\"]", "[\"reply\", \"tag\"]");
                for (version, mark, capabilities) in [("1.0.0", b'a', SMALL), ("1.1.0", b'b', more.as_str())] {
                    let bytes = package(manifest("acme/desk", version, capabilities).as_bytes(), &component(mark), 7);
                    std::fs::write(self.here().join(format!("desk-{version}.plugin")), bytes).expect("a file");
                }
            }
            ("the bakery has a menu, a site and a shop", _) => {
                let menu = ["Rye bread, 4.20 a loaf.", "Cakes on order, two days before."].map(str::to_owned);
                std::fs::write(self.here().join("menu.pdf"), pages(&menu)).expect("a file");
                let site = &self.world.site;
                site.page("/help", "<h1>Returns</h1><p>Bread goes back on the day it was bought.</p>");
                site.page("/delivery", "<h1>Delivery</h1><p>Within the town, from nine to noon.</p>");
                let map: String = ["/delivery", "/help"].map(|path| format!("<url><loc>{}</loc></url>", site.url(path))).concat();
                site.put("/sitemap.xml", 200, "content-type: application/xml", format!("<urlset>{map}</urlset>"));
                let product = |title: &str, price: &str| json!({ "title": title, "variants": [{ "title": "Default Title", "price": price }] });
                let products = json!({ "products": [product("Rye bread", "4.20"), product("Gift card", "20.00")] }).to_string();
                site.put("/products.json?limit=25&page=1", 200, "content-type: application/json", products);
                site.put("/products.json?limit=25&page=2", 200, "content-type: application/json", "{\"products\":[]}");
            }
            ("the host is stopped", _) => self.stop(),
            ("the host is started again", _) => {
                self.stop();
                let serve = self.serve.clone();
                self.start(&serve);
            }
            ("the provider refuses the token once", _) => {
                self.world.whatsapp.fail([Fault::Status { status: 401, code: 190, retry_after: None }]);
            }
            ("Ana writes", text) => self.says(text).await,
            _ => panic!("no such direction: {direction}"),
        }
    }

    /// The person enters the hook's address; the provider knocks there at once.
    async fn dashboard(&self) {
        let hook = self.told(&["channel", "list"], &Which::Last);
        let hook = format!("http://{}/hooks/{hook}", self.world.public);
        // A running host takes a new channel over within a second.
        for _ in 0..50 {
            if self.world.whatsapp.register(&hook, VERIFY_TOKEN).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the host does not answer at {hook}");
    }

    /// A contact writes; everything that follows is waited for.
    async fn says(&mut self, text: &str) {
        let (id, status) = self.world.whatsapp.say(ANA, "Ana", text).await.expect("the host listens");
        assert_eq!(status, 200, "{text}");
        self.message = Some(id);
        for _ in 0..200 {
            if self.asked(&["books"])["open"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{text:?} comes to no end: {}", self.asked(&["books"]));
    }

    /// Checks a part of a workflow: steps get a head, a head gets steps.
    pub fn check_part(&self, text: &str) {
        let has = |key: &str| text.lines().any(|line| line.starts_with(key));
        let mut whole = String::new();
        for (key, line) in [("name:", "name: part\n"), ("on:", "on: message\n")] {
            whole.push_str(if has(key) { "" } else { line });
        }
        match (text.starts_with("- "), has("steps:")) {
            (true, _) => whole.push_str(&format!("steps:\n{text}")),
            (_, true) => whole.push_str(text),
            _ => whole.push_str(&format!("{text}steps:\n  - stop\n")),
        }
        self.write(&self.dir.join("part/workflow.yaml"), &whole);
        self.check_folder(&self.dir.join("part"));
    }

    /// `pointsman check` has nothing to say about it.
    pub fn check_folder(&self, folder: &Path) {
        let told = self.asked(&["check", &folder.to_string_lossy()]);
        assert_eq!((&told["errors"], &told["findings"]), (&0.into(), &serde_json::json!([])), "{told:#}");
    }

    /// A part of a script runs, for a message of Ana's: to its end, or to where it waits.
    pub fn run_part(&self, text: &str) {
        let file = self.dir.join("part.rhai");
        self.write(&file, text);
        let event = r#"'{"kind":"message","id":"1","text":"hello","sender_id":"ana","sender_name":"Ana"}'"#;
        let names = r#"'{"contact":{"name":"Ana","attributes":{}}}'"#;
        let script = file.to_string_lossy().into_owned();
        let told = self.asked(&["plugin", "try", "script", "run", "--script", &script, "--event", event, "--input", names]);
        let may_wait = ["ask(", "sleep(", "wait(", "approve(", "step("].iter().any(|call| text.contains(call));
        assert!(told["error"].is_null() && (may_wait || told["waiting"].is_null()), "{text}\n{told:#}");
    }

    /// The checkout of the reader.
    pub fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut child) = self.host.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Replaces a whole word.
fn replace(text: &str, word: &str, by: impl FnOnce() -> String) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let found: Vec<usize> = text
        .match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !text[..*at].ends_with(inside) && !text[at + word.len()..].starts_with(inside))
        .collect();
    if found.is_empty() {
        return text.to_owned();
    }
    let (by, mut out, mut from) = (by(), String::new(), 0);
    for at in found {
        out.push_str(&text[from..at]);
        out.push_str(&by);
        from = at + word.len();
    }
    out + &text[from..]
}

#[test]
fn whole_words_are_replaced() {
    assert_eq!(replace("A_TOKEN=TOKEN TOKEN2 'TOKEN'", "TOKEN", || "x".into()), "A_TOKEN=x TOKEN2 'x'");
    assert_eq!(replace("nothing", "TOKEN", || panic!("not asked for")), "nothing");
}
