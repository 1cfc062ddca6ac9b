//! What types alone cannot say: names, sentences, hosts, schemas, and which tables belong to which kind of plugin.

use serde_json::Value;

use crate::channel::{CredentialSlot, PlacementKind, WebhookRules};
use crate::{Kind, Manifest, ManifestError, RetryRules, SignatureScheme, WORLD_VERSION, origin};

type Checked = Result<(), ManifestError>;

/// No header of these is ever handed to a plugin.
const NEVER_SHOWN: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Bytes that a webhook's body may be allowed to have.
const MAX_BODY: usize = 16 << 20;

fn no<T>(code: &'static str, message: impl Into<String>) -> Result<T, ManifestError> {
    Err(ManifestError::new(code, message))
}

pub(crate) fn manifest(m: &Manifest) -> Checked {
    plugin_id(&m.id)?;
    version(&m.version)?;
    let kind = world(&m.world)?;
    sentence("summary", &m.summary)?;
    capabilities(m)?;
    for (name, schema) in
        [("schema.input", &m.schema.input), ("schema.config", &m.schema.config), ("schema.output", &m.schema.output)]
    {
        json_schema(name, schema.as_ref())?;
    }
    if kind == Kind::Channel { channel(m) } else { not_a_channel(m, kind) }
}

/// `publisher/name`
fn plugin_id(id: &str) -> Checked {
    match id.split_once('/') {
        Some((publisher, name)) if word(publisher) && word(name) => Ok(()),
        _ => no(
            "manifest.id",
            format!(
                "`{}` is no id; write `publisher/name`, each of lower-case letters, digits and hyphens, beginning with a letter",
                id.escape_debug()
            ),
        ),
    }
}

fn word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Slots and operations: as a word, with `_`.
fn name(what: &str, text: &str) -> Checked {
    let good = (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if good {
        return Ok(());
    }
    no(
        "manifest.name",
        format!("{what} `{}`: a name has lower-case letters, digits, `_` and `-`, and begins with a letter", text.escape_debug()),
    )
}

fn version(text: &str) -> Checked {
    let (core, extra) = match text.find(['-', '+']).and_then(|at| text.split_at_checked(at)) {
        Some((core, extra)) => (core, extra.len() > 1 && extra.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b))),
        None => (text, true),
    };
    let number = |n: &str| n.bytes().all(|b| b.is_ascii_digit()) && n.parse::<u32>().is_ok() && (n == "0" || !n.starts_with('0'));
    if extra && text.len() <= 64 && core.split('.').count() == 3 && core.split('.').all(number) {
        return Ok(());
    }
    no("manifest.version", format!("`{}` is no version; write three numbers like `1.0.0`", text.escape_debug()))
}

/// Which world; only the version of the contract that this host speaks.
pub(crate) fn world(text: &str) -> Result<Kind, ManifestError> {
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let kind = match name {
        "pointsman:plugin/channel" => Kind::Channel,
        "pointsman:plugin/step" => Kind::Step,
        "pointsman:plugin/script" => Kind::Interpreter,
        _ => {
            return no(
                "manifest.world",
                format!(
                    "`{}` is no world; write `pointsman:plugin/step@{WORLD_VERSION}` or `pointsman:plugin/channel@{WORLD_VERSION}`",
                    text.escape_debug()
                ),
            );
        }
    };
    if version == WORLD_VERSION {
        return Ok(kind);
    }
    no(
        "manifest.world_version",
        format!(
            "this host speaks version {WORLD_VERSION} of the contract, the plugin `{}`; build it with a matching SDK",
            version.escape_debug()
        ),
    )
}

/// One visible line. An operator decides by these sentences: nothing in them may hide, reorder or imitate other lines.
fn sentence(what: &str, text: &str) -> Checked {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(hidden) {
        return no("manifest.sentence", format!("{what}: say it in one line of 1 to 200 visible characters"));
    }
    Ok(())
}

fn capabilities(m: &Manifest) -> Checked {
    let asks = &m.capabilities;
    if let Some(state) = &asks.state {
        sentence("capabilities.state.why", &state.why)?;
        if state.scopes().is_empty() {
            return no("manifest.scope", "capabilities.state.scope: name at least one of `conversation`, `contact`, `workspace`");
        }
    }
    if let Some(act) = &asks.act {
        sentence("capabilities.act.why", &act.why)?;
        if act.effects.as_ref().is_some_and(Vec::is_empty) {
            return no("manifest.effects", "capabilities.act.effects is empty; name the effects, or leave it out to ask for all");
        }
    }
    if let Some(model) = &asks.model {
        sentence("capabilities.model.why", &model.why)?;
        if model.calls.as_ref().is_some_and(Vec::is_empty) {
            return no(
                "manifest.calls",
                "capabilities.model.calls is empty; name `chat` or `embed`, or leave it out to ask for both",
            );
        }
    }
    let whys = [
        ("capabilities.conversation.why", asks.conversation.as_ref().map(|c| &c.why)),
        ("capabilities.knowledge.why", asks.knowledge.as_ref().map(|c| &c.why)),
    ];
    for (what, why) in whys {
        why.map_or(Ok(()), |why| sentence(what, why))?;
    }
    if asks.http.len() > 32 {
        return no("manifest.http", "capabilities.http names more than 32 hosts");
    }
    for site in &asks.http {
        origin::host(&site.host)?;
        sentence("capabilities.http.why", &site.why)?;
        if site.methods.is_empty() {
            return no("manifest.http", format!("capabilities.http for {}: name at least one method", site.host));
        }
        let plain = |path: &String| {
            path.starts_with('/')
                && !path.contains("..")
                && !path.contains("//")
                && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\%".contains(&b))
        };
        if site.paths.is_empty() || !site.paths.iter().all(plain) {
            return no(
                "manifest.http",
                format!(
                    "capabilities.http for {}: a path begins with `/` and has no `..`, `//`, `%`, query or fragment",
                    site.host
                ),
            );
        }
        if let Some(slot) = &site.credential {
            name("capabilities.http.credential", slot)?;
        }
        if site.placements.is_empty() {
            return no(
                "manifest.http",
                format!("capabilities.http for {}: `placements` is empty; leave it out for a bearer token", site.host),
            );
        }
    }
    Ok(())
}

/// A schema is an object that points only into itself: nothing is ever fetched to check a value.
fn json_schema(what: &str, schema: Option<&Value>) -> Checked {
    match schema {
        None => Ok(()),
        Some(Value::Object(_)) => schema.map_or(Ok(()), |schema| no_far_reference(what, schema)),
        Some(_) => no("manifest.schema", format!("{what}: a JSON Schema is a table like `{{ type = \"object\" }}`")),
    }
}

fn no_far_reference(what: &str, value: &Value) -> Checked {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let reference = matches!(key.as_str(), "$ref" | "$dynamicRef");
                if reference && value.as_str().is_some_and(|to| !to.starts_with('#')) {
                    return no("manifest.schema", format!("{what}: `{key}` may only point into the same schema (`#/...`)"));
                }
                if key == "$__toml_private_datetime" {
                    return no("manifest.schema", format!("{what}: JSON has no dates; put it in quotes"));
                }
                no_far_reference(what, value)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| no_far_reference(what, item)),
        _ => Ok(()),
    }
}

fn not_a_channel(m: &Manifest, kind: Kind) -> Checked {
    for (table, there) in [
        ("[webhook]", m.webhook.is_some()),
        ("[[credentials]]", !m.credentials.is_empty()),
        ("[limits]", m.limits != crate::MessageLimits::default()),
        ("[window]", m.window.is_some()),
        ("[retry]", m.retry != RetryRules::default()),
        ("[operations]", !m.operations.is_empty()),
    ] {
        if there {
            let cure = if table == "[[credentials]]" {
                "a step names its secret in `capabilities.http`: `credential = \"name\"`"
            } else {
                "leave it out"
            };
            return no("manifest.channel_only", format!("{table} is for channels and this is a {kind}; {cure}"));
        }
    }
    Ok(())
}

fn channel(m: &Manifest) -> Checked {
    if !m.capabilities.is_empty() {
        return no(
            "manifest.capabilities",
            "a channel has no capabilities: it says which request to make and the host makes it; leave [capabilities] out",
        );
    }
    if m.schema.input.is_some() || m.schema.output.is_some() {
        return no("manifest.schema", "a channel has only schema.config, the settings of one account");
    }
    credentials(&m.credentials)?;
    if let Some(rules) = &m.webhook {
        webhook(rules, &m.credentials)?;
    }
    if m.window.is_some_and(|window| window.hours == 0) {
        return no("manifest.window", "window.hours is 0; leave [window] out when there is none");
    }
    let r = &m.retry;
    if !r.factor.is_finite() || !(1.0..=10.0).contains(&r.factor) || r.max > 50 || r.first > r.cap || r.cap > 86_400_000 {
        return no(
            "manifest.retry",
            "retry: `factor` is 1 to 10, `max` at most 50, `first` not above `cap`, `cap` at most a day",
        );
    }
    if r.per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return no("manifest.retry", "retry.per_second must be above 0");
    }
    for (operation, about) in &m.operations {
        name("operation", operation)?;
        sentence(&format!("operations.{operation}.summary"), &about.summary)?;
        json_schema("operations.input", about.input.as_ref())?;
        json_schema("operations.output", about.output.as_ref())?;
    }
    Ok(())
}

fn credentials(slots: &[CredentialSlot]) -> Checked {
    let mut seen = Vec::new();
    for slot in slots {
        name("credential", &slot.slot)?;
        sentence(&format!("credentials.{}.why", slot.slot), &slot.why)?;
        if seen.contains(&&slot.slot) {
            return no("manifest.credential", format!("credential `{}` is there twice", slot.slot));
        }
        seen.push(&slot.slot);
        slot.hosts.iter().try_for_each(|host| origin::host(host))?;
        if slot.hosts.is_empty() && !slot.placements.is_empty() {
            return no(
                "manifest.credential",
                format!(
                    "credential `{}` has placements and no hosts; name the hosts to which it may go, or leave both out",
                    slot.slot
                ),
            );
        }
        if slot.placements.contains(&PlacementKind::Path) && slot.hosts.len() > 1 {
            return no("manifest.credential", format!("credential `{}` stands in the path: pin it to one host", slot.slot));
        }
    }
    Ok(())
}

fn webhook(rules: &WebhookRules, slots: &[CredentialSlot]) -> Checked {
    let declared = |what: &str, wanted: &str| match slots.iter().find(|slot| slot.slot == wanted) {
        Some(slot) if slot.optional => {
            no("manifest.credential", format!("{what} = \"{wanted}\" cannot be optional: without it nothing could be verified"))
        }
        Some(_) => Ok(()),
        None => no("manifest.credential", format!("{what} = \"{}\" is not among [[credentials]]", wanted.escape_debug())),
    };
    declared("webhook.verify.secret", &rules.verify.secret)?;
    if let Some(handshake) = &rules.handshake {
        declared("webhook.handshake.token", &handshake.token)?;
        if handshake.token == rules.verify.secret {
            return no("manifest.credential", "the handshake's token travels in URLs: it must not be the signing secret");
        }
    }
    header_name("webhook.verify.header", &rules.verify.header)?;
    let unsigned = rules.verify.scheme == SignatureScheme::SecretHeader;
    if unsigned && (!rules.verify.prefix.is_empty() || rules.verify.encoding.is_some()) {
        return no(
            "manifest.verify",
            "webhook.verify: with `secret-header` the header is the secret itself; leave `prefix` and `encoding` out",
        );
    }
    if rules.verify.prefix.len() > 64 || !rules.verify.prefix.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return no("manifest.header", "webhook.verify.prefix: at most 64 visible ASCII characters");
    }
    for header in &rules.headers {
        header_name("webhook.headers", header)?;
        if header.bytes().any(|b| b.is_ascii_uppercase()) {
            return no("manifest.header", format!("webhook.headers: write `{header}` in lower case"));
        }
        if NEVER_SHOWN.contains(&header.as_str()) || header.eq_ignore_ascii_case(&rules.verify.header) {
            return no("manifest.header", format!("webhook.headers: `{header}` is never shown to a plugin; leave it out"));
        }
    }
    if !(1..=MAX_BODY).contains(&rules.body_limit) {
        return no("manifest.body_limit", format!("webhook.body_limit: 1 to {MAX_BODY} bytes"));
    }
    Ok(())
}

fn header_name(what: &str, text: &str) -> Checked {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if (1..=64).contains(&text.len()) && text.bytes().all(token) {
        return Ok(());
    }
    no("manifest.header", format!("{what}: `{}` is no name of a header", text.escape_debug()))
}
