//! Lines as they are written, over rotations and restarts of the unit.

use super::files;
use crate::core::log::Joiner;
use crate::sys::{inotify, watch};
use fleetd_api::LogLine;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use tokio::io::Interest;
use tokio::sync::mpsc;

/// Read at once: a reader that is slower than the program must not gather what it writes.
const CHUNK: u64 = 256 * 1024;

/// Gives the last lines (none: all) and then every new one, until nobody takes them or the unit is
/// gone.
pub async fn follow(
    unit: PathBuf,
    lines: Option<usize>,
    takes: mpsc::Sender<LogLine>,
) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&unit)?;
    let directory = std::fs::metadata(&unit)?.ino();
    let changes = inotify::open()?;
    inotify::add(&changes, &unit)?;
    for run in files::runs(&unit)? {
        inotify::add(&changes, &run)?;
    }
    // Watched before it is read: nothing is written unseen between the two.
    let (mut at, earlier) = {
        let unit = unit.clone();
        let begin = tokio::task::spawn_blocking(move || begin(&unit, lines));
        begin.await.map_err(io::Error::other)??
    };
    for line in earlier {
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
            // Each piece is read without waiting; others want their turn, too.
            tokio::task::yield_now().await;
        }
        // Destroyed; a new unit of that name is another one.
        if !std::fs::metadata(&unit).is_ok_and(|data| data.ino() == directory) {
            return Ok(());
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

/// The last lines of what is written so far, and the place behind them.
pub(super) fn begin(unit: &Path, lines: Option<usize>) -> io::Result<(Position, Vec<LogLine>)> {
    let mut at = Position::default();
    let Some(newest) = files::of_unit(unit)?.pop() else { return Ok((at, Vec::new())) };
    let Some(file) = newest.open(unit)? else { return Ok((at, Vec::new())) };
    at.go_to(file, newest.run());
    // What is written from here on is a new line, for one reader as for the other.
    let end = at.end()?;
    let earlier = super::tail_until(unit, lines, end)?;
    at.skip_to(end.map_or(0, |end| end.length))?;
    Ok((at, earlier))
}

/// An open log file and what of it is read. The file stays the same when it is renamed.
#[derive(Default)]
pub(super) struct Position {
    open: Option<File>,
    /// The directory of its run.
    run: PathBuf,
    unfinished: Vec<u8>,
    joiner: Joiner,
}

impl Position {
    fn go_to(&mut self, file: File, run: &Path) {
        self.open = Some(file);
        self.run = run.to_owned();
        self.unfinished.clear();
    }

    fn end(&self) -> io::Result<Option<super::End>> {
        let Some(file) = &self.open else { return Ok(None) };
        let data = file.metadata()?;
        Ok(Some(super::End { inode: data.ino(), length: data.len() }))
    }

    /// To the end of the last whole line in front of a place: a line that is being written is read
    /// whole, later.
    fn skip_to(&mut self, end: u64) -> io::Result<()> {
        let Some(file) = &mut self.open else { return Ok(()) };
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(end - start).read_to_end(&mut bytes)?;
        self.unfinished = after_last_line(&mut bytes);
        Ok(())
    }

    /// The next piece of what has been written since, from this file and then from the next ones.
    /// None: nothing.
    pub(super) fn read(&mut self, unit: &Path) -> io::Result<Option<Vec<LogLine>>> {
        loop {
            if let Some(found) = self.read_here()? {
                return Ok(Some(found));
            }
            let Some((file, run)) = self.next(unit)? else {
                self.close_removed()?;
                return Ok(None);
            };
            // Nothing is written to this one any more. It may have been since it was looked at.
            if let Some(found) = self.read_here()? {
                return Ok(Some(found));
            }
            let same = run == self.run;
            self.go_to(file, &run);
            // What an ended run left unfinished is no beginning of the next one's first line.
            if !same {
                let rest: Vec<LogLine> = self.joiner.rest().collect();
                if !rest.is_empty() {
                    return Ok(Some(rest));
                }
            }
        }
    }

    /// A removed file is let go at its end: while it is open the kernel does not tell that its
    /// directories are gone, since it holds on to them.
    fn close_removed(&mut self) -> io::Result<()> {
        if let Some(file) = &self.open
            && file.metadata()?.nlink() == 0
        {
            self.open = None;
        }
        Ok(())
    }

    fn read_here(&mut self) -> io::Result<Option<Vec<LogLine>>> {
        let Some(file) = &mut self.open else { return Ok(None) };
        let mut bytes = std::mem::take(&mut self.unfinished);
        let grown = file.take(CHUNK).read_to_end(&mut bytes)?;
        self.unfinished = after_last_line(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let found: Vec<LogLine> = text.lines().filter_map(|line| self.joiner.push(line)).collect();
        Ok((grown > 0).then_some(found))
    }

    /// The file after this one, if there is one.
    fn next(&self, unit: &Path) -> io::Result<Option<(File, PathBuf)>> {
        let own = self.end()?.map(|end| end.inode);
        let files = files::of_unit(unit)?;
        // Removed by now: every file that is left is newer.
        let here = files.iter().position(|file| Some(file.inode) == own);
        let Some(next) = files.get(here.map_or(0, |here| here + 1)) else { return Ok(None) };
        let file = next.open(unit)?;
        Ok(file.map(|file| (file, next.run().to_owned())))
    }
}

/// Cuts what stands behind the last line break off.
fn after_last_line(bytes: &mut Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    bytes.split_off(end)
}
