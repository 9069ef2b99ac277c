//! A host with netd on it, and a neighbour on the same wire.

use crate::client::Client;
use crate::namespace::Namespace;
use flotilla_tests::{Scratch, need, programs};
use netd_api::{Call, Endpoint, Reply, Status};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(crate) const NEIGHBOUR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
pub(crate) const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x89, 0, 0, 0, 0, 0, 1);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);

pub(crate) struct World {
    pub(crate) host: Arc<Namespace>,
    pub(crate) neighbour: Namespace,
    pub(crate) options: Vec<String>,
    netd: Option<Child>,
    pub(crate) scratch: Scratch,
}

/// What the tests of netd need of a machine.
pub(crate) fn needs() -> Result<(), String> {
    need::root()?;
    need::program("ip")?;
    need::program("nft")?;
    Ok(())
}

impl World {
    /// The two hosts, without netd.
    pub(crate) fn without_netd() -> Self {
        let (host, neighbour) = (Namespace::new(), Namespace::new());
        let scratch = Scratch::new();
        neighbour.run(|| {
            let pid = format!("/proc/self/task/{}/ns/net", nix::unistd::gettid());
            let inside = std::fs::File::open(pid).unwrap();
            host.run(|| {
                use std::os::fd::AsRawFd;
                let path = format!("/proc/{}/fd/{}", std::process::id(), inside.as_raw_fd());
                let line = format!("link add uplink type veth peer name eth0 netns {path}");
                Command::new("ip").args(line.split(' ')).status().unwrap();
            });
        });
        for line in ["addr add 192.0.2.1/24 dev uplink", "link set uplink up"] {
            host.ip(line);
        }
        for line in ["addr add 192.0.2.2/24 dev eth0", "link set eth0 up"] {
            neighbour.ip(line);
        }
        host.ip("route add default via 192.0.2.2");
        let resolv_conf = scratch.path().join("resolv.conf");
        std::fs::write(&resolv_conf, format!("nameserver {NEIGHBOUR}\n")).unwrap();
        let options = ["--resolv-conf", resolv_conf.to_str().unwrap()].map(str::to_owned).to_vec();
        Self { host: Arc::new(host), neighbour, options, netd: None, scratch }
    }

    /// The same with netd running, and with IPv6 everywhere.
    pub(crate) fn dual() -> Self {
        let mut world = Self::without_netd();
        world.host.ip("addr add 2001:db8::1/64 dev uplink nodad");
        world.neighbour.ip("addr add 2001:db8::2/64 dev eth0 nodad");
        world.host.ip("route add default via 2001:db8::2");
        for subnet in ["10.89.0.0/16", "fd00:89::/64"] {
            world.options.extend(["--subnet", subnet].map(str::to_owned));
        }
        world.start();
        world
    }

    /// The same with netd running.
    pub(crate) fn new() -> Self {
        let mut world = Self::without_netd();
        world.start();
        world
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(programs::path("netd"));
        command.arg("--run-dir").arg(self.scratch.path().join("run"));
        command.arg("--state-dir").arg(self.state_dir());
        command.args(&self.options);
        command
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// Starts netd and waits until it says that it is ready.
    pub(crate) fn start(&mut self) {
        let path = self.scratch.path().join("notify");
        let _ = std::fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).unwrap();
        notify.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut command = self.command();
        command.env("NOTIFY_SOCKET", &path);
        self.netd = Some(self.host.run(|| command.spawn().unwrap()));
        let mut word = [0; 16];
        let length = notify.recv(&mut word).expect("netd did not become ready");
        assert_eq!(&word[..length], b"READY=1");
    }

    /// Runs netd with these arguments more and gives what it says when it has ended.
    /// Stops netd, or lets it go on (SIGSTOP, SIGCONT).
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.netd.as_ref().unwrap().id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn netd(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        self.host.run(|| command.output().unwrap())
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut netd) = self.netd.take() {
            netd.kill().unwrap();
            netd.wait().unwrap();
        }
    }

    /// Time that one of netd's threads has run on a processor, in nanoseconds (schedstat).
    pub(crate) fn processor_time(&self, thread: &str) -> u64 {
        let tasks = format!("/proc/{}/task", self.netd.as_ref().unwrap().id());
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let mut tasks = std::fs::read_dir(tasks).unwrap().map(|t| t.unwrap().path());
        let task = tasks.find(|t| read(t.join("comm")).trim() == thread).unwrap();
        read(task.join("schedstat")).split(' ').next().unwrap().parse().unwrap()
    }

    /// Waits for the netd that was started to end.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        self.netd.take().unwrap().wait().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.scratch.path().join("run/netd.sock")).unwrap()
    }

    pub(crate) fn status(&self) -> Status {
        match self.client().call(Call::Status).unwrap().0 {
            Reply::Status(status) => status,
            other => panic!("status: {other:?}"),
        }
    }

    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        match self.client().call(Call::List).unwrap().0 {
            Reply::Endpoints { endpoints } => endpoints,
            other => panic!("list: {other:?}"),
        }
    }

    /// Waits until something holds, since the kernel and netd do some things in the background; each
    /// look is a request to netd or a dump, which takes its time.
    pub(crate) fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        flotilla_tests::eventually(what, || holds(self));
    }

    /// Names of the links that netd has made for containers.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = self.host.json("ip", "-j link show type veth");
        let names = links.as_array().unwrap().iter();
        let names = names.map(|l| l["ifname"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("fl") && name.len() == 13).collect()
    }

    /// The elements of one of netd's sets or maps, as `nft` shows them.
    pub(crate) fn elements(&self, set: &str) -> Vec<serde_json::Value> {
        let kind = if ["published", "hairpins", "services", "backends"]
            .iter()
            .any(|map| set.starts_with(map))
        {
            "map"
        } else {
            "set"
        };
        let dump = self.host.json("nft", &format!("-j list {kind} inet flotilla {set}"));
        let objects = dump["nftables"].as_array().unwrap();
        let found = objects.iter().find_map(|o| o.get(kind)).unwrap();
        found["elem"].as_array().cloned().unwrap_or_default()
    }

    /// What the kernel has is what netd says is wanted, and nothing more.
    pub(crate) fn assert_consistent(&self) {
        self.eventually("the kernel has what is wanted", |world| {
            let endpoints = world.endpoints();
            let ready = world.status().counts.ready;
            let published: usize = endpoints.iter().map(|e| e.spec.ports.len()).sum();
            let places: Vec<_> = endpoints.iter().flat_map(|e| &e.places).collect();
            let addresses: Vec<_> = endpoints.iter().flat_map(Endpoint::addresses).collect();
            let links = world.links();
            let count = |sets: [&str; 2]| sets.map(|set| world.elements(set).len());
            let both = |of: &dyn Fn(&std::net::IpAddr) -> bool| {
                addresses.iter().filter(|address| of(address)).count()
            };
            let by_family = [both(&|a| a.is_ipv4()), both(&|a| a.is_ipv6())];
            links.len() == places.len() + ready
                && places.iter().all(|place| links.contains(&place.link.to_string()))
                && count(["sources4", "sources6"]) == by_family
                && count(["hairpins4", "hairpins6"]) == by_family
                && world.elements("published4").len() == published
                && world.netd(&["diff"]).status.success()
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}
