//! Where the programs in containers tell when they began (`bench/src/bin/stamp.rs`): a socket in a directory that
//! units mount.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::undo::Undo;

/// Inside of containers.
pub(super) const INSIDE: &str = "/bench";
pub(super) const SOCKET: &str = "/bench/stamps";

pub(super) struct Stamps {
    directory: PathBuf,
    socket: UnixDatagram,
    _undo: Undo,
}

impl Stamps {
    pub(super) fn listen() -> Result<Stamps, String> {
        let directory = PathBuf::from(format!("/run/flotilla-bench-{}", std::process::id()));
        let doing = |error| format!("listen in {}: {error}", directory.display());
        let mine = directory.clone();
        // Gone with the process's directory in /run, or with the machine.
        let undo = Undo::later(move || drop(fs::remove_dir_all(mine)));
        let inside = directory.join("inside");
        fs::create_dir_all(&inside).map_err(doing)?;
        let path = inside.join("stamps");
        let socket = UnixDatagram::bind(&path).map_err(doing)?;
        // Whoever the container's user is.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).map_err(doing)?;
        Ok(Stamps { directory, socket, _undo: undo })
    }

    /// Ours on the machine; no container sees it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What units mount at [`INSIDE`].
    pub(super) fn inside(&self) -> PathBuf {
        self.directory.join("inside")
    }

    /// Forgets what came too late for whoever waited.
    pub(super) fn clear(&self) -> Result<(), String> {
        self.socket.set_nonblocking(true).map_err(failed)?;
        while self.socket.recv(&mut [0; 512]).is_ok() {}
        self.socket.set_nonblocking(false).map_err(failed)
    }

    /// When the program of this name began, on the clock of [`crate::sys::monotonic_nanos`].
    pub(super) fn of(&self, name: &str, patience: Duration) -> Result<u64, String> {
        let found = self.until(patience, |stamps| stamps.contains_key(name));
        let found = found.map_err(|error| format!("{error} {name}"))?;
        Ok(found.get(name).copied().unwrap_or_default())
    }

    /// When each of so many programs began for the first time, by name.
    pub(super) fn of_all(
        &self,
        count: usize,
        patience: Duration,
    ) -> Result<BTreeMap<String, u64>, String> {
        self.until(patience, |stamps| stamps.len() >= count)
            .map_err(|error| format!("{error} {count} programs"))
    }

    fn until(
        &self,
        patience: Duration,
        enough: impl Fn(&BTreeMap<String, u64>) -> bool,
    ) -> Result<BTreeMap<String, u64>, String> {
        let mut stamps = BTreeMap::new();
        let begun = Instant::now();
        let mut word = [0; 512];
        while !enough(&stamps) {
            let left = patience.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).map_err(failed)?;
            let length = self.socket.recv(&mut word).map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => {
                    format!("after {} s there is no sign of", patience.as_secs())
                }
                _ => failed(error),
            })?;
            let (name, began) = read(&word[..length])?;
            stamps.entry(name).or_insert(began);
        }
        Ok(stamps)
    }
}

fn failed(error: std::io::Error) -> String {
    format!("wait for programs: {error}")
}

fn read(word: &[u8]) -> Result<(String, u64), String> {
    let text = std::str::from_utf8(word).ok();
    let parts = text.and_then(|text| text.rsplit_once(' '));
    let stamp = parts.and_then(|(name, began)| Some((name.to_owned(), began.parse().ok()?)));
    stamp.ok_or_else(|| format!("read a stamp: {:?}", String::from_utf8_lossy(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_a_name_and_a_time() {
        assert_eq!(read(b"web@1 42"), Ok(("web@1".to_owned(), 42)));
        assert!(read(b"web@1").is_err());
        assert!(read(b"web@1 soon").is_err());
        assert!(read(b"\xff 1").is_err());
    }
}
