//! Runs the tests of the workspace and says what became of them.
//!
//! - [`plan`] learns from Cargo's messages which test programs there are and which tests they hold;
//! - [`place`] prepares where tests run (namespaces of their own, a parent for orphans);
//! - [`batch`] runs a plan there, one process a test, and writes a [`record`] for each;
//! - [`follow`] reads those records while they are written, from wherever the place is;
//! - [`report`] prints them and adds up.
//!
//! `system test` is what `make test` calls. It starts itself again as `system place` and `system
//! batch`, on the host and in the virtual machine, so a test sees the same runner everywhere.

mod arguments;
mod batch;
mod follow;
mod leftovers;
mod one;
mod place;
mod plan;
mod record;
mod report;
mod sys;
mod test;
mod vm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let done = arguments::parse(words).and_then(|arguments| match command.as_str() {
        "test" => test::run(&arguments),
        "place" => place::run(&arguments),
        "batch" => batch::run(&arguments),
        _ => Err("use: system test|place|batch --OPTION VALUE ...".to_owned()),
    });
    done.unwrap_or_else(|error| {
        eprintln!("system: {error}");
        ExitCode::FAILURE
    })
}
