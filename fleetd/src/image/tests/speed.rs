//! How fast images come in. Not part of a test run: `docs/images.md` has the command.

use super::fixture::Scratch;
use std::fs::File;
use std::time::Instant;

#[test]
#[ignore = "a measurement"]
fn how_fast_a_tar_is_imported() {
    let path = std::env::var_os("FLOTILLA_TAR").expect("FLOTILLA_TAR names a tar");
    let scratch = Scratch::new();
    let store = scratch.store();
    let begun = Instant::now();
    let info = store.import(File::open(&path).unwrap(), "speed").unwrap();
    let took = begun.elapsed().as_secs_f64();
    let entries = store.find("speed").unwrap().unwrap().layers;
    let megabytes = info.size as f64 / 1e6;
    println!(
        "{megabytes:.0} MB of {} layer in {took:.2} s: {:.0} MB/s",
        entries.len(),
        megabytes / took
    );
    let image = store.find("speed").unwrap().unwrap();
    let writable = scratch.dir("c");
    let begun = Instant::now();
    const MOUNTS: u32 = 200;
    for _ in 0..MOUNTS {
        drop(store.mount(&image, Some(&writable)).unwrap());
    }
    println!("{:.0} microseconds a mount", begun.elapsed().as_micros() as f64 / f64::from(MOUNTS));
}
