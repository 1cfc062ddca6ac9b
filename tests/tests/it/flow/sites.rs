//! Pages of the web and the products of a shop in a knowledge base: asked for by the broker, read again only when they changed, never from
//! inside the house. A site in small is the witness of what was asked.

use serde_json::{Value, json};

use super::knowledge::{folder, names, search, write};
use crate::support::Site;
use crate::support::web::Web;

const LOGIN: &str = "<h1>Welcome back</h1><form><input name=user><input type=password></form><p>Please sign in.";

async fn site_and_web() -> (Site, Web) {
    let (mut site, web) = (Site::new(&[]).await, Web::start().await);
    site.allowed.push(web.address.clone());
    (site, web)
}

/// What came of a verb, whether something was refused or not.
fn told(site: &Site, args: &[&str]) -> (Option<i32>, Value) {
    let output = site.cli(&[&["knowledge"], args].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn codes(told: &Value) -> Vec<(String, &str)> {
    let refused = told["refused"].as_array().unwrap().iter();
    refused.map(|one| (one["source"].as_str().unwrap().to_owned(), one["code"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_read_again_only_when_it_changed_and_goes_out_when_it_is_gone() {
    let (site, web) = site_and_web().await;
    let url = web.url("/help?lang=en");
    web.page("/help?lang=en", "<h2>Opening hours</h2><p>Monday to Saturday from 9 to 18.");
    let read = site.done(&["knowledge", "add", "faq", &format!("{url}#top")]);
    assert_eq!(names(&read["read"]), [&url]);
    assert_eq!(search(&site, "when are you open?"), (true, Some(format!("{url}#opening-hours"))));
    let again = site.done(&["knowledge", "sync", "faq", &url]);
    assert_eq!((names(&again["unchanged"]), names(&again["read"])), (vec![url.as_str()], vec![]));
    web.page("/help?lang=en", "<h2>Opening hours</h2><p>Monday to Saturday from noon to midnight.");
    assert_eq!(names(&site.done(&["knowledge", "sync", "faq", &url])["read"]), [&url]);

    // A folder beside it takes out its own alone, and the other way round.
    write(&site, "house.md", b"# Parking\n\nBehind the house.");
    site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!(names(&site.done(&["knowledge", "list", "faq"])), ["house.md", &url]);
    web.remove("/help?lang=en");
    let (exit, added) = told(&site, &["add", "faq", &url]);
    assert_eq!((exit, codes(&added)), (Some(1), vec![(url.clone(), "knowledge.gone")]), "adding takes nothing out");
    let gone = site.done(&["knowledge", "sync", "faq", &url]);
    assert_eq!(names(&gone["removed"]), [&url]);
    assert_eq!(names(&site.done(&["knowledge", "list", "faq"])), ["house.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_followed_on_its_own_host_up_to_the_pages_that_were_asked_for() {
    let (mut site, web) = site_and_web().await;
    let elsewhere = Web::start().await;
    site.allowed.push(elsewhere.address.clone());
    elsewhere.page("/", "<p>Not ours.");
    let links = format!(
        "<nav><a href='/'>home</a> <a href='a.html'>a</a> <a href='/b#part'>b</a></nav><a href='/photo.jpg'>photo</a> \
         <a href='{}'>friends</a> <a href='mailto:x@example.com'>mail</a> <a href='/account'>account</a>",
        elsewhere.url("/")
    );
    web.page("/", &format!("<h1>Shop</h1><p>We bake bread.</p>{links}"));
    web.page("/a.html", "<h1>Delivery</h1><p>Within the town in one day.</p><a href='/c'>c</a>");
    web.put("/b", 200, "content-type: text/plain", "Returns are free.");
    web.put("/account", 302, "location: /account/login", "");
    web.page("/account/login", LOGIN);
    web.page("/c", "<h1>Parking</h1><p>Behind the house.</p>");
    let start = web.url("/");

    let first = site.done(&["knowledge", "add", "faq", &start]);
    assert_eq!((names(&first["read"]), web.heard()), (vec![start.as_str()], vec!["/".to_owned()]), "one page is one page");
    let (exit, some) = told(&site, &["sync", "faq", &start, "--pages", "3"]);
    assert_eq!((exit, names(&some["read"])), (Some(0), vec![web.url("/a.html").as_str(), &web.url("/b")]));
    let left = some["left"][0].as_str().unwrap();
    assert!(left.contains("--pages 5"), "what was not read is told: {left}");
    let (exit, all) = told(&site, &["sync", "faq", &start, "--pages", "20"]);
    assert_eq!((exit, codes(&all)), (Some(1), vec![(web.url("/account"), "knowledge.login_page")]));
    assert_eq!((names(&all["read"]), &all["left"]), (vec![web.url("/c").as_str()], &json!([])));
    assert_eq!((elsewhere.heard(), web.heard().contains(&"/photo.jpg".to_owned())), (vec![], false));

    // What nothing leads to any more goes out; while a page is not well, nothing does.
    web.page("/a.html", "<h1>Delivery</h1><p>Within the town in two days.</p>");
    web.put("/b", 503, "content-type: text/plain", "busy");
    let (_, busy) = told(&site, &["sync", "faq", &start, "--pages", "20"]);
    assert_eq!((names(&busy["read"]), names(&busy["removed"])), (vec![web.url("/a.html").as_str()], vec![]));
    assert!(codes(&busy).contains(&(web.url("/b"), "knowledge.status")));
    web.put("/b", 200, "content-type: text/plain", "Returns are free.");
    let (_, well) = told(&site, &["sync", "faq", &start, "--pages", "20"]);
    assert_eq!(names(&well["removed"]), [&web.url("/c")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sitemap_names_the_pages() {
    let (site, web) = site_and_web().await;
    let map = |places: &[String]| {
        let places: String = places.iter().map(|place| format!("<sitemap><loc>{place}</loc></sitemap>")).collect();
        format!("<?xml version=\"1.0\"?><sitemapindex>{places}</sitemapindex>")
    };
    let xml = "content-type: application/xml";
    web.put("/sitemap.xml", 200, xml, map(&[web.url("/pages.xml")]));
    web.put("/pages.xml", 200, xml, map(&[web.url("/one"), web.url("/two"), web.url("/paper.pdf")]));
    web.page("/one", "<p>First page.");
    web.page("/two", LOGIN);
    web.put(
        "/paper.pdf",
        200,
        "content-type: application/pdf",
        crate::support::papers::pages(&["Oil for the machine.".to_owned()]),
    );
    let (exit, read) = told(&site, &["add", "faq", &web.url("/sitemap.xml"), "--pages", "10"]);
    assert_eq!(exit, Some(1));
    assert_eq!(names(&read["read"]), [web.url("/one"), web.url("/paper.pdf")]);
    assert_eq!(codes(&read), [(web.url("/two"), "knowledge.login_page")], "a sign-in page is told, not indexed");
    assert_eq!(search(&site, "machine oil").1, Some(format!("{}#page-1", web.url("/paper.pdf"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_leads_into_the_house() {
    let (site, web) = site_and_web().await;
    let inside = Web::start().await;
    inside.page("/", "<p>Secrets of the house.");
    web.put("/away", 302, &format!("location: {}", inside.url("/")), "");
    web.put("/metadata", 307, "location: http://169.254.169.254/latest/meta-data/", "");
    web.put("/round", 301, "location: /round", "");
    let inner = inside.url("/");
    for (url, code) in [
        (inner.as_str(), "denied.egress"),
        ("https://localhost/", "denied.egress"),
        ("https://10.0.0.1/admin", "denied.egress"),
        ("https://[::1]/", "denied.egress"),
        (&web.url("/away"), "denied.egress"),
        (&web.url("/metadata"), "denied.egress"),
        (&web.url("/round"), "knowledge.status"),
    ] {
        let (exit, refused) = told(&site, &["add", "faq", url]);
        assert_eq!((exit, codes(&refused)), (Some(1), vec![(url.to_owned(), code)]));
    }
    assert_eq!(inside.heard(), Vec::<String>::new(), "nobody was asked");
    let (exit, none) = told(&site, &["add", "faq", "https://"]);
    assert!(exit == Some(2) && none.to_string().contains("knowledge.address"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_products_of_a_shop_are_answers() {
    let (site, web) = site_and_web().await;
    let product = |n: usize, price: &str| {
        json!({ "title": format!("Tea {n}"), "handle": format!("tea-{n}"), "body_html": "<p>Grown in the hills.</p>",
            "variants": [{ "title": "50 g", "price": price, "available": n != 7 }, { "title": "100 g", "price": "9.90", "available": true }] })
    };
    let put = |page: usize, products: Vec<Value>| {
        let body = json!({ "products": products }).to_string();
        web.put(&format!("/products.json?limit=25&page={page}"), 200, "content-type: application/json; charset=utf-8", body);
    };
    put(1, (1..=25).map(|n| product(n, "5.50")).collect());
    put(2, (26..=30).map(|n| product(n, "5.50")).collect());
    put(3, Vec::new());
    let url = web.url("/products.json");
    let second = format!("{url}?page=2");
    let read = site.done(&["knowledge", "add", "shop", &url]);
    assert_eq!(
        (names(&read["read"]), &read["read"][0]["passages"]),
        (vec![url.as_str(), &second], &json!(25)),
        "a product is a passage"
    );
    let answer = site.done(&["knowledge", "search", "shop", "How much is Tea 7?"]);
    assert_eq!(answer["ids"][0], format!("{url}#tea-7"));
    assert!(answer["hits"][0]["quote"].as_str().unwrap().contains("50 g: 5.50, sold out"), "{answer}");

    put(2, vec![product(26, "6.00")]);
    let changed = site.done(&["knowledge", "sync", "shop", &url]);
    assert_eq!((names(&changed["read"]), names(&changed["unchanged"])), (vec![second.as_str()], vec![url.as_str()]));
    put(2, Vec::new());
    assert_eq!(names(&site.done(&["knowledge", "sync", "shop", &url])["removed"]), [&second]);
    // A shop behind a password answers with its door.
    web.put("/products.json?limit=25&page=1", 302, "location: /password", "");
    web.page("/password", LOGIN);
    let (exit, shut) = told(&site, &["sync", "shop", &url]);
    assert_eq!((exit, codes(&shut)), (Some(1), vec![(url.clone(), "knowledge.login_page")]));
    assert_eq!(names(&site.done(&["knowledge", "list", "shop"])), [&url], "what it had stays");
}
