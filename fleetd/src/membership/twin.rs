//! Another machine with the id of this host: its data directory was copied. Two that vote with one voice
//! could lose what was acknowledged, so the one that comes to a place where the other lives ends.

use super::Links;
use super::identity::Identity;
use super::streams::Streams;
use crate::core::gossip::Node;
use crate::core::machine_id::MachineId;
use crate::gossip::ask_who;
use crate::peer::Client;
use crate::peer::client::Limits;
use crate::pki::Credentials;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// For the question. Nobody is there as a rule: that is known at once, or somebody drops packets.
const WITHIN: Duration = Duration::from_secs(2);
/// Where this host does not have its address itself another one may come to be reached there.
const LOOK: Duration = Duration::from_secs(10);

/// Before this host listens at its address: whoever is reached there as this host is another one.
pub async fn refuse(credentials: &Arc<Credentials>, identity: &Identity) -> Result<(), String> {
    let streams = Streams(Client::new(credentials, Limits::default()));
    match who(&streams, identity.machine, identity.address).await {
        None => Ok(()),
        Some(_) => Err(fault(identity.machine, identity.address)),
    }
}

/// Until another host is found there. Not where this one has the address: it would ask itself.
pub async fn found(links: Arc<Links>) -> String {
    if links.bind == links.address {
        return std::future::pending().await;
    }
    let streams = Streams(links.client.clone());
    loop {
        tokio::time::sleep(LOOK).await;
        let life = links.gossip.seen().borrow().own.life;
        let other = who(&streams, links.machine, links.address).await;
        if other.is_some_and(|node| node.life != life) {
            return fault(links.machine, links.address);
        }
    }
}

async fn who(streams: &Streams, machine: MachineId, address: SocketAddr) -> Option<Node> {
    let host = Node::new(machine, 0, address);
    let asked = ask_who(streams, &host);
    tokio::time::timeout(WITHIN, asked).await.ok()?.ok().filter(|node| node.host == machine)
}

fn fault(machine: MachineId, address: SocketAddr) -> String {
    format!(
        "be host {machine} of the fleet: another machine is that host, at {address} (this one has a copy \
         of its data directory: give it a new one, and fleetctl join it as a host of its own)"
    )
}
