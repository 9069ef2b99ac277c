//! How good a host is for a unit, in points; only differences mean something.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub total: i64,
    /// How full the host would be, 0 to 1,000; negative where the emptier one is the better one.
    pub fill: i64,
    /// -1,000 for each of its like that is in the same place, by `Spread=`.
    pub spread: i64,
    /// Ten times the weights of `Prefer=` that hold.
    pub prefer: i64,
    /// For a host that holds the unit's image, where others cannot get it.
    #[serde(default)]
    pub image: i64,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, fill, spread, prefer, image } = self;
        write!(f, "{total} points: fill {fill}, spread {spread}, prefer {prefer}")?;
        if *image == 0 { Ok(()) } else { write!(f, ", image {image}") }
    }
}
