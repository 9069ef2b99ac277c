//! The entries of a tar stream: ustar, GNU and pax, as Go's archive/tar reads them, since that is
//! what made most images. Only the fields of a block are left to the `tar` crate: its iterator
//! reads long names and pax headers of any size into memory.

use super::Error;
use super::pax::{self, Records};
use crate::image::limits;
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;

#[derive(Debug)]
pub(in crate::image) struct Entry {
    /// As written; nothing is checked yet.
    pub(in crate::image) path: Vec<u8>,
    pub(in crate::image) kind: Kind,
    /// 12 bits.
    pub(in crate::image) mode: u32,
    pub(in crate::image) uid: u64,
    pub(in crate::image) gid: u64,
    pub(in crate::image) mtime: (i64, u32),
    pub(in crate::image) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::image) enum Kind {
    /// `size` bytes; with `segments` (offset, length) the rest are holes.
    File {
        size: u64,
        segments: Option<Vec<(u64, u64)>>,
    },
    Directory,
    Symlink {
        target: Vec<u8>,
    },
    HardLink {
        target: Vec<u8>,
    },
    Character {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// Reads one entry after the other. Between two calls of [`TarReader::next`] it is a reader of
/// the entry's data; what was not read is passed over.
pub(in crate::image) struct TarReader<R> {
    input: R,
    /// Of the current entry's data.
    left: u64,
    padding: u64,
    ended: bool,
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.input.read(&mut buffer[..length])?;
        if got == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short"));
        }
        self.left -= got as u64;
        Ok(got)
    }
}

impl<R: Read> TarReader<R> {
    pub(in crate::image) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, ended: false }
    }

    pub(in crate::image) fn get_mut(&mut self) -> &mut R {
        &mut self.input
    }

    pub(in crate::image) fn into_inner(self) -> R {
        self.input
    }

    pub(in crate::image) fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut records = Records::default();
        let mut long_path = None;
        let mut long_link = None;
        for extended in 0.. {
            let Some(header) = self.header()? else {
                return match extended {
                    0 => Ok(None),
                    _ => Err(Error::archive("it ends with a header of nothing")),
                };
            };
            if extended > limits::TAR_HEADERS {
                return Err(Error::archive("too many extended headers in front of one entry"));
            }
            match header.entry_type() {
                EntryType::XHeader => {
                    records = pax::parse(&self.extended()?).map_err(Error::Archive)?;
                }
                // Defaults for all entries: git's commit id and the like, none that we use.
                EntryType::XGlobalHeader => drop(self.extended()?),
                EntryType::GNULongName => long_path = Some(self.long_name()?),
                EntryType::GNULongLink => long_link = Some(self.long_name()?),
                _ => {
                    records.path = records.path.or(long_path);
                    records.link = records.link.or(long_link);
                    return self.entry(&header, records).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The next block that is a header; None at the end.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let rest = self.left + self.padding;
        self.left = rest;
        self.padding = 0;
        io::copy(self, &mut io::sink()).map_err(Error::Io)?;
        let mut header = Header::new_old();
        if self.ended || !self.block(header.as_mut_bytes())? {
            return Ok(None);
        }
        if header.as_bytes() == &[0; 512] {
            self.ended = true;
            let mut second = [0; 512];
            if self.block(&mut second)? && second != [0; 512] {
                return Err(Error::archive("data after its end"));
            }
            return Ok(None);
        }
        let sum: u32 = header.as_bytes()[..148]
            .iter()
            .chain(&[b' '; 8])
            .chain(&header.as_bytes()[156..])
            .map(|&b| u32::from(b))
            .sum();
        match header.cksum() {
            Ok(written) if written == sum => {}
            _ => return Err(Error::archive("not a tar archive, or a damaged header")),
        }
        // What has no data may still give a size: Go ignores it, and so do we.
        let size = match header.entry_type() {
            EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo => 0,
            _ => header.entry_size().map_err(|_| Error::archive("a size that is no number"))?,
        };
        self.expect(size)?;
        Ok(Some(header))
    }

    /// The data that follows is `size` bytes.
    fn expect(&mut self, size: u64) -> Result<(), Error> {
        if size > i64::MAX as u64 {
            return Err(Error::archive("a size of more than 8 EiB"));
        }
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK) - size;
        Ok(())
    }

    /// False at the end of the stream.
    fn block(&mut self, block: &mut [u8; 512]) -> Result<bool, Error> {
        let mut filled = 0;
        while filled < block.len() {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(Error::archive("it is cut short")),
                Ok(length) => filled += length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::Io(e)),
            }
        }
        Ok(true)
    }

    fn extended(&mut self) -> Result<Vec<u8>, Error> {
        if self.left > limits::TAR_HEADER {
            return Err(Error::archive("an extended header of more than 1 MiB"));
        }
        let mut data = Vec::new();
        self.read_to_end(&mut data).map_err(Error::Io)?;
        Ok(data)
    }

    fn long_name(&mut self) -> Result<Vec<u8>, Error> {
        let mut name = self.extended()?;
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    fn entry(&mut self, header: &Header, records: Records) -> Result<Entry, Error> {
        let bad = |field: &str| Error::archive(format!("a {field} that is no number"));
        let path = records.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = records
            .link
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                if let Some(size) = records.size {
                    self.expect(size)?;
                }
                // Before ustar a directory was a file whose name ends with a slash.
                if path.ends_with(b"/") && self.left == 0 {
                    Kind::Directory
                } else {
                    Kind::File { size: self.left, segments: None }
                }
            }
            EntryType::GNUSparse => self.sparse(header)?,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink { target: link },
            EntryType::Link => Kind::HardLink { target: link },
            EntryType::Fifo => Kind::Fifo,
            kind @ (EntryType::Char | EntryType::Block) => {
                let number = |n: io::Result<Option<u32>>| {
                    n.ok().flatten().ok_or_else(|| bad("device number"))
                };
                let major = number(header.device_major())?;
                let minor = number(header.device_minor())?;
                match kind {
                    EntryType::Char => Kind::Character { major, minor },
                    _ => Kind::Block { major, minor },
                }
            }
            other => {
                return Err(Error::Entry {
                    path: shown(&path),
                    cause: format!("a kind of entry that is not supported: {:?}", other.as_byte()),
                });
            }
        };
        let mtime = || header.mtime().map(|t| (t.cast_signed(), 0)).map_err(|_| bad("time"));
        Ok(Entry {
            path,
            kind,
            mode: header.mode().map_err(|_| bad("mode"))? & 0o7777,
            uid: records.uid.map_or_else(|| header.uid().map_err(|_| bad("uid")), Ok)?,
            gid: records.gid.map_or_else(|| header.gid().map_err(|_| bad("gid")), Ok)?,
            mtime: records.mtime.map_or_else(mtime, Ok)?,
            xattrs: records.xattrs,
        })
    }

    /// GNU's old sparse form: pieces in the header, and in blocks between header and data.
    fn sparse(&mut self, header: &Header) -> Result<Kind, Error> {
        let bad = || Error::archive("a broken sparse file");
        let gnu = header.as_gnu().ok_or_else(bad)?;
        let size = gnu.real_size().map_err(|_| bad())?;
        let (left, padding) = (self.left, self.padding);
        let mut segments = Vec::new();
        let mut add = |piece: &tar::GnuSparseHeader| -> Result<(), Error> {
            if !piece.is_empty() {
                let offset = piece.offset().map_err(|_| bad())?;
                segments.push((offset, piece.length().map_err(|_| bad())?));
            }
            match segments.len() {
                0..=limits::SEGMENTS => Ok(()),
                _ => Err(Error::archive("a sparse file of too many pieces")),
            }
        };
        gnu.sparse.iter().try_for_each(&mut add)?;
        let mut more = gnu.is_extended();
        while more {
            let mut block = tar::GnuExtSparseHeader::new();
            if !self.block(block.as_mut_bytes())? {
                return Err(bad());
            }
            block.sparse().iter().try_for_each(&mut add)?;
            more = block.is_extended();
        }
        (self.left, self.padding) = (left, padding);
        let mut end = 0;
        let mut stored = 0_u64;
        for &(offset, length) in &segments {
            if offset < end {
                return Err(bad());
            }
            end = offset.checked_add(length).filter(|&end| end <= size).ok_or_else(bad)?;
            stored += length;
        }
        if stored != left || size > i64::MAX as u64 {
            return Err(bad());
        }
        Ok(Kind::File { size, segments: Some(segments) })
    }
}

/// A name for an error message.
pub(in crate::image) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    let mut short: String = text.chars().take(200).flat_map(char::escape_debug).collect();
    if text.chars().nth(200).is_some() {
        short.push('…');
    }
    short
}
