//! Pages of the web on their way into a base: asked for by the broker, which refuses what leads into the house, and one after the
//! other. A page, those that it or a sitemap leads to on the same host, or the products that a shop shows to everybody.

use std::collections::{HashSet, VecDeque};

use anyhow::{Result, bail};
use pointsman_broker::{Broker, EgressError};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{Body, HttpRequest, HttpResponse, Method};
use pointsman_knowledge::read::Kind;
use url::Url;

use super::intake::Intake;

/// Redirects of one page that are followed. The broker asks of each whether it may be.
const REDIRECTS: usize = 5;

/// Sitemaps of one site that are read.
const SITEMAPS: usize = 20;

/// Products in one answer: a hundred KiB or two, of the one MiB that the broker takes.
const PRODUCTS: usize = 25;

/// Answers with products at most, where nobody says how many.
const ANSWERS: u16 = 200;

/// Endings of addresses that lead to no text.
const NO_TEXT: [&str; 24] = [
    "jpg", "jpeg", "png", "gif", "svg", "webp", "avif", "ico", "css", "js", "mjs", "zip", "gz", "mp3", "mp4", "webm", "mov",
    "woff", "woff2", "ttf", "ics", "exe", "dmg", "apk",
];

/// Parts of an address where people sign in.
const DOORS: [&str; 8] = ["login", "log-in", "signin", "sign-in", "sso", "auth", "password", "challenge"];

/// Whether a source is one of the web.
pub(super) fn is_address(source: &str) -> bool {
    source.starts_with("https://") || source.starts_with("http://")
}

/// An address as it was given.
pub(super) fn address(text: &str) -> Result<Url> {
    match Url::parse(text) {
        Ok(mut url) if url.host().is_some() => {
            url.set_fragment(None);
            Ok(url)
        }
        _ => bail!("knowledge.address: {text} is no address of a page; it begins with https:// and a host"),
    }
}

/// A site, by the address that was given.
pub(super) struct Site {
    broker: Broker,
    start: Url,
    pages: Option<u16>,
}

/// What came of an address.
struct Page {
    /// Where it was in the end.
    at: Url,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Site {
    pub(super) fn new(broker: Broker, start: Url, pages: Option<u16>) -> Self {
        Self { broker, start, pages }
    }

    fn products(&self) -> bool {
        self.start.path().ends_with("/products.json")
    }

    /// Puts it into a base. The names of what was met.
    pub(super) async fn put(&self, intake: &mut Intake<'_>) -> Result<HashSet<String>> {
        if self.products() { self.put_products(intake).await } else { self.put_pages(intake, false).await }
    }

    /// The same, and what is no longer there goes out. Where not everything was seen, nothing does.
    pub(super) async fn sync(&self, intake: &mut Intake<'_>) -> Result<()> {
        let met = if self.products() { self.put_products(intake).await? } else { self.put_pages(intake, true).await? };
        let single = self.pages.unwrap_or(1) == 1 && !self.products();
        if single || !intake.whole() {
            return Ok(());
        }
        let own = |name: &str| {
            let Ok(url) = Url::parse(name) else { return false };
            url.origin() == self.start.origin() && url.path().ends_with("/products.json") == self.products()
        };
        for gone in intake.had().iter().filter(|name| own(name) && !met.contains(*name)) {
            intake.remove(gone).await?;
        }
        Ok(())
    }

    /// `exact`: a page that is not there any more goes out.
    async fn put_pages(&self, intake: &mut Intake<'_>, exact: bool) -> Result<HashSet<String>> {
        let most = usize::from(self.pages.unwrap_or(1));
        let (mut waiting, mut seen) = (VecDeque::from([self.start.clone()]), HashSet::from([self.start.to_string()]));
        let (mut met, mut sitemaps) = (HashSet::new(), 0);
        while let Some(url) = waiting.pop_front() {
            if met.len() == most {
                let found = met.len() + 1 + waiting.len();
                let host = url.host_str().unwrap_or_default();
                intake
                    .outcome
                    .left
                    .push(format!("{host} has more pages; --pages {} reads those that were found", found.min(500)));
                break;
            }
            let name = url.to_string();
            let page = match self.fetch(&url).await {
                Ok(page) => page,
                Err(failure) => {
                    let out = exact && failure.code == "knowledge.gone" && intake.remove(&name).await?;
                    if !out {
                        intake.refuse(&name, failure)?;
                    }
                    met.insert(name);
                    continue;
                }
            };
            let map = page.kind == Kind::Sitemap;
            let leading = map || (most > 1 && page.kind == Kind::Html);
            let links = intake.take(&name, Some(page.kind), &page.bytes, leading).await?;
            if map {
                sitemaps += 1;
            } else {
                met.insert(name);
            }
            if sitemaps > SITEMAPS {
                intake
                    .outcome
                    .left
                    .push(format!("{url}: no more than {SITEMAPS} sitemaps are read; name the others by themselves"));
                break;
            }
            for link in &links {
                let Some(link) = self.inside(&page.at, link) else { continue };
                if seen.insert(link.to_string()) {
                    waiting.push_back(link);
                }
            }
        }
        Ok(met)
    }

    /// A link that leads to another text of the same site.
    fn inside(&self, page: &Url, link: &str) -> Option<Url> {
        let mut url = page.join(link).ok()?;
        url.set_fragment(None);
        let last = url.path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let text = last.rsplit_once('.').is_none_or(|(_, end)| !NO_TEXT.contains(&end));
        (text && url.origin() == self.start.origin()).then_some(url)
    }

    async fn put_products(&self, intake: &mut Intake<'_>) -> Result<HashSet<String>> {
        let (most, mut met) = (self.pages.unwrap_or(ANSWERS), HashSet::new());
        for number in 1..=most {
            let (mut url, mut named) = (self.start.clone(), self.start.clone());
            url.set_query(Some(&format!("limit={PRODUCTS}&page={number}")));
            named.set_query((number > 1).then(|| format!("page={number}")).as_deref());
            let name = named.to_string();
            let page = match self.fetch(&url).await {
                Ok(page) => page,
                Err(failure) => {
                    intake.refuse(&name, failure)?;
                    met.insert(name);
                    return Ok(met);
                }
            };
            if number > 1 && page.bytes.trim_ascii() == br#"{"products":[]}"# {
                return Ok(met);
            }
            intake.take(&name, Some(page.kind), &page.bytes, false).await?;
            met.insert(name);
        }
        let more = usize::from(most) * PRODUCTS;
        intake.outcome.left.push(format!("{more} products were read and there may be more; --pages says how often {PRODUCTS}"));
        Ok(met)
    }

    /// Asks for a page. Refusals: `knowledge.gone`, `knowledge.login_page`, `knowledge.status`, `knowledge.no_answer`, `knowledge.kind`,
    /// and the broker's own.
    async fn fetch(&self, url: &Url) -> Result<Page, Failure> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.ask(&at).await?;
            let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match answer.status {
                200..=299 => {
                    let door = |part: &str| DOORS.contains(&part.to_ascii_lowercase().as_str());
                    if at.path() != url.path() && at.path_segments().is_some_and(|mut parts| parts.any(door)) {
                        return Err(login(url));
                    }
                    let kind = kind(header("content-type").unwrap_or_default(), &at)?;
                    return Ok(Page { at, kind, bytes: answer.body });
                }
                301 | 302 | 303 | 307 | 308 => {
                    let to = header("location").and_then(|to| at.join(to).ok());
                    at = to.ok_or_else(|| refused("status", format!("{url} leads elsewhere and does not say where")))?;
                    at.set_fragment(None);
                }
                401 | 403 => return Err(login(url)),
                404 | 410 => return Err(refused("gone", format!("{url} is not there ({}); correct the address", answer.status))),
                other => return Err(later("status", format!("{url} answers with status {other}; try again later"))),
            }
        }
        Err(refused("status", format!("{url} leads on and on; give the address of the page itself")))
    }

    async fn ask(&self, url: &Url) -> Result<HttpResponse, Failure> {
        let accept = "text/html,application/xhtml+xml,text/*,application/json,application/pdf,application/xml;q=0.5";
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_string(),
            headers: vec![("accept".to_owned(), accept.to_owned())],
            body: Body::None,
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        };
        let origin = url.origin().ascii_serialization();
        self.broker.send_among(&request, &[], &[], &[origin]).await.map_err(|error| match error {
            EgressError::Refused(failure) | EgressError::NotSent(failure) => failure,
            EgressError::Lost(why) => later("no_answer", format!("{url}: {why}; try again, or save it as a file")),
        })
    }
}

/// How an answer is read.
fn kind(told: &str, url: &Url) -> Result<Kind, Failure> {
    let told = told.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let by_name = Kind::of(url.path());
    Ok(match told.as_str() {
        "text/html" | "application/xhtml+xml" => Kind::Html,
        "application/pdf" => Kind::Pdf,
        "application/json" => Kind::Json,
        "text/csv" => Kind::Csv,
        "text/markdown" => Kind::Markdown,
        "application/xml" | "text/xml" => Kind::Sitemap,
        "text/plain" => by_name.unwrap_or(Kind::Text),
        "" => by_name.unwrap_or(Kind::Html),
        _ => return Err(refused("kind", format!("{url} is {told}, of no kind that can be read"))),
    })
}

fn login(url: &Url) -> Failure {
    let text = format!("{url} asks who you are; it is not for everybody. Save the page while signed in and give the file");
    refused("login_page", text)
}

fn refused(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, format!("knowledge.{code}"), message)
}

/// A refusal that may be none the next time.
fn later(code: &str, message: String) -> Failure {
    Failure { class: Class::Transient, ..refused(code, message) }
}
