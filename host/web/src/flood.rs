//! How much is looked at. The attacks that stop here: a flood of forged webhooks, each of which would cost a signature over its
//! whole body; and a provider, or whoever has its secret, that brings more than a host can take.
//!
//! Nothing is counted before it is known what it was: what was refused is counted against its address, its channel and
//! everything; what was signed rightly against its channel alone. So a right webhook is never refused because others are
//! forged, unless it comes from an address that has brought no right one lately: the others pass. Each count is one number, the
//! moment at which what was counted is paid off (GCRA).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use moka::sync::Cache;
use tokio::time::Instant;

/// What the public port takes. Of what comes by the second, ten seconds' worth may come at once; 0: as much as there is.
#[derive(Debug, Clone)]
pub struct PublicConfig {
    /// Connections at once.
    pub connections: u32,
    /// Webhooks of one channel, signed rightly.
    pub webhooks_a_second: u32,
    /// Requests that are refused, of one address and for one channel; twenty times as many of all.
    pub refused_a_second: u32,
    /// Proxies in front of the port: they say in `X-Forwarded-For` for whom they ask.
    pub proxies: Vec<IpAddr>,
}

impl Default for PublicConfig {
    fn default() -> Self {
        let proxies = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self { connections: 4_096, webhooks_a_second: 5_000, refused_a_second: 50, proxies }
    }
}

/// Seconds' worth of a rate that may come at once.
const BURST: u64 = 10;

/// How many times as much is refused of all addresses together.
const ALL: u32 = 20;

/// Addresses and channels that are remembered. Who asks often stays, who asked once goes first.
const KNOWN: u64 = 65_536;

/// How long an address is remembered that brought a right webhook.
const GOOD: Duration = Duration::from_secs(24 * 3_600);

/// Nanoseconds that one takes, and that may be owed.
#[derive(Debug, Clone, Copy)]
struct Rate {
    each: u64,
    most: u64,
}

impl Rate {
    fn new(a_second: u32) -> Option<Self> {
        let each = 1_000_000_000_u64.checked_div(a_second.into())?.max(1);
        Some(Self { each, most: BURST * 1_000_000_000 })
    }
}

/// The moment at which everything counted is paid off, in nanoseconds of the gate's own time.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// How long until there is room for one; `None`: there is.
    fn wait(&self, rate: Rate, now: u64) -> Option<Duration> {
        let over = self.0.load(Ordering::Relaxed).saturating_sub(now).saturating_sub(rate.most - rate.each);
        (over > 0).then(|| Duration::from_nanos(over))
    }

    fn add(&self, rate: Rate, now: u64) {
        let paid = |until: u64| Some((until.max(now) + rate.each).min(now + rate.most));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }
}

/// Who asks, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    channel: Arc<str>,
    /// `None` behind a proxy that does not say.
    address: Option<IpAddr>,
}

/// Stands before the work.
pub(crate) struct Gate {
    began: Instant,
    signed: Option<Rate>,
    refused: Option<Rate>,
    refused_of_all: Option<Rate>,
    proxies: Vec<IpAddr>,
    channels: Cache<Arc<str>, Arc<Count>>,
    spoiled: Cache<Arc<str>, Arc<Count>>,
    addresses: Cache<IpAddr, Arc<Count>>,
    all: Count,
    good: Cache<(Arc<str>, IpAddr), ()>,
}

impl Gate {
    pub(crate) fn new(config: PublicConfig) -> Self {
        Self {
            began: Instant::now(),
            signed: Rate::new(config.webhooks_a_second),
            refused: Rate::new(config.refused_a_second),
            refused_of_all: Rate::new(config.refused_a_second.saturating_mul(ALL)),
            proxies: config.proxies.iter().map(IpAddr::to_canonical).collect(),
            channels: Cache::new(KNOWN),
            spoiled: Cache::new(KNOWN),
            addresses: Cache::new(KNOWN),
            all: Count::default(),
            good: Cache::builder().max_capacity(KNOWN).time_to_idle(GOOD).build(),
        }
    }

    fn time(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX / 2)
    }

    /// Who asks: the other end of the connection or, where that is a proxy, whom it names last that is none.
    pub(crate) fn caller(&self, channel: &str, peer: Option<IpAddr>, headers: &HeaderMap) -> Caller {
        let proxy = |address: &IpAddr| self.proxies.contains(&address.to_canonical());
        let address = match peer {
            Some(peer) if proxy(&peer) => {
                let named = headers.get_all("x-forwarded-for").iter().rev();
                let mut named = named.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
                named.find_map(|one| match one.trim().parse::<IpAddr>() {
                    Ok(address) if proxy(&address) => None,
                    other => Some(other.ok()),
                })
            }
            direct => Some(direct),
        };
        Caller { channel: channel.into(), address: address.flatten().map(whole) }
    }

    /// How long the caller must wait, before anything is read or verified for him; `None`: he is let in.
    pub(crate) fn wait(&self, caller: &Caller, now: Instant) -> Option<Duration> {
        let now = self.time(now);
        let over = |count: Option<Arc<Count>>, rate: Option<Rate>| count?.wait(rate?, now);
        let full = over(self.channels.get(&caller.channel), self.signed);
        let own = caller.address.and_then(|address| over(self.addresses.get(&address), self.refused));
        let strange = || {
            if caller.address.is_some_and(|address| self.good.contains_key(&(Arc::clone(&caller.channel), address))) {
                return None;
            }
            let spoiled = over(self.spoiled.get(&caller.channel), self.refused);
            spoiled.or_else(|| self.all.wait(self.refused_of_all?, now))
        };
        let (by, wait) = match (full, own) {
            (Some(wait), _) => ("channel", wait),
            (None, Some(wait)) => ("address", wait),
            (None, None) => ("forgeries", strange()?),
        };
        metrics::counter!("pointsman_hooks_limited_total", "by" => by).increment(1);
        Some(wait)
    }

    /// Counts what the caller's request turned out to be.
    pub(crate) fn count(&self, caller: Caller, status: u16, now: Instant) {
        let now = self.time(now);
        match (status, self.signed, self.refused) {
            (200..300, signed, _) => {
                if let Some(rate) = signed {
                    self.channels.get_with_by_ref(&caller.channel, Arc::default).add(rate, now);
                }
                if let Some(address) = caller.address {
                    let good = (caller.channel, address);
                    if !self.good.contains_key(&good) {
                        self.good.insert(good, ());
                    }
                }
            }
            (400..500, _, Some(rate)) => {
                self.spoiled.get_with_by_ref(&caller.channel, Arc::default).add(rate, now);
                if let Some(address) = caller.address {
                    self.addresses.get_with(address, Arc::default).add(rate, now);
                }
                if let Some(rate) = self.refused_of_all {
                    self.all.add(rate, now);
                }
            }
            _ => {}
        }
    }
}

/// The address as one caller has it: of IPv6 whoever has one has a whole /64.
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(webhooks_a_second: u32, refused_a_second: u32) -> Gate {
        Gate::new(PublicConfig { webhooks_a_second, refused_a_second, ..PublicConfig::default() })
    }

    fn from(gate: &Gate, channel: &str, address: &str) -> Caller {
        gate.caller(channel, address.parse().ok(), &HeaderMap::new())
    }

    /// How many of `count` requests, all ending so, were let in.
    fn let_in(gate: &Gate, caller: &Caller, status: u16, count: usize, at: u64) -> usize {
        let now = after(gate, at);
        (0..count).filter(|_| gate.wait(caller, now).is_none()).inspect(|_| gate.count(caller.clone(), status, now)).count()
    }

    /// So many seconds after the gate was opened.
    fn after(gate: &Gate, seconds: u64) -> Instant {
        gate.began + Duration::from_secs(seconds)
    }

    #[test]
    fn who_forges_is_looked_at_less_and_after_a_while_again() {
        let gate = gate(0, 5);
        let forger = from(&gate, "7", "192.0.2.1");
        assert_eq!(let_in(&gate, &forger, 401, 200, 0), 50, "ten seconds' worth at once");
        let wait = gate.wait(&forger, after(&gate, 0)).unwrap();
        assert_eq!(wait, Duration::from_millis(200));
        assert_eq!(let_in(&gate, &forger, 401, 200, 2), 10, "then as many as there were seconds");
        assert_eq!(let_in(&gate, &forger, 401, 200, 1_000), 50);
    }

    #[test]
    fn who_brought_a_right_one_passes_beside_a_flood_of_forged_ones() {
        let gate = gate(0, 5);
        let (provider, other) = (from(&gate, "7", "198.51.100.1"), from(&gate, "7", "198.51.100.2"));
        assert_eq!(let_in(&gate, &provider, 200, 1, 0), 1);
        // One address is held back by itself; many spoil the channel for whoever is not known there.
        for n in 0..100 {
            let_in(&gate, &from(&gate, "7", &format!("203.0.113.{n}")), 401, 50, 0);
        }
        assert!(gate.wait(&other, after(&gate, 0)).is_some());
        assert_eq!(let_in(&gate, &provider, 200, 100_000, 0), 100_000);
        assert!(gate.wait(&from(&gate, "8", "198.51.100.2"), after(&gate, 0)).is_none(), "other channels are not meant");
        // Ever new channels of ever new addresses: everything together has an end too.
        for n in 0..2_000_u32 {
            let address = std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string();
            let_in(&gate, &from(&gate, &format!("c{n}"), &address), 401, 1, 0);
        }
        assert!(gate.wait(&from(&gate, "8", "198.51.100.2"), after(&gate, 0)).is_some());
        assert!(gate.wait(&provider, after(&gate, 0)).is_none());
    }

    #[test]
    fn a_burst_of_right_ones_passes_and_an_endless_one_is_slowed() {
        let gate = gate(100, 5);
        let provider = from(&gate, "7", "198.51.100.1");
        assert_eq!(let_in(&gate, &provider, 200, 5_000, 0), 1_000);
        assert!(gate.wait(&from(&gate, "8", "198.51.100.1"), after(&gate, 0)).is_none(), "another channel has its own");
        assert_eq!(let_in(&gate, &provider, 200, 5_000, 1), 100);
        let all = Gate::new(PublicConfig { webhooks_a_second: 0, refused_a_second: 0, ..PublicConfig::default() });
        assert_eq!(let_in(&all, &provider, 200, 100_000, 0) + let_in(&all, &provider, 401, 100_000, 0), 200_000, "0: no limit");
    }

    #[test]
    fn a_proxy_says_for_whom_it_asks_and_nobody_else_does() {
        let gate = gate(0, 5);
        let check = |peer: &str, named: &[&str], address: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in named {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let caller = gate.caller("7", Some(peer.parse().unwrap()), &headers);
            assert_eq!(caller.address, address.map(|a| a.parse().unwrap()), "{peer} {named:?}");
        };
        check("198.51.100.1", &["192.0.2.9"], Some("198.51.100.1"));
        check("127.0.0.1", &["192.0.2.9"], Some("192.0.2.9"));
        check("::ffff:127.0.0.1", &["192.0.2.8, 192.0.2.9"], Some("192.0.2.9"));
        check("127.0.0.1", &["192.0.2.9, 127.0.0.1", "::1"], Some("192.0.2.9"));
        check("127.0.0.1", &["192.0.2.8", "192.0.2.9"], Some("192.0.2.9"));
        check("127.0.0.1", &[], None);
        check("127.0.0.1", &["192.0.2.9, unknown"], None);
        check("2001:db8:1:2:3:4:5:6", &[], Some("2001:db8:1:2::"));
    }
}
