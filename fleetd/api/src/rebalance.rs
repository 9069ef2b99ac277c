//! Moves that make a fleet better, which are made only where somebody asks for them.

use serde::{Deserialize, Serialize};

/// What would be moved: `GET /v1/rebalance`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rebalance {
    /// The greatest gain first.
    pub moves: Vec<Gain>,
    /// Every host of the fleet, by id.
    pub machines: Vec<MachineLoad>,
}

/// A unit that is better off on another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gain {
    pub unit: String,
    pub from: String,
    pub to: String,
    /// By so many points: `docs/schedule.md`.
    pub points: i64,
}

/// What units ask of a host, without the moves and with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineLoad {
    pub machine: String,
    /// What units share there; units counts nothing.
    pub room: MachineUse,
    pub before: MachineUse,
    pub after: MachineUse,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineUse {
    pub units: usize,
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

/// Moves one unit: `POST /v1/rebalance`. Refused unless it is one of [`Rebalance::moves`] now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MoveUnit {
    pub unit: String,
    pub from: String,
    pub to: String,
}
