//! The command line of a fleet.
//!
//! | File | Owns |
//! |---|---|
//! | `cli` | commands and flags |
//! | `commands/` | a file a command |
//! | `client`, `connection` | HTTP to fleetd, over its socket or the network |
//! | `remote`, `user_file` | the hosts of a fleet by mutual TLS; the file of a user |
//! | `names`, `unit_files` | which units are meant; the files beside the caller |
//! | `wait` | whether a unit has reached what was asked of it: pure |
//! | `progress` | what is shown meanwhile |
//! | `table`, `text` | columns, times, sizes |
//! | `join_token` | the token of a host that joins |
//! | `playground/` | several hosts on one machine |
//! | `failure` | messages and exit codes |
//! | `archive`, `terminal` | a directory as a tar stream; the caller's terminal |

mod archive;
mod cli;
mod client;
mod commands;
mod connection;
mod failure;
mod join_token;
mod names;
mod playground;
mod progress;
mod remote;
mod table;
mod terminal;
mod text;
mod unit_files;
mod user_file;
mod wait;

use failure::exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("fleetctl: start the runtime: {}", text::cause(&error));
            return ExitCode::from(exit::FAILED);
        }
    };
    let result = runtime.block_on(commands::run(arguments));
    // A thread that still reads standard input must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}
