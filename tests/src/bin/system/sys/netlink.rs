//! The few questions to the kernel's network tables that have no file in /proc.

use std::io;
use std::os::fd::AsRawFd;

use flotilla_tests::sys::socket;

/// `nfnetlink` message types carry the subsystem in the high byte (`linux/netfilter/nfnetlink.h`).
const NEW_TABLE: u16 = (libc::NFNL_SUBSYS_NFTABLES << 8) as u16 | libc::NFT_MSG_NEWTABLE as u16;
const GET_TABLE: u16 = (libc::NFNL_SUBSYS_NFTABLES << 8) as u16 | libc::NFT_MSG_GETTABLE as u16;
/// `NFTA_TABLE_NAME` of `linux/netfilter/nf_tables.h`.
const TABLE_NAME: u16 = 1;
const HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;

/// The names of all nftables tables of this network namespace.
pub(crate) fn nft_tables() -> io::Result<Vec<String>> {
    let socket = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
    let mut request = Vec::with_capacity(HEADER + FAMILY_HEADER);
    request.extend(20u32.to_ne_bytes());
    request.extend(GET_TABLE.to_ne_bytes());
    request.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([0; FAMILY_HEADER]);
    // SAFETY: pointer and length are those of `request`, which lives until the call returns.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut tables = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        // SAFETY: pointer and length are those of `buffer`, which lives until the call returns.
        let got =
            unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(got) = usize::try_from(got) else { return Err(io::Error::last_os_error()) };
        if read_tables(buffer.get(..got).unwrap_or_default(), &mut tables) {
            return Ok(tables);
        }
    }
}

/// Takes the names from one datagram; whether it was the last.
fn read_tables(mut bytes: &[u8], tables: &mut Vec<String>) -> bool {
    while let Some((message, rest)) = message(bytes) {
        bytes = rest;
        match u16::from_ne_bytes([message[4], message[5]]) {
            NEW_TABLE => tables.extend(table_name(message)),
            kind if kind == libc::NLMSG_DONE as u16 => return true,
            kind if kind == libc::NLMSG_ERROR as u16 => return true,
            _ => {}
        }
    }
    false
}

/// The first message of a datagram, its header whole, and what follows.
fn message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk::<4>()?) as usize;
    if length < HEADER || length > bytes.len() {
        return None;
    }
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((bytes.get(..length)?, rest))
}

fn table_name(message: &[u8]) -> Option<String> {
    let mut bytes = message.get(HEADER + FAMILY_HEADER..)?;
    loop {
        let head = bytes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let payload = bytes.get(4..length)?;
        if u16::from_ne_bytes([head[2], head[3]]) == TABLE_NAME {
            let end = payload.iter().position(|&b| b == 0).unwrap_or(payload.len());
            return Some(String::from_utf8_lossy(payload.get(..end)?).into_owned());
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}
