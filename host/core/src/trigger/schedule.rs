//! The moments of a schedule: a cron pattern on the clocks of a place. Where the clocks go forward, a time that does not exist
//! comes at the next moment that does; where they go back, a time that comes twice comes once. Patterns that go by the minute
//! or the hour (`*/10 * * * *`) go on evenly through both.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Millis};

/// How late a moment may run when nothing is said: an hour.
pub const CATCH_UP: Millis = 3_600_000;

/// A schedule as it was written and found good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// IANA time zone; absent: the workspace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How late a moment that was missed still runs.
    pub catch_up: Millis,
}

impl Schedule {
    /// Why a pattern is none.
    pub fn check(cron: &str) -> Result<(), String> {
        let found = Self { cron: cron.to_owned(), time_zone: None, catch_up: CATCH_UP };
        parse(cron)?;
        found.after(0, "UTC").map(drop).ok_or_else(|| "it never comes".to_owned())
    }

    /// Whether a time zone is known.
    #[must_use]
    pub fn knows_zone(name: &str) -> bool {
        TimeZone::get(name).is_ok()
    }

    /// The first moment after this one. `None`: there is none any more.
    #[must_use]
    pub fn after(&self, now: Instant, workspace: &str) -> Option<Instant> {
        let (cron, now) = self.here(now, workspace)?;
        let next = cron.find_next_occurrence(&now, false).ok()?;
        Some(next.timestamp().as_millisecond())
    }

    /// The last moment that has come, this one included.
    #[must_use]
    pub fn last(&self, now: Instant, workspace: &str) -> Option<Instant> {
        let (cron, now) = self.here(now, workspace)?;
        let last = cron.find_previous_occurrence(&now, true).ok()?;
        Some(last.timestamp().as_millisecond())
    }

    fn here(&self, now: Instant, workspace: &str) -> Option<(Cron, Zoned)> {
        let name = self.time_zone.as_deref().unwrap_or(workspace);
        let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
        Some((parse(&self.cron).ok()?, Timestamp::from_millisecond(now).ok()?.to_zoned(zone)))
    }
}

fn parse(cron: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(cron).map_err(|error| error.to_string())
}
