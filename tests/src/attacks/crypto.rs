//! T7 and T8: envelopes that were moved or whose nonce came twice, and webhooks that are signed nearly right.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pointsman_broker::{Broker, EgressConfig, StoredCredential};
use pointsman_manifest::{SignatureScheme, VerifyScheme};
use pointsman_vault::{Aad, CredentialPlace, KeyKind, KeyName, Keyring, SecretString};

use super::Proved;
use crate::proof::Dice;

/// The tables that hold sealed bodies.
const TABLES: [&str; 6] = ["event", "run", "send", "state", "conversation", "webhook"];

/// T7: as many envelopes of one key: no nonce twice. As many moves of one to another workspace, table, row, owner or key: none
/// opens.
pub fn envelopes(count: usize) -> Proved {
    let vault = Keyring::generate()?.content();
    let name = KeyName { workspace: 1, kind: KeyKind::Contact, id: 7 };
    let (key, other) = (vault.new_key(name)?.0, vault.new_key(KeyName { id: 8, ..name })?.0);
    let (mut seen, mut dice) = (HashSet::with_capacity(count), Dice::new(7));
    let (mut doubled, mut opened, mut moved) = (0, 0, 0);
    for n in 0..count {
        let row = i64::try_from(n)?;
        let place = Aad { workspace: 1, table: "event", row, owner: 7 };
        let sealed = key.seal(&place, b"words")?;
        let nonce: [u8; 12] = sealed.get(6..18).and_then(|nonce| nonce.try_into().ok()).context("a nonce")?;
        doubled += usize::from(!seen.insert(nonce));
        let far = i64::try_from(dice.below(1 << 40))? + 1;
        let table = TABLES.get(1 + usize::try_from(dice.below(5))?).context("a table")?;
        let elsewhere = match dice.below(5) {
            0 => Aad { workspace: 1 + far, ..place },
            1 => Aad { row: row + far, ..place },
            2 => Aad { owner: 7 + far, ..place },
            3 => Aad { table, ..place },
            // Two fields that exchange their values, where they differ.
            _ => Aad { row: 7, owner: row + 8, ..place },
        };
        moved += 2;
        opened += usize::from(key.open(&elsewhere, &sealed).is_ok()) + usize::from(other.open(&place, &sealed).is_ok());
        ensure!(n % 1_000 > 0 || key.open(&place, &sealed).is_ok_and(|plain| plain.as_slice() == b"words"), "it opens at home");
    }
    Ok((format!("{count} nonces, {doubled} twice; {moved} moves, {opened} opened"), doubled == 0 && opened == 0))
}

fn sign(secret: &[u8], body: &[u8]) -> Result<String> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret)?;
    mac.update(body);
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// T8: webhooks that are signed nearly right, one in ten rightly.
pub async fn signatures(count: usize) -> Proved {
    const SECRET: &str = "app-secret-of-t8";
    let (sealer, opener) = Keyring::generate()?.credential_vault();
    let broker = Broker::new(opener, &EgressConfig::default())?;
    let place = CredentialPlace { workspace: 1, owner: 1, slot: "app_secret".to_owned(), hosts: Vec::new() };
    let sealed = sealer.seal(&place, &SecretString::from(SECRET))?;
    let secret = StoredCredential { workspace: 1, owner: 1, slot: place.slot, hosts: Vec::new(), sealed };
    let scheme = VerifyScheme {
        scheme: SignatureScheme::HmacSha256,
        header: "x-hub-signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        secret: "app_secret".to_owned(),
        encoding: None,
    };
    let mut dice = Dice::new(8);
    let (mut forged, mut right, mut accepted, mut refused) = (0, 0, 0, 0);
    for n in 0..count {
        let mut body = format!("{{\"n\":{n},\"text\":\"{:x}\"}}", dice.below(u64::MAX)).into_bytes();
        let good = sign(SECRET.as_bytes(), &body)?;
        let mut values = vec![good.clone()];
        let good_one = n % 10 == 0;
        if !good_one {
            spoil(&mut dice, &mut values, &mut body, &good)?;
        }
        let headers: Vec<(String, String)> = values.into_iter().map(|value| (scheme.header.clone(), value)).collect();
        let passed = broker.verify(&scheme, Some(&secret), &headers, &body).await?;
        if good_one {
            right += 1;
            refused += usize::from(!passed);
        } else {
            forged += 1;
            accepted += usize::from(passed);
        }
    }
    let seen = format!("{forged} forged, {accepted} accepted; {right} right, {refused} refused");
    Ok((seen, accepted == 0 && refused == 0))
}

/// Makes a signature wrong, or what it stands for.
fn spoil(dice: &mut Dice, values: &mut Vec<String>, body: &mut Vec<u8>, good: &str) -> Result<()> {
    let mut pick = |end: usize| usize::try_from(dice.below(end as u64)).unwrap_or(0);
    let digits = good.len() - 7;
    match pick(10) {
        // One digit is another one.
        0 | 1 => {
            let at = 7 + pick(digits);
            let digit = u32::from_str_radix(good.get(at..=at).context("a digit")?, 16)?;
            let other = char::from_digit((digit + 1 + u32::try_from(pick(15))?) % 16, 16).context("a digit")?;
            let changed = good.char_indices().map(|(n, c)| if n == at { other } else { c }).collect();
            *values = vec![changed];
        }
        2 => *values = vec![good.get(..7 + pick(digits)).context("a beginning")?.to_owned()],
        3 => *values = vec![format!("{good}{:02x}", pick(256))],
        4 => values.push(good.to_owned()),
        5 => *values = vec![sign(format!("another-{}", pick(1 << 20)).as_bytes(), body)?],
        6 => {
            *values =
                vec![good.replace("sha256=", ["sha1=", "SHA256=", "sha256 =", "", "sha256=0x"].get(pick(5)).context("a form")?)]
        }
        // A bit of the body is another one, or a byte is more or less.
        7 => {
            let at = pick(body.len());
            *body.get_mut(at).context("a byte")? ^= 1 << pick(8);
        }
        8 => {
            body.insert(pick(body.len()), b' ');
        }
        _ => {
            body.remove(pick(body.len()));
        }
    }
    Ok(())
}
