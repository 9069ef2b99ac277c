//! Part `start`: one unit, its image on every host, from the spawn of the client until the program runs.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::bare::Bare;
use super::events::{self, Heard};
use super::ground::{Ground, eventually, said};
use super::stamps::Stamps;
use super::table::{Row, Table};
use super::units::{self, Network};
use fleetd_api::StepTime;
use serde::Deserialize;

use crate::start::Random;
use crate::sys;

pub(super) const PART: &str = "start";
/// Above the bare start: the most that may lie between.
const TARGET: f64 = 30.0;
const WARM_UP: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

const BARE: &str = "ocirun run, the same container";

/// Where a unit runs, and whom the client asks.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    /// All of it on the host that leads; else another one is asked, and a third one runs it.
    leader: bool,
    network: Network,
}

const WAYS: [Way; 3] = [
    Way { name: "fleetctl start, the leader runs it", leader: true, network: Network::None },
    Way { name: "the same by another, on a third host", leader: false, network: Network::None },
    Way { name: "  with an address", leader: false, network: Network::Default },
];

/// What lies between the two clock readings, in milliseconds.
#[derive(Default)]
struct Steps {
    /// The client is there, has asked, and the fleet has decided.
    decide: Vec<f64>,
    /// A place is decided on, and its host has its new set, on disk.
    place: Vec<f64>,
    /// The same, where the place is the leader itself.
    place_itself: Vec<f64>,
    /// Image, network, root.
    prepare: Vec<f64>,
    /// `ocirun supervise`, until the program runs.
    create: Vec<f64>,
}

pub(super) fn run(stamps: &Stamps, rounds: usize) -> Result<Vec<Table>, String> {
    let ground = Ground::up("start", 3)?;
    let root = units::root(stamps)?;
    ground.import(&root, units::IMAGE)?;
    let leader = led(&ground)?;
    let fleet = Fleet::of(ground, &leader, stamps)?;
    let bare = fleet.bare(root)?;
    let mut bares = Vec::new();
    let mut times = WAYS.map(|_| Vec::new());
    let mut steps = Steps::default();
    let mut random = Random::seeded();
    for round in 0..rounds + WARM_UP {
        let mut order: Vec<usize> = (0..=WAYS.len()).collect();
        random.shuffle(&mut order);
        for way in order {
            let counts = round >= WARM_UP;
            stamps.clear()?;
            match WAYS.get(way) {
                None => {
                    let took = bare.start(stamps)?;
                    if counts {
                        bares.push(millis(took));
                    }
                }
                Some(how) => {
                    let unit = format!("u{round}-{way}");
                    let took = fleet.start(how, &unit, counts.then_some(&mut steps))?;
                    if counts {
                        times[way].push(millis(took));
                    }
                }
            }
        }
    }
    Ok(tables(bares, times, steps))
}

/// Who leads, once somebody does.
pub(super) fn led(ground: &Ground) -> Result<String, String> {
    let mut leader = String::new();
    eventually("a host leads", || {
        leader = ground.leader("h1")?.unwrap_or_default();
        Ok(!leader.is_empty())
    })?;
    Ok(leader)
}

fn tables(bares: Vec<f64>, times: [Vec<f64>; 3], steps: Steps) -> Vec<Table> {
    let bare = Row::new(BARE, bares);
    let most = ((bare.median() + TARGET) * 10.0).round() / 10.0;
    let ways = WAYS.iter().zip(times);
    let ways = ways.map(|(way, times)| Row::new(way.name, times).target(most).beside(BARE));
    let rows = std::iter::once(bare).chain(ways).collect();
    let title = "one unit on three hosts, from the spawn of the client until the program runs";
    let whole = Table { part: PART, title: title.to_owned(), unit: "ms", rows };
    let rows = vec![
        Row::new("submit: fleetctl, the request, decided", steps.decide),
        Row::new("place: decided, told, fetched, on disk", steps.place),
        Row::new("  the same where the leader takes it", steps.place_itself),
        Row::new("prepare: image, network, root", steps.prepare),
        Row::new("create: ocirun supervise, to exec", steps.create),
    ];
    let title = "where that time goes";
    vec![whole, Table { part: PART, title: title.to_owned(), unit: "ms", rows }]
}

/// What is read of fleetd's record of a run.
#[derive(Deserialize)]
struct Record {
    unit: String,
    /// Microseconds since the epoch.
    begun: u64,
    steps: Vec<StepTime>,
}

struct Host {
    name: String,
    /// The id of its machine.
    machine: String,
}

struct Fleet<'a> {
    ground: Ground,
    leader: Host,
    /// The other two.
    asked: Host,
    runs: Host,
    /// What the leader tells: any host hands the question on to it.
    heard: Heard,
    stamps: &'a Stamps,
}

impl Fleet<'_> {
    fn of<'a>(ground: Ground, leader: &str, stamps: &'a Stamps) -> Result<Fleet<'a>, String> {
        let mut hosts = Vec::new();
        for machine in ground.machines(leader)? {
            let name = ground.host_of(leader, &machine.id)?.unwrap_or_default();
            hosts.push(Host { name, machine: machine.id });
        }
        // The leader last.
        hosts.sort_by_key(|host| host.name == leader);
        let heard = Heard::of(&ground.socket(leader));
        match <[Host; 3]>::try_from(hosts) {
            Ok([asked, runs, leader]) => Ok(Fleet { ground, leader, asked, runs, heard, stamps }),
            Err(hosts) => Err(format!("find three hosts: there are {}", hosts.len())),
        }
    }

    /// Starts a unit, and destroys it when it ran.
    fn start(&self, way: &Way, unit: &str, steps: Option<&mut Steps>) -> Result<Duration, String> {
        let (ask, runs) = match way.leader {
            true => (&self.leader, &self.leader),
            false => (&self.asked, &self.runs),
        };
        let more = format!("[X-Fleet]\nMachineID={}\n", runs.machine);
        let path = units::write(self.stamps, &format!("{unit}.container"), way.network, &more)?;
        let ask = &ask.name;
        let mut client = self.ground.ctl(ask, ["start".as_ref(), path.as_os_str()]);
        let (wall, began) = (now(), sys::monotonic_nanos());
        let client = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut client = client.map_err(|error| format!("run fleetctl: {error}"))?;
        let ran = self.stamps.of(unit, PATIENCE);
        let status = client.wait().map_err(|error| format!("wait for fleetctl: {error}"))?;
        let took = Duration::from_nanos(ran?.saturating_sub(began));
        if !status.success() {
            return Err(format!("fleetctl start {unit}: {status}"));
        }
        if let Some(steps) = steps {
            self.split(&format!("{unit}.container"), wall, took, (runs, steps))?;
        }
        said(&mut self.ground.ctl(ask, ["destroy".to_owned(), format!("{unit}.container")]))?;
        fs::remove_file(&path).map_err(|error| format!("remove {}: {error}", path.display()))?;
        Ok(took)
    }

    /// By what the leader tells and what the host has written down, which are on the wall's clock.
    fn split(
        &self,
        unit: &str,
        wall: Duration,
        took: Duration,
        by: (&Host, &mut Steps),
    ) -> Result<(), String> {
        let (runs, steps) = by;
        let mut decided = None;
        eventually("the leader has told of a start", || {
            decided = events::submitted(&self.heard.events(), unit);
            Ok(decided.is_some())
        })?;
        self.heard.forget();
        let record = self.record(runs, unit)?;
        let since = |micros: u64| millis(Duration::from_micros(micros).saturating_sub(wall));
        let (decided, begun) = (since(decided.unwrap_or_default()), since(record.begun));
        steps.decide.push(decided);
        let itself = runs.name == self.leader.name;
        if itself { &mut steps.place_itself } else { &mut steps.place }.push(begun - decided);
        let step = |name: &str| {
            let found = record.steps.iter().find(|step| step.step == name);
            found.map_or(0.0, |step| millis(Duration::from_micros(step.micros)))
        };
        // These are prepared side by side.
        let prepare = ["image", "network", "volumes"].map(step).into_iter().fold(0.0, f64::max);
        let prepare = prepare + step("root");
        steps.prepare.push(prepare);
        steps.create.push(millis(took) - begun - prepare);
        Ok(())
    }

    /// Of the run of a unit that is there.
    fn record(&self, host: &Host, unit: &str) -> Result<Record, String> {
        let runs = self.ground.run_dir(&host.name).join("runs");
        let entries = fs::read_dir(&runs).map_err(|e| format!("read {}: {e}", runs.display()))?;
        let records = entries.flatten().filter_map(|entry| {
            serde_json::from_slice::<Record>(&fs::read(entry.path().join("run.json")).ok()?).ok()
        });
        let mut of_unit = records.filter(|record| record.unit == unit);
        of_unit.next().ok_or_else(|| format!("find the run of {unit} in {}", runs.display()))
    }

    /// The container of a unit that runs.
    fn bare(&self, root: PathBuf) -> Result<Bare, String> {
        let path = units::write(self.stamps, "model.container", Network::None, "")?;
        said(&mut self.ground.ctl(&self.leader.name, ["start".as_ref(), path.as_os_str()]))?;
        let runs = self.ground.hosts().into_iter().map(|host| self.ground.run_dir(&host));
        let runs = runs.filter_map(|run| fs::read_dir(run.join("runs")).ok()).flatten().flatten();
        let run = runs.map(|entry| entry.path()).find(|run| run.join("config.json").is_file());
        let run = run.ok_or("find the run of model.container: no host has one")?;
        let bare = Bare::of(&run, &root, self.stamps)?;
        said(&mut self.ground.ctl(&self.leader.name, ["destroy", "model.container"]))?;
        Ok(bare)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
