//! From nothing, or from what an earlier netd left, to a running engine.

use super::reaper::Reaper;
use super::repair::Strangers;
use super::{Engine, Inbox, News};
use crate::core::ipam::Ipams;
use crate::core::network::{choose_subnets, groups_of, misfit};
use crate::core::plan::ObservedLink;
use crate::core::recover::Left;
use crate::core::{Desired, Network, network};
use crate::dns::{Listeners, SharedZone, Wanted};
use crate::link::{self, Link, Refused};
use crate::lock;
use crate::netlink::{Connection, Family};
use crate::nft::{self, Nftables};
use crate::pool::Maker;
use crate::proxy::{self, Proxies};
use crate::store::{self, Header, Journal, Saved, StoreError};
use crate::sysctl;
use ipnet::IpNet;
use netd_api::{DEFAULT_OWNER, NetworkName, OwnerName};
use std::collections::{BTreeMap, HashMap};
use std::io;
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
    pub device: String,
    pub table: String,
    /// None: those of the journal, else one that no route of the host overlaps.
    pub subnets: Vec<IpNet>,
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
    pub names: Wanted,
    pub proxies: proxy::Server,
}

/// Makes the kernel match the journal. Everything is done in the calling thread's network
/// namespace.
pub fn start(settings: &Settings) -> Result<Started, StartError> {
    let (journal, saved) = Journal::open(&settings.state_dir, lock::PATIENCE)?;
    let mut route = Connection::open(Family::Route).map_err(system("open netlink"))?;
    let mut nft = Nftables::open(&settings.table).map_err(system("open netlink"))?;
    let left = match saved {
        Some(_) => Left::default(),
        None => left_in_kernel(&mut route, &mut nft, &settings.device)?,
    };
    let header = header(settings, saved.as_ref(), &left, &mut route)?;
    let (mut desired, mut ipams) = recall(saved, &header);
    take_up(&left, &header, &mut desired, &mut ipams);
    let mtu = uplink_mtu(&mut route)?;
    let maker = Maker::new().map_err(system("open netlink"))?;
    let (inbox, news) = mpsc::channel();
    watch(&inbox, &header, &nft, vec![route.port(), maker.port()])?;
    let (proxies, server) = Proxies::new();
    let zone = SharedZone::default();
    let gateways = desired.networks.values().flat_map(Network::gateways);
    let (listeners, names) = Listeners::new(gateways);
    let reaper = Reaper::start(inbox.clone()).map_err(system("start a thread"))?;
    let mut engine = Engine {
        inbox: news,
        device: 0,
        mtu,
        desired,
        ipams,
        held: HashMap::new(),
        pools: Vec::new(),
        pool_size: settings.pool,
        maker,
        route,
        nft,
        zone: zone.clone(),
        listeners,
        proxies,
        dying: Vec::new(),
        closing: Vec::new(),
        reaper,
        reaping: BTreeMap::new(),
        findings: Vec::new(),
        journal,
        header,
    };
    // Before anything is changed: what it was like must be known to `netd down`.
    engine.rewrite_journal()?;
    engine.bring_up()?;
    Ok(Started { engine, inbox, zone, names, proxies: server })
}

impl Engine {
    /// From what is wanted to what is: the kernel, the names, the listeners, the pools.
    fn bring_up(&mut self) -> Result<(), StartError> {
        for network in self.desired.networks.values() {
            self.zone.change(|zone| zone.put_network(network));
        }
        for service in self.desired.services.values() {
            self.zone.change(|zone| zone.put_service(&service.spec));
        }
        self.turn_on_forwarding()?;
        self.ensure_device()?;
        self.match_links(Strangers::Go)?;
        self.hand_to_reaper();
        self.replace_table()?;
        self.open_all()?;
        self.match_networks()?;
        // Nobody's container should pay for the first namespace after a boot.
        if let Some(pool) = self.pools.first() {
            pool.warm_up(WARM_UP);
        }
        Ok(())
    }
}

/// What this run's journal starts with. Within one boot the host's network stays what it was.
fn header(
    settings: &Settings,
    saved: Option<&Saved>,
    left: &Left,
    route: &mut Connection,
) -> Result<Header, StartError> {
    let boot = store::boot_id()?;
    let mut wanted = settings.subnets.clone();
    wanted.sort();
    if let Some(bad) = wanted.iter().find(|net| !network::fits(net)) {
        return Err(StartError::Subnet(format!("use subnet {bad}: it {}", misfit(bad))));
    }
    if wanted.iter().any(|net| net.addr().is_ipv6()) && !sysctl::has_ipv6() {
        return Err(StartError::Subnet("use IPv6: this host's kernel has none".to_owned()));
    }
    let asked = Network {
        name: settings.network.clone(),
        group: groups_of(&settings.device),
        owner: None,
        subnets: wanted,
        services: Vec::new(),
        internal: false,
        mtu: None,
        search: settings.search.clone(),
    };
    let (device, table) = (settings.device.clone(), settings.table.clone());
    if let Some(saved) = saved.filter(|s| s.header.boot_id == boot) {
        let mut header = saved.header.clone();
        let recorded = header.network.clone();
        let subnets =
            if asked.subnets.is_empty() { recorded.subnets.clone() } else { asked.subnets };
        let network = Network { subnets, ..asked };
        let same = Network { search: recorded.search.clone(), ..network.clone() } == recorded;
        if !same || (&device, &table) != (&header.device, &header.table) {
            let recorded = describe(&recorded, &header.device, &header.table);
            return Err(StartError::Changed {
                asked: describe(&network, &device, &table),
                recorded,
            });
        }
        header.network = network;
        return Ok(header);
    }
    let routes = foreign_routes(route, &device)?;
    let earlier = match saved {
        Some(saved) => saved.header.network.subnets.clone(),
        None => left.own_subnets(&asked.name, asked.group),
    };
    let subnets = if asked.subnets.is_empty() && !earlier.is_empty() {
        choose_subnets(&earlier, &routes).or_else(|_| choose_subnets(&[], &routes))
    } else {
        choose_subnets(&asked.subnets, &routes)
    };
    let network = Network { subnets: subnets.map_err(StartError::Subnet)?, ..asked };
    Ok(Header::new(boot, device, table, network))
}

fn describe(network: &Network, device: &str, table: &str) -> String {
    let Network { name, subnets, .. } = network;
    let subnets: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    let subnets = subnets.join(" and ");
    format!("network {name} with link {device}, table {table}, subnet {subnets}")
}

/// What the journal recalls. The endpoints of another boot are gone with it; the networks stay, and
/// the addresses that units had are remembered.
fn recall(saved: Option<Saved>, header: &Header) -> (Desired, Ipams) {
    let (mut desired, mut ipams) = (Desired::default(), Ipams::default());
    let mut networks = vec![header.network.clone()];
    if let Some(saved) = &saved {
        networks.extend(saved.networks.values().cloned());
    }
    for network in networks {
        ipams.add(&network);
        desired.networks.insert(network.name.clone(), network);
    }
    let Some(saved) = saved else { return (desired, ipams) };
    desired.services = saved.services;
    for (network, name, address) in &saved.remembered {
        ipams.remember(network, name, *address);
    }
    if saved.header.boot_id == header.boot_id {
        for record in saved.endpoints.into_values() {
            ipams.take(&record);
            desired.insert(record);
        }
    }
    (desired, ipams)
}

/// What the kernel recalls, where there is no journal.
fn take_up(left: &Left, header: &Header, desired: &mut Desired, ipams: &mut Ipams) {
    // The name is a constant that fits.
    let Ok(owner) = OwnerName::new(DEFAULT_OWNER) else { return };
    for network in left.networks(&header.network, &owner) {
        ipams.add(&network);
        desired.networks.insert(network.name.clone(), network);
    }
    for record in left.endpoints(desired.networks.values(), &owner) {
        crate::say::say(format_args!("found {} running, without a journal", record.spec.id));
        ipams.take(&record);
        desired.insert(record);
    }
}

/// What a netd whose journal is lost left in the kernel.
fn left_in_kernel(
    route: &mut Connection,
    nft: &mut Nftables,
    device: &str,
) -> Result<Left, Refused> {
    let Some(index) = link::find_device(route, device)? else { return Ok(Left::default()) };
    let observe =
        |l: Link| (ObservedLink { index: l.index, name: l.name, group: l.group }, l.alias);
    let own = link::addresses(route)?.into_iter().filter(|a| a.link == index);
    let nets = own.filter_map(|a| IpNet::new(a.address, a.prefix).ok()).map(|net| net.trunc());
    Ok(Left {
        links: link::links(route)?.into_iter().map(observe).collect(),
        elements: nft.elements()?,
        neighbours: link::neighbours(route)?,
        subnets: nets.filter(network::fits).collect(),
    })
}

/// Destinations of the host's routes, but for those of our own links.
fn foreign_routes(route: &mut Connection, device: &str) -> Result<Vec<IpNet>, Refused> {
    let ours = link::links(route)?.into_iter().find(|l| l.name == device).map(|l| l.index);
    let routes = link::routes(route)?;
    let foreign = routes.into_iter().filter(|r| !r.ours && (r.link.is_none() || r.link != ours));
    Ok(foreign.map(|r| r.destination).collect())
}

/// The MTU of the link that the default route leads out of: a larger packet would be cut or lost
/// there.
fn uplink_mtu(route: &mut Connection) -> Result<u32, Refused> {
    const ETHERNET: u32 = 1500;
    // The smallest that IPv6 takes; IPv4 takes less, and nobody has it.
    const LEAST: u32 = 1280;
    let uplink = link::routes(route)?.into_iter().find(|r| r.destination.prefix_len() == 0);
    let links = link::links(route)?;
    let mtu = uplink.and_then(|r| links.iter().find(|l| Some(l.index) == r.link)).map(|l| l.mtu);
    Ok(mtu.filter(|m| *m >= LEAST).unwrap_or(ETHERNET))
}

/// Threads that tell the engine what others do to our links and table. `ours` are the netlink ports
/// of our own changes.
fn watch(inbox: &Inbox, header: &Header, nft: &Nftables, ours: Vec<u32>) -> Result<(), StartError> {
    let news = inbox.clone();
    let links = link::watch(ours, header.groups(), move |changed| {
        news.send(News::Changed(changed)).is_ok()
    });
    let news = inbox.clone();
    let tables = nft::watch(&header.table, nft.port(), move || news.send(News::Touched).is_ok())
        .map_err(system("subscribe to nftables"))?;
    spawn("links", links.map_err(system("subscribe to links"))?)?;
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
