//! The journal: which endpoints are wanted, what was chosen for them, and what the host was like
//! before us.
//!
//! `netd.journal` in the state directory: a header, then one JSON object a line. A change is one
//! `write` at the end, so a death at any moment loses at most the line that was being written, whose
//! request had no answer. The file is rewritten beside and renamed when it has grown. It is not
//! synced for every endpoint: after a power failure there is another boot, and its endpoints are
//! gone with their namespaces.

use crate::core::network::OURS;
use crate::core::{Network, Record, Service};
use crate::{lock, sys};
use netd_api::{DnsName, EndpointId, NetworkName};
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "netd.journal";
const LOCK: &str = "netd.lock";
const VERSION: u32 = 2;
/// Kept for the journal, so that endpoints can be detached when the disk is full: some hundred entries.
const SPARE: u32 = 64 << 10;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    pub boot_id: String,
    /// Name of the link that has the host's own addresses.
    pub device: String,
    /// Name of the nftables table.
    pub table: String,
    /// The network that every host has.
    pub network: Network,
    /// What the kernel's parameters were before netd set them, in this boot: name under
    /// `/proc/sys/net` and value.
    pub parameters: BTreeMap<String, String>,
}

impl Header {
    pub fn new(boot_id: String, device: String, table: String, network: Network) -> Self {
        let parameters = BTreeMap::new();
        Self { version: VERSION, boot_id, device, table, network, parameters }
    }

    /// Where the groups of our links begin.
    pub fn groups(&self) -> u32 {
        self.network.group & OURS
    }
}

/// A line after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Attach(Record),
    Detach(EndpointId),
    Remember(NetworkName, DnsName, IpAddr),
    Network(Network),
    DropNetwork(NetworkName),
    Service(Service),
    DropService(DnsName),
}

/// Everything that the journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub header: Header,
    /// Without the one of the header.
    pub networks: BTreeMap<NetworkName, Network>,
    pub endpoints: BTreeMap<EndpointId, Record>,
    pub services: BTreeMap<DnsName, Service>,
    /// First names and the last addresses of each, oldest first.
    pub remembered: Vec<(NetworkName, DnsName, IpAddr)>,
    /// How many bytes of the file can be read.
    length: u64,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("lock {0}: another netd runs with this state directory")]
    Locked(PathBuf),
    #[error("read {0}: it is of a newer netd")]
    Newer(PathBuf),
}

pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    lines: usize,
    /// What was found, as long as nothing was written: whose it is, and how much of it can be read.
    found: Option<(Header, u64)>,
    _lock: Flock<File>,
}

impl Journal {
    /// Takes the state directory for this process, waiting for an earlier one to let go of it, and
    /// reads the journal in it. A journal whose first line cannot be read is as none, and so is one of
    /// version 1, whose containers were on a bridge.
    pub fn open(dir: &Path, patience: Duration) -> Result<(Self, Option<Saved>), StoreError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { what, path, source }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("create", dir))?;
        let lock_path = dir.join(LOCK);
        let lock = lock::take(&lock_path, patience)
            .map_err(failed("lock", &lock_path))?
            .ok_or(StoreError::Locked(lock_path))?;
        let path = dir.join(FILE);
        let saved = match std::fs::read(&path) {
            Ok(bytes) => parse(&bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(failed("read", &path)(e)),
        };
        if saved.as_ref().is_some_and(|s| s.header.version > VERSION) {
            return Err(StoreError::Newer(path));
        }
        let found = saved.as_ref().map(|saved| (saved.header.clone(), saved.length));
        Ok((Self { path, file: None, length: 0, lines: 0, found, _lock: lock }, saved))
    }

    /// Writes the whole journal anew: whole or not at all. On a full disk the one that is there goes on,
    /// where it says the same at greater length.
    pub fn rewrite(
        &mut self,
        header: &Header,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), StoreError> {
        let mut bytes = line(header);
        let mut lines = 1;
        for entry in entries {
            bytes.extend(line(&entry));
            lines += 1;
        }
        let beside = self.path.with_extension("journal.new");
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&bytes)?;
            // Where the file system cannot, entries are refused when the disk is full.
            let _ = sys::file::keep_room(&file, SPARE);
            file.sync_data()?;
            std::fs::rename(&beside, &self.path)?;
            io::Result::Ok(file)
        };
        let file = match write() {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::StorageFull && self.goes_on(header) => {
                let _ = std::fs::remove_file(&beside);
                return Ok(());
            }
            Err(e) => return Err(self.failed("write", e)),
        };
        (self.file, self.length, self.lines) = (Some(file), bytes.len() as u64, lines);
        Ok(())
    }

    /// Whether entries can be appended to what is there.
    fn goes_on(&mut self, header: &Header) -> bool {
        if let Some((_, length)) = self.found.take_if(|(of, _)| of == header) {
            (self.file, self.length) = (open_at(&self.path, length).ok(), length);
            let shown = self.path.display();
            crate::say::say(format_args!(
                "write {shown}: the disk is full; the one that is there goes on"
            ));
        }
        self.file.is_some()
    }

    /// Appends entries in one write: all of them or, after an error, none.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let bytes: Vec<u8> = entries.iter().flat_map(line).collect();
        let Some(file) = &mut self.file else {
            return Err(self.failed("append to", io::ErrorKind::NotFound.into()));
        };
        if let Err(e) = file.write_all(&bytes) {
            // A full disk may have taken a part; without this the next line would be glued to it.
            let cut = file
                .set_len(self.length)
                .and_then(|()| io::Seek::seek(file, io::SeekFrom::Start(self.length)).map(|_| ()));
            return Err(self.failed("append to", cut.err().unwrap_or(e)));
        }
        self.length += bytes.len() as u64;
        self.lines += entries.len();
        Ok(())
    }

    /// Whether most of the file is history: `wanted` is how much is wanted now.
    pub fn is_long(&self, wanted: usize) -> bool {
        self.lines > 10_000 + 4 * wanted
    }

    /// Removes the journal and the lock.
    pub fn remove(self) -> Result<(), StoreError> {
        for path in [self.path.clone(), self.path.with_file_name(LOCK)] {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("remove", e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn failed(&self, what: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { what, path: self.path.clone(), source }
    }
}

/// To write behind what can be read of it.
fn open_at(path: &Path, length: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    // It would give the spare back as well.
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    Ok(file)
}

/// The boot that this is (random(4)).
pub fn boot_id() -> Result<String, StoreError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    std::fs::read_to_string(path)
        .map(|text| text.trim_end().to_owned())
        .map_err(|source| StoreError::Io { what: "read", path: path.to_owned(), source })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // The types have string keys and no floats: they cannot fail to serialize.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Reads up to the first line that is not whole.
fn parse(bytes: &[u8]) -> Option<Saved> {
    let mut lines = bytes.split_inclusive(|b| *b == b'\n').take_while(|l| l.ends_with(b"\n"));
    let first = lines.next()?;
    let header: Header = serde_json::from_slice(first).ok()?;
    let mut saved = Saved {
        header,
        networks: BTreeMap::new(),
        endpoints: BTreeMap::new(),
        services: BTreeMap::new(),
        remembered: Vec::new(),
        length: first.len() as u64,
    };
    let whole = |line: &[u8]| Some((serde_json::from_slice(line).ok()?, line.len() as u64));
    for (entry, length) in lines.map_while(whole) {
        saved.length += length;
        match entry {
            Entry::Attach(record) => {
                if let Some(name) = record.spec.names.first() {
                    saved.remembered.extend(record.places.iter().flat_map(|place| {
                        let (network, name) = (place.network.clone(), name.clone());
                        let of = move |a: &IpAddr| (network.clone(), name.clone(), *a);
                        place.addresses.iter().map(of)
                    }));
                }
                saved.endpoints.insert(record.spec.id.clone(), record);
            }
            Entry::Detach(id) => {
                saved.endpoints.remove(&id);
            }
            Entry::Remember(network, name, address) => {
                saved.remembered.push((network, name, address));
            }
            Entry::Network(network) => {
                saved.networks.insert(network.name.clone(), network);
            }
            Entry::Service(service) => {
                saved.services.insert(service.spec.name.clone(), service);
            }
            Entry::DropService(name) => {
                saved.services.remove(&name);
            }
            Entry::DropNetwork(name) => {
                saved.networks.remove(&name);
            }
        }
    }
    Some(saved)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
