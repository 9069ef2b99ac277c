//! How far this host's own judgement can be trusted (Lifeguard: Dadgar, Phillips, Currey 2018).
//!
//! A host that is busy, or behind a bad link, sees others as dead. Signs of it are timers that run
//! late, suspicions that were refuted, and being suspected itself. It then waits longer before it
//! judges; each probe that is answered takes one sign back. A peer that does not answer is no sign:
//! a dead host would make those who find it slow.

/// With it every wait is five times as long.
const WORST: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Health {
    score: u32,
}

impl Health {
    pub(super) fn sign_of_trouble(&mut self) {
        self.score = (self.score + 1).min(WORST);
    }

    pub(super) fn probe_was_answered(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// What waits are multiplied by: 1 to 5.
    pub(super) fn factor(&self) -> u32 {
        1 + self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_add_up_to_a_limit_and_answers_take_them_back() {
        let mut health = Health::default();
        assert_eq!(health.factor(), 1);
        for _ in 0..100 {
            health.sign_of_trouble();
        }
        assert_eq!(health.factor(), 5);
        for _ in 0..4 {
            health.probe_was_answered();
        }
        assert_eq!(health.factor(), 1);
    }
}
