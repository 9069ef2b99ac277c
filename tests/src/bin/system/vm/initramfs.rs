//! The guest's first file system, as the kernel unpacks it: a cpio archive of the kind `newc`
//! (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).

use std::fs;
use std::io::{self, Write};
use std::path::Path;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// Writes an archive with `init`, the modules of a kernel's `boot` directory and the configuration
/// of [`guest-init`](../../guest-init/main.rs).
pub(crate) fn write(path: &Path, init: &Path, modules: &Path, config: &str) -> Result<(), String> {
    let archive = build(init, modules, config).map_err(|e| format!("build the initramfs: {e}"))?;
    fs::write(path, archive).map_err(|e| format!("write {}: {e}", path.display()))
}

fn build(init: &Path, modules: &Path, config: &str) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    for directory in ["dev", "modules"] {
        entry(&mut archive, directory, DIRECTORY, &[])?;
    }
    entry(&mut archive, "init", PROGRAM, &fs::read(init)?)?;
    entry(&mut archive, "config", FILE, config.as_bytes())?;
    for module in fs::read_dir(modules)? {
        let module = module?;
        let name = format!("modules/{}", module.file_name().to_string_lossy());
        entry(&mut archive, &name, FILE, &fs::read(module.path())?)?;
    }
    entry(&mut archive, "TRAILER!!!", 0, &[])?;
    Ok(archive)
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len()).map_err(io::Error::other)?;
    let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
    archive.write_all(b"070701")?;
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor,
    // namesize, check
    for field in [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
        write!(archive, "{field:08x}")?;
    }
    archive.extend([name.as_bytes(), &[0]].concat());
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_begin_at_multiples_of_four() {
        let mut archive = Vec::new();
        entry(&mut archive, "a", FILE, b"12345").unwrap();
        assert_eq!(archive.len(), 110 + 2 + 8);
        assert_eq!(&archive[..6], b"070701");
        assert_eq!(&archive[54..62], b"00000005");
        assert_eq!(&archive[110..117], b"a\x0012345");
    }
}
