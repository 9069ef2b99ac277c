//! What a container is made from: image, network and volumes side by side, then its root.

use super::context::Context;
use super::place::make_private;
use super::start::{Fault, Plan, Steps};
use crate::core::oci::files;
use crate::core::oci::image::ImageConfig;
use crate::core::oci::mounts::{NOTIFY_DIR, RUN_FILES};
use crate::core::oci::user::{self, User};
use crate::core::run::{RunId, RunRecord};
use crate::core::unit::container::{Attachment, ContainerUnit, Network, NetworkRef, ServiceType};
use crate::core::unit::names_registry;
use crate::core::{environment, run};
use crate::image::{Image, PullOptions};
use crate::sentence::Sentence;
use crate::sentence::cause;
use crate::sys::{file, mount};
use netd_api::{
    Attached, DnsName, EndpointId, EndpointSpec, LinkName, Mac, NetworkName, PortMapping, Protocol,
};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where the parts come from that the run is put together from.
pub struct Parts {
    image: Image,
    network: Option<(Attached, OwnedFd)>,
    volumes: Vec<Tree>,
}

/// A mount that comes as a descriptor.
pub struct Tree {
    pub destination: String,
    pub tree: OwnedFd,
    /// Made by fleetd for this run; else a volume of the unit.
    pub ours: bool,
}

/// Everything the supervisor is handed.
pub struct Prepared {
    pub digest: String,
    pub image: ImageConfig,
    pub user: User,
    pub environment: Vec<(String, String)>,
    pub root: OwnedFd,
    pub network: Option<OwnedFd>,
    pub address: Option<IpAddr>,
    pub mounts: Vec<Tree>,
    /// What a Type=notify program says READY=1 to.
    pub notify: Option<OwnedFd>,
}

/// What the unit asks of netd. None: it has the host's network or none.
pub fn endpoint(unit: &ContainerUnit, run: &RunId) -> Result<Option<EndpointSpec>, String> {
    let Network::Bridge(attachments) = &unit.network else { return Ok(None) };
    let port = |port: &crate::core::unit::container::Port| PortMapping {
        host_ip: port.host_ip,
        host_port: port.host,
        container_port: port.container,
        protocol: if port.udp { Protocol::Udp } else { Protocol::Tcp },
    };
    let name = DnsName::new(files::hostname(&unit.name)).map_err(|e| e.to_string())?;
    Ok(Some(EndpointSpec {
        id: EndpointId::new(run.as_str()).map_err(|e| e.to_string())?,
        networks: attachments.iter().map(attachment).collect::<Result<_, _>>()?,
        names: vec![name],
        ports: unit.ports.iter().map(port).collect(),
    }))
}

/// One of a unit's networks, in netd's words.
fn attachment(wanted: &Attachment) -> Result<netd_api::Attachment, String> {
    let network = match &wanted.network {
        NetworkRef::Name(name) => name,
        NetworkRef::Unit(unit) => {
            return Err(format!("join network {unit}: .network units are not there yet"));
        }
    };
    let names = wanted.aliases.iter().map(|name| DnsName::new(name.as_str()));
    let interface = wanted.interface.as_deref().map(LinkName::new).transpose();
    Ok(netd_api::Attachment {
        network: NetworkName::new(network.as_str()).map_err(|e| e.to_string())?,
        addresses: wanted.addresses.clone(),
        mac: wanted.mac.map(Mac),
        names: names.collect::<Result<_, _>>().map_err(|e| e.to_string())?,
        interface: interface.map_err(|e| e.to_string())?,
    })
}

/// Gets image, network and volumes at the same time, since each may wait for something else. The
/// waiting ends when `cancel` turns true.
pub async fn parts(
    steps: &mut Steps<'_>,
    plan: &Plan,
    record: &RunRecord,
    mut cancel: watch::Receiver<bool>,
) -> Result<Parts, Fault> {
    let context = steps.context.clone();
    steps.begin("image", format!("looks for {}", plan.unit.image));
    if record.endpoint.is_some() {
        steps.begin("network", "asks netd for an address");
    }
    let all = async {
        tokio::try_join!(
            timed(image(&context, &plan.unit)),
            timed(network(&context, plan, record)),
            timed(volumes(plan.unit.clone())),
        )
    };
    let (image, network, volumes) = tokio::select! {
        all = all => all?,
        _ = cancel.wait_for(|cancelled| *cancelled) => return Err(Fault::Cancelled),
    };
    steps.done("image", image.1);
    if record.endpoint.is_some() {
        steps.done("network", network.1);
    }
    if !plan.unit.volumes.is_empty() {
        steps.done("volumes", volumes.1);
    }
    Ok(Parts { image: image.0, network: network.0, volumes: volumes.0 })
}

async fn timed<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<(T, Duration), Fault> {
    let began = Instant::now();
    let made = work.await?;
    Ok((made, began.elapsed()))
}

/// The image from the store, or from its registry if its name has one.
async fn image(context: &Arc<Context>, unit: &ContainerUnit) -> Result<Image, Fault> {
    if let Some(image) = find(context, &unit.image).await? {
        return Ok(image);
    }
    if !names_registry(&unit.image) {
        return Err(Fault::Failed(format!(
            "find image {}: not on this host (fleetctl image import DIR {}, or name a registry)",
            unit.image, unit.image
        )));
    }
    let pulled = context.images.pull(&unit.image, PullOptions::default(), |_| {}).await;
    pulled.map_err(|e| e.to_string())?;
    match find(context, &unit.image).await? {
        Some(image) => Ok(image),
        None => Err(Fault::Failed(format!("find image {}: pulled and gone again", unit.image))),
    }
}

async fn find(context: &Arc<Context>, name: &str) -> Result<Option<Image>, String> {
    let (images, name) = (context.images.clone(), name.to_owned());
    let found = tokio::task::spawn_blocking(move || images.find(&name)).await;
    found.map_err(|e| format!("find image: {}", cause(&e)))?.map_err(|e| e.to_string())
}

async fn network(
    context: &Arc<Context>,
    plan: &Plan,
    record: &RunRecord,
) -> Result<Option<(Attached, OwnedFd)>, Fault> {
    let Some(spec) = &record.endpoint else { return Ok(None) };
    let mut trouble = context.network.trouble();
    let attach = context.network.attach(spec.clone());
    tokio::pin!(attach);
    let mut told = false;
    loop {
        let waits = trouble.borrow_and_update().clone();
        if told || waits.is_some() {
            told = waits.is_some();
            context.tell(&plan.unit.name, &plan.run, super::message::What::Waits(waits));
        }
        tokio::select! {
            attached = &mut attach => return Ok(Some(attached?)),
            changed = trouble.changed() => changed.map_err(|e| e.to_string())?,
        }
    }
}

/// The volumes as detached copies of the host's mounts.
async fn volumes(unit: Arc<ContainerUnit>) -> Result<Vec<Tree>, Fault> {
    let open = move || {
        let open = |volume: &crate::core::unit::container::Volume| {
            let (source, target) = (volume.source.display(), volume.target.display());
            let tree = mount::clone_tree(&volume.source, true).map_err(|e| {
                format!("Volume={source}:{target}: open {source}: {}", Sentence(&e))
            })?;
            let destination = volume.target.to_string_lossy().into_owned();
            Ok(Tree { destination, tree, ours: false })
        };
        unit.volumes.iter().map(open).collect::<Result<Vec<Tree>, String>>()
    };
    let opened = tokio::task::spawn_blocking(open).await;
    Ok(opened.map_err(|e| format!("open volumes: {}", cause(&e)))??)
}

/// Mounts the root and reads from it and from the host what the configuration needs.
pub fn root(context: &Context, plan: &Plan, parts: Parts) -> Result<Prepared, String> {
    let unit = &plan.unit;
    let Parts { image, network, volumes } = parts;
    let layer = context.place.layer(&plan.run);
    make_private(&layer)?;
    let root = context.images.mount(&image, Some(&layer)).map_err(|e| e.to_string())?;
    let config = ImageConfig {
        entrypoint: image.config.entrypoint,
        cmd: image.config.cmd,
        env: image.config.env,
        working_dir: image.config.working_dir,
        user: image.config.user,
        stop_signal: image.config.stop_signal,
    };
    let user = unit.user.as_deref().or(config.user.as_deref());
    let user = look_up(&root, user)?;
    let address = network.as_ref().and_then(|(attached, _)| attached.endpoint.addresses().next());
    let mut mounts = run_files(context, plan, network.as_ref().map(|(attached, _)| attached))?;
    mounts.extend(super::credentials::mounts(context, unit, &user)?);
    mounts.extend(volumes);
    let notify = match unit.service.kind {
        ServiceType::Notify => Some(super::notify::bind(context, &plan.run)?),
        _ => None,
    };
    Ok(Prepared {
        digest: image.digest,
        image: config,
        user,
        environment: environment_files(unit)?,
        root,
        network: network.map(|(_, namespace)| namespace),
        address,
        mounts,
        notify,
    })
}

/// `User=` by the files of the image below this descriptor.
pub fn look_up(root: &OwnedFd, spec: Option<&str>) -> Result<User, String> {
    let passwd = read_in_root(root, "/etc/passwd")?;
    let group = read_in_root(root, "/etc/group")?;
    user::look_up(spec, &passwd, &group).map_err(|e| e.to_string())
}

/// More than this no passwd file has; an image could have one without end.
const MAX_FILE: u64 = 1 << 20;

/// A text file of the image; empty where there is none. CVE-2023-25153 and CVE-2026-47262: what an
/// image says is a file may be a fifo, a device or endless.
fn read_in_root(root: &OwnedFd, path: &str) -> Result<String, String> {
    let fail = |cause: &dyn std::fmt::Display| format!("read {path} of the image: {cause}");
    let file = match file::open_in_root(root, path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(String::new());
        }
        other => File::from(other.map_err(|e| fail(&Sentence(&e)))?),
    };
    let kind = file.metadata().map_err(|e| fail(&Sentence(&e)))?.file_type();
    if !kind.is_file() {
        return Err(fail(&"it is not a regular file"));
    }
    let bytes = read_bounded(file).map_err(|e| fail(&e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file that a unit names. Nobody may ever write to a pipe, and a start would wait for it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe, and not a file")),
        false => Ok(file),
    }
}

pub(super) fn read_bounded(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|e| Sentence(&e).to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is over {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

/// The variables of `EnvironmentFile=`, read from the host at every start.
fn environment_files(unit: &ContainerUnit) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for wanted in &unit.environment_files {
        let fail = |cause: String| format!("EnvironmentFile={}: {cause}", wanted.path.display());
        let text = match open(&wanted.path) {
            Err(e) if e.kind() == ErrorKind::NotFound && wanted.optional => continue,
            Err(e) => return Err(fail(Sentence(&e).to_string())),
            Ok(file) => read_bounded(file).map_err(fail)?,
        };
        let text = String::from_utf8_lossy(&text);
        variables.extend(environment::parse(&text).map_err(fail)?);
    }
    Ok(variables)
}

/// Makes the run's own files and opens each as a mount.
fn run_files(
    context: &Context,
    plan: &Plan,
    network: Option<&Attached>,
) -> Result<Vec<Tree>, String> {
    let unit = &plan.unit;
    let directory = context.place.run(&plan.run).join("files");
    make_readable(&directory)?;
    let hostname = files::hostname(&unit.name);
    let addresses = network.map(|attached| attached.endpoint.addresses().collect());
    let addresses: Vec<IpAddr> = addresses.unwrap_or_default();
    let resolv = match (network, &unit.network) {
        (Some(attached), _) => files::resolv_conf(&attached.dns, &attached.search),
        (None, Network::Host) => std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        (None, _) => String::new(),
    };
    let mut trees = Vec::new();
    for (name, destination) in RUN_FILES {
        if unit.volumes.iter().any(|volume| volume.target == Path::new(destination)) {
            continue;
        }
        let text = match name {
            "hosts" => files::hosts(&hostname, &addresses),
            "hostname" => format!("{hostname}\n"),
            _ => resolv.clone(),
        };
        let path = directory.join(name);
        write_readable(&path, &text)?;
        trees.push(open_tree(&path, destination)?);
    }
    if unit.service.kind == ServiceType::Notify {
        let directory = context.place.run(&plan.run).join(super::notify::DIRECTORY);
        make_readable(&directory)?;
        trees.push(open_tree(&directory, NOTIFY_DIR)?);
    }
    Ok(trees)
}

fn open_tree(path: &Path, destination: &str) -> Result<Tree, String> {
    let tree = mount::clone_tree(path, false)
        .map_err(|e| format!("open {}: {}", path.display(), Sentence(&e)))?;
    Ok(Tree { destination: destination.to_owned(), tree, ours: true })
}

/// Whatever the program's user is, it can read these; on the host the directory above is private.
fn make_readable(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    make_private(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(|e| format!("chmod {}: {}", path.display(), cause(&e)))
}

fn write_readable(path: &Path, text: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)))
        .map_err(|e| format!("write {}: {}", path.display(), cause(&e)))
}

/// Directories of logs that are kept of a unit's earlier runs.
const KEPT_LOGS: usize = 4;

/// Removes the logs of old runs.
pub fn prune_logs(context: &Context, unit: &str) {
    let directory = context.place.logs(unit);
    let mut runs: Vec<(std::time::SystemTime, std::path::PathBuf)> = std::fs::read_dir(&directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(_, path)| {
            path.file_name().and_then(|n| n.to_str()).and_then(run::RunId::parse).is_some()
        })
        .collect();
    runs.sort_unstable();
    let surplus = runs.len().saturating_sub(KEPT_LOGS);
    for (_, path) in runs.into_iter().take(surplus) {
        if let Err(error) = super::place::remove_tree(&path) {
            tracing::warn!("{error}");
        }
    }
}
