//! Reads the records of a place while its process writes them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::record::Record;
use crate::sys;

/// How often a file that another machine may write is looked at: its writes make no event here.
const INTERVAL: Duration = Duration::from_millis(100);

/// The records that have been written since it was last asked.
pub(crate) struct Records {
    file: File,
    unfinished: Vec<u8>,
}

impl Records {
    /// `path` is made empty.
    pub(crate) fn create(path: &Path) -> Result<Self, String> {
        let file = File::options().create(true).truncate(true).read(true).write(true).open(path);
        let file = file.map_err(|e| format!("create {}: {e}", path.display()))?;
        Ok(Self { file, unfinished: Vec::new() })
    }

    fn read(&mut self) -> Result<Vec<Record>, String> {
        self.file.read_to_end(&mut self.unfinished).map_err(|e| format!("read records: {e}"))?;
        let Some(end) = self.unfinished.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.unfinished.split_off(end + 1);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        whole
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|e| format!("read a record: {e}")))
            .collect()
    }
}

/// How the process of a place came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself; with its exit status in words.
    Exited(String),
    /// It was killed after it had written nothing for so long.
    Silent(Duration),
}

/// Passes every record to `take` until the process ends, or is killed because nothing came for
/// as long as the last record allows.
pub(crate) fn follow(
    child: &mut Child,
    records: &mut Records,
    silence: impl Fn(Option<&Record>) -> Duration,
    mut take: impl FnMut(&Record),
) -> Result<End, String> {
    let pidfd = sys::pidfd(child.id()).map_err(|e| format!("watch the process: {e}"))?;
    let mut last: Option<Record> = None;
    let mut heard = Instant::now();
    let end = loop {
        let gone = sys::readable_within(&pidfd, INTERVAL).map_err(|e| e.to_string())?;
        for record in records.read()? {
            take(&record);
            last = Some(record);
            heard = Instant::now();
        }
        let limit = silence(last.as_ref());
        if gone {
            break None;
        } else if heard.elapsed() > limit {
            child.kill().map_err(|e| format!("kill the process: {e}"))?;
            break Some(limit);
        }
    };
    let status = child.wait().map_err(|e| format!("wait for the process: {e}"))?;
    Ok(end.map_or(End::Exited(status.to_string()), End::Silent))
}
