//! The pages and what they load, all from here: a page of ours asks no other host for anything, which the content security
//! policy holds it to. What contacts wrote reaches a page as JSON only and becomes text, never markup.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// The page that plays a contact.
pub(crate) const DEMO: &str = include_str!("pages/demo.html");
/// The page that shows how the host stands.
pub(crate) const STATUS: &str = include_str!("pages/status.html");

/// Name, type, bytes.
pub(crate) const ASSETS: [(&str, &str, &str); 6] = [
    ("style.css", "text/css; charset=utf-8", include_str!("pages/style.css")),
    ("parts.js", "text/javascript; charset=utf-8", include_str!("pages/parts.js")),
    ("run.js", "text/javascript; charset=utf-8", include_str!("pages/run.js")),
    ("demo.js", "text/javascript; charset=utf-8", include_str!("pages/demo.js")),
    ("status.js", "text/javascript; charset=utf-8", include_str!("pages/status.js")),
    ("icon.svg", "image/svg+xml", include_str!("pages/icon.svg")),
];

/// A file that a page loads.
pub(crate) fn asset(name: &str) -> Option<Response> {
    let (_, kind, text) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    Some(([(CONTENT_TYPE, *kind)], *text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy forbids inline code and foreign hosts; markup made from text would be a hole that it cannot close.
    #[test]
    fn pages_hold_to_their_policy() {
        let all = ASSETS.iter().map(|(name, _, text)| (*name, *text)).chain([("demo.html", DEMO), ("status.html", STATUS)]);
        for (name, text) in all {
            for never in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "createContextualFragment",
                "DOMParser",
                "eval(",
                "new Function",
                "javascript:",
                " style=\"",
                "<style",
                " onclick=",
                " onload=",
                "https://",
                "srcdoc",
            ] {
                assert!(!text.contains(never), "{name} has {never}");
            }
            assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("http://"), "{name} names another host");
        }
        for page in [DEMO, STATUS] {
            assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"/assets/").count());
            for reference in page.split("/assets/").skip(1) {
                let file = reference.split('"').next().unwrap();
                assert!(ASSETS.iter().any(|(name, ..)| *name == file), "{file} is not served");
            }
        }
    }
}
