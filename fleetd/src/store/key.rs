//! What the database is sealed with: `store.key`, beside it.
//!
//! It may be a symbolic link to where the key is kept safe from who finds the disk, as to a credential that
//! systemd has decrypted with the machine's TPM.

use super::Error;
use crate::pki;
use crate::pki::files::{read_private, write_private};
use aes::Aes256;
use aes::cipher::consts::{U32, U64};
use aes::cipher::{Array, KeyInit};
use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use xts_mode::Xts128;

/// Two of AES-256: one for the data and one for where it lies.
const SIZE: usize = 64;

pub(super) struct Key {
    path: PathBuf,
    cipher: Xts128<Aes256>,
}

impl Key {
    /// Of a database that is sealed.
    pub(super) fn beside(database: &Path) -> Result<Self, Error> {
        let path = Self::place(database);
        let fail = |cause: String| Error::Open { path: path.clone(), cause };
        if !is_there(&path) {
            let cause = "it is gone, and without it the database cannot be read; put it back";
            return Err(fail(cause.to_owned()));
        }
        let text = read_private(&path).map_err(|e| Error::Key(e.to_string()))?;
        let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; SIZE]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| fail(format!("it is not {} hex digits", 2 * SIZE)))?;
        Ok(Self::of(path, bytes))
    }

    /// For a database that is made: the key that is there, or a new one.
    pub(super) fn for_new(database: &Path) -> Result<Self, Error> {
        let path = Self::place(database);
        if is_there(&path) {
            return Self::beside(database);
        }
        let mut bytes = [0; SIZE];
        let random = SystemRandom::new().fill(&mut bytes);
        random.map_err(|_| Error::Key(format!("make {}: no random number", path.display())))?;
        write_private(&path, HEXLOWER.encode(&bytes).as_bytes()).map_err(|e| match e {
            pki::Error::Io { cause, .. } => Error::made(&path, cause.into()),
            other => Error::Key(other.to_string()),
        })?;
        Ok(Self::of(path, bytes))
    }

    fn place(database: &Path) -> PathBuf {
        database.with_file_name("store.key")
    }

    pub(super) fn of(path: PathBuf, bytes: [u8; SIZE]) -> Self {
        let (data, place) = Array::<u8, U64>(bytes).split::<U32>();
        Self { path, cipher: Xts128::new(Aes256::new(&data), Aes256::new(&place)) }
    }

    pub(super) fn cipher(&self) -> &Xts128<Aes256> {
        &self.cipher
    }
}

/// Also a link to what is not: that is a key, too, which nobody may put another in the place of.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(e) if e.kind() == io::ErrorKind::NotFound)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
