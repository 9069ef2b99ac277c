//! Lines as they are written, over rotations and restarts of the unit.

use super::files;
use crate::core::log::Joiner;
use crate::sys::{inotify, watch};
use fleetd_api::LogLine;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::io::Interest;
use tokio::sync::mpsc;

/// Gives the last lines (none: all) and then every new one, until nobody takes them.
pub async fn follow(
    unit: PathBuf,
    lines: Option<usize>,
    takes: mpsc::Sender<LogLine>,
) -> io::Result<()> {
    std::fs::create_dir_all(&unit)?;
    let changes = inotify::open()?;
    inotify::add(&changes, &unit)?;
    for run in files::runs(&unit)? {
        inotify::add(&changes, &run)?;
    }
    // Watched before it is read: nothing is written unseen between the two.
    let mut at = Position::at_end(&unit)?;
    for line in at.earlier(&unit, lines)? {
        if takes.send(line).await.is_err() {
            return Ok(());
        }
    }
    let changes = watch::watch(changes, Interest::READABLE)?;
    loop {
        for run in files::runs(&unit)? {
            inotify::add(changes.get_ref(), &run).or_else(gone)?;
        }
        while let Some(found) = at.read(&unit)? {
            for line in found {
                if takes.send(line).await.is_err() {
                    return Ok(());
                }
            }
        }
        tokio::select! {
            ready = changes.readable() => {
                let mut ready = ready?;
                // What is there by now is read next.
                while inotify::drain(changes.get_ref()).is_ok() {}
                ready.clear_ready();
            }
            () = takes.closed() => return Ok(()),
        }
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// An open log file and what of it is read. The file stays the same when it is renamed.
#[derive(Default)]
struct Position {
    open: Option<File>,
    unfinished: Vec<u8>,
    joiner: Joiner,
}

impl Position {
    /// The newest file, nothing of it read yet.
    fn at_end(unit: &Path) -> io::Result<Self> {
        let newest = files::of_unit(unit)?.pop();
        let open = newest.map(File::open).transpose()?;
        Ok(Self { open, ..Self::default() })
    }

    /// The last lines of what is written so far.
    fn earlier(&mut self, unit: &Path, lines: Option<usize>) -> io::Result<Vec<LogLine>> {
        let current = self.read(unit)?.unwrap_or_default();
        let enough = lines.is_some_and(|lines| current.len() >= lines);
        let mut found = if enough { current } else { super::tail(unit, lines)? };
        let surplus = lines.map_or(0, |lines| found.len().saturating_sub(lines));
        found.drain(..surplus);
        Ok(found)
    }

    /// What has been written since, from this file and then from the next ones. None: nothing.
    fn read(&mut self, unit: &Path) -> io::Result<Option<Vec<LogLine>>> {
        let mut found = Vec::new();
        loop {
            let mut bytes = std::mem::take(&mut self.unfinished);
            let before = bytes.len();
            if let Some(file) = &mut self.open {
                file.read_to_end(&mut bytes)?;
            }
            let grown = bytes.len() > before;
            let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
            self.unfinished = bytes.split_off(end);
            let text = String::from_utf8_lossy(&bytes);
            found.extend(text.lines().filter_map(|line| self.joiner.push(line)));
            if !grown && !self.next(unit)? {
                return Ok((!found.is_empty()).then_some(found));
            }
        }
    }

    /// Goes on to the file after this one, if there is one.
    fn next(&mut self, unit: &Path) -> io::Result<bool> {
        let all = files::of_unit(unit)?;
        let here = match &self.open {
            None => None,
            Some(file) => {
                let inode = file.metadata()?.ino();
                // Removed by now: every file that is left is newer.
                all.iter()
                    .position(|path| std::fs::metadata(path).is_ok_and(|data| data.ino() == inode))
            }
        };
        let Some(path) = all.get(here.map_or(0, |here| here + 1)) else { return Ok(false) };
        match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
            Ok(file) => {
                self.open = Some(file);
                self.unfinished.clear();
                Ok(true)
            }
        }
    }
}
