//! Stacks of many layers, by each of the two ways.

use super::fixture::{Root, Scratch, Tar, needs_root};
use super::unpacking::stacked;
use crate::image::mount::Stack;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

fn stack(scratch: &Scratch, layers: usize, writable: bool, name: &str) -> Stack {
    let lowers: Vec<PathBuf> = (0..layers)
        .rev()
        .map(|n| {
            let dir = scratch.dir(&format!("layers/{n}"));
            std::fs::write(dir.join(format!("file{n}")), n.to_string()).unwrap();
            std::fs::write(dir.join("top"), n.to_string()).unwrap();
            dir
        })
        .collect();
    let upper = writable.then(|| ["upper", "work"].map(|d| scratch.dir(&format!("{name}/{d}"))));
    Stack { lowers, upper, place: scratch.dir("place") }
}

fn check(mount: Result<OwnedFd, String>, layers: usize, writable: bool) {
    let root = Root(mount.unwrap());
    assert_eq!(root.names("").len(), layers + 1);
    assert_eq!(root.read("top"), (layers - 1).to_string());
    assert_eq!(root.read("file0"), "0");
    let written = std::fs::write(root.path("file0"), "changed");
    assert_eq!(written.is_ok(), writable, "{written:?}");
}

#[test]
fn a_hundred_layers_are_stacked_by_the_old_way() {
    needs_root!();
    let scratch = Scratch::new();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for (layers, writable) in [(100, true), (100, false), (2, true), (499, true)] {
        let stack = stack(&scratch, layers, writable, &format!("old-{layers}"));
        check(stack.mount_by_options(), layers, writable);
    }
    // Nothing of it is in the host's own mounts.
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn a_hundred_layers_are_stacked_by_the_new_way() {
    needs_root!();
    let scratch = Scratch::new();
    let first = stack(&scratch, 2, true, "probe").mount_by_context();
    if let Err(cause) = &first {
        println!("SKIPPED: needs overlayfs with lowerdir+ (Linux 6.7): {cause}");
        return;
    }
    drop(first);
    for (layers, writable) in [(100, true), (100, false), (499, true)] {
        let stack = stack(&scratch, layers, writable, &format!("new-{layers}"));
        check(stack.mount_by_context(), layers, writable);
    }
}

#[test]
fn an_image_of_a_hundred_layers_is_mounted_on_any_kernel() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    let layers: Vec<Vec<u8>> = (0..100)
        .map(|n: u32| {
            let text = n.to_string();
            Tar::new().file(&format!("file{n}"), text.as_bytes()).file("top", text.as_bytes()).end()
        })
        .collect();
    store.import(&stacked(&layers)[..], "tall").unwrap();
    let image = store.find("tall").unwrap().unwrap();
    check(store.mount(&image, Some(&scratch.dir("c"))).map_err(|e| e.to_string()), 100, true);
    check(store.mount(&image, None).map_err(|e| e.to_string()), 100, false);
}

#[test]
fn a_single_layer_is_mounted_read_only() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    store.import(&Tar::new().file("etc/a", b"1").end()[..], "x").unwrap();
    let image = store.find("x").unwrap().unwrap();
    let root = Root(store.mount(&image, None).unwrap());
    assert_eq!(root.read("etc/a"), "1");
    let error = std::fs::create_dir(root.path("new")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn what_cannot_be_mounted_is_an_error_that_says_why() {
    needs_root!();
    let scratch = Scratch::new();
    let store = scratch.store();
    store.import(&Tar::new().file("etc/a", b"1").end()[..], "x").unwrap();
    let image = store.find("x").unwrap().unwrap();
    let absent = scratch.path().join("absent");
    let error = store.mount(&image, Some(&absent)).unwrap_err().to_string();
    assert!(error.ends_with("absent: no such file or directory"), "{error}");
    let layer = scratch.path().join("store/layers").join(image.layers[0].hex());
    std::fs::rename(&layer, scratch.path().join("aside")).unwrap();
    let error = store.mount(&image, None).unwrap_err().to_string();
    assert!(error.ends_with(&format!("layer {} is missing", image.layers[0])), "{error}");
}
