//! The program; everything is in the library.
//!
//! The entry is C's: see `sys::start`. It and the two attributes are the only things outside of `sys/`
//! that a compiler calls unsafe.

#![cfg_attr(not(test), no_main)]

use ocirun::sys::arena::Arena;

#[global_allocator]
static MEMORY: Arena = Arena::new();

#[cfg(not(test))]
// SAFETY: the one `main` of this program; the C library calls it as its standard says.
#[unsafe(no_mangle)]
extern "C" fn main(count: i32, list: *const *const std::ffi::c_char) -> i32 {
    if let Err(error) = ocirun::sys::start::begin() {
        eprintln!("ocirun: open /dev/null: {}", ocirun::error::describe(&error));
        return 1;
    }
    // SAFETY: count and list are those of the C library.
    let arguments = unsafe { ocirun::sys::start::arguments(count, list) };
    ocirun::commands::main(&arguments)
}
