//! Case 49 of the corpus, in a browser: contacts whose names and messages are markup, scripts, addresses that run and marks that
//! turn the direction of text. Every page that shows them shows them as words: nothing runs, nothing is made of them, nothing
//! around them turns.

use serde_json::json;

use super::browser::Browser;
use super::demo::shots;
use crate::support::{Folder, Site, eventually, get};

/// What contacts wrote stands in an answer, a tag, a note, a step's input and output, and in the reason of a failure.
const DESK: Folder<'static> = (
    "desk",
    r#"
name: desk
on: message
steps:
  - id: heard
    script: "if event.text.starts_with(\"fail\") { throw event.text; } #{ text: event.text, name: contact.name }"
  - tag: "${event.text}"
  - note: "${contact.name}: ${event.text}"
  - reply: "You said: ${event.text}"
"#,
    &[],
);

/// Each would set `window.hit` if it ran.
const NAMES: [&str; 3] = [
    "<img src=x onerror=\"window.hit=1\">",
    "\u{202e}<svg onload=window.hit=2>\u{2066}",
    "\"><script>window.hit=3</script><base href=//evil.example>",
];

const TEXTS: [&str; 8] = [
    "<img src=x onerror=\"window.hit=4\">",
    "<svg/onload=window.hit=5><animate onbegin=window.hit=6 attributeName=x>",
    "</script><script>window.hit=7</script>",
    "javascript:window.hit=8",
    "<a href=\"javascript:window.hit=9\">open</a><iframe srcdoc=\"<script>parent.hit=10</script>\"></iframe>",
    "\u{202e}exe.txt \u{2067}abc\u{2066} never closed",
    "${window.hit=11} {{7*7}} `${7*7}` <style>*{display:none}</style>",
    "fail <img src=x onerror=window.hit=12>\u{202e}",
];

/// What stands in a page that nobody of the house put there: elements that load or run, handlers, addresses that run or lead
/// away.
const FOREIGN: &str = "[...document.querySelectorAll('*')].filter((e) => \
    (e.localName === 'img' && e.getAttribute('src') !== '/assets/icon.svg') \
    || ['svg', 'animate', 'iframe', 'object', 'embed', 'base', 'style', 'form'].includes(e.localName) \
    || (e.localName === 'script' && !(e.src.startsWith(`${location.origin}/assets/`) && !e.textContent)) \
    || (e.href && new URL(e.href, location).origin !== location.origin) \
    || [...e.attributes].some((a) => /^on/i.test(a.name) || /^\\s*javascript:/i.test(a.value))).map((e) => e.outerHTML)";

/// Elements with marks of direction that do not end in them.
const LEAKING: &str = "(() => { const all = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
    while (walk.nextNode()) \
    if (/[\\u202a-\\u202e\\u2066-\\u2069]/.test(walk.currentNode.data)) all.push(walk.currentNode.parentElement); \
    return { marked: all.length, leaking: \
    all.filter((e) => !getComputedStyle(e).unicodeBidi.includes('isolate')).map((e) => e.outerHTML) }; })()";

/// The page as it stands is of the house alone; how many texts in it have marks of direction.
fn inert(browser: &mut Browser, page: &str) -> u64 {
    assert!(browser.eval("window.hit").is_null(), "{page}: a script ran");
    assert_eq!(browser.eval(FOREIGN), json!([]), "{page}: elements of somebody else's");
    let marks = browser.eval(LEAKING);
    assert_eq!(marks["leaking"], json!([]), "{page}: text is turned beyond its element");
    marks["marked"].as_u64().unwrap_or_default()
}

/// Words that stand in the page as they were written, whatever is folded.
fn stands(browser: &mut Browser, words: &str) {
    browser.until(&format!("{words:?} as words"), &format!("document.body.textContent.includes({})", json!(words)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: cargo xtask pages"]
async fn what_contacts_wrote_is_never_more_than_words() {
    let site = Site::new(&[DESK]).await;
    let process = site.serve(&[]);
    for (n, name) in NAMES.iter().enumerate() {
        for text in TEXTS {
            let said = site.emulator.say(&format!("1555010000{n}"), name, text).await.expect("the host listens");
            assert_eq!(said.1, 200);
        }
    }
    site.taken(NAMES.len() * (TEXTS.len() - 1)).await;
    eventually("three runs failed", || (site.done(&["books"])["runs"]["failed"] == 3).then_some(())).await;
    let base = format!("http://{}", process.private);
    let ids = async |what: &str| {
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&get(&process.private, &format!("/api/v1/{what}?limit=100")).await.1).expect("a list");
        list.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let (conversations, runs) = (ids("conversations").await, ids("runs").await);
    assert_eq!((conversations.len(), runs.len()), (NAMES.len(), NAMES.len() * TEXTS.len()));

    let browser = &mut Browser::start(&shots());
    browser.look(1280, 900, false);
    let mut marked = 0;
    browser.open(&format!("{base}/conversations"));
    for name in NAMES {
        stands(browser, name);
    }
    marked += inert(browser, "the list of conversations");
    for id in &conversations {
        browser.eval(&format!("location.hash = {id:?}"));
        browser.until(
            "it is chosen",
            &format!("document.querySelector('#list a.on')?.hash === '#{id}' && document.querySelector('.talk')"),
        );
        for text in TEXTS {
            stands(browser, text);
        }
        stands(browser, &format!("You said: {}", TEXTS[0]));
        marked += inert(browser, "a conversation");
        // Whoever presses what looks like an address stays where they are.
        browser.eval("document.querySelectorAll('.words').forEach((words) => words.click())");
    }
    browser.shot("hostile-conversation");
    inert(browser, "after a press");
    browser.open(&format!("{base}/runs"));
    for id in &runs {
        browser.eval(&format!("location.hash = {id:?}"));
        browser.until("it is chosen", &format!("document.querySelector('#run .ids')?.textContent.includes({id:?})"));
        browser.eval("document.querySelectorAll('#run details').forEach((part) => { part.open = true; })");
        marked += inert(browser, "a run");
    }
    stands(browser, "window.hit=4");
    browser.shot("hostile-run");
    for (path, words) in [
        ("/", "fail <img src=x onerror=window.hit=12>"),
        ("/spend", "Nothing was spent"),
        ("/api/v1/conversations", "window.hit=3"),
    ] {
        browser.open(&format!("{base}{path}"));
        stands(browser, words);
        if path.starts_with("/api/") {
            // The browser's own page around JSON.
            assert!(browser.eval("window.hit").is_null() && browser.eval("document.querySelector('img, script')").is_null());
        } else {
            marked += inert(browser, path);
        }
    }
    assert!(marked > 20, "the marks of direction are really there: {marked}");
    assert_eq!(browser.complaints, Vec::<String>::new(), "nothing was even tried");

    // The look finds what should not be there.
    browser.open(&format!("{base}/conversations"));
    stands(browser, NAMES[0]);
    browser.eval("document.querySelector('#list').append(Object.assign(document.createElement('img'), { alt: 'x' }))");
    assert_eq!(browser.eval(FOREIGN).as_array().map(Vec::len), Some(1));
    process.stop();
}
