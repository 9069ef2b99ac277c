//! Datagrams between hosts, from sockets of the test in their network namespaces.

use flotilla_tests::playground::Ground;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

const PORT: u16 = 9000;

/// A host's end.
pub(crate) struct End {
    socket: UdpSocket,
    address: Ipv4Addr,
}

impl End {
    pub(crate) fn on(ground: &Ground, host: &str) -> Self {
        let row = ground.row(host);
        let address: Ipv4Addr = row["address"].as_str().unwrap().parse().unwrap();
        // The thread goes there; its socket stays there.
        let socket = ground.inside(host, move || UdpSocket::bind((address, PORT)).unwrap());
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { socket, address }
    }

    pub(crate) fn send(&self, to: &Self, word: &str) {
        self.socket.send_to(word.as_bytes(), (to.address, PORT)).unwrap();
    }

    /// What comes next.
    pub(crate) fn next(&self) -> String {
        let mut buffer = [0; 64];
        let (length, _) = self.socket.recv_from(&mut buffer).expect("nothing arrives");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Sends and sees it arrive. From then on each knows the other's hardware address.
    pub(crate) fn reaches(&self, to: &Self, word: &str) {
        self.send(to, word);
        assert_eq!(to.next(), word);
    }
}
