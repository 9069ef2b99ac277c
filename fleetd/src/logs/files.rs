//! Which files there are, and in which order.

use std::io;
use std::path::{Path, PathBuf};

/// The log files of all runs of a unit, the oldest first. Empty if there is none yet.
pub(super) fn of_unit(unit: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for run in runs(unit)? {
        files.extend(of_run(&run)?);
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
pub(super) fn of_run(run: &Path) -> io::Result<Vec<PathBuf>> {
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
