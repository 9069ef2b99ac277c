//! From a unit and an image to the config.json that `ocirun supervise` gets (runtime-spec 1.3).

pub mod capabilities;
pub mod files;
pub mod image;
pub mod limits;
pub mod mounts;
pub mod paths;
pub mod process;
pub mod seccomp;
pub mod user;

use crate::core::unit::container::{ContainerUnit, Network, ServiceType, credentials_directory};
use image::ImageConfig;
use serde_json::{Value, json};
use user::User;

/// Everything that the document depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub unit: &'a ContainerUnit,
    pub image: &'a ImageConfig,
    pub user: &'a User,
    pub run: &'a str,
    /// Variables of `EnvironmentFile=`, in order.
    pub environment: &'a [(String, String)],
    /// The destinations of the files that fleetd provides for this run.
    pub files: &'a [&'a str],
    /// Absolute, from the cgroup2 mount: `/flotilla/hello-1.1/payload`.
    pub cgroup: &'a str,
    /// What cgroup2 offers below the parent.
    pub controllers: &'a [String],
    pub cpus: usize,
}

/// The document. `root.path` and the sources of bind mounts are placeholders: they come as
/// descriptors.
pub fn config(input: &Input) -> Result<Value, String> {
    let Input { unit, .. } = *input;
    let notify = unit.service.kind == ServiceType::Notify;
    let mut config = json!({
        "ociVersion": "1.3.0",
        "process": process(input, notify)?,
        "root": { "path": "rootfs", "readonly": unit.read_only },
        "mounts": mounts::mounts(unit, input.files),
        "linux": {
            "cgroupsPath": input.cgroup,
            "namespaces": namespaces(&unit.network),
            "resources": resources(input),
            "maskedPaths": paths::masked(input.cpus),
            "readonlyPaths": paths::READ_ONLY,
            "seccomp": seccomp::profile(),
        },
    });
    // A hostname needs a uts namespace of its own, which every container has.
    config["hostname"] = json!(files::hostname(&unit.name));
    Ok(config)
}

fn process(input: &Input, notify: bool) -> Result<Value, String> {
    let Input { unit, image, user, .. } = *input;
    let socket = format!("{}/socket", mounts::NOTIFY_DIR);
    let credentials = credentials_directory(&unit.name);
    let given = process::Given {
        hostname: &files::hostname(&unit.name),
        home: &user.home,
        run: input.run,
        notify_socket: notify.then_some(socket.as_str()),
        credentials: (!unit.credentials.is_empty()).then_some(credentials.as_str()),
    };
    let environment = process::environment(unit, image, input.environment, given);
    let all: Vec<&str> = capabilities::DEFAULT
        .into_iter()
        .filter(|c| unit.network != Network::Host || *c != capabilities::NOT_ON_HOST_NETWORK)
        .collect();
    // Another user than root has none until it runs a program that brings them.
    let active: &[&str] = if user.uid == 0 { &all } else { &[] };
    Ok(json!({
        "terminal": false,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "args": process::arguments(unit, image, &environment)?,
        "env": environment,
        "cwd": process::directory(unit, image)?,
        "capabilities": {
            "bounding": all,
            "effective": active,
            "permitted": active,
            "inheritable": [],
            "ambient": [],
        },
        "noNewPrivileges": false,
    }))
}

fn namespaces(network: &Network) -> Value {
    let mut namespaces: Vec<Value> =
        ["pid", "mount", "ipc", "uts", "cgroup"].map(|kind| json!({ "type": kind })).into();
    match network {
        // With netd's the descriptor takes the place of a new one.
        Network::Bridge(_) | Network::None => namespaces.push(json!({ "type": "network" })),
        Network::Host => {}
    }
    Value::Array(namespaces)
}

fn resources(input: &Input) -> Value {
    let mut resources = limits::resources(&input.unit.limits, input.controllers);
    resources["devices"] = json!([{ "allow": false, "access": "rwm" }]);
    resources
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
