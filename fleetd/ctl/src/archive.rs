//! A directory as a tar stream: owners, modes, times, links, devices, extended attributes.
//!
//! Hard links stay links; sockets are left out, since they mean nothing without their process.
//! Extended attributes ride as PAX records (`SCHILY.xattr.NAME`), as GNU tar writes them.

use crate::failure::Failure;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Writes everything below `root` into `out`, in the order of the names.
pub(crate) fn write(root: &Path, out: impl Write) -> Result<(), Failure> {
    let mut archive = Archive { builder: Builder::new(out), links: HashMap::new() };
    archive.builder.follow_symlinks(false);
    archive.directory(root, Path::new(""))?;
    archive.builder.finish().map_err(|error| sending(&error))
}

fn sending(error: &io::Error) -> Failure {
    Failure::io("send the image", error)
}

struct Archive<W: Write> {
    builder: Builder<W>,
    /// First path of each file that has several, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Archive<W> {
    fn directory(&mut self, path: &Path, inside: &Path) -> Result<(), Failure> {
        let told = |error: &io::Error| Failure::io(format!("read {}", path.display()), error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|error| told(&error))? {
            names.push(entry.map_err(|error| told(&error))?.file_name());
        }
        names.sort();
        for name in names {
            let path = path.join(&name);
            let inside = inside.join(&name);
            let metadata = path
                .symlink_metadata()
                .map_err(|error| Failure::io(format!("read {}", path.display()), &error))?;
            self.entry(&path, &inside, &metadata)?;
            if metadata.is_dir() {
                self.directory(&path, &inside)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, inside: &Path, metadata: &Metadata) -> Result<(), Failure> {
        let told = |error: &io::Error| Failure::io(format!("read {}", path.display()), error);
        let kind = metadata.file_type();
        if kind.is_socket() {
            return Ok(());
        }
        let mut header = header(metadata);
        if !metadata.is_dir() && metadata.nlink() > 1 {
            let id = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&id) {
                header.set_entry_type(EntryType::Link);
                return self
                    .builder
                    .append_link(&mut header, inside, first)
                    .map_err(|error| sending(&error));
            }
            self.links.insert(id, inside.to_owned());
        }
        self.attributes(path)?;
        let sent = if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let target = std::fs::read_link(path).map_err(|error| told(&error))?;
            self.builder.append_link(&mut header, inside, target)
        } else if kind.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(metadata.len());
            let file = File::open(path).map_err(|error| told(&error))?;
            let content = Exactly { file, left: metadata.len() };
            self.builder.append_data(&mut header, inside, content)
        } else {
            header.set_entry_type(if kind.is_dir() {
                EntryType::Directory
            } else if kind.is_fifo() {
                EntryType::Fifo
            } else if kind.is_char_device() {
                EntryType::Char
            } else {
                EntryType::Block
            });
            self.builder.append_data(&mut header, inside, io::empty())
        };
        sent.map_err(|error| Failure::io(format!("send {}", path.display()), &error))
    }

    /// The record of a file's extended attributes, in front of its entry.
    fn attributes(&mut self, path: &Path) -> Result<(), Failure> {
        let told = |error: &io::Error| {
            Failure::io(format!("read attributes of {}", path.display()), error)
        };
        let names = match xattr::list(path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            Err(error) => return Err(told(&error)),
        };
        let mut records = Vec::new();
        for name in names {
            if let Some(value) = xattr::get(path, &name).map_err(|error| told(&error))?
                && let Some(name) = name.to_str()
            {
                records.push((format!("SCHILY.xattr.{name}"), value));
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.builder.append_pax_extensions(records).map_err(|error| sending(&error))
    }
}

fn header(metadata: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    if metadata.file_type().is_char_device() || metadata.file_type().is_block_device() {
        let device = metadata.rdev();
        // A GNU header has room for both numbers, so that these cannot fail.
        let _ = header.set_device_major(rustix::fs::major(device));
        let _ = header.set_device_minor(rustix::fs::minor(device));
    }
    header
}

/// As many bytes of a file as its header says: one that shrinks meanwhile is an error rather than
/// a stream whose every later entry is garbage.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::other("it shrank while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_modes_and_long_names_survive() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let long = "x".repeat(150);
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/a"), "program").unwrap();
        std::fs::set_permissions(root.join("bin/a"), std::fs::Permissions::from_mode(0o4755))
            .unwrap();
        std::fs::hard_link(root.join("bin/a"), root.join("bin/b")).unwrap();
        symlink("/bin/a", root.join("c")).unwrap();
        std::fs::write(root.join(&long), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let mut bytes = Vec::new();
        write(root, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let told: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let link = entry.link_name().unwrap();
                let link = link.map_or(String::new(), |link| format!(" -> {}", link.display()));
                let header = entry.header();
                let kind = header.entry_type();
                let mode = if kind.is_file() { header.mode().unwrap() } else { 0 };
                format!("{} {kind:?} {mode:o}{link}", entry.path().unwrap().display())
            })
            .collect();
        assert_eq!(
            told,
            [
                "bin Directory 0".to_owned(),
                "bin/a Regular 4755".to_owned(),
                "bin/b Link 0 -> bin/a".to_owned(),
                "c Symlink 0 -> /bin/a".to_owned(),
                format!("{long} Regular 644"),
            ]
        );
    }

    #[test]
    fn a_file_that_is_shorter_than_it_said_is_an_error() {
        let mut content = Exactly { file: tempfile::tempfile().unwrap(), left: 1 };
        assert!(content.read(&mut [0; 8]).is_err());
    }
}
