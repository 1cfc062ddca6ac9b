//! Small functions of our own: time, chance, log, and the few of rhai's that must do the same here and in expressions.

use rhai::{Array, Dynamic, Engine, FuncRegistration, ImmutableString, Map};

use crate::bindings::pointsman::plugin::log::Level;
use crate::engine::log;
use crate::failure::wrong;
use crate::leg::{self, Given};

/// Bytes of a text, as the engine allows.
const TEXT: usize = 64 << 10;

/// Registers them.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("now", leg::now);
    engine.register_fn("random", || i64::try_from(leg::random() >> 1).unwrap_or(i64::MAX));
    engine.register_fn("random", |below: i64| random_below(below));
    engine.register_fn("pick", |list: Array| -> Dynamic {
        let count = u64::try_from(list.len()).unwrap_or(0);
        if count == 0 {
            return Dynamic::UNIT;
        }
        usize::try_from(leg::random() % count).ok().and_then(|at| list.get(at)).cloned().unwrap_or_default()
    });
    engine.register_fn("iso_time", |millis: i64| rfc3339(millis));
    engine.register_fn("log", |text: ImmutableString| log(Level::Info, &text));
    engine.register_fn("log", |value: Map| log(Level::Info, &Dynamic::from_map(value).to_string()));
    engine.register_fn("log", |value: Array| log(Level::Info, &Dynamic::from_array(value).to_string()));
    engine.register_fn("log", |level: ImmutableString, text: ImmutableString| -> Given<()> {
        let level = match level.as_str() {
            "debug" => Level::Debug,
            "info" => Level::Info,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => return Err(wrong("`log` knows the levels debug, info, warn and error")),
        };
        log(level, &text);
        Ok(())
    });
    // rhai's change their text in place and give nothing. These do that too, and give the new text, so that
    // `event.text.trim()` means the same here and in an expression. `pure`: they may be called on a constant.
    FuncRegistration::new("trim").in_global_namespace().with_purity(true).register_into_engine(
        engine,
        |text: &mut ImmutableString| -> ImmutableString {
            *text = text.trim().into();
            text.clone()
        },
    );
    FuncRegistration::new("replace").in_global_namespace().with_purity(true).register_into_engine(
        engine,
        |text: &mut ImmutableString, find: ImmutableString, with: ImmutableString| -> Given<ImmutableString> {
            if find.is_empty() {
                return Err(wrong("`replace` needs something to look for"));
            }
            let size = text.len().saturating_add(text.matches(find.as_str()).count().saturating_mul(with.len()));
            if size > TEXT {
                return Err(wrong("`replace` would make this text too long"));
            }
            *text = text.replace(find.as_str(), &with).into();
            Ok(text.clone())
        },
    );
    engine.register_fn("join", join);
    engine.register_fn("get", |list: Array, index: i64| -> Dynamic {
        let from_end = || list.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
        let at = if index < 0 { from_end() } else { usize::try_from(index).ok() };
        at.and_then(|at| list.get(at)).cloned().unwrap_or_default()
    });
    engine.register_fn("get", |map: Map, name: ImmutableString| map.get(name.as_str()).cloned().unwrap_or_default());
}

fn random_below(below: i64) -> Given<i64> {
    match u64::try_from(below) {
        Ok(below) if below > 0 => Ok(i64::try_from(leg::random() % below).unwrap_or(0)),
        _ => Err(wrong("`random` takes a number above 0")),
    }
}

fn join(list: Array, between: ImmutableString) -> Given<ImmutableString> {
    let mut out = String::new();
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(&between);
        }
        if item.is_array() || item.is_map() {
            return Err(wrong("`join` takes an array of texts and numbers"));
        }
        out.push_str(&item.to_string());
        if out.len() > TEXT {
            return Err(wrong("`join` would make this text too long"));
        }
    }
    Ok(out.into())
}

/// `2026-01-31T09:05:00.000Z`. Days to a date after Howard Hinnant's `civil_from_days`.
pub(crate) fn rfc3339(millis: i64) -> String {
    let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s, ms) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

/// `90s`, `10m`, `2h`, `1d`, `2w`, or a number of seconds, in milliseconds.
pub(crate) fn duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let factor = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
