//! Ready network namespaces: `eth0` inside, its other end on the host, without an address.
//!
//! A thread makes them in the background, since a new namespace costs more than all the rest of an
//! attachment. A namespace is never used twice. It is held by a descriptor alone, so it dies with
//! whoever holds it, and netd's death leaves nothing of the pool behind.

use crate::link::{self, Pair, Refused};
use crate::netlink::{Connection, Family};
use crate::{sys, sysctl};
use netd_api::{LinkName, Mac};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the thread rests after a failure, unless somebody waits for a namespace.
const REST: Duration = Duration::from_secs(1);

/// A namespace that waits for its container.
pub struct Ready {
    pub namespace: OwnedFd,
    /// A route socket inside. It holds the namespace too: drop it when the container has it.
    pub inside: Connection,
    /// The container's hardware address.
    pub mac: Mac,
    /// The host's side of the pair.
    pub link: LinkName,
    pub index: u32,
}

/// What namespaces are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The group of the network whose containers they are most probably for.
    pub group: u32,
    pub mtu: u32,
    /// Whether there is any IPv6 inside.
    pub ipv6: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target: Target,
    ready: VecDeque<Ready>,
    size: usize,
    /// How many callers wait for a namespace that is not there yet.
    waiting: usize,
    failure: Option<Refused>,
}

#[derive(Clone)]
pub struct Pool(Arc<Shared>);

impl Pool {
    /// An empty pool, which shall hold `size` namespaces.
    pub fn new(size: usize, target: Target) -> Self {
        let ready = VecDeque::new();
        let state = State { target, ready, size, waiting: 0, failure: None };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Starts the thread that fills it, with a maker of its own.
    pub fn start(&self, maker: Maker) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("pool".to_owned());
        thread.spawn(move || fill(&shared, maker)).map(drop)
    }

    /// Waits until the first one is ready, but no longer than `patience`: the first namespaces after
    /// a boot can take a tenth of a second, and nobody's container should.
    pub fn warm_up(&self, patience: Duration) {
        let cold = |s: &mut State| s.size > 0 && s.ready.is_empty();
        // Whoever takes from an empty pool is told what is wrong with it.
        drop(self.0.changed.wait_timeout_while(self.lock(), patience, cold));
    }

    /// Takes a namespace, and says whether it was ready; otherwise waits until one is made. The
    /// next one is made after [`Self::refill`]: making it holds locks of the kernel that whoever
    /// uses this one needs first.
    pub fn take(&self) -> Result<(Ready, bool), Refused> {
        let mut state = self.lock();
        if let Some(ready) = state.ready.pop_front() {
            return Ok((ready, true));
        }
        state.waiting += 1;
        state.failure = None;
        self.0.changed.notify_all();
        loop {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            if let Some(ready) = state.ready.pop_front() {
                state.waiting -= 1;
                return Ok((ready, false));
            }
            if let Some(failure) = state.failure.take() {
                state.waiting -= 1;
                return Err(failure);
            }
        }
    }

    /// Makes what was taken again.
    pub fn refill(&self) {
        self.0.changed.notify_all();
    }

    /// Indices of the links of those that are ready, with the group that they are in.
    pub fn links(&self) -> Vec<(u32, u32)> {
        let state = self.lock();
        state.ready.iter().map(|ready| (ready.index, state.target.group)).collect()
    }

    pub fn target(&self) -> Target {
        self.lock().target
    }

    pub fn count(&self) -> usize {
        self.lock().ready.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread: makes a namespace whenever one is missing.
fn fill(shared: &Shared, mut maker: Maker) {
    let lock = || shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let target = {
            let mut state = lock();
            while state.ready.len() >= state.size + state.waiting {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.target
        };
        let made = maker.make(target);
        let mut state = lock();
        match made {
            Ok(ready) => state.ready.push_back(ready),
            Err(failure) if state.waiting > 0 => state.failure = Some(failure),
            Err(failure) => {
                crate::say::say(format_args!("fill the pool: {failure}"));
                let wait = shared.changed.wait_timeout_while(state, REST, |s| s.waiting == 0);
                drop(wait);
                continue;
            }
        }
        shared.changed.notify_all();
    }
}

/// Makes namespaces; it lives in one thread, which it moves in and out of them.
pub struct Maker {
    host: OwnedFd,
    route: Connection,
    names: Names,
}

impl Maker {
    /// In the caller's network namespace.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            host: sys::netns::current()?,
            route: Connection::open(Family::Route)?,
            names: Names::default(),
        })
    }

    /// The netlink port by which notifications of its changes are known.
    pub fn port(&self) -> u32 {
        self.route.port()
    }

    pub fn make(&mut self, target: Target) -> Result<Ready, Refused> {
        let (link, mac) = self.names.next();
        let made = self.make_inside(&link, mac, target);
        // Whatever happened, the thread must not stay in there: it would keep the namespace alive.
        sys::netns::enter(&self.host).map_err(|e| Refused::new("enter network namespace", e))?;
        let (namespace, mut inside) = made?;
        let index = link::open_host_end(&mut self.route, link.as_str(), target.group)?;
        link::await_carrier(&mut inside, 0)?;
        Ok(Ready { namespace, inside, mac, link, index })
    }

    fn make_inside(
        &self,
        link: &LinkName,
        mac: Mac,
        target: Target,
    ) -> Result<(OwnedFd, Connection), Refused> {
        let step = |what: &'static str| move |e| Refused::new(what, e);
        sys::netns::unshare().map_err(step("create network namespace"))?;
        let namespace = sys::netns::current().map_err(step("open network namespace"))?;
        let mut inside = Connection::open(Family::Route).map_err(step("open netlink"))?;
        quiet_ipv6(target.ipv6).map_err(step("set up IPv6"))?;
        let pair = Pair { interface: "eth0", number: 0, mac, link: link.as_str(), mtu: target.mtu };
        link::make_pair(&mut inside, self.host.as_fd(), pair)?;
        Ok((namespace, inside))
    }

    /// Makes one more link in a namespace that is being attached.
    pub fn make_more(
        &mut self,
        inside: &mut Connection,
        number: usize,
        interface: &LinkName,
        target: Target,
    ) -> Result<(LinkName, Mac, u32), Refused> {
        let (link, mac) = self.names.next();
        let (interface, name) = (interface.as_str(), link.as_str());
        let pair = Pair { interface, number, mac, link: name, mtu: target.mtu };
        link::make_pair(inside, self.host.as_fd(), pair)?;
        let index = link::open_host_end(&mut self.route, name, target.group)?;
        link::await_carrier(inside, number)?;
        Ok((link, mac, index))
    }
}

/// Names and hardware addresses that nobody has: by chance.
#[derive(Default)]
struct Names {
    random: RandomState,
    count: u64,
}

impl Names {
    fn next(&mut self) -> (LinkName, Mac) {
        self.count += 1;
        let number = self.random.hash_one(self.count);
        let [a, b, c, d, e, f, g, h] = number.to_ne_bytes();
        // Locally administered, and one host's (IEEE 802, bits 1 and 0).
        let mac = Mac([(a & 0xfc) | 2, b, c, d, e, f ^ g ^ h]);
        (LinkName::numbered(number), mac)
    }
}

/// No router advertisement is listened to; and where the network has no IPv6, the namespace has
/// none either (GHSA-x84c).
fn quiet_ipv6(wanted: bool) -> io::Result<()> {
    if !sysctl::has_ipv6() {
        return Ok(());
    }
    for interfaces in ["all", "default"] {
        sysctl::write(&format!("ipv6/conf/{interfaces}/accept_ra"), "0")?;
        if !wanted {
            sysctl::write(&format!("ipv6/conf/{interfaces}/disable_ipv6"), "1")?;
        }
    }
    Ok(())
}
