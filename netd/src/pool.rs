//! Ready network namespaces: `eth0` inside, its other end on the bridge, without an address.
//!
//! A thread makes them in the background, since a new namespace costs more than all the rest of an
//! attachment. A namespace is never used twice. It is held by a descriptor alone, so it dies with
//! whoever holds it, and netd's death leaves nothing of the pool behind.

use crate::link::{self, Refused};
use crate::netlink::{Connection, Family};
use crate::{sys, sysctl};
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
    /// The host's side of the pair.
    pub link: String,
    pub index: u32,
}

/// What the pool makes its namespaces for.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Index of the bridge.
    pub bridge: u32,
    pub mtu: u32,
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

    /// Starts the thread that fills it, in the caller's network namespace.
    pub fn start(&self) -> io::Result<()> {
        let maker = Maker::new()?;
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

    /// Indices of the links of those that are ready.
    pub fn links(&self) -> Vec<u32> {
        self.lock().ready.iter().map(|r| r.index).collect()
    }

    pub fn count(&self) -> usize {
        self.lock().ready.len()
    }

    /// Throws away what is ready and fills up for another target.
    pub fn retarget(&self, target: Target) {
        let mut state = self.lock();
        state.target = target;
        state.ready.clear();
        self.0.changed.notify_all();
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
            Ok(ready) if state.target.bridge == target.bridge => state.ready.push_back(ready),
            Ok(_) => {}
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
struct Maker {
    host: OwnedFd,
    route: Connection,
    random: RandomState,
    count: u64,
}

impl Maker {
    fn new() -> io::Result<Self> {
        Ok(Self {
            host: sys::netns::current()?,
            route: Connection::open(Family::Route)?,
            random: RandomState::new(),
            count: 0,
        })
    }

    fn make(&mut self, target: Target) -> Result<Ready, Refused> {
        self.count += 1;
        let link = format!("fl{:011x}", self.random.hash_one(self.count) & 0xfff_ffff_ffff);
        let made = self.make_inside(&link, target);
        // Whatever happened, the thread must not stay in there: it would keep the namespace alive.
        sys::netns::enter(&self.host).map_err(|e| Refused::new("enter network namespace", e))?;
        let (namespace, inside) = made?;
        let index = link::join_bridge(&mut self.route, target.bridge, &link)?;
        Ok(Ready { namespace, inside, link, index })
    }

    fn make_inside(&self, link: &str, target: Target) -> Result<(OwnedFd, Connection), Refused> {
        let step = |what: &'static str| move |e| Refused::new(what, e);
        sys::netns::unshare().map_err(step("create network namespace"))?;
        let namespace = sys::netns::current().map_err(step("open network namespace"))?;
        let mut inside = Connection::open(Family::Route).map_err(step("open netlink"))?;
        without_ipv6().map_err(step("turn off IPv6"))?;
        link::make_pair(&mut inside, self.host.as_fd(), link, target.mtu)?;
        Ok((namespace, inside))
    }
}

/// The network has no IPv6, so the namespace must not have a link-local address that nobody guards
/// (GHSA-x84c), nor listen to router advertisements.
fn without_ipv6() -> io::Result<()> {
    if !sysctl::has_ipv6() {
        return Ok(());
    }
    for interfaces in ["all", "default"] {
        sysctl::write(&format!("ipv6/conf/{interfaces}/accept_ra"), "0")?;
        sysctl::write(&format!("ipv6/conf/{interfaces}/disable_ipv6"), "1")?;
    }
    Ok(())
}
