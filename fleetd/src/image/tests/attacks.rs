//! Tars that were, or could be, attacks. Each starts with a canary outside the store that must
//! stay as it is.

use super::fixture::{Scratch, Tar, gzip, left_behind, mounted, needs_root};
use crate::image::limits::Limits;
use crate::image::trash::Trash;
use crate::image::unpack::{self, TarReader};
use crate::sys::beneath;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tar::EntryType;

/// A directory with a file, none of which may change.
struct Canary {
    dir: PathBuf,
}

impl Canary {
    fn new(scratch: &Scratch) -> Self {
        let dir = scratch.dir("canary");
        std::fs::write(dir.join("file"), "canary").unwrap();
        Self { dir }
    }

    fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    fn assert_alive(&self, what: &str) {
        assert_eq!(super::fixture::names(&self.dir), ["file"], "{what}");
        let file = self.dir.join("file");
        assert_eq!(std::fs::read(&file).unwrap(), b"canary", "{what}");
        let (dir, file) = (self.dir.metadata().unwrap(), file.metadata().unwrap());
        assert_eq!((dir.mode() & 0o7777, dir.uid()), (0o755, 0), "{what}");
        assert_eq!((file.mode() & 0o7777, file.nlink()), (0o644, 1), "{what}");
    }
}

#[test]
fn cve_2021_32760_no_entry_reaches_out_of_its_layer() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let canary = Canary::new(&scratch);
    let out = canary.path();
    let file = format!("{out}/file");
    let dots = format!("{}{}", "../".repeat(20), &out[1..]);
    let refused = [
        ("dots", Tar::new().file(&format!("{dots}/new"), b"x")),
        ("dots inside", Tar::new().file("a/../../x", b"x")),
        ("hard link outside", Tar::new().hard_link("a", &file)),
        ("hard link by dots", Tar::new().hard_link("a", &format!("{dots}/file"))),
        ("hard link by a link", Tar::new().symlink("l", out).hard_link("a", "l/file")),
        ("file below a link", Tar::new().symlink("l", out).file("l/new", b"x")),
        ("directory below a link", Tar::new().symlink("l", out).dir("l/new/", 0o777)),
        ("link below a link", Tar::new().symlink("l", out).symlink("l/new", "x")),
        ("node below a link", {
            Tar::new().symlink("l", out).device(EntryType::Char, "l/new", (1, 3))
        }),
        ("whiteout below a link", Tar::new().symlink("l", out).file("l/.wh.file", b"")),
        ("opaque below a link", Tar::new().symlink("l", out).file("l/.wh..wh..opq", b"")),
        ("below a chain of links", {
            Tar::new().symlink("a", &dots).symlink("b", "a").file("b/file", b"x")
        }),
        ("whiteout of the parent", Tar::new().dir("a/", 0o755).file("a/.wh...", b"")),
        ("whiteout of itself", Tar::new().dir("a/", 0o755).file("a/.wh..", b"")),
        ("through procfs", Tar::new().symlink("l", "/proc/self/root").file("l/x", b"x")),
        ("overlayfs's whiteout", Tar::new().device(EntryType::Char, "x", (0, 0))),
        ("hard link to a whiteout", Tar::new().file(".wh.a", b"").hard_link("b", "a")),
        ("hard link to a directory", Tar::new().dir("a/", 0o755).hard_link("b", "a")),
        ("the root is a link", Tar::new().symlink("./", out)),
        ("a file below a file", Tar::new().file("a", b"").file("a/b", b"")),
    ];
    for (what, tar) in refused {
        // A member of its own first: a lone `l` would be taken for nothing else anyway.
        let tar = Tar::new().dir("etc/", 0o755).append(&tar).end();
        let error = store.import(&tar[..], "x").err().map(|e| e.to_string());
        canary.assert_alive(what);
        let error = error.unwrap_or_else(|| panic!("{what} was accepted"));
        assert!(error.starts_with("unpack layer of the root file system: "), "{what}: {error}");
        assert_eq!(left_behind(&scratch.path().join("store")), [""; 0], "{what}");
    }
}

#[test]
fn what_looks_like_a_way_out_stays_in_the_layer() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let canary = Canary::new(&scratch);
    let out = canary.path();
    let file = format!("{out}/file");
    let tar = Tar::new()
        .file("/etc/absolute", b"1")
        // Written over, not through: the last place is never followed.
        .symlink("link", &file)
        .file("link", b"2")
        .symlink("dir", out)
        .dir("dir/", 0o700)
        .symlink("node", &file)
        .device(EntryType::Char, "node", (1, 3))
        .symlink("hard", &file)
        .hard_link("hard2", "hard")
        // A directory that exists inside the layer is reached through an absolute link.
        .dir("usr/", 0o755)
        .dir("usr/lib/", 0o755)
        .symlink("lib", "/usr/lib")
        .file("lib/c", b"3")
        .symlink("up", "../../../../usr")
        .file("up/d", b"4")
        .end();
    store.import(&tar[..], "x").unwrap();
    canary.assert_alive("import");
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    assert_eq!(root.read("etc/absolute"), "1");
    assert_eq!(root.read("link"), "2");
    assert!(root.path("dir").symlink_metadata().unwrap().is_dir());
    assert_eq!(root.path("hard2").symlink_metadata().unwrap().nlink(), 2);
    assert!(root.path("hard2").is_symlink());
    assert_eq!(root.read("usr/lib/c"), "3");
    assert_eq!(root.read("usr/d"), "4");
    // Nothing of an image is a device: the mount is `nodev`.
    let error = std::fs::read(root.path("node")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
}

/// CVE-2018-15664: a directory of the layer becomes a link to the outside between two steps.
#[test]
fn cve_2018_15664_a_racing_swapper_gains_nothing() {
    needs_root!();
    let scratch = Scratch::new();
    let canary = Canary::new(&scratch);
    let (target, trash) = (scratch.dir("target"), scratch.dir("trash"));
    let trash = Trash::open(&trash).unwrap();
    symlink(canary.path(), target.join("swap")).unwrap();
    let mut tar = Tar::new();
    for _ in 0..300 {
        tar = tar
            .dir("a/", 0o700)
            .file("a/file", b"overwritten")
            .file("a/b/c", b"x")
            .hard_link("a/hard", "a/file")
            .file("a/.wh.file", b"")
            .file("a/.wh..wh..opq", b"");
    }
    let tar = tar.end();
    let ended = AtomicBool::new(false);
    let swaps = std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0_u32;
            while !ended.load(Ordering::Relaxed) {
                swaps += u32::from(exchange(&target.join("a"), &target.join("swap")));
            }
            swaps
        });
        // Also when an assertion fails: the scope waits for the swapper.
        let end = End(&ended);
        for _ in 0..20 {
            let root = beneath::directory(&target).unwrap();
            let mut reader = TarReader::new(&tar[..]);
            // An error is a fine answer to somebody who writes here; reaching out is not.
            let _ = unpack::unpack(&mut reader, Vec::new(), root, &trash, &Limits::default());
            canary.assert_alive("while swapped");
        }
        drop(end);
        swapper.join().unwrap()
    });
    assert!(swaps > 0, "nothing was swapped");
    canary.assert_alive("at the end");
}

/// Ends the swapper when dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn exchange(a: &Path, b: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok()
}

#[test]
fn a_tree_deeper_than_any_path_is_removed() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    // Each link leads to the end of the chain before: far deeper than one path can say.
    let chain = "d/".repeat(45);
    let mut tar = Tar::new().dir("start/", 0o755).symlink("l0", "/start");
    for level in 0..100 {
        let path = format!("l{level}/{chain}");
        tar = tar.dir(&path, 0o755).symlink(&format!("l{}", level + 1), &path);
    }
    let tar = tar.end();
    // Following a hundred links in one path is refused, and what was made by then is removed.
    let error = store.import(&tar[..], "deep").unwrap_err().to_string();
    assert!(error.ends_with("too many levels of symbolic links"), "{error}");
    assert_eq!(left_behind(&scratch.path().join("store")), [""; 0]);
    drop(store);
    let deep = scratch.path().join("store/tmp/deep");
    std::fs::create_dir(&deep).unwrap();
    let mut dir = beneath::directory(&deep).unwrap();
    for _ in 0..3_000 {
        use std::os::fd::AsFd;
        crate::sys::inode::make_directory(dir.as_fd(), Path::new("d")).unwrap();
        dir = beneath::subdirectory(dir.as_fd(), Path::new("d")).unwrap();
    }
    drop(dir);
    scratch.store();
    assert_eq!(left_behind(&scratch.path().join("store")), [""; 0]);
}

#[test]
fn cve_2025_58183_headers_sizes_and_counts_are_bounded() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let long = |kind: EntryType, size: u64| {
        let mut header = Tar::header(kind, "long");
        header.set_size(size);
        header
    };
    let sparse = |size: u64| {
        let mut header = Tar::header(EntryType::GNUSparse, "sparse");
        header.as_gnu_mut().unwrap().set_real_size(size);
        header
    };
    let mut many = Tar::new();
    for _ in 0..9 {
        many = many.pax(&[("comment", b"x")]);
    }
    let cases = [
        ("a pax header of 8 GiB", Tar::new().raw(long(EntryType::XHeader, 8 << 30), b"")),
        ("a long name of 8 GiB", Tar::new().raw(long(EntryType::GNULongName, 8 << 30), b"")),
        ("a sparse file of 1 EiB", Tar::new().raw(sparse(1 << 60), b"")),
        ("a size of 2^63", Tar::new().pax(&[("size", b"9223372036854775808")]).file("a", b"")),
        ("a file larger than the limit", Tar::new().raw(long(EntryType::Regular, 1 << 50), b"")),
        ("headers without end", many.file("a", b"")),
        ("a pax header that ends the archive", Tar::new().pax(&[("path", b"x")])),
        ("pax sparse", Tar::new().pax(&[("GNU.sparse.major", b"1")]).file("a", b"")),
        ("uid -1", Tar::new().pax(&[("uid", b"4294967295")]).file("a", b"")),
        ("gid 2^32", Tar::new().pax(&[("gid", b"4294967296")]).file("a", b"")),
        ("a name of 5000 bytes", {
            Tar::new().pax(&[("path", "x/".repeat(2500).as_bytes())]).file("a", b"")
        }),
        ("an unknown kind", Tar::new().raw(Tar::header(EntryType::new(b'M'), "m"), b"")),
    ];
    for (what, tar) in cases {
        let tar = Tar::new().dir("etc/", 0o755).append(&tar).end();
        let result = store.import(&tar[..], "x");
        assert!(result.is_err(), "{what} was accepted");
        assert_eq!(left_behind(&scratch.path().join("store")), [""; 0], "{what}");
    }
}

#[test]
fn cve_2023_25153_a_stream_without_end_is_cut_off() {
    needs_root!();
    let scratch = Scratch::new();
    let target = |name: &str| beneath::directory(&scratch.dir(name)).unwrap();
    let trash = Trash::open(&scratch.dir("trash")).unwrap();
    let limits = Limits { entries: 100, bytes: 1 << 20, names: 1 << 16 };
    let unpack = |name: &str, stream: &mut dyn Read| {
        let mut reader = TarReader::new(stream);
        let result = unpack::unpack(&mut reader, Vec::new(), target(name), &trash, &limits);
        result.unwrap_err().to_string()
    };
    let mut forever = Repeat(Tar::new().file("a", b"").bytes().to_vec(), 0);
    assert_eq!(unpack("entries", &mut forever), "more than 100 entries");
    let mut forever = Repeat(Tar::new().file("a", &[1; 65536]).bytes().to_vec(), 0);
    assert_eq!(unpack("bytes", &mut forever), "more than 1048576 bytes");
    let long = "d/".repeat(45);
    let mut forever = Repeat(Tar::new().dir(&long, 0o755).bytes().to_vec(), 0);
    let limits_of_names = unpack("names", &mut forever);
    assert!(limits_of_names.starts_with("more than 100 entries"), "{limits_of_names}");
}

/// The same bytes again and again.
struct Repeat(Vec<u8>, usize);

impl Read for Repeat {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.0[self.1..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.1 = (self.1 + length) % self.0.len();
        Ok(length)
    }
}

#[test]
fn a_compressed_bomb_ends_at_the_limit_and_leaves_nothing() {
    needs_root!();
    let scratch = Scratch::new();
    let mut store = scratch.store();
    store.limit(Limits { bytes: 1 << 20, ..Limits::default() });
    // Small when compressed: zeros after the archive's end, in a file, and in a blob.
    let zeros = vec![0; 8 << 20];
    let after = [Tar::new().file("a", b"x").end(), zeros.clone()].concat();
    let blob = format!("blobs/sha256/{}", "0".repeat(64));
    for bomb in [after, Tar::new().file("a", &zeros).end(), Tar::new().file(&blob, &zeros).end()] {
        let error = store.import(&gzip(&bomb)[..], "x").unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        assert_eq!(left_behind(&scratch.path().join("store")), [""; 0]);
    }
}

#[test]
fn cve_2021_41103_nobody_but_root_can_look_into_the_store() {
    needs_root!();
    let scratch = Scratch::new();
    let _store = scratch.store();
    let store = scratch.path().join("store");
    for dir in ["", "blobs", "blobs/sha256", "layers", "tmp", "trash"] {
        let mode = store.join(dir).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{dir}");
    }
}
