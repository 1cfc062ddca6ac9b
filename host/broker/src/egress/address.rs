//! Which network addresses may be dialled. Stops server-side request forgery: a plugin (or whoever controls a name in the
//! DNS) that makes the host talk to itself, to its neighbours or to a cloud's metadata service.
//!
//! Two gates use the same table. Addresses written in a URL are classified when the URL is checked, because a client does
//! not ask its resolver about them. Names are resolved by [`CheckedResolver`], and the very addresses that were checked
//! are dialled, so an answer cannot change between the check and the connection (rebinding). One forbidden address among
//! several refuses the whole answer: there is no honest reason for such a mix.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The public internet.
    Global,
    /// This machine or its private network: dialled only where the operator named host and port.
    Internal,
    /// Link-local (cloud metadata), multicast, documentation, transition mechanisms and all else of the IANA
    /// special-purpose registries: never dialled by name.
    Special,
}

/// Classifies an address.
pub(crate) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

/// IANA IPv4 Special-Purpose Address Registry, class D and class E; Azure's host address is added because it is a public
/// number that leads to the hypervisor.
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [10, ..] | [127, ..] | [192, 168, ..] => Reach::Internal,
        [172, b, ..] if b & 0xf0 == 16 => Reach::Internal,
        // Carrier-grade NAT: private networks use it too, and so does one cloud's metadata service.
        [100, 100, 100, 200] => Reach::Special,
        [100, b, ..] if b & 0xc0 == 64 => Reach::Internal,
        // "This network", link-local, IETF protocol assignments, documentation 1-3, AS112 (two), AMT, 6to4 relays.
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [192, 31, 196, _]
        | [192, 175, 48, _]
        | [192, 52, 193, _]
        | [192, 88, 99, _]
        | [168, 63, 129, 16]
        // Benchmarking; multicast, reserved and broadcast.
        | [198, 18 | 19, ..]
        | [224..=255, ..] => Reach::Special,
        _ => Reach::Global,
    }
}

/// Everything outside of global unicast (2000::/3) is special unless it is listed here, so a range that is assigned
/// tomorrow is refused today.
fn reach_v6(address: Ipv6Addr) -> Reach {
    if address == Ipv6Addr::LOCALHOST {
        return Reach::Internal;
    }
    match address.segments() {
        // Unique local, but for the metadata addresses that clouds put there.
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] => Reach::Special,
        [a, ..] if a & 0xfe00 == 0xfc00 => Reach::Internal,
        // NAT64 well-known prefix: as reachable as the address inside, which must be a public one.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            match reach_v4(Ipv4Addr::new(a, b, c, d)) {
                Reach::Global => Reach::Global,
                Reach::Internal | Reach::Special => Reach::Special,
            }
        }
        // IETF protocol assignments, Teredo, benchmarking, AMT, AS112, ORCHID, drone tags: all of 2001::/23.
        [0x2001, b, ..] if b < 0x0200 => Reach::Special,
        // Documentation (two), 6to4 with whatever IPv4 address inside, AS112 direct delegation.
        [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x2620, 0x004f, 0x8000, ..] => Reach::Special,
        [0x3fff, b, ..] if b < 0x1000 => Reach::Special,
        // ISATAP: an IPv4 address in the interface id of any prefix.
        [_, _, _, _, 0 | 0x0200, 0x5efe, ..] => Reach::Special,
        [a, ..] if a & 0xe000 == 0x2000 => Reach::Global,
        _ => Reach::Special,
    }
}

/// The answer of a resolver holds an address that may not be dialled. Found again in the client's chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
pub(crate) struct ForbiddenAddress;

/// Who is asked for the addresses of a name.
#[async_trait]
pub(crate) trait Names: Send + Sync + 'static {
    /// The addresses; the port means nothing.
    async fn find(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system.
pub(crate) struct System;

#[async_trait]
impl Names for System {
    async fn find(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        // By definition (RFC 6761, 6.3), whatever a name server would say.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
        }
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// Asks for names and lets pass only what may be dialled.
pub(crate) struct CheckedResolver {
    /// Whether internal addresses pass: only for the client that serves origins the operator named.
    pub(crate) internal: bool,
    pub(crate) names: Arc<dyn Names>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (internal, names) = (self.internal, Arc::clone(&self.names));
        Box::pin(async move {
            let checked = admit(names.find(name.as_str()).await?, internal)?;
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}

/// All or nothing.
fn admit(found: Vec<SocketAddr>, internal: bool) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
    let good = found.iter().all(|address| match reach(address.ip()) {
        Reach::Global => true,
        Reach::Internal => internal,
        Reach::Special => false,
    });
    if good { Ok(found) } else { Err(ForbiddenAddress) }
}

#[cfg(test)]
mod tests;
