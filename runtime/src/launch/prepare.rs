//! Everything that can be decided, opened and compiled before there is a process.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::{Options, channel, namespaces};
use crate::cgroup::{Cgroup, device_filter};
use crate::error::{Doing, Error, Result};
use crate::init::Init;
use crate::init::mounts::{Content, Prepared as PreparedMount};
use crate::init::program::Program;
use crate::plan::devices;
use crate::plan::limits::Setting;
use crate::plan::mount_options::{self, Bind, MountOptions};
use crate::plan::namespaces::Namespaces;
use crate::spec::linux::NamespaceKind;
use crate::spec::{Mount, Resources, Spec};
use crate::sys::bpf::Instruction;
use crate::sys::mount::{self, MountAttr};
use crate::sys::{file, identity};

/// All that the clone needs.
pub(super) struct Prepared<'a> {
    pub(super) id: &'a str,
    pub(super) cgroups_path: Option<&'a str>,
    pub(super) resources: Resources,
    /// `CLONE_NEW*` bits.
    pub(super) new_namespaces: i32,
    /// To be worn by the parent while it clones.
    pub(super) worn: Vec<(NamespaceKind, OwnedFd)>,
    /// For `/proc/self/timens_offsets`.
    pub(super) time_offsets: String,
    pub(super) init: Init<'a>,
    pub(super) remains: Remains,
}

/// What the parent keeps.
pub(super) struct Remains {
    pub(super) device_filter: Vec<Instruction>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn prepare<'a>(
    spec: &'a Spec,
    mut options: Options<'a>,
    channel: channel::Child,
) -> Result<Prepared<'a>> {
    let Some(process) = &spec.process else { return Err(Error::new("process: is missing")) };
    let linux = spec.linux();
    let mut kinds = Namespaces::of(linux)?;
    let new_user = kinds.makes(NamespaceKind::User);
    let mut warnings = Vec::new();

    let root = root(spec, &mut options)?;
    let mounts =
        spec.mounts.iter().map(|mount| self::mount(mount, &mut options)).collect::<Result<_>>()?;
    if let Some((destination, _)) = options.mount_fds.first() {
        return Err(Error::new(format_args!(
            "mount {}: a descriptor was given, but mounts has no such destination",
            destination.display()
        )));
    }
    let (worn, joined) = namespaces::join(&mut kinds, options.netns.take(), new_user)?;
    namespaces::check_settings(spec, worn.iter().chain(&joined))?;
    let program = Program::new(spec, process, &options, new_user, &mut warnings)?;
    let nodes = devices::nodes(linux)?;
    let resources = linux.resources.clone().unwrap_or_default();
    let device_filter = filter(&resources)?;

    Ok(Prepared {
        id: options.id,
        cgroups_path: linux.cgroups_path.as_deref(),
        resources,
        new_namespaces: kinds.new,
        worn,
        time_offsets: namespaces::time_offsets(linux),
        init: Init {
            spec,
            id: options.id,
            bundle: options.bundle,
            root,
            mounts,
            joined,
            own_user: new_user,
            unshare_cgroup: false,
            cgroup: None,
            host_nodes: if new_user { host_nodes(&nodes)? } else { Vec::new() },
            nodes,
            null: verified_device("null", (1, 3))?,
            console: options.console,
            start: options.start,
            program,
            channel,
        },
        remains: Remains { device_filter, warnings },
    })
}

/// `pids.max` of 0 would refuse the first process itself: it is written after the clone.
pub(super) fn split_limits(settings: Vec<Setting>) -> (Vec<Setting>, Vec<Setting>) {
    settings.into_iter().partition(|setting| setting.file != "pids.max" || setting.value != "0")
}

/// A detached mount of the root file system with everything mounted below it.
fn root(spec: &Spec, options: &mut Options<'_>) -> Result<OwnedFd> {
    let tree = match (options.rootfs.take(), &spec.root) {
        (Some(tree), _) => tree,
        (None, Some(root)) => {
            let path = options.bundle.join(&root.path);
            clone_tree(&path, true).map_err(|e| e.within("root.path"))?
        }
        (None, None) => return Err(Error::new("root: is missing")),
    };
    let stat = file::fstat(tree.as_fd()).doing("look at the root file system")?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFDIR {
        return Err(Error::new("root.path: is not a directory"));
    }
    let propagation = spec.linux.as_ref().and_then(|linux| linux.rootfs_propagation.as_deref());
    let attr = MountAttr {
        // The host's later mounts below it are to be seen, if that is asked for. Shared it
        // becomes at the end only: nothing that is mounted here may show in the host.
        propagation: match propagation {
            Some("slave" | "rslave") => libc::MS_SLAVE,
            _ => libc::MS_PRIVATE,
        },
        ..MountAttr::default()
    };
    mount::mount_setattr(tree.as_fd(), true, &attr).doing("make the root file system private")?;
    Ok(tree)
}

fn clone_tree(path: &Path, recursive: bool) -> Result<OwnedFd> {
    mount::open_tree_clone(file::here(), path, recursive).map_err(|error| {
        let fault = Error::io(format_args!("open {}", path.display()), &error);
        match error.raw_os_error() {
            Some(libc::EPERM) => {
                fault.hint("mounting needs CAP_SYS_ADMIN: run as root, or in a user namespace")
            }
            _ => fault,
        }
    })
}

/// Opens what is bound from the host, with its options applied; the rest the child makes.
fn mount<'a>(mount: &'a Mount, options: &mut Options<'_>) -> Result<PreparedMount<'a>> {
    let parsed = mount_options::parse(&mount.options, mount.kind.as_deref())?;
    let given = options.mount_fds.iter().position(|(path, _)| *path == mount.destination);
    let tree = match given {
        Some(index) => Some(options.mount_fds.swap_remove(index).1),
        None => match parsed.bind {
            Some(bind) => {
                let source = mount.source.as_deref().unwrap_or_default();
                Some(clone_tree(&options.bundle.join(source), bind == Bind::Recursive)?)
            }
            None => None,
        },
    };
    let step = |error: Error| error.within(format_args!("mount {}", mount.destination.display()));
    let content = match tree {
        Some(tree) => {
            apply(&tree, &parsed, given.is_some()).map_err(step)?;
            let stat = file::fstat(tree.as_fd()).doing("look at its source").map_err(step)?;
            Content::Tree { tree, directory: stat.st_mode & libc::S_IFMT == libc::S_IFDIR }
        }
        None => Content::New,
    };
    Ok(PreparedMount { mount, options: parsed, content })
}

/// Applies attributes to a detached tree. Without a propagation of its own it becomes private; a
/// tree that the caller made stays as it is in that.
fn apply(tree: &OwnedFd, options: &MountOptions, given: bool) -> Result<()> {
    let recursive = options.bind != Some(Bind::One) || given;
    let (propagation, all) = match options.propagation {
        Some((kind, all)) => (kind, all),
        None => (libc::MS_PRIVATE, recursive),
    };
    let change = |recursive: bool, attr: MountAttr| {
        mount::mount_setattr(tree.as_fd(), recursive, &attr).doing("set its options")
    };
    let attr = MountAttr {
        set: options.recursive.set,
        clear: options.recursive.clear,
        propagation: 0,
        userns_fd: 0,
    };
    if !options.recursive.is_empty() {
        change(true, attr)?;
    }
    let own = MountAttr { set: options.own.set, clear: options.own.clear, ..attr };
    if all {
        change(true, MountAttr { propagation, ..MountAttr::default() })?;
        if !options.own.is_empty() { change(false, own) } else { Ok(()) }
    } else {
        change(false, MountAttr { propagation, ..own })
    }
}

/// A detached mount of a device node of the host that is the device it should be. A name in /dev
/// alone proves nothing (CVE-2025-31133).
fn verified_device(name: &str, (major, minor): (u32, u32)) -> Result<OwnedFd> {
    let path = Path::new("/dev").join(name);
    let tree = clone_tree(&path, false)?;
    let stat = file::fstat(tree.as_fd()).doing(format_args!("look at {}", path.display()))?;
    let is_it =
        stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == libc::makedev(major, minor);
    if !is_it {
        return Err(Error::new(format_args!(
            "open {}: it is not the character device {major}:{minor}",
            path.display()
        )));
    }
    let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    mount::mount_setattr(tree.as_fd(), false, &private)
        .doing(format_args!("make a private mount of {}", path.display()))?;
    Ok(tree)
}

/// In a user namespace no node can be made: those of the host take their place.
fn host_nodes(nodes: &[devices::Node]) -> Result<Vec<OwnedFd>> {
    nodes
        .iter()
        .map(|node| {
            let default = devices::DEFAULT.iter().find(|(name, major, minor)| {
                node.path == Path::new("/dev").join(name)
                    && node.device == libc::makedev(*major, *minor)
            });
            match default {
                Some((name, major, minor)) => verified_device(name, (*major, *minor)),
                None => Err(Error::new(format_args!(
                    "make {}: a device beside the default ones cannot be made in a user namespace; bind it with mounts",
                    node.path.display()
                ))),
            }
        })
        .collect()
}

fn filter(resources: &Resources) -> Result<Vec<Instruction>> {
    let mut rules = resources.devices.clone();
    rules.extend(devices::default_rules());
    device_filter::compile(&rules)
}

/// Attaches the device filter. Where the kernel refuses because we are in a user namespace no filter
/// is needed: no device node can be made or has an effect there but what the host bound in.
pub(super) fn forbid_devices(cgroup: &Cgroup, filter: &[Instruction]) -> Result<()> {
    match cgroup.attach_device_filter(filter) {
        Err(error) if error.errno() == Some(libc::EPERM) && in_user_namespace() => Ok(()),
        result => result,
    }
}

/// Whether our ids are not the host's.
fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    identity::geteuid() == 0 && fields != ["0", "0", "4294967295"]
}
