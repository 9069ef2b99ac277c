//! The times and numbers, chosen by simulation: docs/gossip.md says why each is what it is.

use super::limits::Limits;
use super::packet::MAX_PACKET;
use foca::{Config, PeriodicParams};
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Parameters {
    /// One random peer is asked in each.
    pub probe_period: Duration,
    /// How long it has to answer before others are asked to ask it.
    pub probe_wait: Duration,
    /// How often an unanswered question is asked again within a period.
    pub probe_repeat: Duration,
    /// How many others are asked to ask, and how many peers hear news at once.
    pub fan_out: NonZeroUsize,
    /// How long a suspected host has to answer before it is down.
    pub suspicion: Duration,
    /// How often it is told meanwhile, by who suspects it.
    pub tell: Duration,
    /// How long the reliable check may take.
    pub check: Duration,
    /// How many run at once.
    pub checks: usize,
    /// How often news is passed on, if there is any.
    pub gossip_period: Duration,
    /// How soon news about suspected and dead hosts is passed on.
    pub urgent: Duration,
    /// How often hosts that are away are called.
    pub call_period: Duration,
    /// How often records are compared with a random peer, half of it at least.
    pub sync_period: Duration,
    /// How many comparisons this host begins at once.
    pub syncs: usize,
    /// How long a dead host is remembered.
    pub forget: Duration,
    /// How many hosts a fleet may have.
    pub max_hosts: usize,
    pub limits: Limits,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            probe_period: Duration::from_millis(400),
            probe_wait: Duration::from_millis(200),
            probe_repeat: Duration::from_millis(60),
            fan_out: NonZeroUsize::MIN.saturating_add(2),
            suspicion: Duration::from_millis(1_800),
            tell: Duration::from_millis(150),
            check: Duration::from_secs(1),
            checks: 128,
            gossip_period: Duration::from_millis(200),
            urgent: Duration::from_millis(25),
            call_period: Duration::from_secs(1),
            sync_period: Duration::from_secs(30),
            syncs: 2,
            forget: Duration::from_secs(24 * 3_600),
            max_hosts: 5_000,
            limits: Limits::default(),
        }
    }
}

impl Parameters {
    pub(super) fn foca(&self, hosts: usize) -> Config {
        let periodic = |frequency| Some(PeriodicParams { frequency, num_members: self.fan_out });
        Config {
            probe_period: self.probe_period,
            probe_rtt: self.probe_wait,
            num_indirect_probes: self.fan_out,
            max_transmissions: transmissions(hosts),
            suspect_to_down_after: self.suspicion,
            remove_down_after: Some(self.forget),
            max_packet_size: NonZeroUsize::MIN.saturating_add(MAX_PACKET - 1),
            notify_down_members: true,
            // Push-pull tells who there is.
            periodic_announce: None,
            // Ours also works for a host that sees nobody alive.
            periodic_announce_to_down_members: None,
            periodic_gossip: periodic(self.gossip_period),
        }
    }
}

/// How often each host sends news before it fades: so often that with a fifth lost none of a thousand
/// misses it.
pub(super) fn transmissions(hosts: usize) -> NonZeroU8 {
    let digits = u8::try_from(hosts.max(1).ilog10()).unwrap_or(u8::MAX);
    NonZeroU8::MIN.saturating_add(7).saturating_add(digits.saturating_mul(6))
}
