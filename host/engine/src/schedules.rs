//! Schedules: at each moment of one a fact is kept, in the name of its workflow and of that moment. Whichever host finds it due
//! first keeps it, and it is kept once; after a time without any host the last moment that was missed is made up for, unless
//! it is too late: then it is kept all the same, and ends by the rule [`MISSED`](pointsman_core::trigger::MISSED).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::{Instant, Millis};
use pointsman_core::event::{Cause, Event, EventBody, Internal};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::trigger::{Only, Schedule};
use pointsman_store::{Intake, Parsed, StoreError};
use serde_json::json;

use crate::Engine;
use crate::workflows::Routes;

/// How often the clock is looked at.
const BEAT: Duration = Duration::from_millis(500);

/// How long it is known for certain that a moment was kept.
const KNOWN: Millis = 8 * 86_400_000;

/// A schedule: its workspace, its workflow, itself.
type Name = (WorkspaceId, Arc<str>, Schedule);

/// When each schedule is looked at again. Another version of a workflow with the same schedule goes on with it.
#[derive(Debug, Default)]
struct Next(HashMap<Name, Instant>);

impl Engine {
    /// Looks for moments that have come, until the house closes.
    pub(crate) async fn keep_schedules(self) {
        let mut next = Next::default();
        let mut beats = tokio::time::interval(BEAT);
        loop {
            beats.tick().await;
            if self.closing() {
                return;
            }
            match self.moments_now(&mut next).await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "a moment of a schedule could not be kept; it is tried again"),
            }
        }
    }

    async fn moments_now(&self, next: &mut Next) -> Result<(), StoreError> {
        let now = self.clock.now();
        let all = self.catalog.all_routes();
        next.0.retain(|name, _| {
            all.iter().any(|(ws, routes)| *ws == name.0 && schedules(routes).any(|(w, s)| *w == name.1 && *s == name.2))
        });
        for (workspace, routes) in &all {
            for (workflow, schedule) in schedules(routes) {
                let name = (*workspace, Arc::clone(workflow), schedule.clone());
                if next.0.get(&name).is_some_and(|next| *next > now) {
                    continue;
                }
                let zone = &routes.workspace.time_zone;
                if let Some(last) = schedule.last(now, zone) {
                    let since = routes.since.get(workflow).copied().unwrap_or(now).max(now - KNOWN);
                    if last > since {
                        self.moment(*workspace, workflow, schedule, last, now).await?;
                    }
                }
                next.0.insert(name, schedule.after(now, zone).unwrap_or(Instant::MAX));
            }
        }
        Ok(())
    }

    /// Keeps a moment, unless it is known.
    async fn moment(
        &self,
        ws: WorkspaceId,
        name: &str,
        schedule: &Schedule,
        at: Instant,
        now: Instant,
    ) -> Result<(), StoreError> {
        let late = now - at > schedule.catch_up;
        let internal = Internal {
            cause: Cause::Schedule,
            name: name.to_owned(),
            data: json!({ "cron": schedule.cron, "moment": at }),
            marked: false,
            hops: 1,
        };
        let event = Event {
            dedupe_key: format!("schedule:{name}:{at}"),
            account: None,
            thread: None,
            sender: None,
            at,
            trigger: !late,
            body: EventBody::Internal(internal),
            extra: None,
        };
        let ticket = self.feed.ticket();
        let intake = Intake { workspace: ws, channel: Id(0), at: now, raw: Vec::new(), parsed: Parsed::Events(vec![event]) };
        let kept = self.store.intake(intake).await?;
        if late && kept.webhook.is_some() {
            tracing::warn!(workflow = name, moment = at, "a moment of a schedule was missed, and it is too late for it now");
        }
        self.enqueue(kept, ticket);
        Ok(())
    }
}

fn schedules(routes: &Routes) -> impl Iterator<Item = (&Arc<str>, &Schedule)> {
    routes.workflows.iter().flat_map(|workflow| {
        workflow.on.iter().filter_map(|trigger| match &trigger.only {
            Only::Moments(schedule) => Some((&workflow.name, schedule)),
            _ => None,
        })
    })
}
