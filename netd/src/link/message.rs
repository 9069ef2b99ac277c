//! The fixed headers of rtnetlink messages (rtnetlink(7)) and the constants that libc lacks.

use crate::netlink::Messages;
use crate::sysctl;
use std::net::IpAddr;

/// `VETH_INFO_PEER` of linux/veth.h.
pub(super) const VETH_INFO_PEER: u16 = 1;
/// Of linux/if_link.h.
pub(super) const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
/// Of linux/if.h (RFC 2863).
pub(super) const IF_OPER_UP: u8 = 6;
/// `NUD_PERMANENT` of linux/neighbour.h: nobody is asked, and no answer changes it.
const NUD_PERMANENT: u16 = 0x80;
/// The routing protocol that our routes are marked with; other programs' numbers are in
/// /etc/iproute2/rt_protos.
pub(super) const PROTOCOL: u8 = 0xf1;

pub(super) const UP: u32 = libc::IFF_UP as u32;

pub(super) const CHANGE: i32 = libc::NLM_F_ACK;
pub(super) const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
pub(super) const REPLACE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;

pub(super) fn family(address: IpAddr) -> u8 {
    // The numbers are of one byte.
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

/// `ifinfomsg`: family, pad, type, index, flags, change.
pub(super) fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `ifaddrmsg`: family, prefix length, flags, scope, index. Nobody else can have the address, so an
/// IPv6 one is used without asking.
pub(super) fn address_header(address: IpAddr, prefix: u8, index: u32) -> [u8; 8] {
    let flags = if address.is_ipv6() { libc::IFA_F_NODAD as u8 } else { 0 };
    let mut header = [family(address), prefix, flags, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

/// `rtmsg` of a unicast route to such an address, in the main table.
pub(super) fn route_header(address: IpAddr, prefix: u8, scope: u8) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = family(address);
    header[1] = prefix;
    header[4] = libc::RT_TABLE_MAIN;
    header[5] = PROTOCOL;
    header[6] = scope;
    header[7] = libc::RTN_UNICAST;
    header
}

/// `ndmsg` of a neighbour that stays: family, pads, index, state, flags, type.
pub(super) fn neighbour_header(address: IpAddr, index: u32) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = family(address);
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..10].copy_from_slice(&NUD_PERMANENT.to_ne_bytes());
    header
}

/// A link without addresses that the kernel makes up. To be said before the link is up: one message
/// with both gives the address first.
pub(super) fn without_link_local(messages: &mut Messages, name: &str) {
    if !sysctl::has_ipv6() {
        return;
    }
    messages.push(format!("keep {name} without addresses"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name);
        b.nest(libc::IFLA_AF_SPEC, |b| {
            b.nest(libc::AF_INET6 as u16, |b| {
                b.bytes(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    });
}
