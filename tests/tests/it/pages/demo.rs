//! The demo as a person plays it: two phones, answers, runs, the buttons that break things, and the books. Pictures of it
//! lie in `target/pages` afterwards.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::browser::Browser;
use crate::support::{binary, cache};

/// A running `pointsman demo`.
struct Demo {
    child: Child,
    page: String,
    private: String,
}

impl Demo {
    fn start(dir: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
        let mut child = Command::new(binary())
            .args(["--json", "--dir"])
            .arg(dir)
            .args(["demo", "--page", "127.0.0.1:0", "--workflows"])
            .arg(root.join("workflows"))
            .env("POINTSMAN_SANDBOX__CACHE", cache())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the demo did not start: {line}"));
        assert_eq!(told["dir"], dir.to_string_lossy().as_ref(), "it names its folder");
        let address = |key: &str| told[key].as_str().expect("an address").to_owned();
        Self { page: format!("http://{}", address("page")), private: address("private"), child }
    }

    /// SIGTERM; it must end, and its host with it.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().expect("a shell").success());
        assert!(self.child.wait().expect("an end").success());
        assert!(std::net::TcpStream::connect(&self.private).is_err(), "the host has ended too");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The newest answer in a phone.
fn newest(word: &str) -> String {
    format!("[...document.querySelectorAll('.{word} .item .bubble:not(.ghost) p')].at(-1)?.textContent ?? ''")
}

fn answered(browser: &mut Browser, word: &str, words: &str) {
    browser.until(&format!("{words:?} on {word}"), &format!("({}).includes({:?})", newest(word), words));
}

/// Presses a button that breaks something, and waits for what came of it.
fn act(browser: &mut Browser, name: &str) {
    browser.click(&format!("button[data-act={name}]"));
    if name == "kill" {
        browser.until(
            "the page says that the host is down",
            "document.body.dataset.host === 'down' && !document.getElementById('down').hidden",
        );
        browser.shot("host-down");
    }
    let outcome = format!("document.querySelector('#acts li[data-act={name}]')");
    browser.within(Duration::from_secs(150), &format!("what came of {name}"), &format!("{outcome}?.dataset.state === 'done'"));
    let told = browser.eval(&format!("{outcome}.innerText"));
    assert_eq!(browser.eval(&format!("{outcome}.dataset.good")), "true", "{told}");
    assert!(told.as_str().is_some_and(|told| told.contains("Nothing lost, nothing doubled.")), "{told}");
}

/// Where the pictures go.
pub fn shots() -> PathBuf {
    binary().ancestors().nth(2).expect("the target folder").join("pages")
}

/// Nothing may stand out of the window at its side.
pub fn fits(browser: &mut Browser) {
    let over = browser.eval("document.documentElement.scrollWidth - window.innerWidth");
    assert!(over.as_i64().is_some_and(|over| over <= 0), "the page is wider than its window by {over}");
}

#[test]
#[ignore = "needs chromium: cargo xtask pages"]
fn a_person_plays_the_demo() {
    let dir = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&dir.path().join("demo"));
    let browser = &mut Browser::start(&shots());
    browser.look(1440, 1000, false);
    browser.open(&demo.page);
    browser.until("the books balance", "document.getElementById('ledger').dataset.balanced === 'true'");
    browser.shot("empty");

    // Two phones, and what the host did.
    browser.write(".whatsapp .say input", "hello");
    answered(browser, "whatsapp", "welcome to the bakery");
    browser.until("ticks that say read", "document.querySelector('.whatsapp .theirs .ticks.read')");
    browser.until("the contact's own words are kept", "document.querySelector('.whatsapp .mine[data-state=kept]')");
    browser.until("a run with its steps", "document.querySelectorAll('#run .step').length >= 4");
    for words in ["keyword", "greeting", "processor", "memory", "input", "output"] {
        let there = browser.eval(&format!("document.getElementById('run').innerText.includes({words:?})"));
        assert_eq!(there, true, "the run tells of {words}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('#run details[open]').length"), 0, "JSON is folded");
    browser.write(".whatsapp .say input", "menu");
    browser.click(".whatsapp .keys button:nth-child(2)");
    answered(browser, "whatsapp", "A loaf is 4.20");
    browser.write(".telegram .say input", "/start");
    browser.until("buttons on Telegram", "document.querySelectorAll('.telegram .keys button').length === 3");
    browser.click(".telegram .keys button:nth-child(3)");
    answered(browser, "telegram", "order 2 loaves");
    browser.write(".telegram .say input", "order 2 loaves and 1 cake");
    answered(browser, "telegram", "32.40");
    browser.until("the run of the order", "document.getElementById('run').innerText.includes('order-desk')");
    browser.write(".whatsapp .say input", "<b>this</b> is terrible & stale");
    answered(browser, "whatsapp", "within the hour");
    let typed = browser.eval("[...document.querySelectorAll('.whatsapp .mine p')].at(-1).innerHTML");
    assert_eq!(typed, "&lt;b&gt;this&lt;/b&gt; is terrible &amp; stale", "words never become markup");
    fits(browser);
    browser.eval("window.scrollTo(0, 0)");
    browser.shot("light");
    browser.look(1440, 1000, true);
    browser.shot("dark");
    browser.look(1440, 1000, false);

    // Break it.
    for name in ["kill", "cut"] {
        browser.click(".whatsapp .chat");
        act(browser, name);
    }
    browser.click(".telegram .chat");
    act(browser, "twice");
    browser.until(
        "balanced books with nothing open",
        "document.getElementById('ledger').dataset.balanced === 'true' && document.getElementById('ledger').dataset.open === '0'",
    );
    browser.eval("window.scrollTo(0, 0)");
    browser.shot("broken");

    // On a phone, one part at a time.
    browser.look(360, 740, false);
    for tab in ["whatsapp", "telegram", "run", "acts"] {
        browser.click(&format!(".tabs [data-tab={tab}]"));
        browser.eval("window.scrollTo(0, 0)");
        fits(browser);
        browser.shot(&format!("phone-{tab}"));
    }
    browser.look(360, 740, true);
    browser.click(".tabs [data-tab=whatsapp]");
    browser.shot("phone-dark");

    // The operator's pages.
    for (path, words) in [
        ("runs", "order-desk"),
        ("conversations", "team/care"),
        ("spend", "Nothing was spent this month"),
        ("status", "Nothing is parked"),
    ] {
        browser.look(1280, 900, false);
        browser.open(&format!("{}/{path}", demo.page));
        browser.until(words, &format!("document.body.innerText.includes({words:?})"));
        if ["runs", "conversations"].contains(&path) {
            browser.click("#list li a");
            browser.until("what was chosen", "document.querySelector('.timeline, .talk')");
        }
        fits(browser);
        browser.shot(path);
        browser.look(360, 740, true);
        fits(browser);
        browser.shot(&format!("phone-{path}"));
    }
    browser.look(1280, 900, false);
    browser.open(&format!("http://{}/", demo.private));
    browser.until("the host's own page", "document.body.innerText.includes('Demo bakery on WhatsApp')");
    assert_eq!(browser.complaints, Vec::<String>::new());
    demo.stop();
}
