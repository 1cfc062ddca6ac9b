//! Where secrets come from: the environment or standard input, never an argument that a process list would show.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context as _, Result, bail};
use pointsman_manifest::Manifest;
use pointsman_vault::fresh_secret;
use secrecy::SecretString;

fn variable(slot: &str) -> String {
    format!("POINTSMAN_SECRET_{}", slot.to_uppercase().replace('-', "_"))
}

/// The secret of a slot, where the environment has it.
#[expect(clippy::disallowed_methods, reason = "secrets come from the environment, and are read only here")]
pub(in crate::cli) fn from_environment(slot: &str) -> Option<SecretString> {
    std::env::var(variable(slot)).ok().map(SecretString::from)
}

/// One secret: from its variable, or the first line of standard input.
pub(in crate::cli) fn one_secret(slot: &str) -> Result<SecretString> {
    if let Some(secret) = from_environment(slot) {
        return Ok(secret);
    }
    let mut line = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().lock().read_line(&mut line).context("standard input")?;
    }
    match line.trim() {
        "" => bail!("missing: {slot}. Give it in its variable ({}) or on standard input", variable(slot)),
        secret => Ok(SecretString::from(secret.to_owned())),
    }
}

/// One secret for every slot of the manifest.
pub(super) fn secrets(manifest: &Manifest, given: Option<&[(String, SecretString)]>) -> Result<Vec<(String, SecretString)>> {
    if let Some(given) = given {
        return Ok(given.to_vec());
    }
    let mut found = Vec::new();
    for slot in &manifest.credentials {
        found.extend(from_environment(&slot.slot).map(|secret| (slot.slot.clone(), secret)));
    }
    let missing = |found: &[(String, SecretString)]| -> Vec<String> {
        let wanted = manifest.credentials.iter().filter(|s| !s.optional && !s.generate).map(|s| s.slot.clone());
        wanted.filter(|slot| !found.iter().any(|(have, _)| have == slot)).collect()
    };
    if !missing(&found).is_empty() && !std::io::stdin().is_terminal() {
        for line in std::io::stdin().lock().lines() {
            let line = line.context("standard input")?;
            if let Some((slot, value)) = line.split_once('=') {
                found.push((slot.trim().to_owned(), SecretString::from(value.trim().to_owned())));
            }
        }
    }
    for slot in manifest.credentials.iter().filter(|s| s.generate) {
        if !found.iter().any(|(have, _)| *have == slot.slot) {
            found.push((slot.slot.clone(), fresh_secret()?));
        }
    }
    match missing(&found).as_slice() {
        [] => Ok(found),
        slots => bail!(
            "missing: {}. Give each in its variable ({}) or on standard input as lines slot=value",
            slots.join(", "),
            slots.iter().map(|s| variable(s)).collect::<Vec<_>>().join(", ")
        ),
    }
}
