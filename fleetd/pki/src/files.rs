//! Keys on disk: for their owner only, whole or not at all.

use super::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// No file of ours comes near this.
const LIMIT: u64 = 64 << 10;

/// Writes a file of mode 0600 that appears whole or not at all, and is on disk afterwards. It takes
/// the place of the one that was there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, bytes)
        .map_err(|cause| Error::Io { action: format!("write {}", path.display()), cause })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // `create_new` follows no symbolic link, and the mode is there before the first byte.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| std::fs::rename(&new, path)) {
        let _ = std::fs::remove_file(&new);
        return Err(error);
    }
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads such a file. One that others may read is refused: whoever could read it may have the key.
pub fn read_private(path: &Path) -> Result<String, Error> {
    let fail = |cause| Error::Io { action: format!("read {}", path.display()), cause };
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.mode();
    if mode & 0o077 != 0 {
        let cause = format!(
            "others than its owner may use it (mode {:o}); chmod 600 it if you are sure that nobody \
             has read it",
            mode & 0o777
        );
        return Err(fail(io::Error::other(cause)));
    }
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}
