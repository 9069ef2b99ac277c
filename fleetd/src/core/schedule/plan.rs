//! What the scheduler answers: changes with their causes, and what has no place with the reasons.

use super::explain::Unplaced;
use super::fleet::short;
use super::score::Score;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What to change, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// By unit, then by host.
    pub changes: Vec<Change>,
    /// By unit.
    pub unplaced: Vec<Unplaced>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    Assign { unit: String, to: Arrival },
    Move { unit: String, from: String, to: Arrival, cause: Cause },
    Unassign { unit: String, from: String, cause: Cause },
}

/// A place that a unit gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub host: String,
    pub score: Score,
    /// Units that lose this place for it.
    pub displaces: Vec<String>,
}

/// Why a unit loses its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Cause {
    /// It is no longer among the units.
    Unwanted,
    /// No host of that id is known.
    Unknown,
    /// The host does not keep its units.
    Dead,
    Draining,
    Leaving,
    /// The unit has a newer assignment.
    Older {
        newer: String,
    },
    /// A rule that no longer holds there, in words.
    Refused {
        reason: String,
    },
    /// The unit that it follows loses this place.
    Follows {
        leader: String,
    },
    Preempted {
        by: String,
    },
    Replaced {
        by: String,
    },
    /// Another host is better by so many points.
    Better {
        points: i64,
    },
}

impl Change {
    pub fn unit(&self) -> &str {
        match self {
            Self::Assign { unit, .. } | Self::Move { unit, .. } | Self::Unassign { unit, .. } => {
                unit
            }
        }
    }

    /// A sentence each.
    pub fn reasons(&self) -> Vec<String> {
        let (cause, to) = match self {
            Self::Assign { to, .. } => (None, Some(to)),
            Self::Move { to, cause, .. } => (Some(cause), Some(to)),
            Self::Unassign { cause, .. } => (Some(cause), None),
        };
        let mut reasons: Vec<String> = cause.iter().map(ToString::to_string).collect();
        if let Some(Arrival { host, score, displaces }) = to {
            reasons.push(format!("host {} is the best that fits: {score}", short(host)));
            if !displaces.is_empty() {
                reasons.push(format!("room is made by {}", displaces.join(", ")));
            }
        }
        reasons
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwanted => f.write_str("it is not wanted any more"),
            Self::Unknown => f.write_str("its host is not known"),
            Self::Dead => f.write_str("its host is dead"),
            Self::Draining => f.write_str("its host is being drained"),
            Self::Leaving => f.write_str("its host does not keep its units"),
            Self::Older { newer } => write!(f, "it has a newer place on host {}", short(newer)),
            Self::Refused { reason } => f.write_str(reason),
            Self::Follows { leader } => write!(f, "it follows {leader}, which goes"),
            Self::Preempted { by } => write!(f, "{by} has a higher priority and needs the room"),
            Self::Replaced { by } => write!(f, "{by} takes its place (Replaces=)"),
            Self::Better { points } => write!(f, "another host is better by {points} points"),
        }
    }
}
