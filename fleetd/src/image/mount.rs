//! An image's root file system: its layers stacked by overlayfs, below a writable directory of
//! the container's own, as a mount that is attached nowhere.
//!
//! Everything goes to the kernel as `/proc/self/fd/N`: short, whatever the store's path is, and
//! without the characters that overlayfs's option string gives a meaning. How the options are
//! passed depends on the kernel and is found by trying:
//!
//! - Linux 6.7 and newer: `fsconfig` with one `lowerdir+` a layer;
//! - older ones refuse that (6.1 only when the file system is created) and cannot take a
//!   `lowerdir` of more than 255 bytes: there the old mount call with its one page of options, on
//!   a thread with a mount namespace of its own, and `open_tree` to take the mount out of it. With
//!   `/proc/self/fd` as the working directory a layer costs two to six bytes of the page, so the
//!   500 layers that overlayfs can stack fit.

use super::error::{Error, Sentence};
use super::store::{Image, Store};
use crate::sys::{beneath, inode, overlay};
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Copied-up files keep their own data and no index is kept: nothing then ties a container's
/// directory to the layers' inode numbers, and both are what Docker's and podman's users have.
const FIXED: [(&str, &str); 2] = [("index", "off"), ("metacopy", "off")];

/// What the kernel copies of the old call's options, without the NUL.
const PAGE: usize = 4095;

/// Once the new way was refused and the old one worked, the kernel is not asked again.
static NEW_WAY_REFUSED: AtomicBool = AtomicBool::new(false);

/// The directories of one overlay.
pub(super) struct Stack {
    /// Topmost first, at least two, or one and an upper.
    pub(super) lowers: Vec<PathBuf>,
    /// Upper and work.
    pub(super) upper: Option<[PathBuf; 2]>,
    /// An empty directory, to mount on where a place is needed.
    pub(super) place: PathBuf,
}

/// The same, opened: a mount namespace of its own needs descriptors of its own, since overlayfs
/// takes no directory of another namespace's mounts.
struct Opened {
    lowers: Vec<OwnedFd>,
    upper: Option<[OwnedFd; 2]>,
}

impl Store {
    /// The image's root as a detached overlay mount, `nodev`, never attached in the host.
    ///
    /// `writable`: a directory of the caller's on a file system fit for an overlay's upper (not
    /// overlay, not 9p); `upper` and `work` are made in it. `None`: a read-only mount, in which
    /// no mount points can be made either; to have those, give a directory and let the runtime
    /// make the root read-only (`root.readonly`).
    pub fn mount(&self, image: &Image, writable: Option<&Path>) -> Result<OwnedFd, Error> {
        let fail = |cause: String| Error::Mount { digest: image.digest.clone(), cause };
        let layers = &self.0.layers;
        let mut lowers = Vec::with_capacity(image.layers.len() + 1);
        for layer in image.layers.iter().rev() {
            let meta =
                layers.meta(layer)?.ok_or_else(|| fail(format!("layer {layer} is missing")))?;
            // Overlayfs refuses a directory that is there twice; the lower one adds nothing.
            let root = layers.root(layer);
            if !lowers.contains(&root) {
                lowers.push(root);
            }
            // What is below an opaque root is hidden; overlayfs itself ignores the mark there.
            if meta.opaque_root {
                break;
            }
        }
        let upper = match writable {
            Some(dir) => Some(
                make_upper(dir, &lowers[0])
                    .map_err(|e| fail(format!("prepare {}: {}", dir.display(), Sentence(&e))))?,
            ),
            None => None,
        };
        let place = self.0.dir.join("empty");
        if upper.is_none() && lowers.len() == 1 {
            lowers.push(place.clone());
        }
        Stack { lowers, upper, place }.mount().map_err(fail)
    }
}

/// `upper` and `work` in a container's directory. The merged root has the attributes of `upper`,
/// so these are taken from the layer below it.
fn make_upper(path: &Path, lower: &Path) -> io::Result<[PathBuf; 2]> {
    let dir = beneath::directory(path)?;
    for name in ["upper", "work"].map(Path::new) {
        match inode::make_directory(dir.as_fd(), name) {
            Ok(()) if name == Path::new("upper") => {
                let upper = beneath::subdirectory(dir.as_fd(), name)?;
                let root = inode::status(beneath::directory(lower)?)?;
                inode::change_owner(&upper, root.uid, root.gid)?;
                inode::change_mode(&upper, root.mode)?;
            }
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    Ok([path.join("upper"), path.join("work")])
}

impl Stack {
    /// The error is a phrase.
    fn mount(&self) -> Result<OwnedFd, String> {
        let first = if NEW_WAY_REFUSED.load(Ordering::Relaxed) {
            None
        } else {
            match self.mount_by_context() {
                Ok(mount) => return Ok(mount),
                Err(cause) => Some(cause),
            }
        };
        match (self.mount_by_options(), first) {
            (Ok(mount), _) => {
                NEW_WAY_REFUSED.store(true, Ordering::Relaxed);
                Ok(mount)
            }
            // Both refused: then it is the directories, and the new way says more.
            (Err(_), Some(first)) => Err(first),
            (Err(cause), None) => Err(cause),
        }
    }

    /// Linux 6.7 and newer.
    pub(super) fn mount_by_context(&self) -> Result<OwnedFd, String> {
        let context = overlay::open().map_err(|e| Sentence(&e).to_string())?;
        let configure = || {
            let opened = self.open()?;
            let set = |key: &str, value: &str| overlay::set(context.as_fd(), key, value);
            set("source", "overlay")?;
            for lower in &opened.lowers {
                set("lowerdir+", &proc(lower))?;
            }
            if let Some([upper, work]) = &opened.upper {
                set("upperdir", &proc(upper))?;
                set("workdir", &proc(work))?;
            } else {
                overlay::set_read_only(context.as_fd())?;
            }
            for (key, value) in FIXED {
                set(key, value)?;
            }
            overlay::create(context.as_fd(), self.upper.is_none())
        };
        configure().map_err(|e| {
            let said = overlay::messages(context.as_fd());
            // An error's line begins with `e `; the rest are warnings.
            match said.iter().find_map(|line| line.strip_prefix("e ")) {
                Some(line) => format!("{} ({line})", Sentence(&e)),
                None => Sentence(&e).to_string(),
            }
        })
    }

    /// Every kernel that has `open_tree` (5.2).
    pub(super) fn mount_by_options(&self) -> Result<OwnedFd, String> {
        let mount = || {
            overlay::unshare_mounts()?;
            let opened = self.open()?;
            let options = opened.options();
            if options.len() > PAGE {
                return Err(io::Error::other("more layers than a page of options can name"));
            }
            // Descriptors' numbers are names in this directory.
            overlay::change_directory(Path::new("/proc/self/fd"))?;
            overlay::mount_at(&self.place, &options, self.upper.is_none())?;
            overlay::clone_mount(&self.place)
        };
        // A thread of its own, since it leaves the process's mount namespace for ever.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("overlay".to_owned());
            let made = thread.spawn_scoped(scope, mount).and_then(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
            });
            made.map_err(|e| Sentence(&e).to_string())
        })
    }

    fn open(&self) -> io::Result<Opened> {
        let open = |path: &PathBuf| {
            beneath::directory(path)
                .map_err(|e| io::Error::other(format!("open {}: {}", path.display(), Sentence(&e))))
        };
        let lowers = self.lowers.iter().map(open).collect::<io::Result<_>>()?;
        let upper = match &self.upper {
            Some([upper, work]) => Some([open(upper)?, open(work)?]),
            None => None,
        };
        Ok(Opened { lowers, upper })
    }
}

impl Opened {
    /// As the old mount call takes them, with `/proc/self/fd` as the working directory.
    fn options(&self) -> String {
        let lowers: Vec<String> = self.lowers.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
        let mut options = format!("lowerdir={}", lowers.join(":"));
        if let Some([upper, work]) = &self.upper {
            let (upper, work) = (upper.as_raw_fd(), work.as_raw_fd());
            let _ = write!(options, ",upperdir={upper},workdir={work}");
        }
        for (key, value) in FIXED {
            let _ = write!(options, ",{key}={value}");
        }
        options
    }
}

fn proc(fd: &OwnedFd) -> String {
    inode::proc_path(fd.as_fd()).display().to_string()
}
