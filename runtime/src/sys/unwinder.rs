//! What the unwinder's library would have, for a program that never unwinds.
//!
//! A panic here prints its message and aborts. If `RUST_BACKTRACE` asks for it, the standard library
//! would also walk the stack and name its functions by debugging information, which this program does
//! not carry. With these definitions in the place of the library's nobody calls the code for that,
//! a sixth of the program, and the linker leaves it out. (Should a newer compiler need one more
//! of them, the linker says `multiple definition`: the library was taken after all.)

use std::ffi::{c_int, c_void};
use std::ptr;

use super::process::exit_now;

/// `_Unwind_Reason_Code` of the Itanium C++ ABI, "Exception Handling".
const END_OF_STACK: c_int = 5;

/// A function of that interface with a body that does nothing: it is linked in, and never called.
macro_rules! unused {
    ($($name:ident($($argument:ty),*) -> $answer:ty { $value:expr })*) => {$(
        // SAFETY: the name and the signature are those of the interface; nothing else defines it.
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $answer {
            $value
        }
    )*};
}

unused! {
    _Unwind_Backtrace(*const c_void, *mut c_void) -> c_int { END_OF_STACK }
    _Unwind_RaiseException(*mut c_void) -> c_int { END_OF_STACK }
    _Unwind_DeleteException(*mut c_void) -> () { () }
    _Unwind_Resume(*mut c_void) -> () { exit_now(134) }
    _Unwind_FindEnclosingFunction(*mut c_void) -> *mut c_void { ptr::null_mut() }
    _Unwind_GetLanguageSpecificData(*mut c_void) -> *mut c_void { ptr::null_mut() }
    _Unwind_GetCFA(*mut c_void) -> usize { 0 }
    _Unwind_GetIP(*mut c_void) -> usize { 0 }
    _Unwind_GetIPInfo(*mut c_void, *mut c_int) -> usize { 0 }
    _Unwind_GetDataRelBase(*mut c_void) -> usize { 0 }
    _Unwind_GetTextRelBase(*mut c_void) -> usize { 0 }
    _Unwind_GetRegionStart(*mut c_void) -> usize { 0 }
    _Unwind_SetGR(*mut c_void, c_int, usize) -> () { () }
    _Unwind_SetIP(*mut c_void, usize) -> () { () }
}
