//! What the benchmark's containers run: `/bin/true`.

fn main() {}
