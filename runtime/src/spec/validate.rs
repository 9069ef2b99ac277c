//! Judges a document before anything is created: one sentence a fault, with the field's name.
//!
//! Pure. What this program does not implement is a fault too: nothing is passed over silently.

use std::path::{Component, Path};

use serde_json::Value;

use super::linux::{IdMapping, NamespaceKind};
use super::process::User;
use super::{Linux, Process, Spec};
use crate::error::{Error, Result};
use crate::plan::capabilities::CapabilitySets;
use crate::plan::namespaces::{Namespaces, name};
use crate::plan::{devices, limits, mount_options, rlimits, sysctl};

/// Judges a whole `config.json`.
pub fn spec(spec: &Spec) -> Result<()> {
    if !spec.oci_version.starts_with("1.") {
        return fault("ociVersion", format_args!("{:?} is not 1.x", spec.oci_version));
    }
    match &spec.root {
        None => return fault("root", "is missing"),
        Some(root) if root.path.as_os_str().is_empty() => return fault("root.path", "is empty"),
        Some(_) => {}
    }
    let linux = spec.linux();
    match &spec.process {
        None => return fault("process", "is missing"),
        Some(process) => self::process(process)?,
    }
    let namespaces = Namespaces::of(linux)?;
    mounts(spec)?;
    hooks(spec)?;
    self::namespaces(spec, linux, &namespaces)?;
    for (key, value) in &linux.sysctl {
        sysctl::check(key, value, &namespaces)?;
    }
    for (field, list) in
        [("maskedPaths", &linux.masked_paths), ("readonlyPaths", &linux.readonly_paths)]
    {
        if let Some(index) = list.iter().position(|path| !path.is_absolute()) {
            return fault(format_args!("linux.{field}[{index}]"), "must be absolute");
        }
    }
    devices::nodes(linux)?;
    limits::settings(linux.resources.as_ref().unwrap_or(&Default::default()))?;
    not_there_yet(linux)
}

/// Judges a process: of a container, or one that joins it.
pub fn process(process: &Process) -> Result<()> {
    if process.args.first().is_none_or(String::is_empty) {
        return fault("process.args", "names no program");
    }
    if !process.cwd.is_absolute() {
        return fault("process.cwd", "must be absolute");
    }
    user(&process.user)?;
    for (field, list) in [("args", &process.args), ("env", &process.env)] {
        if let Some(index) = list.iter().position(|text| text.contains('\0')) {
            return fault(format_args!("process.{field}[{index}]"), "has a NUL in it");
        }
    }
    if process.oom_score_adj.is_some_and(|score| !(-1000..=1000).contains(&score)) {
        return fault("process.oomScoreAdj", "must be -1000 to 1000");
    }
    CapabilitySets::of(process.capabilities.as_ref().unwrap_or(&Default::default()))?;
    rlimits::parse(&process.rlimits)?;
    if process.selinux_label.as_ref().is_some_and(|label| !label.is_empty()) {
        return fault("process.selinuxLabel", NOT_YET);
    }
    for (field, value) in [
        ("scheduler", &process.scheduler),
        ("ioPriority", &process.io_priority),
        ("execCPUAffinity", &process.exec_cpu_affinity),
    ] {
        if value.as_ref().is_some_and(is_something) {
            return fault(format_args!("process.{field}"), NOT_YET);
        }
    }
    Ok(())
}

/// System calls take 4294967295 for "leave it as it is": such a user would be root.
fn user(user: &User) -> Result<()> {
    let groups = user.additional_gids.iter().map(|gid| ("additionalGids", *gid));
    for (field, id) in [("uid", user.uid), ("gid", user.gid)].into_iter().chain(groups) {
        if id == u32::MAX {
            return fault(format_args!("process.user.{field}"), "must be 0 to 4294967294");
        }
    }
    Ok(())
}

const NOT_YET: &str = "not there yet";

fn fault<T>(field: impl std::fmt::Display, why: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(format_args!("{field}: {why}")))
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

fn mounts(spec: &Spec) -> Result<()> {
    for (index, mount) in spec.mounts.iter().enumerate() {
        let place = format!("mounts[{index}]");
        let plain = |path: &Path| path.components().all(|c| c != Component::ParentDir);
        if !plain(&mount.destination) {
            return fault(format_args!("{place}.destination"), "must be without ..");
        }
        let options = mount_options::parse(&mount.options, mount.kind.as_deref())
            .map_err(|error| error.within(format_args!("{place}.options")))?;
        let has_source = mount.source.as_ref().is_some_and(|source| !source.is_empty());
        if options.bind.is_some() && !has_source {
            return fault(format_args!("{place}.source"), "is missing");
        }
        if options.bind.is_none() && mount.kind.as_ref().is_none_or(String::is_empty) {
            return fault(format_args!("{place}.type"), "is missing");
        }
        if !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty() {
            return fault(format_args!("{place}.uidMappings"), NOT_YET);
        }
    }
    Ok(())
}

fn hooks(spec: &Spec) -> Result<()> {
    for (list, hooks) in spec.hooks.lists() {
        for (index, hook) in hooks.iter().enumerate() {
            let place = format!("hooks.{list}[{index}]");
            if !hook.path.is_absolute() {
                return fault(format_args!("{place}.path"), "must be absolute");
            }
            if hook.timeout.is_some_and(|seconds| seconds <= 0) {
                return fault(format_args!("{place}.timeout"), "must be more than 0");
            }
        }
    }
    Ok(())
}

fn namespaces(spec: &Spec, linux: &Linux, namespaces: &Namespaces<'_>) -> Result<()> {
    if !namespaces.makes(NamespaceKind::Mount) {
        return fault("linux.namespaces", "a new mount namespace is needed");
    }
    if namespaces.has(NamespaceKind::User) && !namespaces.makes(NamespaceKind::User) {
        return fault("linux.namespaces", "joining a user namespace by path is not there yet");
    }
    for (field, value) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        let Some(value) = value.as_ref().filter(|value| !value.is_empty()) else { continue };
        if !namespaces.has(NamespaceKind::Uts) {
            return fault(field, "needs a uts namespace of the container's own");
        }
        if value.len() > 64 {
            return fault(field, "is longer than 64 bytes");
        }
    }
    let maps = [("uidMappings", &linux.uid_mappings), ("gidMappings", &linux.gid_mappings)];
    for (field, map) in maps {
        let place = format!("linux.{field}");
        if namespaces.makes(NamespaceKind::User) {
            mapping(&place, map)?;
        } else if !map.is_empty() {
            return fault(place, "needs a new user namespace");
        }
    }
    if !linux.time_offsets.is_empty() && !namespaces.makes(NamespaceKind::Time) {
        return fault(
            "linux.timeOffsets",
            format_args!("needs a new {} namespace", name(NamespaceKind::Time)),
        );
    }
    if let Some(clock) =
        linux.time_offsets.keys().find(|clock| !matches!(clock.as_str(), "monotonic" | "boottime"))
    {
        return fault(format_args!("linux.timeOffsets.{clock}"), "no clock of a time namespace");
    }
    Ok(())
}

/// The kernel's own limit for lines of a map is 340.
fn mapping(place: &str, map: &[IdMapping]) -> Result<()> {
    if map.is_empty() {
        return fault(place, "is missing: a new user namespace needs it");
    }
    if map.len() > 340 {
        return fault(place, "has more than 340 entries");
    }
    for (index, entry) in map.iter().enumerate() {
        let fits = |first: u32| first.checked_add(entry.size).is_some();
        if entry.size == 0 || !fits(entry.container_id) || !fits(entry.host_id) {
            return fault(format_args!("{place}[{index}]"), "is no range of ids");
        }
    }
    if map.iter().all(|entry| entry.container_id != 0) {
        return fault(place, "does not map the container's id 0");
    }
    Ok(())
}

fn not_there_yet(linux: &Linux) -> Result<()> {
    if linux.mount_label.as_ref().is_some_and(|label| !label.is_empty()) {
        return fault("linux.mountLabel", NOT_YET);
    }
    if !linux.net_devices.is_empty() {
        return fault("linux.netDevices", NOT_YET);
    }
    for (field, value) in [("intelRdt", &linux.intel_rdt), ("memoryPolicy", &linux.memory_policy)] {
        if value.as_ref().is_some_and(is_something) {
            return fault(format_args!("linux.{field}"), NOT_YET);
        }
    }
    let listener = linux.seccomp.as_ref().and_then(|seccomp| seccomp.listener_path.as_ref());
    if listener.is_some_and(|path| !path.is_empty()) {
        return fault("linux.seccomp.listenerPath", NOT_YET);
    }
    if let Some(personality) = &linux.personality {
        if !matches!(personality.domain.as_str(), "LINUX" | "LINUX32") {
            return fault("linux.personality.domain", "must be LINUX or LINUX32");
        }
        if !personality.flags.is_empty() {
            return fault("linux.personality.flags", "none is supported");
        }
    }
    if let Some(propagation) = &linux.rootfs_propagation {
        let name = propagation.strip_prefix('r').unwrap_or(propagation);
        if !matches!(name, "" | "shared" | "slave" | "private" | "unbindable") {
            return fault(
                "linux.rootfsPropagation",
                "must be shared, slave, private or unbindable",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "validate_test.rs"]
mod tests;
