//! A site with a model beside it.

use pointsman_emulator::{Llm, LlmConfig};
use serde_json::Value;

use super::{Folder, MODEL_KEY, Site};

/// What the model of a site is called by its server.
pub const MODEL: &str = "m-1";

/// A site whose steps may ask an emulated model, which costs 1 and 2 for a million tokens.
pub async fn site_with_model(workflows: &[Folder<'_>], config: LlmConfig) -> (Site, Llm) {
    let llm = Llm::start(LlmConfig { key: Some(MODEL_KEY.to_owned()), ..config }).await.expect("a model");
    let mut site = Site::new(workflows).await;
    site.allowed.push(llm.address().to_owned());
    set(
        &site,
        "[models.prices]",
        "[models.prices]\n\"m-1\" = { input = 1.0, output = 2.0 }\n\"e-1\" = { input = 0.1, output = 0.0 }",
    );
    connect(&site, &llm, "main", &[]);
    (site, llm)
}

/// Connects a model under a name.
pub fn connect(site: &Site, llm: &Llm, name: &str, more: &[&str]) -> Value {
    let url = llm.url();
    let args =
        [&["model", "add", name, "--provider", "openai", "--url", &url, "--model", MODEL, "--embed", "e-1"][..], more].concat();
    let output = site.cli_with(&args, &[("POINTSMAN_SECRET_API_KEY", MODEL_KEY)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Changes a line of the site's configuration.
pub fn set(site: &Site, line: &str, to: &str) {
    let path = site.dir.path().join("pointsman.toml");
    let text = std::fs::read_to_string(&path).expect("the configuration");
    assert_eq!(text.matches(line).count(), 1, "{line} stands there once");
    std::fs::write(&path, text.replace(line, to)).expect("written");
}
