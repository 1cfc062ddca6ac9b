//! The pages and what they load, all from here: a page of ours asks no other host for anything, which the content security
//! policy holds it to. What contacts wrote reaches a page as JSON only and becomes text, never markup.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::demo::DemoChannel;
use crate::problem::Problem;

/// Which server shows a page: it decides where the links in the head lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A host's private port.
    Host,
    /// The demo's own server, which passes questions on to the host.
    Demo,
}

/// What stands in the head of every page.
struct Head {
    title: &'static str,
    /// Address, words.
    links: &'static [(&'static str, &'static str)],
    /// The address of this page.
    here: &'static str,
    /// The module that it runs.
    script: &'static str,
}

impl Head {
    fn new(place: Place, title: &'static str, here: &'static str, script: &'static str) -> Self {
        let links: &[_] = match place {
            Place::Host => &[("/", "Status"), ("/conversations", "Conversations"), ("/runs", "Runs"), ("/spend", "Spend")],
            Place::Demo => &[
                ("/", "Demo"),
                ("/conversations", "Conversations"),
                ("/runs", "Runs"),
                ("/spend", "Spend"),
                ("/status", "Status"),
            ],
        };
        Self { title, links, here, script }
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    head: Head,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs {
    head: Head,
}

#[derive(Template)]
#[template(path = "conversations.html")]
struct Conversations {
    head: Head,
}

#[derive(Template)]
#[template(path = "spend.html")]
struct Spend {
    head: Head,
}

#[derive(Template)]
#[template(path = "demo.html")]
struct Demo<'a> {
    head: Head,
    channels: &'a [DemoChannel],
    dir: &'a str,
}

fn rendered(page: &impl Template) -> Result<Html<String>, Problem> {
    page.render().map(Html).map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        Problem::of(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// How the host stands.
pub(crate) fn status(place: Place) -> Result<Html<String>, Problem> {
    let here = if place == Place::Host { "/" } else { "/status" };
    rendered(&Status { head: Head::new(place, "Status", here, "status.js") })
}

/// The page that plays contacts.
pub(crate) fn demo(channels: &[DemoChannel], dir: &str) -> Result<Html<String>, Problem> {
    rendered(&Demo { head: Head::new(Place::Demo, "Demo", "/", "demo.js"), channels, dir })
}

fn runs(place: Place) -> Result<Html<String>, Problem> {
    rendered(&Runs { head: Head::new(place, "Runs", "/runs", "runs.js") })
}

fn conversations(place: Place) -> Result<Html<String>, Problem> {
    rendered(&Conversations { head: Head::new(place, "Conversations", "/conversations", "conversations.js") })
}

fn spend(place: Place) -> Result<Html<String>, Problem> {
    rendered(&Spend { head: Head::new(place, "Spend", "/spend", "spend.js") })
}

/// The pages that both servers have, and what all pages load.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(place: Place) -> Router<S> {
    Router::new()
        .route("/runs", get(move || async move { runs(place) }))
        .route("/conversations", get(move || async move { conversations(place) }))
        .route("/spend", get(move || async move { spend(place) }))
        .route("/assets/{name}", get(asset))
}

/// Name, type, bytes.
pub(crate) const ASSETS: [(&str, &str, &str); 13] = [
    ("style.css", "text/css; charset=utf-8", include_str!("pages/style.css")),
    ("chat.css", "text/css; charset=utf-8", include_str!("pages/chat.css")),
    ("parts.js", "text/javascript; charset=utf-8", include_str!("pages/parts.js")),
    ("books.js", "text/javascript; charset=utf-8", include_str!("pages/books.js")),
    ("run.js", "text/javascript; charset=utf-8", include_str!("pages/run.js")),
    ("chat.js", "text/javascript; charset=utf-8", include_str!("pages/chat.js")),
    ("acts.js", "text/javascript; charset=utf-8", include_str!("pages/acts.js")),
    ("demo.js", "text/javascript; charset=utf-8", include_str!("pages/demo.js")),
    ("status.js", "text/javascript; charset=utf-8", include_str!("pages/status.js")),
    ("runs.js", "text/javascript; charset=utf-8", include_str!("pages/runs.js")),
    ("conversations.js", "text/javascript; charset=utf-8", include_str!("pages/conversations.js")),
    ("spend.js", "text/javascript; charset=utf-8", include_str!("pages/spend.js")),
    ("icon.svg", "image/svg+xml", include_str!("pages/icon.svg")),
];

/// A file that a page loads.
async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (_, kind, text) = ASSETS.iter().find(|(known, ..)| *known == name).ok_or_else(|| Problem::of(StatusCode::NOT_FOUND))?;
    Ok(([(CONTENT_TYPE, *kind)], *text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Vec<String> {
        let channel = DemoChannel {
            word: "whatsapp".into(),
            title: "WhatsApp".into(),
            business: "<Demo> & bakery".into(),
            id: "1".into(),
            emulator: "http://127.0.0.1:9".into(),
            contacts: vec![("15550100001".into(), "Ana \"A\"".into())],
        };
        let mut pages = vec![demo(&[channel], "/tmp/x").unwrap().0];
        for place in [Place::Host, Place::Demo] {
            pages.extend([status(place), runs(place), conversations(place), spend(place)].map(|page| page.unwrap().0));
        }
        pages
    }

    /// The policy forbids inline code and foreign hosts; markup made from text would be a hole that it cannot close.
    #[test]
    fn pages_hold_to_their_policy() {
        let pages = pages();
        let assets = ASSETS.iter().map(|(name, _, text)| (*name, *text));
        for (name, text) in assets.chain(pages.iter().map(|page| ("a page", page.as_str()))) {
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
                "@import",
            ] {
                assert!(!text.contains(never), "{name} has {never}");
            }
            assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("http://"), "{name} names another host");
        }
        for page in &pages {
            assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"/assets/").count());
            for reference in page.split("/assets/").skip(1) {
                let file = reference.split('"').next().unwrap();
                assert!(ASSETS.iter().any(|(name, ..)| *name == file), "{file} is not served");
            }
            assert_eq!(page.matches("aria-current=\"page\"").count(), 1, "{page}");
        }
        assert!(pages[0].contains("&#60;Demo&#62; &#38; bakery"), "names are text: {}", pages[0]);
    }

    #[test]
    fn modules_import_only_what_is_served() {
        for (name, _, text) in ASSETS.iter().filter(|(name, ..)| name.ends_with(".js")) {
            for import in text.lines().filter(|line| line.starts_with("import ")) {
                let file = import.split("\"./").nth(1).and_then(|rest| rest.split('"').next());
                assert!(file.is_some_and(|f| ASSETS.iter().any(|(known, ..)| *known == f)), "{name}: {import}");
            }
        }
    }
}
