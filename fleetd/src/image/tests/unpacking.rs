//! What a layer's entries become, seen through the mount.

use super::fixture::{Root, Scratch, Tar, mounted, needs_root};
use crate::image::config;
use crate::image::digest::Digest;
use serde_json::json;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use tar::EntryType;

/// A docker-archive of these layers, lowest first.
pub(in crate::image) fn stacked(layers: &[Vec<u8>]) -> Vec<u8> {
    let ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let config = config::make(&ids);
    let name = |id: &Digest| format!("blobs/sha256/{}", id.hex());
    let config_id = Digest::of(&config);
    let manifest = json!([{
        "Config": name(&config_id), "Layers": ids.iter().map(name).collect::<Vec<_>>(),
    }]);
    let mut tar = Tar::new().file(&name(&config_id), &config);
    let mut written = std::collections::BTreeSet::new();
    for (id, layer) in ids.iter().zip(layers) {
        if written.insert(id) {
            tar = tar.file(&name(id), layer);
        }
    }
    tar.file("manifest.json", manifest.to_string().as_bytes()).end()
}

fn stat(root: &Root, path: &str) -> Metadata {
    root.path(path).symlink_metadata().unwrap()
}

fn xattr(root: &Root, path: &str, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    let length = rustix::fs::getxattr(root.path(path), name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn owners_modes_times_kinds_and_names_are_kept() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let mut set_id = Tar::header(EntryType::Regular, "bin/su");
    set_id.set_mode(0o6755);
    set_id.set_uid(1000);
    set_id.set_gid(70_000);
    let long = format!("long/{}", "x".repeat(250));
    let mut gnu_long = Tar::header(EntryType::GNULongName, "././@LongLink");
    gnu_long.set_size(long.len() as u64 + 1);
    let tar = Tar::new()
        .dir("./", 0o750)
        .raw(set_id, b"")
        .dir("tmp/", 0o1777)
        .file("tmp/a", b"a")
        .hard_link("tmp/b", "./tmp/a")
        .symlink("dangling", "/no/where")
        .raw(gnu_long, format!("{long}\0").as_bytes())
        .file("cut", b"long")
        .pax(&[
            ("path", "päx/\u{1F980}".as_bytes()),
            ("mtime", b"1234567890.5"),
            ("uid", b"3000000"),
        ])
        .file("cut", b"pax")
        .raw(Tar::header(EntryType::Fifo, "fifo"), b"")
        .device(EntryType::Block, "disk", (8, 1))
        .end();
    store.import(&tar[..], "x").unwrap();
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    let su = stat(&root, "bin/su");
    assert_eq!((su.mode() & 0o7777, su.uid(), su.gid()), (0o6755, 1000, 70_000));
    assert_eq!(su.mtime(), 1_000_000_000);
    assert_eq!(stat(&root, "").mode() & 0o7777, 0o750, "the upper directory's mode shows");
    // What needs a directory that has no entry gets one of root's.
    let bin = stat(&root, "bin");
    assert_eq!((bin.mode() & 0o7777, bin.uid(), bin.gid()), (0o755, 0, 0));
    let tmp = stat(&root, "tmp");
    assert_eq!((tmp.mode() & 0o7777, tmp.mtime()), (0o1777, 1_000_000_000));
    assert_eq!(stat(&root, "tmp/a").ino(), stat(&root, "tmp/b").ino());
    assert_eq!(root.path("dangling").read_link().unwrap().to_str(), Some("/no/where"));
    assert_eq!(stat(&root, "dangling").mtime(), 1_000_000_000);
    assert_eq!(root.read(&long), "long");
    assert_eq!(root.read("päx/\u{1F980}"), "pax");
    let pax = stat(&root, "päx/\u{1F980}");
    assert_eq!((pax.uid(), pax.mtime(), pax.mtime_nsec()), (3_000_000, 1_234_567_890, 500_000_000));
    assert!(stat(&root, "fifo").file_type().is_fifo());
    let disk = stat(&root, "disk");
    assert!(disk.file_type().is_block_device());
    assert_eq!(disk.rdev(), rustix::fs::makedev(8, 1));
}

#[test]
fn capabilities_and_user_attributes_are_kept_and_overlayfs_own_are_not() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    // cap_net_raw=ep, version 2 (linux/capability.h).
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.color", b"red"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.security.selinux", b"system_u"),
        ])
        .file("ping", b"")
        .pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")])
        .dir("home/", 0o755)
        .end();
    let info = store.import(&tar[..], "x").unwrap();
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    assert_eq!(xattr(&root, "ping", "security.capability").unwrap(), capability);
    match xattr(&root, "ping", "user.color") {
        Some(color) => assert_eq!(color, b"red"),
        // tmpfs before Linux 6.6
        None => assert!(info.warnings[0].contains("user.*"), "{:?}", info.warnings),
    }
    assert_eq!(xattr(&root, "ping", "security.selinux"), None);
    let layer = scratch.path().join("store/layers").join(Digest::of(&tar).hex()).join("root");
    let mut value = [0; 64];
    for (path, name) in [("ping", "trusted.overlay.opaque"), ("home", "trusted.overlay.redirect")] {
        assert!(rustix::fs::getxattr(layer.join(path), name, &mut value).is_err(), "{name}");
    }
}

#[test]
fn a_sparse_file_keeps_its_holes() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    // 30 pieces: 4 in the header, 21 in a first block and the rest in a second one.
    let pieces: Vec<u64> = (0..30).map(|n| n * (8 << 20)).collect();
    let size = 4_u64 << 30;
    let mut header = Tar::header(EntryType::GNUSparse, "sparse");
    header.set_size(pieces.len() as u64 * 512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(size);
    gnu.set_is_extended(true);
    let fill = |slots: &mut [tar::GnuSparseHeader], from: usize| {
        for (slot, &offset) in slots.iter_mut().zip(&pieces[from..]) {
            slot.set_offset(offset);
            slot.set_length(512);
        }
    };
    fill(&mut gnu.sparse, 0);
    let mut data = Vec::new();
    for (from, last) in [(4, false), (25, true)] {
        let mut block = tar::GnuExtSparseHeader::new();
        fill(block.sparse_mut(), from);
        block.set_is_extended(!last);
        data.extend_from_slice(block.as_bytes());
    }
    for n in 0..30 {
        data.extend_from_slice(&[n + 1; 512]);
    }
    let tar = Tar::new().raw(header, &data).file("after", b"next").end();
    let info = store.import(&tar[..], "x").unwrap();
    assert_eq!(info.size, size + 4);
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    let sparse = stat(&root, "sparse");
    assert_eq!(sparse.len(), size);
    assert!(sparse.blocks() * 512 < 4 << 20, "{} blocks", sparse.blocks());
    let file = std::fs::File::open(root.path("sparse")).unwrap();
    for (n, &offset) in pieces.iter().enumerate() {
        let mut piece = [0; 513];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut piece, offset).unwrap();
        assert_eq!((piece[0], piece[511], piece[512]), (n as u8 + 1, n as u8 + 1, 0));
    }
    assert_eq!(root.read("after"), "next");
}

#[test]
fn whiteouts_hide_what_is_below_and_only_that() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let lower = Tar::new()
        .file("gone", b"1")
        .file("kept", b"1")
        .file("dir/one", b"1")
        .file("dir/two", b"1")
        .file("opaque/old", b"1")
        .file("reborn/old", b"1")
        .file("reborn2/old", b"1")
        .file("file/old", b"1")
        .end();
    let upper = Tar::new()
        .file(".wh.gone", b"")
        .file("dir/.wh.one", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file("opaque/new", b"2")
        // Hidden and made anew in one layer: before, after, and without an entry of its own.
        .file(".wh.reborn", b"")
        .dir("reborn/", 0o755)
        .file("reborn/new", b"2")
        .file(".wh.reborn2", b"")
        .file("reborn2/new", b"2")
        .file("file", b"2")
        .file(".wh.file", b"")
        .file(".wh.absent", b"")
        .file(".wh..wh.plnk", b"")
        .end();
    store.import(&stacked(&[lower, upper])[..], "x").unwrap();
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    assert_eq!(root.names(""), ["dir", "file", "kept", "opaque", "reborn", "reborn2"]);
    assert_eq!(root.names("dir"), ["two"]);
    assert_eq!(root.names("opaque"), ["new"]);
    assert_eq!(root.names("reborn"), ["new"]);
    assert_eq!(root.names("reborn2"), ["new"]);
    assert_eq!(root.read("file"), "2");
}

#[test]
fn an_opaque_root_hides_every_layer_below() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let layers = [
        Tar::new().file("old", b"1").end(),
        Tar::new().file(".wh..wh..opq", b"").file("new", b"2").end(),
        Tar::new().file("newer", b"3").end(),
    ];
    store.import(&stacked(&layers)[..], "x").unwrap();
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    assert_eq!(root.names(""), ["new", "newer"]);
}

#[test]
fn of_two_entries_with_one_name_the_later_counts() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let tar = Tar::new()
        .file("a", b"first")
        .file("a", b"second")
        .dir("b/", 0o755)
        .file("b/c/d", b"")
        .file("b", b"a file now")
        .file("e", b"")
        .dir("e/", 0o700)
        .dir("f/", 0o755)
        .file("f/kept", b"1")
        .dir("f/", 0o700)
        .end();
    store.import(&tar[..], "x").unwrap();
    let (_, root) = mounted(&store, "x", &scratch.dir("c"));
    assert_eq!(root.read("a"), "second");
    assert_eq!(root.read("b"), "a file now");
    assert_eq!(stat(&root, "e").mode() & 0o7777, 0o700);
    assert_eq!(stat(&root, "f").mode() & 0o7777, 0o700);
    assert_eq!(root.read("f/kept"), "1");
}
