//! The cgroup that holds every process of a host, so that all of them are killed, stopped and let
//! go at once, without a list of them (cgroup-v2.rst).

use super::process::wait_for;
use crate::failure::Failure;
use rustix::event::PollFlags;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the kernel may take to kill or to stop what is in a cgroup.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the holder and the daemons are; containers are beside it, since the cgroup above has
/// controllers and so no processes of its own.
const DAEMONS: &str = "daemons";

/// Where cgroup2 is mounted.
pub(super) fn mount() -> Result<PathBuf, Failure> {
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| Failure::io("read /proc/self/mountinfo", &e))?;
    table.lines().find_map(cgroup2).ok_or_else(|| {
        Failure::new("find cgroup2: it is not mounted")
            .hint("mount -t cgroup2 none /sys/fs/cgroup/unified")
    })
}

/// The mount point, if the line of mountinfo is one of cgroup2 (proc(5)).
fn cgroup2(line: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
}

pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// `path`: from the mount.
    pub(super) fn new(mount: &Path, path: &str) -> Self {
        Self(mount.join(path))
    }

    pub(super) fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Makes it, with a place for daemons, and gives that one's `cgroup.procs`.
    pub(super) fn make(&self) -> Result<OwnedFd, Failure> {
        let daemons = self.0.join(DAEMONS);
        fs::create_dir_all(&daemons)
            .map_err(|e| Failure::io(format!("create cgroup {}", daemons.display()), &e))?;
        self.entrance()
    }

    /// What a process writes itself into.
    pub(super) fn entrance(&self) -> Result<OwnedFd, Failure> {
        let path = self.0.join(DAEMONS).join("cgroup.procs");
        let file = File::options().write(true).open(&path);
        Ok(file.map_err(|e| Failure::io(format!("open {}", path.display()), &e))?.into())
    }

    /// Kills whatever is in it, stopped or not, waits for its end and removes it.
    pub(super) fn end(&self) -> Result<(), Failure> {
        if !self.exists() {
            return Ok(());
        }
        let mut rounds = 0;
        loop {
            self.write("cgroup.kill", "1")?;
            self.wait("populated 0")?;
            match remove(&self.0) {
                // Somebody came in meanwhile.
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy && rounds < 10 => rounds += 1,
                Err(e) => {
                    return Err(Failure::io(format!("remove cgroup {}", self.0.display()), &e));
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Begins to kill what is in it.
    pub(super) fn kill(&self) -> Result<(), Failure> {
        if self.exists() { self.write("cgroup.kill", "1") } else { Ok(()) }
    }

    /// Stops every process in it, or lets all go on, and waits until it is so.
    pub(super) fn freeze(&self, frozen: bool) -> Result<(), Failure> {
        let number = u8::from(frozen);
        self.write("cgroup.freeze", &number.to_string())?;
        self.wait(&format!("frozen {number}"))
    }

    pub(super) fn is_frozen(&self) -> bool {
        let events = fs::read_to_string(self.0.join("cgroup.events"));
        events.is_ok_and(|events| says(&events, "frozen 1"))
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        let path = self.0.join(file);
        fs::write(&path, text).map_err(|e| Failure::io(format!("write {}", path.display()), &e))
    }

    /// Waits for a line of `cgroup.events`; the kernel tells of each change of that file.
    fn wait(&self, line: &str) -> Result<(), Failure> {
        let path = self.0.join("cgroup.events");
        let failed = |e: &io::Error| Failure::io(format!("watch {}", path.display()), e);
        let file = File::open(&path).map_err(|e| failed(&e))?;
        loop {
            let mut buffer = [0; 256];
            let length = file.read_at(&mut buffer, 0).map_err(|e| failed(&e))?;
            let events = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            if says(&events, line) {
                return Ok(());
            }
            let change = wait_for(&[(file.as_fd(), PollFlags::PRI)], Some(PATIENCE));
            if change.map_err(|e| failed(&e))?.is_none() {
                let time = PATIENCE.as_secs();
                return Err(Failure::new(format!(
                    "wait for `{line}` of {}: not so after {time} s",
                    path.display()
                ))
                .hint("a process that the kernel cannot interrupt?"));
            }
        }
    }
}

fn says(events: &str, line: &str) -> bool {
    events.lines().any(|found| found == line)
}

/// Removes empty cgroups, the innermost first.
fn remove(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup2_is_found_where_it_is() {
        let hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        assert_eq!(cgroup2(hybrid), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(cgroup2("37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw"), None);
    }

    #[test]
    fn an_event_is_a_whole_line() {
        assert!(says("populated 0\nfrozen 1\n", "frozen 1"));
        assert!(!says("populated 0\nfrozen 10\n", "frozen 1"));
    }
}
