//! The links of a playground: a bridge in the switch's network namespace, and for each host a veth
//! pair from there to its `eth0` (rtnetlink(7)).

use super::netlink::{Messages, exchange, namespace_of, open_in};
use super::plan::{Host, PREFIX};
use super::process::Process;
use crate::failure::Failure;
use rustix::net::Protocol;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `NETLINK_ROUTE` is number zero, what a socket gets that asks for none.
const ROUTE: Option<Protocol> = None;
const BRIDGE: &str = "switch0";
/// Links are numbered from one in a namespace: `lo`, and what we ask to be the second.
const LOOPBACK: u32 = 1;
const SECOND: u32 = 2;

/// `NLM_F_CREATE | NLM_F_EXCL` of linux/netlink.h.
const CREATE: u16 = 0x600;
/// Of linux/rtnetlink.h.
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
/// Of linux/if_link.h.
const HARDWARE_ADDRESS: u16 = 1;
const NAME: u16 = 3;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const NAMESPACE_FD: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
/// Of linux/if_addr.h.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// `IFF_UP` of linux/if.h.
const UP: u32 = 1;

/// Makes the bridge.
pub(super) fn make_switch(switch: &Process) -> Result<(), Failure> {
    let mut messages = Messages::default();
    let what = format!("create bridge {BRIDGE}");
    messages.push(what, NEW_LINK, CREATE, &link(SECOND, UP, UP), |a| {
        a.text(NAME, BRIDGE).nest(LINK_INFO, |a| {
            a.text(INFO_KIND, "bridge");
        });
    });
    messages.push("set lo up", NEW_LINK, 0, &link(LOOPBACK, UP, UP), |_| {});
    send(&namespace(switch)?, &messages)
}

/// Plugs a host in: `eth0` with its address there, a port with the host's name here.
pub(super) fn plug(switch: &Process, holder: &Process, host: Host) -> Result<(), Failure> {
    let (inside, here) = (namespace(holder)?, namespace(switch)?);
    let fd = u32::try_from(here.as_raw_fd()).unwrap_or_default();
    let port = host.to_string();
    let mut messages = Messages::default();
    let what = format!("create eth0 of {host}");
    messages.push(what, NEW_LINK, CREATE, &link(SECOND, 0, 0), |a| {
        a.text(NAME, "eth0").bytes(HARDWARE_ADDRESS, &host.hardware_address()).nest(
            LINK_INFO,
            |a| {
                a.text(INFO_KIND, "veth").nest(INFO_DATA, |a| {
                    a.nest(VETH_PEER, |a| {
                        a.raw(&link(0, 0, 0)).text(NAME, &port).u32(NAMESPACE_FD, fd);
                    });
                });
            },
        );
    });
    for (index, name) in [(LOOPBACK, "lo"), (SECOND, "eth0")] {
        let what = format!("set {name} of {host} up");
        messages.push(what, NEW_LINK, 0, &link(index, UP, UP), |_| {});
    }
    let address = host.address();
    let what = format!("add address {address} to {host}");
    messages.push(what, NEW_ADDRESS, CREATE, &address_header(), |a| {
        a.bytes(LOCAL, &address.octets()).bytes(ADDRESS, &address.octets());
    });
    send(&inside, &messages)?;
    let mut messages = Messages::default();
    // In a message of its own: in the one that makes a pair the peer's part knows no bridge.
    messages.push(format!("put {host} on the switch"), NEW_LINK, 0, &link(0, UP, UP), |a| {
        a.text(NAME, &port).u32(MASTER, SECOND);
    });
    send(&here, &messages)
}

/// Pulls the plug: the host's `eth0` is gone with its port. None to pull is fine.
pub(super) fn unplug(switch: &Process, host: Host) -> Result<(), Failure> {
    // With the switch its namespace has gone, and with that every port.
    if !switch.runs() {
        return Ok(());
    }
    let mut messages = Messages::default();
    messages.push(format!("delete port {host}"), DELETE_LINK, 0, &link(0, 0, 0), |a| {
        a.text(NAME, &host.to_string());
    });
    let socket = open_in(&namespace(switch)?, ROUTE).map_err(|e| no_socket(&e))?;
    match exchange(&socket, &messages) {
        Err((_, e)) if e.kind() == io::ErrorKind::NotFound || is_no_device(&e) => Ok(()),
        Err((what, e)) => Err(Failure::io(what, &e)),
        Ok(()) => Ok(()),
    }
}

fn is_no_device(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

fn namespace(process: &Process) -> Result<OwnedFd, Failure> {
    let what = || format!("open the network namespace of process {}", process.pid);
    namespace_of(process).map_err(|e| {
        Failure::io(what(), &e)
            .hint("was its holder killed? fleetctl playground down ends the rest")
    })
}

fn no_socket(error: &io::Error) -> Failure {
    Failure::io("open a netlink socket", error)
}

fn send(namespace: &OwnedFd, messages: &Messages) -> Result<(), Failure> {
    let socket = open_in(namespace, ROUTE).map_err(|e| no_socket(&e))?;
    exchange(&socket, messages).map_err(|(what, e)| Failure::io(what, &e))
}

/// `ifinfomsg`: family, pad, type, index, flags, which of them change.
fn link(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `ifaddrmsg` of `eth0`: family, length of the prefix, flags, scope, index.
fn address_header() -> [u8; 8] {
    const INET: u8 = 2;
    let mut header = [INET, PREFIX, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&SECOND.to_ne_bytes());
    header
}
