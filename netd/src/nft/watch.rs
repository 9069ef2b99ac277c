//! Notifications of changes that somebody else made to our tables.

use super::batch::kind;
use super::uapi::*;
use crate::netlink::{Connection, Family, attributes};
use std::io;

/// Opens the subscription in the calling thread's namespace and gives the loop to run in a thread
/// of its own. `each` is called after a change of a table of that name by another socket than the
/// one with port `ours`, and when notifications were lost; the loop ends when it says false.
pub fn watch<F: FnMut() -> bool + Send + 'static>(
    table: &str,
    ours: u32,
    mut each: F,
) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<F>> {
    let groups = [libc::NFNLGRP_NFTABLES as u32];
    let mut notifications = Connection::subscribe(Family::Netfilter, &groups)?;
    let table = table.to_owned();
    Ok(move || {
        let mut go_on = true;
        while go_on {
            let mut touched = false;
            let heard = notifications.notifications(|message, port, payload| {
                // The first attribute of tables, chains, rules, sets and elements alike is the
                // table's name; a generation's is a number.
                let of_table = message != kind(libc::NFT_MSG_NEWGEN)
                    && payload.get(4..).and_then(|p| attributes(p).text(NFTA_TABLE_NAME))
                        == Some(&table);
                touched |= of_table && port != ours;
            });
            match heard {
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => touched = true,
                other => other?,
            }
            if touched {
                go_on = each();
            }
        }
        Ok(())
    })
}
