//! Notifications of links that disappear.

use super::dump::parse_link;
use crate::netlink::{Connection, Family};
use std::io;

/// What a notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    Link {
        index: u32,
        name: String,
    },
    /// The kernel had more to tell than the socket could hold: only a dump tells now.
    Unknown,
}

/// Opens the subscription in the calling thread's namespace and gives the loop to run in a thread
/// of its own; it ends when `each` says false.
pub fn watch<F: FnMut(Gone) -> bool + Send + 'static>(
    mut each: F,
) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<F>> {
    let mut notifications = Connection::subscribe(Family::Route, &[libc::RTNLGRP_LINK])?;
    Ok(move || {
        let mut go_on = true;
        while go_on {
            let heard = notifications.notifications(|kind, _, payload| {
                // The bridge also says that a port left it; that one has the bridge's family.
                let of_bridge = payload.first() == Some(&(libc::AF_BRIDGE as u8));
                if kind == libc::RTM_DELLINK
                    && !of_bridge
                    && let Some(link) = parse_link(payload)
                {
                    go_on &= each(Gone::Link { index: link.index, name: link.name });
                }
            });
            match heard {
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => go_on &= each(Gone::Unknown),
                other => other?,
            }
        }
        Ok(())
    })
}
