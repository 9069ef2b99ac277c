//! One life of a fleet: it is founded, hosts join, then faults and clients, then all is healed.

use super::host::{self, Answer, Order, Over};
use super::wall::{self, Listener};
use super::world::{fail, say, with};
use super::{clients, converged, draw, faults};
use crate::core::tests::simulation::host::{Host, SECOND, Time};
use crate::core::tests::simulation::world::Happening;
use crate::store::Store;
use crate::store::simulated::{Disk, below, put_below};
use fleetd_api::{CreateToken, Init, Join, NewToken, Recover, Recovery};
use rand::RngExt as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use turmoil::Sim;

const TICK: Duration = Duration::from_millis(5);
/// A fleetd that has failed is started again after so long, as systemd does.
const AGAIN: Time = SECOND;
/// Longer than anything takes when all is healed.
const LIMIT: u64 = 180;
/// Nothing changes any more for so many looks.
const STILL: u64 = 5;

pub(super) struct Drive {
    pub(super) sim: Sim<'static>,
    pub(super) addresses: Vec<IpAddr>,
    /// When those that are down start again by themselves.
    pub(super) starts: Vec<Option<Time>>,
    pub(super) cuts: faults::Cuts,
    looked: Time,
}

/// Lives through a seed. A fault is a panic.
pub(super) fn live() {
    let level = std::env::var("FLOTILLA_LEVEL").ok().map(|level| level.parse().unwrap());
    let level = level.unwrap_or(LevelFilter::INFO);
    let targets = Targets::new().with_target("fleetd", level);
    let targets = targets.with_target("turmoil::sim", LevelFilter::INFO);
    let listener = tracing_subscriber::registry().with(targets).with(Listener);
    let _log = tracing::subscriber::set_default(listener);
    let mut drive = Drive::new();
    drive.form();
    drive.run(2 * SECOND);
    let length = draw(|rng| rng.random_range(10..60));
    for number in 0..length {
        if draw(|rng| rng.random_bool(0.7)) {
            clients::act(number);
        }
        if draw(|rng| rng.random_bool(0.4)) {
            faults::fault(&mut drive);
        }
        let time = draw(|rng| rng.random_range(0..2 * SECOND));
        drive.run(time);
    }
    if draw(|rng| rng.random_bool(0.2)) && faults::lose_most_voters(&mut drive) {
        drive.recover();
    }
    faults::heal(&mut drive);
    with(|world| world.is_healed = true);
    drive.converge();
    drive.end();
}

impl Drive {
    fn new() -> Self {
        let count = draw(|rng| rng.random_range(3..=5));
        let mut sim = turmoil::Builder::new()
            .rng_seed(draw(|rng| rng.random()))
            .epoch(SystemTime::UNIX_EPOCH + wall::EPOCH)
            .simulation_duration(Duration::from_secs(3600))
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(20))
            .tcp_capacity(4096)
            .udp_capacity(1024)
            .build();
        let addresses: Vec<IpAddr> = (0..count).map(|n| sim.lookup(host::name(n))).collect();
        with(|world| {
            world.hosts = (0..count).map(|n| draw(|rng| Host::new(n, host::id(n), rng))).collect();
            world.fleetds.resize_with(count, Default::default);
        });
        for number in 0..count {
            let place = host::place(number);
            crate::agent::place::make_private(&place.state_dir).unwrap();
            put_below(&place.database(), Disk::default());
            // It draws its id from the kernel.
            drop(Store::open(&place.database(), &host::id(number).to_string()).unwrap());
            with(|world| world.fleetds[number].place = Some(place));
            sim.host(host::name(number), move || host::live(number));
        }
        let (starts, cuts) = (vec![None; count], faults::Cuts::default());
        Self { sim, addresses, starts, cuts, looked: 0 }
    }

    pub(super) fn now(&self) -> Time {
        u64::try_from(self.sim.elapsed().as_micros()).unwrap()
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Time) {
        let end = self.now() + time;
        while self.now() < end {
            wall::step(self.now());
            self.sim.step().unwrap();
            wall::step(self.now());
            self.happen();
            self.start_again();
            if self.now() >= self.looked + SECOND / 10 {
                self.looked = self.now();
                self.look();
            }
        }
    }

    /// What becomes of containers.
    fn happen(&mut self) {
        let now = self.now();
        while let Some(happening) = with(|world| world.due(now)) {
            match happening {
                Happening::Ready { host, boot, run } => of_container(host, boot, run, true),
                Happening::Ends { host, boot, run } => of_container(host, boot, run, false),
                _ => {}
            }
        }
    }

    /// Those that are to start again, or have failed.
    fn start_again(&mut self) {
        for number in 0..self.addresses.len() {
            let over = with(|world| world.fleetds[number].over.take());
            match over {
                Some(Over::Again) => {
                    self.crash(number, false);
                    self.start(number);
                }
                Some(Over::Failed(_)) => {
                    self.crash(number, false);
                    self.starts[number] = Some(self.now() + AGAIN);
                }
                None => {}
            }
            if self.starts[number].is_some_and(|at| at <= self.now()) {
                self.start(number);
            }
        }
    }

    pub(super) fn is_up(&mut self, number: usize) -> bool {
        self.sim.is_host_running(host::name(number))
    }

    /// Its fleetd is killed, or the whole host loses its power.
    pub(super) fn crash(&mut self, number: usize, power: bool) {
        let now = self.now();
        with(|world| {
            let fleetd = &mut world.fleetds[number];
            (fleetd.api, fleetd.orders, fleetd.over) = (None, None, None);
            fleetd.news.clear();
            let path = fleetd.place.as_ref().unwrap().database();
            let disk = below(&path).unwrap();
            let next = if power { draw(|rng| disk.crash(rng)) } else { disk.kill() };
            // What its end would still write is written nowhere.
            disk.content().good = Some(0);
            put_below(&path, next);
            let host = &mut world.hosts[number];
            draw(|rng| host.kill_daemon(now, rng));
            if power {
                host.is_on = false;
                host.boot += 1;
                host.containers.clear();
                host.lives.clear();
                fleetd.lose_unsynced();
            }
        });
        wall::with_at_work(number, || self.sim.crash(host::name(number)));
    }

    pub(super) fn start(&mut self, number: usize) {
        self.starts[number] = None;
        with(|world| world.hosts[number].is_on = true);
        wall::with_at_work(number, || self.sim.bounce(host::name(number)));
    }

    /// What nobody tells of.
    fn look(&mut self) {
        with(|world| world.look());
        faults::look(self);
    }

    /// Lets time pass until it is so.
    pub(super) fn until(&mut self, what: &str, is: impl Fn(&mut Self) -> bool) {
        for _ in 0..600 {
            if is(self) {
                return;
            }
            self.run(SECOND / 10);
        }
        fail(&format!("it does not come to it: {what}"));
    }

    /// The answer of a host, which has to be a good one.
    fn ask(&mut self, number: usize, method: &'static str, path: &str, body: Vec<u8>) -> Vec<u8> {
        self.until("a fleetd that answers", |_| with(|w| w.fleetds[number].orders.is_some()));
        let answer: Arc<Mutex<Option<Answer>>> = Arc::default();
        let to = Arc::clone(&answer);
        let told = Box::new(move |answer| *to.lock().unwrap() = Some(answer));
        with(|world| world.ask(number, Order { method, path: path.to_owned(), body, told }));
        self.until("an answer", |_| answer.lock().unwrap().is_some());
        let (status, body) = answer.lock().unwrap().take().unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(status.is_success(), "{method} {path} on h{number}: {status} {text}");
        body
    }

    /// The first host founds the fleet, and the others join.
    fn form(&mut self) {
        let advertise = self.addresses[0].to_string();
        let init = serde_json::to_vec(&Init { advertise: advertise.clone() }).unwrap();
        self.ask(0, "POST", "/v1/fleet/init", init);
        self.until_in_fleet(0);
        let token = serde_json::to_vec(&CreateToken::default()).unwrap();
        let token = self.ask(0, "POST", "/v1/tokens", token);
        let NewToken { token, .. } = serde_json::from_slice(&token).unwrap();
        for number in 1..self.addresses.len() {
            let join = Join {
                at: advertise.clone(),
                token: token.clone(),
                advertise: Some(self.addresses[number].to_string()),
                witness: false,
            };
            self.ask(number, "POST", "/v1/fleet/join", serde_json::to_vec(&join).unwrap());
            self.until_in_fleet(number);
        }
        say("the fleet is formed");
    }

    /// Of those voters that are left one goes on, and the fleet with it.
    fn recover(&mut self) {
        let count = self.addresses.len();
        for number in (0..count).filter(|number| self.is_up(*number)).collect::<Vec<_>>() {
            let found = self.ask(number, "GET", "/v1/fleet/recovery", Vec::new());
            let Recovery { generation, index, refused, .. } =
                serde_json::from_slice(&found).unwrap();
            if let Some(refused) = refused {
                say(format_args!("h{number} does not recover the fleet: {}", refused.message));
                continue;
            }
            // What was decided by those who are lost is lost with them.
            with(|world| world.registers.recovers = true);
            let recover = serde_json::to_vec(&Recover { generation, index }).unwrap();
            self.ask(number, "POST", "/v1/fleet/recovery", recover);
            self.run(10 * SECOND);
            for number in 1000..1010 {
                clients::act(number);
                self.run(SECOND);
            }
            return;
        }
    }

    fn until_in_fleet(&mut self, number: usize) {
        self.until("a host in the fleet", |_| {
            with(|world| world.fleetds[number].api.as_ref().is_some_and(|a| a.links.is_some()))
        });
    }

    fn converge(&mut self) {
        let (mut still, mut index) = (0, 0);
        for _ in 0..LIMIT {
            self.run(SECOND);
            let now = with(|world| world.check.newest().map_or(0, |decided| decided.index));
            let missing = with(|world| converged::missing(world));
            still = if now == index && missing.is_none() { still + 1 } else { 0 };
            index = now;
            if still == STILL {
                let acknowledged = with(|world| world.registers.acknowledged);
                return say(format_args!("it is at rest at {index}; {acknowledged} acknowledged"));
            }
        }
        let missing = with(|world| converged::missing(world));
        let missing = missing.unwrap_or_else(|| "something is decided again and again".to_owned());
        fail(&format!("it does not come to rest: {missing}"));
    }

    /// Takes away what it has put on disk.
    fn end(mut self) {
        for number in 0..self.addresses.len() {
            self.crash(number, false);
        }
        std::fs::remove_dir_all(host::root()).unwrap();
    }
}

fn of_container(number: usize, boot: u64, run: u64, is_ready: bool) {
    with(|world| {
        let host = &mut world.hosts[number];
        let clock = host.clock + wall::micros();
        let Some(one) = host.containers.get_mut(&run).filter(|_| host.boot == boot) else { return };
        if one.ended.is_some() {
            return;
        }
        if is_ready {
            one.ready = true;
        } else {
            let code = draw(|rng| rng.random_range(0..2));
            let exit =
                fleetd_api::ExitReason { code: Some(code), signal: None, oom: false, error: None };
            one.ended = Some((exit, clock));
        }
        let what = if is_ready { "is ready" } else { "has ended" };
        say(format_args!("h{number} {} as {run} {what}", one.unit));
        let fleetd = &mut world.fleetds[number];
        fleetd.news.push((one.unit.clone(), run));
        fleetd.told.notify_one();
    });
}
