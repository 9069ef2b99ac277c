//! The fixed headers of rtnetlink messages (rtnetlink(7)) and the constants that libc lacks.

/// `VETH_INFO_PEER` of linux/veth.h.
pub(super) const VETH_INFO_PEER: u16 = 1;
/// Of linux/if_link.h.
pub(super) const IFLA_BR_MCAST_SNOOPING: u16 = 23;
pub(super) const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
pub(super) const IFLA_BRPORT_MODE: u16 = 4;
pub(super) const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

pub(super) const UP: u32 = libc::IFF_UP as u32;

/// `ifinfomsg`: family, pad, type, index, flags, change.
pub(super) fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `ifaddrmsg`: family, prefix length, flags, scope, index.
pub(super) fn address_header(prefix: u8, index: u32) -> [u8; 8] {
    let mut header = [libc::AF_INET as u8, prefix, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

/// `rtmsg` of a unicast route in the main table, made by us at boot.
pub(super) fn route_header(prefix: u8) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    header[1] = prefix;
    header[4] = libc::RT_TABLE_MAIN;
    header[5] = libc::RTPROT_STATIC;
    header[6] = libc::RT_SCOPE_UNIVERSE;
    header[7] = libc::RTN_UNICAST;
    header
}
