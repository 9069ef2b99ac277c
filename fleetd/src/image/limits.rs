//! How much an image may ask of this host. An image is a stranger's: without bounds a few bytes
//! of it can fill memory, disk or time (CVE-2023-25153, CVE-2025-58183).

/// Manifest, index or config: what registries promise to accept (distribution-spec, "Pushing
/// Manifests").
pub(super) const DOCUMENT: usize = 4 * 1024 * 1024;

/// The most overlayfs stacks (`OVL_MAX_STACK` in Linux).
pub(super) const LAYERS: usize = 500;

/// One extended header of a tar entry: a pax record list or a GNU long name.
pub(super) const TAR_HEADER: u64 = 1024 * 1024;

/// Extended headers in front of one entry.
pub(super) const TAR_HEADERS: usize = 8;

/// `PATH_MAX` without its NUL.
pub(super) const PATH: usize = 4095;

/// `NAME_MAX`
pub(super) const NAME: usize = 255;

/// Pieces of a sparse file.
pub(super) const SEGMENTS: usize = 65_536;

/// Files in an OCI layout or docker-archive.
pub(super) const ARCHIVE_ENTRIES: usize = 20_000;

/// Of one layer. Tests use smaller ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) entries: u64,
    /// Bytes of the uncompressed tar, and bytes of all files with their holes, each.
    pub(super) bytes: u64,
    /// Bytes of the directory names that wait for their times.
    pub(super) names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, bytes: 256 << 30, names: 256 << 20 }
    }
}
