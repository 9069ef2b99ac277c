//! The program; everything is in the library.

use ocirun::sys::arena::Arena;

#[global_allocator]
static MEMORY: Arena = Arena::new();

fn main() {
    std::process::exit(ocirun::commands::main());
}
