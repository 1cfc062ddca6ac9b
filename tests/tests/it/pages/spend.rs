//! The page of the spend ledger: empty, with sums against their caps, and on a phone.

use serde_json::json;

use super::browser::Browser;
use super::demo::{fits, shots};
use crate::support::models::set;
use crate::support::{Folder, Site, eventually};

const SENDS: Folder<'static> =
    ("sends", "name: sends\non: message\nsteps:\n  - template: { name: order_ready, language: en, variables: [\"x\"] }\n", &[]);

/// The words of a part of the page.
fn words(browser: &mut Browser, id: &str) -> String {
    browser.eval(&format!("document.getElementById('{id}').innerText")).as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: cargo xtask pages"]
async fn an_operator_sees_what_was_spent() {
    let site = Site::new(&[SENDS]).await;
    set(&site, "[templates.prices]", "[templates.prices]\norder_ready = 0.2");
    set(&site, "cap_day = 5.0", "cap_day = 0.5");
    let process = site.serve(&[]);
    let browser = &mut Browser::start(&shots());
    browser.look(1280, 900, false);
    browser.open(&format!("http://{}/", process.private));
    browser.click("nav a[href='/spend']");
    browser.until("the empty page", "document.querySelector('#sums .empty')?.innerText.includes('pointsman model add')");
    assert_eq!(browser.eval("document.querySelectorAll('main section:not([hidden])').length"), 1, "what is empty is not there");
    browser.shot("ledger-empty");
    for n in 1..4 {
        site.emulator.say(&format!("1555010000{n}"), "Contact", "hello").await.expect("the host listens");
    }
    eventually("one is parked", || (site.done(&["books"])["sends"]["parked"] == 1).then_some(())).await;
    // The page follows by itself.
    browser.until("the sums", "document.querySelectorAll('#sums tbody tr').length === 5");
    let day = browser.eval("[...document.querySelector('#sums tbody tr').cells].map((cell) => cell.textContent.trim())");
    assert_eq!(day, json!(["workspace, today", "0.40", "0.00", "0.50", "0.10", "1"]));
    assert_eq!(browser.eval("document.querySelector('#sums .track').getAttribute('aria-valuenow')"), "80");
    assert!(words(browser, "models").contains("template/order_ready") && words(browser, "calls").contains("settled"));
    fits(browser);
    browser.shot("ledger");
    browser.look(360, 740, true);
    fits(browser);
    browser.shot("phone-ledger");
    browser.click("#calls tbody a");
    browser.until("the run that paid", "document.querySelector('.timeline')");
    assert_eq!(browser.complaints, Vec::<String>::new());
    process.stop();
}
