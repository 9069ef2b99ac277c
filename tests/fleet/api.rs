//! The port of the hosts, for those who have nothing to do there.

use crate::HOSTS;
use flotilla_tests::playground::{Ground, needs};
use flotilla_tests::require;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn who_speaks_plain_http_to_the_hosts_port_gets_no_answer() {
    require!(needs());
    let ground = Ground::fleet(3);
    let before = ground.machines("h1").len();
    for host in HOSTS {
        let at = format!("10.90.0.{}:7400", &host[1..]);
        let answer = ground.inside("h1", move || {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(b"GET /v1/units HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        });
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    }
    assert_eq!(ground.machines("h2").len(), before);
}
