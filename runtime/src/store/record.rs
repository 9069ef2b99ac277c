//! `state.json`: our own record of a container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::error::{Doing, Result};
use crate::sys::file;

#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Record {
    pub version: u32,
    pub id: String,
    /// `/proc/sys/kernel/random/boot_id`
    pub boot_id: String,
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`.
    pub pid_start: u64,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// RFC 3339.
    pub created: String,
    /// Absolute.
    pub cgroup: PathBuf,
    /// Its parents that were made for it.
    pub made_cgroups: Vec<PathBuf>,
    pub annotations: BTreeMap<String, String>,
}

impl Record {
    pub fn to_json(&self) -> String {
        // Strings and numbers only: nothing in it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn cgroup(&self) -> Cgroup {
        Cgroup::made(self.cgroup.clone(), self.made_cgroups.clone())
    }
}

/// This boot's id.
pub fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text =
        file::read_small(file::here(), Path::new(path)).doing(format_args!("read {path}"))?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Now, as RFC 3339 with nine digits.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    timestamp(now.as_secs(), now.subsec_nanos())
}

/// Days to a date as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
fn timestamp(seconds: u64, nanoseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn days_become_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000000007Z"),
            (951_868_799, "2000-02-29T23:59:59.000000007Z"),
            (1_795_000_000, "2026-11-18T11:06:40.000000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000007Z"),
        ] {
            assert_eq!(timestamp(seconds, 7), text);
        }
    }
}
