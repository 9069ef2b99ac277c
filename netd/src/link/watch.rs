//! Notifications of what others do to our links, addresses, routes and neighbours.

use super::dump::{parse_address, parse_link, parse_route};
use crate::core::network::OURS;
use crate::netlink::{Connection, Family};
use std::io;

/// What a notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A link has disappeared.
    Gone { index: u32 },
    /// Somebody else has changed this link, or deleted an address, a route or a neighbour of it.
    Link { index: u32 },
    /// The kernel had more to tell than the socket could hold: only a dump tells now.
    Unknown,
}

const GROUPS: &[u32] = &[
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_NEIGH,
];

/// Opens the subscription in the calling thread's namespace and gives the loop to run in a thread
/// of its own; it ends when `each` says false. What the sockets with the ports `ours` did is not
/// told. `groups` is where the groups of our links begin.
pub fn watch<F: FnMut(Changed) -> bool + Send + 'static>(
    ours: Vec<u32>,
    groups: u32,
    mut each: F,
) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<F>> {
    let mut notifications = Connection::subscribe(Family::Route, GROUPS)?;
    Ok(move || {
        let mut go_on = true;
        while go_on {
            let heard = notifications.notifications(|kind, port, payload| {
                if let Some(changed) = read(kind, payload, groups, !ours.contains(&port)) {
                    go_on &= each(changed);
                }
            });
            match heard {
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => {
                    go_on &= each(Changed::Unknown);
                }
                other => other?,
            }
        }
        Ok(())
    })
}

fn read(kind: u16, payload: &[u8], groups: u32, by_others: bool) -> Option<Changed> {
    // A bridge speaks of its ports too; those notifications have its family.
    let of_bridge = payload.first() == Some(&(libc::AF_BRIDGE as u8));
    let index = match kind {
        libc::RTM_DELLINK if !of_bridge => {
            return parse_link(payload).map(|link| Changed::Gone { index: link.index });
        }
        libc::RTM_NEWLINK if !of_bridge => {
            let link = parse_link(payload)?;
            // The kernel also tells of carriers that come and go.
            if link.up && link.group & OURS == groups {
                return None;
            }
            link.index
        }
        libc::RTM_DELADDR => parse_address(payload)?.link,
        libc::RTM_DELROUTE => parse_route(payload).filter(|route| route.ours)?.link?,
        libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH if !of_bridge => {
            u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?)
        }
        _ => return None,
    };
    by_others.then_some(Changed::Link { index })
}
