//! T4: a secret lies in one guest's memory; the next guest looks for it in all of its own, and in everything it is told.

use anyhow::{Result, ensure};
use pointsman_core::ports::{Outcome, StepEnd};
use serde_json::{Value, json};

use super::rig::Rig;

/// Pages of 64 KiB that a guest asks for before it looks: those that an earlier one may have had.
const PAGES: u32 = 16;

fn secret(n: usize) -> String {
    format!("canary-{n:08}-{:016x}", (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// With the lowest bit of each byte turned over, so that the one who looks does not find his own question.
fn turned(text: &str) -> String {
    text.bytes().map(|byte| char::from(byte ^ 1)).collect()
}

fn output(end: &StepEnd) -> Result<&Value> {
    match &end.result {
        Ok(Outcome::Done(value)) => Ok(value),
        other => anyhow::bail!("{other:?}"),
    }
}

/// In fresh memories of a stranger's plugin, of the same workspace and of another.
pub async fn fresh(rig: &Rig, count: usize) -> Result<()> {
    // The look can find something: its own words, when they are told to it plainly.
    let own = json!({"do": "search", "needle": turned(&secret(0)), "grow": PAGES, "plain": secret(0)});
    ensure!(output(&rig.hostile(1, own).await)?.as_u64() > Some(0), "the search finds nothing at all");
    for n in 1..=count {
        let secret = secret(n);
        let left = rig.hostile(1, json!({"do": "remember", "text": secret})).await;
        ensure!(output(&left)? == &json!(""), "an earlier call left {:?}", left.result);
        let looks =
            rig.hostile(1 + i64::from(n % 2 == 0), json!({"do": "search", "needle": turned(&secret), "grow": PAGES})).await;
        ensure!(output(&looks)? == &json!(0), "{secret} was found in the memory of another guest");
        ensure!(!format!("{looks:?}").contains(&secret), "{secret} was told to another guest");
    }
    Ok(())
}

/// In warm interpreters: two conversations of one workspace run the same script by turns, and it tries to keep what it saw.
pub async fn warm(rig: &Rig, count: usize) -> Result<()> {
    const SCRIPT: &str = r#"
        fn remembered() { try { return kept; } catch { return ""; } }
        let seen = remembered();
        if is_def_var("kept") { seen += kept; }
        if is_def_fn("keep", 0) { seen += "a function"; }
        let kept = secret;
        [seen, kept]
    "#;
    for n in 0..count {
        let secret = secret(n);
        let end = rig.script(1, SCRIPT, json!({ "secret": secret })).await;
        ensure!(output(&end)? == &json!(["", secret]), "a script was told what another conversation left: {end:?}");
    }
    Ok(())
}
