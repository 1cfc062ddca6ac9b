//! The two examples in `testdata/` parse and mean what they say; each spoiled copy of them is refused under its code.

use super::*;

const CHANNEL: &str = include_str!("../testdata/channel.toml");
const STEP: &str = include_str!("../testdata/step.toml");

/// The manifest with one piece of its text replaced.
fn spoil(text: &str, from: &str, to: &str) -> Result<Manifest, ManifestError> {
    assert!(text.contains(from), "the example no longer has `{from}`");
    Manifest::parse(&text.replacen(from, to, 1))
}

#[test]
fn a_channel_says_everything_about_its_provider() {
    let m = Manifest::parse(CHANNEL).unwrap();
    assert_eq!((m.kind(), m.short_name()), (Kind::Channel, "parrot"));
    assert_eq!(m.imports_allowed().into_iter().collect::<Vec<_>>(), ["log", "types"]);
    let webhook = m.webhook.as_ref().unwrap();
    assert_eq!(webhook.verify.scheme, SignatureScheme::HmacSha256);
    assert_eq!((webhook.verify.header.as_str(), webhook.verify.prefix.as_str()), ("X-Parrot-Signature", "sha256="));
    assert_eq!((webhook.verify.secret.as_str(), webhook.verify.encoding), ("app_secret", None));
    assert_eq!(webhook.handshake.as_ref().unwrap().token, "verify_token");
    assert_eq!((webhook.body_limit, webhook.answers), (4 << 20, false));
    assert_eq!((m.limits.text, m.limits.buttons, m.limits.button_title), (Some(4096), Some(3), Some(20)));
    assert_eq!(m.window, Some(Window { hours: 24 }));
    assert_eq!((m.retry.first, m.retry.cap, m.retry.settle_after, m.retry.per_peer), (1_000, 300_000, 30_000, Some(6_000)));
    assert_eq!(m.retry.on_unknown, OnUnknown::Retry);
    assert!(m.operations.contains_key("set_profile"));
}

#[test]
fn a_secret_is_pinned_to_its_hosts_or_to_the_operators_address_alone() {
    let m = Manifest::parse(CHANNEL).unwrap();
    let token = m.slot("access_token").unwrap();
    assert_eq!(token.pinned_origins(None).unwrap(), ["https://api.parrot.example", "https://media.parrot.example"]);
    assert_eq!(token.pinned_origins(Some("http://127.0.0.1:9000/")).unwrap(), ["http://127.0.0.1:9000"]);
    assert_eq!(token.pinned_origins(Some("http://127.0.0.1:9000/v21.0")).unwrap_err().code, "manifest.origin");
    assert!(token.allows(PlacementKind::Bearer) && !token.allows(PlacementKind::Query));
    let secret = m.slot("app_secret").unwrap();
    assert_eq!(secret.pinned_origins(Some("http://127.0.0.1:9000")).unwrap(), [""; 0]);
    assert!(!secret.allows(PlacementKind::Bearer), "a secret without hosts never leaves");
    assert_eq!(m.slot("nothing"), None);
}

#[test]
fn a_step_may_import_exactly_what_it_asks_for() {
    let m = Manifest::parse(STEP).unwrap();
    assert_eq!(m.kind(), Kind::Step);
    let all = ["act", "clock", "conversation", "http", "journal", "knowledge", "log", "model", "random", "state", "types"];
    assert_eq!(m.imports_allowed().into_iter().collect::<Vec<_>>(), all);
    let asks = &m.capabilities;
    assert!(asks.state.as_ref().unwrap().covers(StateScope::Contact));
    assert!(!asks.state.as_ref().unwrap().covers(StateScope::Conversation));
    assert!(asks.act.as_ref().unwrap().covers(EffectKind::Tag) && !asks.act.as_ref().unwrap().covers(EffectKind::Reply));
    assert!(asks.model.as_ref().unwrap().covers(ModelCall::Chat) && !asks.model.as_ref().unwrap().covers(ModelCall::Embed));
    let slots = m.slots();
    assert_eq!(slots.len(), 1);
    assert_eq!((slots[0].slot.as_str(), slots[0].hosts.as_slice()), ("example", ["api.example.com".to_owned()].as_slice()));
    assert!(slots[0].allows(PlacementKind::Header) && !slots[0].allows(PlacementKind::Bearer));

    let bare =
        Manifest::parse("id = \"a/b\"\nversion = \"0.1.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"x\"").unwrap();
    assert_eq!(bare.imports_allowed().into_iter().collect::<Vec<_>>(), ["clock", "journal", "log", "random", "types"]);
    assert!(bare.capabilities.is_empty());
}

#[test]
fn a_path_covers_what_is_below_it_and_no_look_alike() {
    let mut site = Manifest::parse(STEP).unwrap().capabilities.http.remove(0);
    for (prefix, path, want) in [
        ("/v1/", "/v1/x", true),
        ("/v1/", "/v1/", true),
        ("/v1/", "/v1", false),
        ("/v1", "/v1", true),
        ("/v1", "/v1/x", true),
        ("/v1", "/v10", false),
        ("/v1", "/V1/x", false),
        ("/", "/anything", true),
    ] {
        site.paths = vec![prefix.to_owned()];
        assert_eq!(site.covers(HttpMethod::Post, path), want, "{prefix} {path}");
        assert!(!site.covers(HttpMethod::Get, path), "GET was not asked for");
    }
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    for (text, from, to) in [
        (STEP, "summary =", "sumary ="),
        (STEP, "effects =", "effect ="),
        (STEP, "[schema.output]", "[colour]\nx = 1\n[schema.output]"),
        (CHANNEL, "header =", "heder ="),
        (CHANNEL, "text = 4096", "txet = 4096"),
        (CHANNEL, "hours = 24", "days = 1"),
        (CHANNEL, "placements = [\"bearer\"]", "places = [\"bearer\"]"),
    ] {
        let error = spoil(text, from, to).unwrap_err();
        assert_eq!(error.code, "manifest.syntax", "{to}");
        assert!(error.message.contains("unknown field"), "{to}: {error}");
        let line = text.lines().position(|line| line.contains(from)).unwrap() + 1;
        assert_eq!(error.line, Some(line), "{to}");
        assert!(error.message.starts_with(&format!("line {line}: ")), "{error}");
    }
}

#[test]
fn what_reads_well_and_is_not_allowed_is_refused_under_its_code() {
    for (from, to, code) in [
        ("\"acme/sentiment\"", "\"sentiment\"", "manifest.id"),
        ("\"acme/sentiment\"", "\"Acme/sentiment\"", "manifest.id"),
        ("\"acme/sentiment\"", "\"acme/../x\"", "manifest.id"),
        ("\"1.0.0\"", "\"1.0\"", "manifest.version"),
        ("\"1.0.0\"", "\"1.00.0\"", "manifest.version"),
        ("\"1.0.0\"", "\"1.0.0-\"", "manifest.version"),
        ("/step@0.1.0", "/steps@0.1.0", "manifest.world"),
        ("/step@0.1.0", "/step@0.2.0", "manifest.world_version"),
        ("/step@0.1.0", "/step", "manifest.world_version"),
        ("Says how a message feels", "", "manifest.sentence"),
        ("asks the example service", "harmless\\u202Ereversed", "manifest.sentence"),
        ("asks the example service", "two\\nlines", "manifest.sentence"),
        ("asks the example service", "a\\u200Bb", "manifest.sentence"),
        ("\"contact\", why", "[], why", "manifest.scope"),
        ("[\"tag\", \"note\"]", "[]", "manifest.effects"),
        ("[\"chat\"]", "[]", "manifest.calls"),
        ("\"api.example.com\"", "\"*.example.com\"", "manifest.host"),
        ("\"api.example.com\"", "\"169.254.169.254\"", "manifest.host"),
        ("[\"POST\"]", "[]", "manifest.http"),
        ("[\"/v1/\"]", "[\"v1\"]", "manifest.http"),
        ("[\"/v1/\"]", "[\"/v1/../\"]", "manifest.http"),
        ("[\"/v1/\"]", "[\"/v1/%2e%2e/\"]", "manifest.http"),
        ("[\"/v1/\"]", "[]", "manifest.http"),
        ("[\"header\"]", "[]", "manifest.http"),
        ("\"example\"", "\"ex ample\"", "manifest.name"),
        ("input = { type = \"object\"", "input = { \"$ref\" = \"https://a.com/s\", type = \"object\"", "manifest.schema"),
        ("score = { type = \"number\" }", "score = { const = 2020-01-01 }", "manifest.schema"),
        (
            "config = { type = \"object\", properties = { threshold = { type = \"number\", default = 0.5 } } }",
            "config = 1",
            "manifest.schema",
        ),
        ("[schema]", "[window]\nhours = 24\n[schema]", "manifest.channel_only"),
        ("[schema]", "[[credentials]]\nslot = \"a\"\nwhy = \"b\"\n[schema]", "manifest.channel_only"),
        ("[\"POST\"]", "[\"post\"]", "manifest.syntax"),
        ("\"contact\", why", "\"everybody\", why", "manifest.syntax"),
    ] {
        assert_eq!(spoil(STEP, from, to).map_err(|e| e.code), Err(code), "{from} -> {to}");
    }
    for (from, to, code) in [
        ("[webhook]", "[capabilities]\nact = { why = \"x\" }\n[webhook]", "manifest.capabilities"),
        ("[webhook]", "[schema.input]\ntype = \"object\"\n[webhook]", "manifest.schema"),
        ("secret = \"app_secret\"", "secret = \"other\"", "manifest.credential"),
        ("token = \"verify_token\"", "token = \"app_secret\"", "manifest.credential"),
        ("token = \"verify_token\"", "token = \"other\"", "manifest.credential"),
        ("slot = \"app_secret\"", "slot = \"app_secret\"\noptional = true", "manifest.credential"),
        ("slot = \"app_secret\"", "slot = \"app_secret\"\nplacements = [\"query\"]", "manifest.credential"),
        ("slot = \"verify_token\"", "slot = \"app_secret\"", "manifest.credential"),
        ("placements = [\"bearer\"]", "placements = [\"path\"]", "manifest.credential"),
        ("\"media.parrot.example\"", "\"media.parrot.example/\"", "manifest.host"),
        ("\"x-parrot-delivery\"", "\"x-parrot-signature\"", "manifest.header"),
        ("\"x-parrot-delivery\"", "\"cookie\"", "manifest.header"),
        ("\"x-parrot-delivery\"", "\"X-Parrot-Delivery\"", "manifest.header"),
        ("\"X-Parrot-Signature\"", "\"X Parrot\"", "manifest.header"),
        ("4_194_304", "1_000_000_000", "manifest.body_limit"),
        ("4_194_304", "0", "manifest.body_limit"),
        ("hours = 24", "hours = 0", "manifest.window"),
        ("factor = 2.0", "factor = 0.5", "manifest.retry"),
        ("factor = 2.0", "factor = nan", "manifest.retry"),
        ("first = \"1s\"", "first = \"1d\"", "manifest.retry"),
        ("per_second = 80", "per_second = 0", "manifest.retry"),
        ("first = \"1s\"", "first = \"soon\"", "manifest.syntax"),
        ("\"hmac-sha256\"", "\"none\"", "manifest.syntax"),
        ("operations.set_profile", "operations.\"set profile\"", "manifest.name"),
    ] {
        assert_eq!(spoil(CHANNEL, from, to).map_err(|e| e.code), Err(code), "{from} -> {to}");
    }
}

#[test]
fn a_header_that_is_the_secret_itself_has_neither_prefix_nor_encoding() {
    let signed = "scheme = \"hmac-sha256\", header = \"X-Parrot-Signature\", prefix = \"sha256=\",";
    let with = |more: &str| spoil(CHANNEL, signed, &format!("scheme = \"secret-header\", header = \"X-Parrot-Token\",{more}"));
    let verify = with("").unwrap().webhook.unwrap().verify;
    assert_eq!((verify.scheme, verify.header.as_str()), (SignatureScheme::SecretHeader, "X-Parrot-Token"));
    for more in [" prefix = \"Token \",", " encoding = \"hex\","] {
        assert_eq!(with(more).map_err(|e| e.code), Err("manifest.verify"), "{more}");
    }
    let spelled = spoil(CHANNEL, "prefix = \"sha256=\",", "prefix = \"sha256=\", encoding = \"hex\",").unwrap();
    assert_eq!(spelled.webhook.unwrap().verify.encoding, Some(Encoding::Hex));
}

#[test]
fn a_channel_without_a_verification_is_refused() {
    let start = CHANNEL.find("verify =").unwrap();
    let end = start + CHANNEL[start..].find('\n').unwrap();
    let text = format!("{}{}", &CHANNEL[..start], &CHANNEL[end..]);
    let error = Manifest::parse(&text).unwrap_err();
    assert_eq!(error.code, "manifest.syntax");
    assert!(error.message.contains("verify"), "{error}");
}

#[test]
fn size_and_depth_are_bounded() {
    assert_eq!(Manifest::parse(&" ".repeat(MAX_BYTES + 1)).unwrap_err().code, "manifest.too_large");
    let deep = format!("{STEP}\n[schema.x]\ny = {}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(Manifest::parse(&deep).unwrap_err().code, "manifest.syntax");
}

#[test]
fn a_manifest_shown_as_json_reads_back_the_same() {
    for text in [CHANNEL, STEP] {
        let manifest = Manifest::parse(text).unwrap();
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
    }
}
