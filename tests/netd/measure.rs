//! How long things take. Nothing is asserted: the figures in docs/netd.md come from here.

use crate::client::{Client, spec, tcp};
use crate::world::{World, needs};
use flotilla_tests::require;
use netd_api::PortMapping;
use std::time::Instant;

const SAMPLES: usize = 300;

/// Attaches, detaches and prints the median and the 95th percentile in microseconds.
fn measure(world: &World, client: &mut Client, what: &str, ports: &[PortMapping], pooled: bool) {
    let (mut attach, mut detach) = (Vec::new(), Vec::new());
    let mut engine = 0;
    for i in 0..SAMPLES {
        if pooled {
            world.eventually("the pool is full", |w| w.status().counts.ready == 8);
        }
        let wanted = spec(&format!("unit{}:{i}", i % 7), ports);
        let before = world.processor_time("engine");
        let start = Instant::now();
        let (attached, _inside) = client.attach(wanted);
        attach.push(start.elapsed().as_micros());
        engine += world.processor_time("engine") - before;
        assert_eq!(attached.pooled, pooled);
        let start = Instant::now();
        client.detach(&format!("unit{}:{i}", i % 7));
        detach.push(start.elapsed().as_micros());
    }
    println!(
        "attach {what}: {} us of processor time in the engine",
        engine / 1000 / SAMPLES as u64
    );
    for (what, mut times) in
        [(format!("attach {what}"), attach), (format!("detach {what}"), detach)]
    {
        times.sort_unstable();
        println!("{what}: median {} us, p95 {} us", times[SAMPLES / 2], times[SAMPLES * 95 / 100]);
    }
}

#[test]
#[ignore = "prints how long an attachment takes"]
fn measure_attach() {
    require!(needs());
    let mut world = World::new();
    let mut client = world.client();
    measure(&world, &mut client, "from the pool", &[], true);
    measure(&world, &mut client, "from the pool, one port", &[tcp(8080, 80)], true);
    world.kill();
    world.options.extend(["--pool", "0"].map(str::to_owned));
    world.start();
    measure(&world, &mut world.client(), "without a pool", &[], false);
}
