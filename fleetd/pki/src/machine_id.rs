//! The name of a host in its fleet, for people and for the protocols between hosts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A machine id: 128 bits, as 32 hex digits in text.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u128);

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MachineId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && hex);
        number.map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(128).flat_map(char::escape_default).collect();
            format!("`{shown}` is not a machine id (32 lower-case hex digits)")
        })
    }
}

impl Serialize for MachineId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MachineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(any(test, feature = "fixture"))]
impl From<u64> for MachineId {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_written_and_nothing_else_is() {
        let text = "00f16a7e8b1c4d5e9f00112233445566";
        let id: MachineId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<MachineId>(&json).unwrap(), id);
        let long = format!("{text}0");
        for wrong in ["", "0", "+0f16a7e8b1c4d5e9f00112233445566", &text.to_uppercase(), &long] {
            assert!(wrong.parse::<MachineId>().is_err(), "{wrong}");
        }
    }
}
