//! From nothing, or from what an earlier netd left, to a running engine.

use super::reaper::Reaper;
use super::repair::Strangers;
use super::{Engine, Inbox, News};
use crate::core::ipam::Ipam;
use crate::core::plan::ObservedPort;
use crate::core::recover::{Labelled, recover};
use crate::core::{Binding, Desired, Network, Record, choose_subnet};
use crate::dns::{SharedZone, Zone};
use crate::link::{self, Refused};
use crate::lock;
use crate::netlink::{Connection, Family};
use crate::nft::{self, Nftables};
use crate::pool::{Pool, Target};
use crate::proxy::{self, Proxies};
use crate::store::{self, Header, Journal, Saved, StoreError};
use crate::sysctl;
use ipnet::Ipv4Net;
use netd_api::{Finding, NetworkName};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// How long the start waits for the first namespace of the pool.
const WARM_UP: Duration = Duration::from_secs(2);

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Settings {
    pub state_dir: PathBuf,
    pub network: NetworkName,
    pub bridge: String,
    pub table: String,
    /// None: the one of the journal, else one that no route of the host overlaps.
    pub subnet: Option<Ipv4Net>,
    pub search: String,
    pub pool: usize,
}

/// Why netd cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kernel(#[from] Refused),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("{0}")]
    Subnet(String),
    #[error(
        "use {asked}: endpoints of an earlier start are on {recorded} (run netd down first, or give \
         the same options)"
    )]
    Changed { asked: String, recorded: String },
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// What others need of a started engine.
pub struct Started {
    pub engine: Engine,
    pub inbox: Inbox,
    pub zone: SharedZone,
    pub proxies: proxy::Server,
    pub gateway: Ipv4Addr,
}

/// Makes the kernel match the journal. Everything is done in the calling thread's network
/// namespace.
pub fn start(settings: &Settings) -> Result<Started, StartError> {
    let (mut journal, saved) = Journal::open(&settings.state_dir, lock::PATIENCE)?;
    let mut route = Connection::open(Family::Route).map_err(system("open netlink"))?;
    let header = header(settings, saved.as_ref(), &mut route)?;
    let network = header.network.clone();
    let mut nft = Nftables::open(&network.table).map_err(system("open netlink"))?;
    let lost = saved.is_none();
    let (mut desired, mut ipam) = recall(saved, &header);
    if lost {
        for record in left_in_kernel(&mut route, &mut nft, &network)? {
            crate::say::say(format_args!("found {} running, without a journal", record.spec.id));
            ipam.take(record.address);
            desired.insert(record);
        }
    }
    // Before anything is changed: what it was like must be known to `netd down`.
    journal.rewrite(&header, desired.endpoints.values(), ipam.remembered())?;

    let (inbox, news) = mpsc::channel();
    watch(&inbox, &network, &nft)?;
    sysctl::write("ipv4/ip_forward", "1").map_err(system("turn on ip_forward"))?;
    let mtu = uplink_mtu(&mut route)?;
    let bridge = link::ensure_bridge(&mut route, &network, mtu)?;
    let target = Target { bridge, mtu };
    let (proxies, server) = Proxies::new();
    let zone = SharedZone::new(Zone::new(network.subnet, &network.search));
    let mut engine = Engine {
        inbox: news,
        target,
        desired,
        ipam,
        journal,
        held: HashMap::new(),
        pool: Pool::new(settings.pool, target),
        route,
        nft,
        zone: zone.clone(),
        proxies,
        dying: Vec::new(),
        closing: Vec::new(),
        reaper: Reaper::start(inbox.clone()).map_err(system("start a thread"))?,
        reaping: Vec::new(),
        buried: Vec::new(),
        findings: Vec::new(),
        network: network.clone(),
        header,
    };
    engine.match_links(Strangers::Go)?;
    engine.hand_to_reaper();
    engine.replace_tables()?;
    engine.open_all()?;
    engine.pool.start().map_err(system("start a thread"))?;
    engine.pool.warm_up(WARM_UP);
    Ok(Started { gateway: network.gateway(), engine, inbox, zone, proxies: server })
}

impl Engine {
    /// Names and listeners of the endpoints that were there before this start.
    fn open_all(&mut self) -> Result<(), Refused> {
        let addresses = self.host_addresses()?;
        for record in self.desired.endpoints.values() {
            self.zone.change(|z| z.insert(&record.spec, record.address));
            for mapping in &record.spec.ports {
                let Ok(binding) = Binding::of(mapping) else { continue };
                match proxy::reserve(&binding, &addresses) {
                    Ok(reserved) => {
                        let target = SocketAddrV4::new(record.address, mapping.container_port);
                        self.proxies.open(binding, reserved, target);
                    }
                    Err(e) => self.findings.push(Finding {
                        message: format!(
                            "port {binding} of {} is not served on 127.0.0.1: {e}",
                            record.spec.id
                        ),
                        hint: Some("somebody took it while netd was down".to_owned()),
                    }),
                }
            }
        }
        Ok(())
    }
}

/// What this run's journal starts with. Within one boot the network stays what it was.
fn header(
    settings: &Settings,
    saved: Option<&Saved>,
    route: &mut Connection,
) -> Result<Header, StartError> {
    let boot = store::boot_id()?;
    let asked = Network {
        name: settings.network.clone(),
        bridge: settings.bridge.clone(),
        table: settings.table.clone(),
        subnet: settings.subnet.unwrap_or_default(),
        search: settings.search.clone(),
    };
    if let Some(saved) = saved.filter(|s| s.header.boot_id == boot) {
        let recorded = &saved.header.network;
        let subnet = settings.subnet.unwrap_or(recorded.subnet);
        let network = Network { subnet, ..asked };
        if (Network { search: recorded.search.clone(), ..network.clone() }) != *recorded {
            return Err(StartError::Changed {
                asked: describe(&network),
                recorded: describe(recorded),
            });
        }
        return Ok(Header { network, ..saved.header.clone() });
    }
    let routes = foreign_routes(route, &settings.bridge)?;
    let earlier = match saved {
        Some(saved) => Some(saved.header.network.subnet),
        None => subnet_of(route, &settings.bridge)?,
    };
    let subnet = match (settings.subnet, earlier) {
        (None, Some(earlier)) => {
            choose_subnet(Some(earlier), &routes).or_else(|_| choose_subnet(None, &routes))
        }
        (wanted, _) => choose_subnet(wanted, &routes),
    };
    let network = Network { subnet: subnet.map_err(StartError::Subnet)?, ..asked };
    let ip_forward = sysctl::read("ipv4/ip_forward").map_err(system("read ip_forward"))?;
    Ok(Header::new(boot, network, ip_forward))
}

fn describe(network: &Network) -> String {
    let Network { name, bridge, table, subnet, .. } = network;
    format!("network {name} on bridge {bridge}, table {table}, subnet {subnet}")
}

/// What the journal recalls. The endpoints of another boot are gone with it; the addresses that
/// units had are remembered.
fn recall(saved: Option<Saved>, header: &Header) -> (Desired, Ipam) {
    let mut desired = Desired::default();
    let mut ipam = Ipam::new(header.network.subnet);
    let Some(saved) = saved else { return (desired, ipam) };
    if saved.header.network.subnet == header.network.subnet {
        for (name, address) in &saved.remembered {
            ipam.remember(name, *address);
        }
    }
    if saved.header.boot_id == header.boot_id {
        for record in saved.endpoints.into_values() {
            ipam.take(record.address);
            desired.insert(record);
        }
    }
    (desired, ipam)
}

/// The subnet of a bridge that is there already.
fn subnet_of(route: &mut Connection, bridge: &str) -> Result<Option<Ipv4Net>, Refused> {
    let Some(index) = link::find_bridge(route, bridge)? else { return Ok(None) };
    let address = link::addresses(route)?.into_iter().find(|a| a.link == index);
    Ok(address.and_then(|a| Ipv4Net::new(a.address, a.prefix).ok()).map(|n| n.trunc()))
}

/// Endpoints of a netd whose journal is lost.
fn left_in_kernel(
    route: &mut Connection,
    nft: &mut Nftables,
    network: &Network,
) -> Result<Vec<Record>, Refused> {
    let Some(bridge) = link::find_bridge(route, &network.bridge)? else { return Ok(Vec::new()) };
    let ports: Vec<Labelled> = link::links(route)?
        .into_iter()
        .filter(|l| l.controller == Some(bridge))
        .map(|l| Labelled { port: ObservedPort { index: l.index, name: l.name }, alias: l.alias })
        .collect();
    let subnet = network.subnet;
    let found = recover(&ports, &nft.elements()?, &network.name);
    Ok(found.into_iter().filter(|r| subnet.contains(&r.address)).collect())
}

/// Destinations of the host's routes, but for our own bridge's.
fn foreign_routes(route: &mut Connection, bridge: &str) -> Result<Vec<Ipv4Net>, Refused> {
    let ours = link::links(route)?.into_iter().find(|l| l.name == bridge).map(|l| l.index);
    let routes = link::routes(route)?;
    let foreign = routes.into_iter().filter(|r| r.link.is_none() || r.link != ours);
    Ok(foreign.map(|r| r.destination).collect())
}

/// The MTU of the link that the default route leads out of: a larger packet would be cut or lost
/// there.
fn uplink_mtu(route: &mut Connection) -> Result<u32, Refused> {
    const ETHERNET: u32 = 1500;
    let uplink = link::routes(route)?.into_iter().find(|r| r.destination.prefix_len() == 0);
    let links = link::links(route)?;
    let mtu = uplink.and_then(|r| links.iter().find(|l| Some(l.index) == r.link)).map(|l| l.mtu);
    // IPv4's smallest, below which nothing works anyway.
    Ok(mtu.filter(|m| *m >= 576).unwrap_or(ETHERNET))
}

/// Threads that tell the engine what others do to our links and tables.
fn watch(inbox: &Inbox, network: &Network, nft: &Nftables) -> Result<(), StartError> {
    let news = inbox.clone();
    let links = link::watch(move |gone| news.send(News::Gone(gone)).is_ok())
        .map_err(system("subscribe to links"))?;
    let news = inbox.clone();
    let tables = nft::watch(&network.table, nft.port(), move || news.send(News::Touched).is_ok())
        .map_err(system("subscribe to nftables"))?;
    spawn("links", links)?;
    spawn("tables", tables)
}

fn spawn(
    name: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), StartError> {
    let work = move || {
        if let Err(e) = work() {
            crate::say::say(format_args!("watch {name}: {e}"));
        }
    };
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop).map_err(system("start a thread"))
}
