//! A browser without a window, driven by the protocol of its own developer tools over two pipes: no driver, no port, no
//! library. Messages are JSON, each ended by a zero byte.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names under which distributions install it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// How long the page may take for what a person would wait for.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|dir| NAMES.map(|name| dir.join(name))).find(|file| file.is_file());
    found.expect("chromium is not installed: apt-get install chromium")
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: String,
    answers: HashMap<u64, Value>,
    /// What the page complained about: exceptions, refused loads, breaches of its policy.
    pub complaints: Vec<String>,
    shots: PathBuf,
    _profile: TempDir,
}

impl Browser {
    /// Starts it. Screenshots go into `shots`.
    pub fn start(shots: &Path) -> Self {
        fs::create_dir_all(shots).expect("a folder");
        let profile = tempfile::tempdir().expect("a folder");
        // The protocol's pipes are descriptors 3 and 4: the shell makes them of its own input and output.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>&2", "sh"])
            .arg(program())
            .args(["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            .args([
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--hide-scrollbars",
            ])
            .args(["--disable-sync", "--mute-audio", "--lang=en-GB"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let (to, out) = (child.stdin.take().expect("its input"), child.stdout.take().expect("its output"));
        let (tell, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let Ok(message) = message else { return };
                if tell.send(serde_json::from_slice(&message).unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            next: 1,
            session: String::new(),
            answers: HashMap::new(),
            complaints: Vec::new(),
            shots: shots.to_path_buf(),
            _profile: profile,
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.ask("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Asks and waits for the answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(message.to_string().as_bytes()).expect("the browser listens");
        self.to.write_all(&[0]).expect("the browser listens");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).unwrap_or_else(|_| panic!("the browser does not answer {method}"));
            self.hear(message);
        }
    }

    fn hear(&mut self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            self.answers.insert(id, message);
            return;
        }
        let (method, params) = (message["method"].as_str().unwrap_or_default(), &message["params"]);
        match method {
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            // A host that is down answers 503 by design; the page says so in words.
            "Log.entryAdded" if params["entry"]["level"] == "error" && params["entry"]["source"] != "network" => {
                self.complaints.push(params["entry"].to_string());
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => self.complaints.push(params.to_string()),
            _ => {}
        }
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.until("the page is there", "document.readyState === 'complete'");
    }

    /// What an expression gives in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let got = self.ask("Runtime.evaluate", params);
        assert!(got["exceptionDetails"].is_null(), "{expression}: {}", got["exceptionDetails"]);
        got["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, what: &str, expression: &str) {
        self.within(PATIENCE, what, expression);
    }

    /// Waits for at most so long.
    pub fn within(&mut self, patience: Duration, what: &str, expression: &str) {
        let deadline = Instant::now() + patience;
        while self.eval(&format!("Boolean({expression})")) != true {
            if Instant::now() > deadline {
                self.shot("failed");
                let text = self.eval("document.body.innerText");
                panic!("waited {patience:?} for: {what}\n{}", text.as_str().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Presses the mouse where the element is, as a person would: what lies above it gets the click.
    pub fn click(&mut self, selector: &str) {
        let quoted = json!(selector);
        self.until(&format!("{selector} can be clicked"), &format!("document.querySelector({quoted})?.checkVisibility()"));
        let place = self.eval(&format!(
            "(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Types a text into a field, and Enter.
    pub fn write(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.ask("Input.insertText", json!({ "text": text }));
        for kind in ["keyDown", "keyUp"] {
            let enter = json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
            self.ask("Input.dispatchKeyEvent", enter);
        }
    }

    /// The size of the window, and whether the person likes it dark.
    pub fn look(&mut self, width: u32, height: u32, dark: bool) {
        let phone = width < 600;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        self.ask("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
    }

    /// Takes a picture of the window.
    pub fn shot(&mut self, name: &str) {
        let taken = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap_or_default());
        fs::write(self.shots.join(format!("{name}.png")), bytes.expect("a picture")).expect("a file");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
