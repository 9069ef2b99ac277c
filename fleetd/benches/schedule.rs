//! How fast places are found. The fleets are made without chance, so that runs can be compared.
//!
//! `cargo bench -p fleetd --bench schedule [-- --json]`

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use fleetd::core::schedule::{
    Assignment, Change, Fill, Fleet, Host, HostPort, Limits, Options, Plan, Preference, Protocol,
    Resources, Spread, Unit, place, rebalance, why,
};
use std::time::Instant;

const MIB: u64 = 1 << 20;

fn main() {
    the_rate_of_places();
    the_rate_of_a_full_fleet();
    the_time_of_a_rebalance_and_of_a_why();
}

fn fleet(hosts: usize, units: usize, unit: impl Fn(usize) -> (String, Unit)) -> Fleet {
    let host = |n: usize| {
        let metadata = [("zone", n % 10), ("disk", n % 3), ("rack", n % 100)];
        let host = Host {
            metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_string())).into(),
            capacity: Resources { cpu: 32_000, memory: 131_072 * MIB, tasks: 100_000 },
            ..Host::default()
        };
        (format!("host{n:05}"), host)
    };
    Fleet {
        hosts: (0..hosts).map(host).collect(),
        units: (0..units).map(unit).collect(),
        assignments: Vec::new(),
    }
}

fn unit(n: usize) -> Unit {
    let requests = Resources {
        cpu: 100 + 50 * (n as u64 % 7),
        memory: (64 + 32 * (n as u64 % 11)) * MIB,
        tasks: 100,
    };
    Unit { requests, ..Unit::default() }
}

fn measure(what: &str, fleet: &Fleet, fill: Fill) -> Plan {
    let options = Options { fill, ..Options::default() };
    let start = Instant::now();
    let plan = place(fleet, options);
    let took = start.elapsed();
    let count = fleet.units.len();
    if std::env::args().any(|word| word == "--json") {
        let rate = count as f64 / took.as_secs_f64();
        println!("{}", serde_json::json!({ "name": what, "samples": [rate] }));
        return plan;
    }
    println!(
        "{what:<44} {count:>6} units on {} hosts: {:>6.2} s, {:>7.0} a second, {} without a place",
        fleet.hosts.len(),
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        plan.unplaced.len()
    );
    plan
}

fn settled(mut fleet: Fleet, plan: &Plan) -> Fleet {
    fleet.assignments = plan
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Assign { unit, to } | Change::Move { unit, to, .. } => {
                let granted = fleet.units[unit].requests;
                let (unit, host) = (unit.clone(), to.host.clone());
                Some(Assignment { unit, host, epoch: 1, granted })
            }
            Change::Unassign { .. } => None,
        })
        .collect();
    fleet
}

fn the_rate_of_places() {
    let plain = |n: usize| (format!("app{n:05}.container"), unit(n));
    let service = |n: usize| format!("svc{:04}@{}.container", n / 10, n % 10);
    measure("room only, emptier host first", &fleet(5000, 50_000, plain), Fill::Spread);
    let packed = fleet(5000, 50_000, plain);
    let plan = measure("room only, fuller host first", &packed, Fill::Pack);
    let mut settled = settled(packed, &plan);
    measure("all settled, nothing to do", &settled, Fill::Pack);
    for host in settled.hosts.values_mut().take(50) {
        (host.alive, host.keeps) = (false, false);
    }
    let lost = place(&settled, Options { fill: Fill::Pack, ..Options::default() });
    println!("{:<44} {} changes", "50 hosts die", lost.changes.len());
    measure("50 hosts die", &settled, Fill::Pack);
    let wishes = fleet(5000, 50_000, |n| {
        let label = |key: &str, value: usize| (key.to_owned(), value.to_string());
        let spread = vec![Spread::Metadata("zone".to_owned()), Spread::Host];
        let prefer =
            Preference { key: "rack".to_owned(), value: (n % 100).to_string(), weight: 10 };
        let machine_metadata = vec![label("disk", n % 3), label("disk", (n + 1) % 3)];
        (service(n), Unit { machine_metadata, spread, prefer: vec![prefer], ..unit(n) })
    });
    measure("metadata, Spread=zone host, Prefer=", &wishes, Fill::Spread);
    let apart = fleet(5000, 50_000, |n| {
        let name = service(n);
        let conflicts = vec![format!("svc{:04}@*", n / 10)];
        (name, Unit { conflicts, ..unit(n) })
    });
    measure("Conflicts=svcN@*, 5,000 templates of 10", &apart, Fill::Pack);
    let web = fleet(5000, 5_000, |n| {
        let ports = vec![HostPort { protocol: Protocol::Tcp, address: None, port: 80 }];
        let conflicts = vec!["web@*".to_owned()];
        (format!("web@{n}.container"), Unit { conflicts, ports, ..unit(n) })
    });
    measure("Conflicts=web@*, port 80, 5,000 instances", &web, Fill::Pack);
}

fn the_rate_of_a_full_fleet() {
    let large = |n: usize, priority: i32| Unit {
        requests: Resources { cpu: 3_200, memory: 13_107 * MIB, tasks: 0 },
        priority,
        ..unit(n)
    };
    let over = fleet(5000, 52_000, |n| (format!("app{n:05}.container"), large(n, 0)));
    measure("2,000 more than there is room for", &over, Fill::Pack);
    let full = fleet(5000, 50_000, |n| (format!("app{n:05}.container"), large(n, 0)));
    let plan = place(&full, Options::default());
    let mut settled = settled(full, &plan);
    let first = |n: usize| (format!("first{n:05}.container"), large(n, 10));
    settled.units.extend((0..1000).map(first));
    let start = Instant::now();
    let plan = place(&settled, Options::default());
    let took = start.elapsed().as_secs_f64();
    println!("1,000 units preempt 1,000 of 50,000: {took:.2} s, {} changes", plan.changes.len());
}

fn the_time_of_a_rebalance_and_of_a_why() {
    let plain = |n: usize| (format!("app{n:05}.container"), unit(n));
    let packed = fleet(5000, 50_000, plain);
    let plan = place(&packed, Options { fill: Fill::Pack, ..Options::default() });
    let settled = settled(packed, &plan);
    let start = Instant::now();
    let moves = rebalance(&settled, Options::default(), Limits::default()).len();
    println!("rebalance: {:.2} s, {moves} moves", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let why = why(&settled, Options::default(), "app00001.container").unwrap();
    println!("why: {:.2} s, {} hosts", start.elapsed().as_secs_f64(), why.hosts.len());
}
