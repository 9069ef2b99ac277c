//! How many connections are open, and whose.

use super::limits::Limits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("{0} connections are open")]
    Connections(usize),
    #[error("it has {0} connections open")]
    OfAddress(usize),
    #[error("{0} connections are in their handshake")]
    Handshakes(usize),
    #[error("it has {0} connections in their handshake")]
    HandshakesOfAddress(usize),
    #[error("{0} hosts are joining")]
    Joins(usize),
}

pub(super) struct Places {
    limits: Arc<Limits>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: Count,
    joins: usize,
    of_address: HashMap<IpAddr, Count>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    connections: usize,
    handshakes: usize,
}

/// Of one connection, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshake,
    Peer,
    Join,
}

impl Places {
    pub(super) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a connection that begins with its handshake.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Result<Place, Full> {
        let address = network(from);
        let limits = &self.limits;
        let mut counts = self.counts();
        let all = counts.all;
        let of_address = counts.of_address.get(&address).copied().unwrap_or_default();
        // The narrow limits first: whoever is over his own is told so.
        let bounds = [
            (of_address.connections, limits.connections_of_address, Full::OfAddress as fn(_) -> _),
            (of_address.handshakes, limits.handshakes_of_address, Full::HandshakesOfAddress),
            (all.connections, limits.connections, Full::Connections),
            (all.handshakes, limits.handshakes, Full::Handshakes),
        ];
        for (count, limit, full) in bounds {
            if count >= limit {
                return Err(full(count));
            }
        }
        counts.all.begin();
        counts.of_address.entry(address).or_default().begin();
        Ok(Place { places: Arc::clone(self), address, stage: Stage::Handshake })
    }
}

impl Count {
    fn begin(&mut self) {
        self.connections += 1;
        self.handshakes += 1;
    }
}

impl Place {
    /// The handshake is over.
    pub(super) fn enter(&mut self, joins: bool) -> Result<(), Full> {
        let mut counts = self.places.counts();
        if joins && counts.joins >= self.places.limits.joins {
            return Err(Full::Joins(counts.joins));
        }
        counts.joins += usize::from(joins);
        counts.end_handshake(self.address);
        self.stage = if joins { Stage::Join } else { Stage::Peer };
        Ok(())
    }
}

impl Counts {
    fn end_handshake(&mut self, address: IpAddr) {
        self.all.handshakes -= 1;
        if let Some(count) = self.of_address.get_mut(&address) {
            count.handshakes -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        match self.stage {
            Stage::Handshake => counts.end_handshake(self.address),
            Stage::Join => counts.joins -= 1,
            Stage::Peer => {}
        }
        counts.all.connections -= 1;
        if let Some(count) = counts.of_address.get_mut(&self.address) {
            count.connections -= 1;
            if *count == Count::default() {
                counts.of_address.remove(&self.address);
            }
        }
    }
}

/// What is likely to be one machine: of IPv6 it may use a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Arc<Places> {
        Places::new(Arc::new(Limits {
            connections: 4,
            connections_of_address: 3,
            handshakes: 3,
            handshakes_of_address: 2,
            joins: 1,
            ..Limits::default()
        }))
    }

    fn from(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn one_address_does_not_take_all_places() {
        let places = places();
        let mut held = [from(&places, "10.0.0.1").unwrap(), from(&places, "10.0.0.1").unwrap()];
        assert_eq!(from(&places, "10.0.0.1").err(), Some(Full::HandshakesOfAddress(2)));
        let other = from(&places, "10.0.0.2").unwrap();
        assert_eq!(from(&places, "10.0.0.3").err(), Some(Full::Handshakes(3)));
        for place in &mut held {
            place.enter(false).unwrap();
        }
        let third = from(&places, "10.0.0.1").unwrap();
        assert_eq!(from(&places, "10.0.0.1").err(), Some(Full::OfAddress(3)));
        assert_eq!(from(&places, "10.0.0.2").err(), Some(Full::Connections(4)));
        drop((held, other, third));
        assert!(places.counts().of_address.is_empty());
        assert_eq!(places.counts().all, Count::default());
    }

    #[test]
    fn those_who_join_have_few_places() {
        let places = places();
        let mut first = from(&places, "10.0.0.1").unwrap();
        first.enter(true).unwrap();
        let mut second = from(&places, "10.0.0.2").unwrap();
        assert_eq!(second.enter(true), Err(Full::Joins(1)));
        drop(second);
        drop(first);
        from(&places, "10.0.0.2").unwrap().enter(true).unwrap();
        assert_eq!(places.counts().all, Count::default());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let is = |address: &str| network(address.parse().unwrap());
        assert_eq!(is("2001:db8::1"), is("2001:db8::ffff:0:1"));
        assert_ne!(is("2001:db8::1"), is("2001:db8:0:1::1"));
        assert_eq!(is("::ffff:10.0.0.1"), is("10.0.0.1"));
    }
}
