//! What connects this host with the others while its fleetd runs.

use super::identity::Identity;
use super::seat::Seat;
use super::streams::Streams;
use super::twin;
use crate::consensus::{Consensus, Form};
use crate::core::decided::{AssignmentSet, GENERATION, View};
use crate::core::gossip::packet::Secret;
use crate::core::gossip::{Node, Parameters};
use crate::core::machine_id::MachineId;
use crate::gossip::{self, Handle, Settings};
use crate::net;
use crate::peer::Client;
use crate::peer::client::Limits;
use crate::peer::raft::Messages;
use crate::pki::refusal::Side;
use crate::pki::{Credentials, Fingerprint};
use crate::store::Opened;
use rustls::pki_types::UnixTime;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Of one fleetd in a fleet.
pub struct Links {
    pub machine: MachineId,
    /// Where the others reach this host, and where it listens.
    pub address: SocketAddr,
    pub bind: SocketAddr,
    pub credentials: Arc<Credentials>,
    /// For requests of people, and what they cause.
    pub client: Client,
    pub gossip: Handle,
    pub seat: Arc<Seat>,
    /// The newest that is known of the fleet.
    pub view: watch::Sender<Arc<View>>,
    /// As it is on disk.
    pub identity: Mutex<Identity>,
}

/// The group, as one of its members.
pub struct Group {
    pub consensus: Consensus,
    pub opened: Opened,
    pub seat: Arc<Seat>,
    pub view: watch::Sender<Arc<View>>,
    pub credentials: Arc<Credentials>,
}

impl Group {
    /// `set`: the one that this host obeys. Its view may be newer than that of the identity.
    pub async fn start(
        database: &Path,
        identity: &Identity,
        set: &AssignmentSet,
    ) -> Result<Self, String> {
        let view = set.view.clone();
        let credentials = identity.credentials()?;
        if let Some(View { bundle, revoked, .. }) = view.clone() {
            credentials.replace_trust(bundle, revoked);
        }
        let view = watch::Sender::new(Arc::new(view.unwrap_or(identity.view.clone())));
        let seat = Arc::new(Seat::new(view.subscribe()));
        seat.obeys(set.index);
        // Nothing else takes the connections of Raft.
        let client = Client::new(&credentials, Limits::default());
        let messages = Messages::new(client, seat.clone());
        let machine = identity.machine.to_string();
        // Before it votes.
        twin::refuse(&credentials, identity).await?;
        let (consensus, opened) =
            Consensus::start_by(database, &machine, messages, Form::Member).await?;
        if opened.machine_id != machine {
            return Err(format!(
                "open {}: it is of host {}, and identity.json of {machine}",
                database.display(),
                opened.machine_id
            ));
        }
        seat.put(consensus.clone());
        Ok(Self { consensus, opened, seat, view, credentials })
    }

    /// Begins to gossip. `obeyed`: the index of the set that this host has.
    pub async fn link(&self, identity: Identity, obeyed: u64) -> Result<Arc<Links>, String> {
        let view = self.view.borrow().clone();
        let generation = self.consensus.decided().index.max(obeyed) / GENERATION;
        let bind = bind(identity.address).map_err(|e| {
            format!("listen on {}: {}", identity.address, crate::sentence::cause(&e))
        })?;
        let settings = Settings {
            own: Node::new(identity.machine, self.opened.incarnation, identity.address),
            bind,
            fleet: number(view.fleet.as_str()),
            generation,
            secrets: secrets(&view),
            parameters: Parameters::default(),
        };
        let streams = Client::new(&self.credentials, Limits::default());
        let gossip = gossip::start(settings, Streams(streams)).await.map_err(|e| e.to_string())?;
        gossip.set_signers(view.signers()).await;
        gossip.join(self.seeds(&view, identity.machine)).await;
        Ok(Arc::new(Links {
            machine: identity.machine,
            address: identity.address,
            bind,
            credentials: Arc::clone(&self.credentials),
            client: Client::new(&self.credentials, Limits::default()),
            gossip,
            seat: self.seat.clone(),
            view: self.view.clone(),
            identity: Mutex::new(identity),
        }))
    }

    /// Hosts to find: the voters, and of a voter all.
    fn seeds(&self, view: &View, own: MachineId) -> Vec<Node> {
        let decided = self.consensus.decided();
        let known = decided.machines.iter().map(|(id, machine)| (*id, machine.address.clone()));
        let voters = view.voters.iter().map(|(id, address)| (*id, address.clone()));
        let others = known.chain(voters).filter(|(id, _)| *id != own);
        others.filter_map(|(id, at)| Some(Node::new(id, 0, at.parse().ok()?))).collect()
    }
}

impl Links {
    /// Who has signed the certificate that this host shows.
    pub fn authority(&self) -> Option<Fingerprint> {
        let own = self.credentials.own();
        let verified =
            self.credentials.trust().verify(own.certificate()?, Side::Server, UnixTime::now());
        verified.ok().map(|peer| peer.authority)
    }

    /// Where a host is reached: as it says itself, or as was decided.
    pub fn address_of(&self, machine: MachineId) -> Option<String> {
        let seen = self.gossip.seen();
        let said = seen.borrow().members.get(&machine).map(|member| member.node.address);
        said.map(|address| address.to_string())
            .or_else(|| self.view.borrow().voters.get(&machine).cloned())
    }
}

/// The address itself where this host has it, else all of its addresses: others may reach it by one
/// that is translated on the way.
fn bind(address: SocketAddr) -> io::Result<SocketAddr> {
    if net::has(address.ip())? {
        return Ok(address);
    }
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    tracing::info!("this host does not have {}: it listens on all addresses", address.ip());
    Ok(SocketAddr::new(any, address.port()))
}

fn number(fleet: &str) -> u128 {
    u128::from_str_radix(fleet, 16).unwrap_or_default()
}

pub(super) fn secrets(view: &View) -> Vec<Secret> {
    let bytes = |key: &crate::core::decided::fleet::Secret| {
        data_encoding::HEXLOWER.decode(key.0.as_bytes()).ok()?.try_into().ok()
    };
    view.gossip_keys.iter().filter_map(bytes).collect()
}
