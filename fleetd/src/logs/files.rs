//! Which files there are, and in which order.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A log file, which has another name after the next rotation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    pub(super) inode: u64,
    path: PathBuf,
}

impl LogFile {
    /// The directory of its run.
    pub(super) fn run(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// None: it has been removed meanwhile.
    pub(super) fn open(&self, unit: &Path) -> io::Result<Option<File>> {
        let mut path = self.path.clone();
        loop {
            match File::open(&path) {
                Ok(file) if file.metadata()?.ino() == self.inode => return Ok(Some(file)),
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                // It was renamed, or is gone.
                _ => match of_unit(unit)?.into_iter().find(|file| file.inode == self.inode) {
                    Some(file) => path = file.path,
                    None => return Ok(None),
                },
            }
        }
    }
}

/// The log files of all runs of a unit, the oldest first. Empty if there is none yet.
pub(super) fn of_unit(unit: &Path) -> io::Result<Vec<LogFile>> {
    // A rotation renames files while they are looked at: what is seen twice is true.
    let mut files = look(unit)?;
    loop {
        let again = look(unit)?;
        if again == files {
            return Ok(files);
        }
        files = again;
    }
}

fn look(unit: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for run in runs(unit)? {
        for path in of_run(&run)? {
            // Renamed or removed since.
            let Ok(data) = std::fs::metadata(&path) else { continue };
            files.push(LogFile { inode: data.ino(), path });
        }
    }
    Ok(files)
}

/// The directories of a unit's runs, the oldest first.
pub(super) fn runs(unit: &Path) -> io::Result<Vec<PathBuf>> {
    let mut runs: Vec<((u64, u64), PathBuf)> =
        entries(unit)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    runs.sort_unstable();
    Ok(runs.into_iter().map(|(_, path)| path).collect())
}

/// The files of one run, the oldest first.
fn of_run(run: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<(u64, PathBuf)> =
        entries(run)?.into_iter().filter_map(|path| Some((age(&path)?, path))).collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Incarnation and number at the end of a run's id.
fn number(run: &Path) -> Option<(u64, u64)> {
    let (_, numbers) = run.file_name()?.to_str()?.rsplit_once('-')?;
    let (incarnation, number) = numbers.split_once('.')?;
    Some((incarnation.parse().ok()?, number.parse().ok()?))
}

/// `log` is 0, `log.1` is older.
fn age(file: &Path) -> Option<u64> {
    match file.file_name()?.to_str()? {
        "log" => Some(0),
        name => name.strip_prefix("log.")?.parse().ok(),
    }
}
