//! Part `swarm`: the same beside Docker Swarm of Debian's docker.io, on three hosts each.
//!
//! A dockerd runs on a host of a playground, whose netd and fleetd are ended: the same network, the same power cuts.
//! Both start the same program, in the host's network, with an image that is there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::failover;
use super::ground::{Ground, eventually, said};
use super::many;
use super::stamps::Stamps;
use super::table::{Row, Table};
use super::units::{self, Network};
use crate::start::Random;
use crate::sys;

pub(super) const PART: &str = "swarm";
const OURS: &str = "fleetctl start";
const SWARM: &str = "docker service create";
const WARM_UP: usize = 2;
const MANY: usize = 50;
const REPLICAS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(180);
const NODE: &str = include_str!("swarm_node.sh");

pub(super) fn run(stamps: &Stamps, rounds: usize) -> Result<Vec<Table>, String> {
    let root = units::root(stamps)?;
    let ground = Ground::up("ours", 3)?;
    ground.import(&root, units::IMAGE)?;
    let mut swarm = Swarm::up(stamps, &root)?;
    let version = swarm.version()?;
    let one = alternately(rounds.div_ceil(2) + WARM_UP, WARM_UP, stamps, |round, who| match who {
        Who::Ours => ours(&ground, stamps, &format!("one{round}")),
        Who::Swarm => swarm.start(stamps, &format!("one{round}"), 1),
    })?;
    let few = rounds.div_ceil(10).max(3);
    let many = alternately(few, 0, stamps, |_, who| match who {
        Who::Ours => many::start(&ground, stamps, MANY, Network::Host),
        Who::Swarm => swarm.start(stamps, "many", MANY),
    })?;
    let lost = alternately(few, 0, stamps, |_, who| match who {
        Who::Ours => failover::round(&ground, stamps, failover::Victim::Other),
        Who::Swarm => swarm.lose(stamps),
    })?;
    let table = |title: &str, (ours, swarm): (Vec<f64>, Vec<f64>)| Table {
        part: PART,
        title: title.to_owned(),
        unit: "s",
        rows: vec![
            Row::new(OURS, ours),
            Row::new(SWARM, swarm).beside(OURS).about(version.clone()),
        ],
    };
    Ok(vec![
        table("one unit on three hosts, from the spawn of the client until the program runs", one),
        table("50 replicas on three hosts, until all programs run", many),
        table("the power of one of three hosts is cut, until its programs run elsewhere", lost),
    ])
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Ours,
    Swarm,
}

/// Both take turns; who begins is left to chance. Seconds of each.
fn alternately(
    rounds: usize,
    warm_up: usize,
    stamps: &Stamps,
    mut measure: impl FnMut(usize, Who) -> Result<f64, String>,
) -> Result<(Vec<f64>, Vec<f64>), String> {
    let (mut ours, mut swarm) = (Vec::new(), Vec::new());
    let mut random = Random::seeded();
    for round in 0..rounds {
        let mut order = [0, 1];
        random.shuffle(&mut order);
        for who in order {
            stamps.clear()?;
            let (who, times) = match who {
                0 => (Who::Ours, &mut ours),
                _ => (Who::Swarm, &mut swarm),
            };
            let took = measure(round, who)?;
            if round >= warm_up {
                times.push(took);
            }
        }
    }
    Ok((ours, swarm))
}

fn ours(ground: &Ground, stamps: &Stamps, name: &str) -> Result<f64, String> {
    let unit = format!("{name}.container");
    let path = units::write(stamps, &unit, Network::Host, "")?;
    let mut client = ground.ctl("h1", ["start".as_ref(), path.as_os_str()]);
    let took = until_it_runs(&mut client, stamps, name)?;
    said(&mut ground.ctl("h1", ["destroy".to_owned(), unit]))?;
    Ok(took)
}

/// From the spawn of the client until the program of this name begins, in seconds.
fn until_it_runs(client: &mut Command, stamps: &Stamps, name: &str) -> Result<f64, String> {
    let began = sys::monotonic_nanos();
    said(client)?;
    Ok(seconds(began, stamps.of(name, PATIENCE)?))
}

fn seconds(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64()
}

struct Swarm {
    ground: Ground,
    packages: PathBuf,
    nodes: Vec<Node>,
    inside: PathBuf,
}

/// One dockerd, which dies with its host.
struct Node {
    host: String,
    daemon: Child,
}

impl Swarm {
    /// Three managers, each with the image.
    fn up(stamps: &Stamps, root: &Path) -> Result<Swarm, String> {
        let packages = packages()?;
        let ground = Ground::without_daemons("swarm", 3)?;
        let inside = stamps.inside();
        let mut swarm = Swarm { ground, packages, nodes: Vec::new(), inside };
        for host in swarm.ground.hosts() {
            let node = swarm.node(&host)?;
            swarm.nodes.push(node);
        }
        let archive = stamps.directory().join("stamp.tar");
        said(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(root).arg("."))?;
        for host in swarm.ground.hosts() {
            swarm.until_it_answers(&host)?;
            said(swarm.docker(&host).arg("import").arg(&archive).arg(units::IMAGE))?;
        }
        said(swarm.docker("h1").args(["swarm", "init", "--advertise-addr", "10.90.0.1"]))?;
        let token = said(swarm.docker("h1").args(["swarm", "join-token", "-q", "manager"]))?;
        for (host, address) in [("h2", "10.90.0.2"), ("h3", "10.90.0.3")] {
            let mut join = swarm.docker(host);
            join.args(["swarm", "join", "--advertise-addr", address, "--token", token.trim()]);
            said(join.arg("10.90.0.1:2377"))?;
        }
        swarm.until_all_are_ready()?;
        Ok(swarm)
    }

    fn version(&self) -> Result<String, String> {
        let text = said(self.docker("h1").args(["version", "--format", "{{.Server.Version}}"]))?;
        Ok(format!("docker.io {}", text.trim()))
    }

    fn run_dir(&self, host: &str) -> PathBuf {
        self.ground.run_dir(host).join("d")
    }

    fn docker(&self, host: &str) -> Command {
        let mut docker = Command::new(self.packages.join("usr/bin/docker"));
        let socket = self.run_dir(host).join("docker.sock");
        docker.arg("--host").arg(format!("unix://{}", socket.display()));
        docker
    }

    fn node(&self, host: &str) -> Result<Node, String> {
        let doing = |error| format!("start dockerd of {host}: {error}");
        let state = self.ground.state_dir(host);
        let log = File::options().append(true).create(true).open(state.join("dockerd.log"));
        let log = log.map_err(doing)?;
        let mut command = self.ground.playing(["exec", host, "--", "unshare", "--mount"]);
        command.args(["sh", "-c", NODE, "node"]).arg(&self.packages).arg(self.run_dir(host));
        command.arg(state.join("docker")).arg(&self.inside);
        // Below the host's cgroup: the power cut ends it all.
        command.arg(format!("/{}/docker", self.ground.cgroup(host))).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(doing)?).stderr(log);
        Ok(Node { host: host.to_owned(), daemon: command.spawn().map_err(doing)? })
    }

    fn until_it_answers(&self, host: &str) -> Result<(), String> {
        let what = format!("dockerd of {host} answers (see dockerd.log of the host)");
        eventually(&what, || Ok(said(self.docker(host).arg("info")).is_ok()))
    }

    fn until_all_are_ready(&self) -> Result<(), String> {
        eventually("three nodes are ready", || {
            let nodes = said(self.docker("h1").args(["node", "ls", "--format", "{{.Status}}"]))?;
            Ok(nodes.lines().filter(|status| *status == "Ready").count() == 3)
        })
    }

    fn create(&self, name: &str, replicas: usize) -> Command {
        let mut create = self.docker("h1");
        create.args(["service", "create", "--quiet", "--detach", "--no-resolve-image"]);
        create.args(["--network", "host", "--mount", "type=bind,src=/run/in,dst=/bench"]);
        create.args(["--env", "STAMP_NAME={{.Service.Name}}@{{.Task.Slot}}", "--name", name]);
        create.args(["--replicas", &replicas.to_string(), units::IMAGE, "/bin/stamp"]);
        create.arg(super::stamps::SOCKET);
        create
    }

    /// Seconds until all run.
    fn start(&self, stamps: &Stamps, name: &str, replicas: usize) -> Result<f64, String> {
        let began = sys::monotonic_nanos();
        said(&mut self.create(name, replicas))?;
        let ran = stamps.of_all(replicas, PATIENCE)?;
        self.remove(name)?;
        Ok(seconds(began, ran.into_values().max().unwrap_or_default()))
    }

    /// Its containers are gone when this returns.
    fn remove(&self, name: &str) -> Result<(), String> {
        said(self.docker("h1").args(["service", "rm", name]))?;
        eventually("the tasks have ended", || {
            for host in self.ground.hosts() {
                if !said(self.docker(&host).args(["ps", "--quiet"]))?.trim().is_empty() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Cuts the power of `h3`, which does not lead: `h1` has begun and never dies. Seconds until its tasks run elsewhere.
    fn lose(&mut self, stamps: &Stamps) -> Result<f64, String> {
        said(&mut self.create("web", REPLICAS))?;
        stamps.of_all(REPLICAS, PATIENCE)?;
        let lost = self.tasks_of("h3", "web")?;
        if lost.is_empty() {
            return Err(format!("kill h3: none of {REPLICAS} tasks is there"));
        }
        stamps.clear()?;
        let began = sys::monotonic_nanos();
        self.ground.play(["kill", "h3"])?;
        let ran = stamps.of_all(lost.len(), PATIENCE)?;
        let last = ran.values().max().copied().unwrap_or_default();
        let names: BTreeSet<String> = ran.into_keys().collect();
        if names != lost {
            return Err(format!("kill h3: {lost:?} were there, and {names:?} began elsewhere"));
        }
        self.restore("h3")?;
        self.remove("web")?;
        Ok(seconds(began, last))
    }

    /// Boots a host whose power was cut.
    fn restore(&mut self, host: &str) -> Result<(), String> {
        self.nodes.retain(|node| node.host != host);
        self.ground.play(["start", host])?;
        self.ground.play(["kill-daemon", host])?;
        let node = self.node(host)?;
        self.nodes.push(node);
        self.until_it_answers(host)?;
        self.until_all_are_ready()
    }

    fn tasks_of(&self, host: &str, name: &str) -> Result<BTreeSet<String>, String> {
        let mut found = BTreeSet::new();
        eventually("all tasks are known to run", || {
            let mut list = self.docker("h1");
            list.args(["service", "ps", name, "--format", "{{.Name}} {{.Node}} {{.CurrentState}}"]);
            let text = said(list.args(["--filter", "desired-state=running"]))?;
            let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
            let running = rows.iter().filter(|row| row.get(2) == Some(&"Running"));
            let there = rows.iter().filter(|row| row.get(1) == Some(&host));
            found = there.filter_map(|row| Some(row.first()?.replacen('.', "@", 1))).collect();
            Ok(running.count() == REPLICAS)
        })?;
        Ok(found)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It ends with its host; what is left of it here is what has to be reaped.
        let _ = self.daemon.kill();
        if let Err(error) = self.daemon.wait() {
            eprintln!("flotilla-bench: wait for dockerd of {}: {error}", self.host);
        }
    }
}

/// Debian's docker.io, unpacked.
fn packages() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = here.join("../target/bench");
    let text = said(Command::new(here.join("peers")).arg(cache))?;
    let directory = PathBuf::from(text.trim());
    fs::metadata(directory.join("usr/sbin/dockerd"))
        .map_err(|error| format!("find dockerd in {}: {error}", directory.display()))?;
    Ok(directory)
}
