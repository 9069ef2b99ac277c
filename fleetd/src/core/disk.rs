//! How full the disk of a host's state directory is.

use serde::{Deserialize, Serialize};

/// With less than this left a disk is full: a database, a unit's record and a few lines of logs still fit.
pub const FULL: u64 = 8 << 20;
/// It has room again from here on: no flutter between the two.
const ROOM: u64 = 2 * FULL;

/// What a host says of its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    #[default]
    Room,
    /// It gets no new units.
    Full,
    /// The reserve was given up: only what ends or removes something is decided there.
    ReserveUsed,
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

impl Disk {
    /// What it is now. `free`: bytes, beside the reserve.
    pub fn now(self, reserve: bool, free: u64) -> Self {
        let enough = if self == Self::Room { FULL } else { ROOM };
        match reserve {
            false => Self::ReserveUsed,
            true if free < enough => Self::Full,
            true => Self::Room,
        }
    }

    pub fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::ReserveUsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_until_it_has_clearly_room_again() {
        let disk = Disk::Room.now(true, FULL);
        assert_eq!(disk, Disk::Room);
        let disk = disk.now(true, FULL - 1);
        assert_eq!(disk, Disk::Full);
        assert_eq!(disk.now(true, FULL + 1), Disk::Full);
        assert_eq!(disk.now(true, ROOM), Disk::Room);
        assert_eq!(disk.now(false, ROOM), Disk::ReserveUsed);
        assert_eq!(Disk::ReserveUsed.now(true, FULL), Disk::Full);
    }

    #[test]
    fn what_a_later_version_says_is_no_error() {
        assert_eq!(serde_json::from_str::<Disk>("\"molten\"").unwrap(), Disk::Unknown);
    }
}
