//! A fleet of three hosts, each with its own network, daemons and disk, and what happens to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod api;
mod bodies;
mod events;
mod failover;
mod form;
mod full;
mod gossip;
mod images;
mod leaving;
mod openapi;
mod plan;
mod random;
mod rebalance;
mod recovery;
mod refusals;
mod rotation;
mod secrets;
mod strangers;
mod user;
mod witness;

use flotilla_tests::playground::Ground;

/// A server of its own network on any host.
const LONELY: &str = "[Service]
Type=notify
[Container]
Image=hello
Exec=/bin/hello-server
Network=none
";

/// `web@1` to `web@3`.
const WEB: &str = "[Service]
Type=notify
[Container]
Image=hello
Exec=/bin/hello-server
Network=none
[X-Fleet]
Replicas=3
";

const INSTANCES: [&str; 3] = ["web@1.container", "web@2.container", "web@3.container"];

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];

/// Any of the hosts but this one.
fn other(host: &str) -> &'static str {
    HOSTS.into_iter().find(|one| *one != host).unwrap()
}

/// How many servers run on a host, whatever anybody says.
fn servers(ground: &Ground, host: &str) -> usize {
    ground.processes(host).iter().filter(|(_, name)| name == "hello-server").count()
}
