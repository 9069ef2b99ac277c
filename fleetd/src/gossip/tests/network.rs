//! What lies between the hosts of a simulation.

use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) struct Network {
    /// Of packets that are lost, 0 to 1.
    pub(super) loss: f64,
    /// Of packets that come twice.
    pub(super) twice: f64,
    /// How long a packet takes; more than the difference apart, two come in order.
    pub(super) delay: (Duration, Duration),
    /// From whom to whom nothing gets through.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// From whom to whom only streams get through.
    pub(super) no_datagrams: BTreeSet<(usize, usize)>,
    /// No stream gets through at all.
    pub(super) no_streams: bool,
}

impl Default for Network {
    fn default() -> Self {
        let delay = (Duration::from_micros(100), Duration::from_millis(3));
        Self {
            loss: 0.0,
            twice: 0.0,
            delay,
            cut: BTreeSet::new(),
            no_datagrams: BTreeSet::new(),
            no_streams: false,
        }
    }
}

impl Network {
    pub(super) fn connects(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Cuts, or heals, both ways between each of these and each of those.
    pub(super) fn part(&mut self, these: &[usize], those: &[usize], cut: bool) {
        for pair in these.iter().flat_map(|one| those.iter().map(move |two| (*one, *two))) {
            for pair in [pair, (pair.1, pair.0)] {
                let _ = if cut { self.cut.insert(pair) } else { self.cut.remove(&pair) };
            }
        }
    }

    pub(super) fn connects_both_ways(&self, one: usize, two: usize) -> bool {
        !self.no_streams && self.connects(one, two) && self.connects(two, one)
    }

    pub(super) fn delay(&self, rng: &mut StdRng) -> Duration {
        rng.random_range(self.delay.0..=self.delay.1)
    }

    fn is_lost(&self, rng: &mut StdRng) -> bool {
        self.loss > 0.0 && rng.random_bool(self.loss)
    }

    /// After how long each copy of a datagram comes.
    pub(super) fn carry(&self, from: usize, to: usize, rng: &mut StdRng) -> Vec<Duration> {
        let copies = if self.twice > 0.0 && rng.random_bool(self.twice) { 2 } else { 1 };
        let open = self.connects(from, to) && !self.no_datagrams.contains(&(from, to));
        let arrives = |_: &i32| open && !self.is_lost(rng);
        let arrived = (0..copies).filter(arrives).count();
        (0..arrived).map(|_| self.delay(rng)).collect()
    }

    /// After how long a request on a new stream is with the other side: TCP sends the first segment
    /// again after a second, and later ones after 200 ms.
    pub(super) fn connect(&self, rng: &mut StdRng) -> Duration {
        let mut took = Duration::ZERO;
        for (trip, first) in [1_000, 200, 200].into_iter().enumerate() {
            let mut wait = Duration::from_millis(first);
            while self.is_lost(rng) || self.is_lost(rng) {
                took += wait;
                wait *= 2;
            }
            let way = if trip == 2 { 1 } else { 2 };
            took += self.delay(rng) * way;
        }
        took
    }
}
