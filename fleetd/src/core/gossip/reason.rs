//! Why something from outside was dropped, and how often.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A datagram of more than 1,400 bytes.
    Oversized,
    /// A datagram that is shorter than its header.
    Truncated,
    /// A datagram in a format of another version.
    Version,
    /// Sealed with a key that this host does not have.
    UnknownKey,
    /// Changed on its way, made by somebody without the key, or of another fleet.
    Forged,
    /// Opened, but not a packet.
    Malformed,
    /// It says that this host sent it: its own, reflected, or a second machine with its id.
    Ourselves,
    /// It tells of this host what it knows better, of one host too many, or of a life that no host comes
    /// to.
    Unbelievable,
    /// This host was called down more often than it may come back.
    TooManyRenewals,
    /// The digest of a set that no voter has signed.
    Unsigned,
    /// A record that cannot be read.
    BadRecord,
    /// A record above a limit: of its host, or of the number of hosts.
    Limit,
}

impl Reason {
    /// In words, as they are shown.
    pub fn words(self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::Truncated => "truncated",
            Self::Version => "of another version",
            Self::UnknownKey => "of an unknown key",
            Self::Forged => "forged, or of another fleet",
            Self::Malformed => "malformed",
            Self::Ourselves => "in the name of this host",
            Self::Unbelievable => "unbelievable",
            Self::TooManyRenewals => "too many renewals",
            Self::Unsigned => "sets without a voter's signature",
            Self::BadRecord => "bad records",
            Self::Limit => "above a limit",
        }
    }
}

/// How often each happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped(BTreeMap<Reason, u64>);

impl Dropped {
    pub fn count(&mut self, reason: Reason) {
        let count = self.0.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    pub fn of(&self, reason: Reason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }

    /// All of these and those.
    pub fn plus(mut self, other: &Self) -> Self {
        for (reason, count) in other.iter() {
            let sum = self.0.entry(reason).or_default();
            *sum = sum.saturating_add(count);
        }
        self
    }
}
