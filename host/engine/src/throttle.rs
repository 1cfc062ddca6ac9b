//! Not faster than somebody outside can bear. A provider that said "too many" gets the sends of that account, for a while, at the
//! pace that its manifest names, and those of that person apart from each other; until it says so they leave as fast as they are
//! decided, for what an account may send grows with it and only the provider knows. What steps ask of servers is bounded from the
//! start, by workspace and place: the attacks that stop here are a step that asks one server a thousand times a second in the name
//! of this house, and steps that wait by the dozen for a server which never answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use pointsman_core::clock::{Instant, Millis};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::Pace;
use pointsman_core::ports::{HttpRequest, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// For how long a provider that said "too many" is spared.
const SPARED: Millis = 60_000;

/// Those of whom a provider said "too many": accounts, and people on the other side of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Spared(Mutex<HashMap<Id, Slow>>);

/// One of them.
#[derive(Debug)]
struct Slow {
    until: Instant,
    /// Milliseconds between two sends.
    apart: f64,
    /// When the next one may leave.
    next: f64,
}

impl Spared {
    /// The provider said "too many" about a send of this account to this person.
    pub(crate) fn told(&self, account: Id, person: Option<Id>, pace: Pace, now: Instant) {
        let by_account = pace.per_second.map(|rate| (account, 1_000.0 / rate));
        let by_person = person.zip(pace.per_peer).map(|(person, apart)| (person, apart as f64));
        let mut spared = self.0.lock();
        spared.retain(|_, slow| !slow.over(now));
        for (who, apart) in by_account.into_iter().chain(by_person) {
            let slow = spared.entry(who).or_insert(Slow { until: 0, apart, next: now as f64 + apart });
            (slow.until, slow.apart) = (now + SPARED, apart);
        }
    }

    /// Takes the turn of a send: not before this moment. Turns come in the order in which they are taken.
    pub(crate) fn turn(&self, account: Id, person: Option<Id>, now: Instant) -> Instant {
        let mut spared = self.0.lock();
        let turns = [Some(account), person].into_iter().flatten().filter_map(|who| spared.get_mut(&who)?.turn(now));
        turns.max().unwrap_or(now)
    }

    /// Whether a send has to wait for its turn.
    pub(crate) fn waits(&self, account: Id, person: Id, now: Instant) -> bool {
        let spared = self.0.lock();
        [account, person].iter().any(|who| spared.get(who).is_some_and(|slow| !slow.over(now)))
    }
}

impl Slow {
    /// Whether the time is over, and nobody waits any more.
    fn over(&self, now: Instant) -> bool {
        now >= self.until && self.next <= now as f64
    }

    fn turn(&mut self, now: Instant) -> Option<Instant> {
        if self.over(now) {
            return None;
        }
        let turn = self.next.max(now as f64);
        self.next = turn + self.apart;
        Some(turn.ceil() as Instant)
    }
}

/// How much the steps of one workspace may ask of one place.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// Requests under way at once; more wait.
    pub at_once: usize,
    /// Requests in a second, with as many at once; more are refused. 0: as many as there are.
    pub a_second: u32,
}

/// The places that steps ask.
#[derive(Debug)]
pub(crate) struct Places {
    asking: Asking,
    known: Cache<(WorkspaceId, String), Arc<Asked>>,
}

#[derive(Debug)]
struct Asked {
    at_once: Arc<Semaphore>,
    /// Requests that may be made now, and when that was so.
    left: Mutex<(f64, Instant)>,
}

impl Places {
    pub(crate) fn new(asking: Asking) -> Self {
        Self { asking, known: Cache::new(10_000) }
    }

    /// Leave to make a request, for as long as it is held. Waits for it no longer than `patience`.
    pub(crate) async fn enter(
        &self,
        workspace: WorkspaceId,
        request: &HttpRequest,
        now: Instant,
        patience: Duration,
    ) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        // What is no address is refused where addresses are read.
        let Some(place) = Url::parse(&request.url).ok().and_then(|url| place(&url)) else { return Ok(None) };
        let asked = self.known.get_with_by_ref(&(workspace, place.clone()), || self.fresh(now));
        if !asked.may(self.asking.a_second, now) {
            let most = self.asking.a_second;
            return Err(Refusal::Unavailable(format!(
                "http.rate: this workspace asks {place} more than {most} times a second; ask less often, or more in `[egress] a_second`"
            )));
        }
        match tokio::time::timeout(patience, Arc::clone(&asked.at_once).acquire_owned()).await {
            Ok(leave) => Ok(leave.ok()),
            Err(_) => Err(Refusal::Unavailable(format!(
                "http.busy: {} requests of this workspace wait for {place}, which does not answer in time; try again later, or allow \
                 more in `[egress] at_once`",
                self.asking.at_once
            ))),
        }
    }

    fn fresh(&self, now: Instant) -> Arc<Asked> {
        let at_once = Arc::new(Semaphore::new(self.asking.at_once.max(1)));
        Arc::new(Asked { at_once, left: Mutex::new((f64::from(self.asking.a_second), now)) })
    }
}

impl Asked {
    fn may(&self, a_second: u32, now: Instant) -> bool {
        if a_second == 0 {
            return true;
        }
        let (most, mut left) = (f64::from(a_second), self.left.lock());
        let gained = (now - left.1).max(0) as f64 * most / 1_000.0;
        *left = ((left.0 + gained).min(most), now.max(left.1));
        let may = left.0 >= 1.0;
        if may {
            left.0 -= 1.0;
        }
        may
    }
}

/// Host and port.
fn place(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { per_second: Some(80.0), per_peer: Some(1_000) };

    #[test]
    fn an_account_is_slow_for_a_minute_after_its_provider_said_too_many_and_a_person_on_top() {
        let (spared, account, ana, ben) = (Spared::default(), Id(1), Id(2), Id(3));
        assert!(!spared.waits(account, ana, 0) && spared.turn(account, Some(ana), 0) == 0, "nobody said anything");
        spared.told(account, Some(ana), PACE, 0);
        assert!(spared.waits(account, ben, 0) && !spared.waits(Id(9), ben, 0), "another account is not concerned");
        // 80 a second; hers a second apart.
        assert_eq!([(); 3].map(|()| spared.turn(account, Some(ben), 0)), [13, 25, 38]);
        assert_eq!([(); 2].map(|()| spared.turn(account, Some(ana), 0)), [1_000, 2_000]);
        // What was not used is not saved.
        assert_eq!([(); 2].map(|()| spared.turn(account, Some(ben), 30_000)), [30_000, 30_013]);
        assert!(spared.waits(account, ben, 59_999) && !spared.waits(account, ana, 60_000));
        assert_eq!(spared.turn(account, Some(ana), 60_000), 60_000);
        // Those who wait when the minute ends keep their order.
        spared.told(account, None, PACE, 70_000);
        assert!((0..80 * 70).all(|_| spared.turn(account, None, 70_000) > 70_000));
        assert!(spared.turn(account, None, 131_000) > 139_000);
        spared.told(Id(4), None, PACE, 200_000);
        assert_eq!(spared.0.lock().len(), 1, "who is over is forgotten");
    }

    #[test]
    fn a_provider_that_names_no_pace_is_not_spared() {
        let spared = Spared::default();
        spared.told(Id(1), Some(Id(2)), Pace::default(), 0);
        assert!(!spared.waits(Id(1), Id(2), 0));
    }

    fn to(url: &str) -> HttpRequest {
        HttpRequest {
            method: pointsman_core::ports::Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: pointsman_core::ports::Body::None,
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        }
    }

    #[tokio::test]
    async fn a_place_is_asked_so_often_and_so_much_at_once_by_each_workspace() {
        let places = Places::new(Asking { at_once: 2, a_second: 5 });
        let (shop, other, patience) = (Id(1), Id(2), Duration::from_millis(20));
        let (here, there) = (to("https://a.example/x?y"), to("https://a.example:8443/"));
        let one = places.enter(shop, &here, 0, patience).await.unwrap();
        let two = places.enter(shop, &to("https://a.example/z"), 0, patience).await.unwrap();
        assert!(one.is_some() && two.is_some());
        let busy = places.enter(shop, &here, 0, patience).await.unwrap_err();
        assert!(matches!(&busy, Refusal::Unavailable(why) if why.starts_with("http.busy: 2 ") && why.contains("a.example:443")));
        for (who, what) in [(other, &here), (shop, &there)] {
            assert!(places.enter(who, what, 0, patience).await.unwrap().is_some(), "they have places of their own");
        }
        drop((one, two));
        for _ in 0..2 {
            places.enter(shop, &here, 0, patience).await.unwrap();
        }
        let fast = places.enter(shop, &here, 100, patience).await.unwrap_err();
        assert!(
            matches!(&fast, Refusal::Unavailable(why) if why.starts_with("http.rate: ") && why.contains("5 times")),
            "{fast:?}"
        );
        assert!(places.enter(shop, &here, 200, patience).await.is_ok(), "a fifth of a second later there is one more");
        assert!(places.enter(shop, &here, 200, patience).await.is_err());
        assert!(places.enter(shop, &to("no address"), 200, patience).await.unwrap().is_none());
    }
}
