//! Why a unit is on one host and not on another, as things are now.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Why {
    pub unit: String,
    /// Where it is, with the reasons of then.
    pub places: Vec<WhyPlace>,
    /// Every host of the fleet, by id.
    pub machines: Vec<WhyMachine>,
    /// Of a unit without a place: the easiest change that would give it one, in words.
    #[serde(default)]
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyPlace {
    pub machine: String,
    /// A sentence each.
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyMachine {
    pub machine: String,
    pub verdict: Verdict,
    /// Every rule that it fails, a sentence each.
    pub reasons: Vec<String>,
    /// Of hosts that fit, the one with the most is taken.
    pub points: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is there.
    Placed,
    /// It would go there.
    Best,
    /// It would fit, and another host is as good or better, or it stays where it is.
    Fits,
    Refused,
}
