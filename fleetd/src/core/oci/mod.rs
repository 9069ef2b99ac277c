//! From a unit, its image and its place on the network to the `config.json` of its container.
//!
//! Pure: whoever calls has read the files. What the runtime makes of the document is its own concern
//! (OCI runtime-spec 1.3).

pub mod environment;
pub mod files;
mod isolation;
mod mounts;
pub mod process;
mod resources;
mod seccomp;
pub mod user;

use super::unit::container::{ContainerUnit, Network};
use serde_json::{Value, json};

/// The version of the runtime specification that the document is written for.
const OCI_VERSION: &str = "1.3.0";

/// Everything that a container is described by.
pub struct Input<'a> {
    pub unit: &'a ContainerUnit,
    /// What is executed: see [`process::command`].
    pub args: Vec<String>,
    /// `NAME=value`: see [`environment::merge`].
    pub env: Vec<String>,
    /// Who runs it: see [`user::lookup`].
    pub user: user::User,
    /// The image's working directory, which the unit's own replaces.
    pub image_working_dir: Option<&'a str>,
    /// The directory that holds [`files`], as the runtime sees it.
    pub files_dir: &'a std::path::Path,
    /// The program may send readiness messages to this socket: bound into the container.
    pub notify_socket: Option<&'a std::path::Path>,
    /// The container's cgroup, from the cgroup2 mount.
    pub cgroup: &'a str,
    pub annotations: Vec<(&'a str, String)>,
    /// Files of `/sys` on this host that tell of its load and temperature: the `thermal_throttle`
    /// directories of its processors, where there are any.
    pub thermal: &'a [String],
}

/// Where the readiness socket is inside.
pub const NOTIFY_SOCKET: &str = "/run/notify";

/// The whole document.
pub fn config(input: &Input<'_>) -> Value {
    let unit = input.unit;
    json!({
        "ociVersion": OCI_VERSION,
        "root": {"path": "rootfs", "readonly": unit.read_only},
        "hostname": files::hostname(&unit.name),
        "process": process(input),
        "mounts": mounts::mounts(input),
        "annotations": annotations(input),
        "linux": {
            "namespaces": namespaces(&unit.network),
            "cgroupsPath": input.cgroup,
            "resources": resources::resources(&unit.limits),
            "maskedPaths": isolation::masked(input.thermal),
            "readonlyPaths": isolation::READ_ONLY,
            "seccomp": seccomp::profile(),
        },
    })
}

fn process(input: &Input<'_>) -> Value {
    let unit = input.unit;
    let cwd = unit
        .working_dir
        .as_deref()
        .and_then(|dir| dir.to_str())
        .or(input.image_working_dir)
        .unwrap_or("/");
    json!({
        "terminal": false,
        "user": {
            "uid": input.user.uid,
            "gid": input.user.gid,
            "additionalGids": input.user.additional_gids,
        },
        "args": input.args,
        "env": input.env,
        "cwd": cwd,
        "capabilities": isolation::capabilities(input.user.uid == 0),
        "noNewPrivileges": false,
    })
}

fn annotations(input: &Input<'_>) -> Value {
    let own = [("flotilla.unit", input.unit.name.clone())];
    own.into_iter()
        .chain(input.annotations.iter().cloned())
        .map(|(key, value)| (key.to_owned(), Value::String(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn namespaces(network: &Network) -> Value {
    let mut kinds = vec!["pid", "ipc", "uts", "mount", "cgroup"];
    if *network != Network::Host {
        kinds.push("network");
    }
    kinds.into_iter().map(|kind| json!({"type": kind})).collect()
}

#[cfg(test)]
mod tests;
