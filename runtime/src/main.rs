//! The program; everything is in the library. Its entry is C's: see `sys::start`.

#![cfg_attr(not(test), no_main)]

use ocirun::sys::arena::Arena;

#[global_allocator]
static MEMORY: Arena = Arena::new();

#[cfg(not(test))]
ocirun::entry!(run);

#[cfg(not(test))]
fn run(began: std::io::Result<()>, arguments: &[std::ffi::OsString]) -> i32 {
    match began {
        Ok(()) => ocirun::commands::main(arguments),
        Err(error) => {
            eprintln!("ocirun: open /dev/null: {}", ocirun::error::describe(&error));
            1
        }
    }
}
