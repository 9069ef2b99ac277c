//! What a process has in `/proc/PID`, written or read by its parent.

use std::fmt::Write as _;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::error::{Doing, Error, Result};
use crate::spec::Spec;
use crate::spec::linux::{IdMapping, NamespaceKind};
use crate::sys::file;

/// The kernel takes a map that is shorter than a page of memory.
const SMALLEST_PAGE: usize = 4096;

/// Writes the maps of a new user namespace (user_namespaces(7)); false if there is none.
pub(super) fn map(spec: &Spec, pid: i32) -> Result<bool> {
    let linux = spec.linux();
    if linux.namespaces.iter().all(|namespace| namespace.kind != NamespaceKind::User) {
        return Ok(false);
    }
    for (name, map) in [("gid_map", &linux.gid_mappings), ("uid_map", &linux.uid_mappings)] {
        let lines = lines(map);
        write(pid, name, &lines).map_err(|error| {
            let fault = Error::io(format_args!("write the container's {name}"), &error);
            match error.raw_os_error() {
                Some(libc::EINVAL) if lines.len() >= SMALLEST_PAGE => fault.hint(format_args!(
                    "it is {} bytes long, and the kernel takes less than a page",
                    lines.len()
                )),
                _ => fault,
            }
        })?;
    }
    Ok(true)
}

fn lines(map: &[IdMapping]) -> String {
    map.iter().fold(String::new(), |mut text, entry| {
        let _ = writeln!(text, "{} {} {}", entry.container_id, entry.host_id, entry.size);
        text
    })
}

/// Sets the score only if the document does.
pub(super) fn set_oom_score(spec: &Spec, pid: i32) -> Result<()> {
    let Some(score) = spec.process.as_ref().and_then(|process| process.oom_score_adj) else {
        return Ok(());
    };
    write_oom_score(pid, score)
}

/// Writes `/proc/PID/oom_score_adj`.
pub(crate) fn write_oom_score(pid: i32, score: i32) -> Result<()> {
    write(pid, "oom_score_adj", &score.to_string()).map_err(|error| {
        let fault = Error::io(format_args!("set process.oomScoreAdj to {score}"), &error);
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => {
                fault.hint("a score below the caller's needs CAP_SYS_RESOURCE")
            }
            _ => fault,
        }
    })
}

fn write(pid: i32, name: &str, text: &str) -> io::Result<()> {
    let path = format!("/proc/{pid}/{name}");
    let file = file::openat(file::here(), Path::new(&path), libc::O_WRONLY, 0)?;
    file::write_whole(file.as_fd(), text.as_bytes())
}

/// Field 22 of `/proc/PID/stat`.
pub fn start_time(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text =
        file::read_small(file::here(), Path::new(&path)).doing(format_args!("read {path}"))?;
    parse_start_time(&String::from_utf8_lossy(&text))
        .ok_or_else(|| Error::new(format_args!("read {path}: has no start time")))
}

/// The second field, the program's name, may itself have blanks and parentheses in it.
fn parse_start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_start_time;

    #[test]
    fn a_programs_name_cannot_shift_the_fields() {
        let fields: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        let stat = format!("7 (a) S 1 (b) {}", fields.join(" "));
        assert_eq!(parse_start_time(&stat), Some(22));
        assert_eq!(parse_start_time("7 (a) S"), None);
    }
}
