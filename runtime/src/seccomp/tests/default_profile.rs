//! A profile like the ones engines use by default: hundreds of calls allowed, a few under conditions.

use std::time::Instant;

use crate::seccomp::arch::Machine;
use crate::seccomp::compile_for;
use crate::spec::seccomp::Seccomp;

pub(super) fn get() -> Seccomp {
    serde_json::from_str(include_str!("default_profile.json")).unwrap()
}

#[test]
fn three_abis_need_less_than_500_instructions() {
    let filter = compile_for(Machine::X86_64, &get()).unwrap().filter;
    assert!(filter.len() <= 500, "{} instructions", filter.len());
}

/// Prints; a time is no test. `cargo test --release -p ocirun -- --ignored --nocapture compiling`
#[test]
#[ignore = "a measurement"]
fn compiling_takes() {
    let profile = get();
    let compiled = (0..1000).map(|_| {
        let start = Instant::now();
        let length = compile_for(Machine::X86_64, &profile).unwrap().filter.len();
        (start.elapsed(), length)
    });
    let mut times: Vec<_> = compiled.collect();
    times.sort();
    println!("median {:?}, {} instructions", times[500].0, times[500].1);
}
