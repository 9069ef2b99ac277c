//! From `linux.seccomp` to the classic BPF program that the kernel runs before every system call.
//!
//! Pure: nothing is loaded here, no file is read, the kernel is not asked. The steps, a file each:
//!
//! - `profile`: checks every name and number of the document; errors name the field;
//! - `table_*`, `arch`: system call names to numbers, for each ABI a machine's kernel accepts;
//! - `decision`: for one ABI, what happens to each number, as ranges;
//! - `multiplex`: the 32-bit x86 calls that hide other calls behind a pointer;
//! - `tree`, `condition`, `code`: a binary search over the ranges, comparisons of arguments, instructions.
//!
//! # What a profile means
//!
//! Where the specification is silent we follow libseccomp, so that a profile means here what it means under
//! runc and crun; where libseccomp's answer depends on its internals, we define one.
//!
//! - A rule without `args` holds for every call of its names, whatever other rules say. Of several, the first
//!   counts. One whose action is the default's says nothing and is left out.
//! - Rules with `args` are tried in the order of the profile; the first that matches decides. None: the default.
//! - The conditions of a rule must all hold. But if two look at the same argument, any one is enough
//!   (runc and crun: libseccomp cannot express the conjunction).
//! - Arguments are compared as the 64 bits that the kernel shows; a 32-bit call's are zero-extended.
//!   `SCMP_CMP_MASKED_EQ` compares `arg & value` with `valueTwo & value`.
//! - A name that no table has is skipped: profiles list calls of many machines and kernels.
//! - Architectures: the machine's own always; others that its kernel also runs when they are listed. A call
//!   through any other kills the process, x32 included (the bit 0x4000_0000 in the number on x86_64).
//! - A call newer than the newest one the profile names (by number) was not judged by its author. It fails with
//!   ENOSYS, not with the default's errno, so that programs fall back to what they did on older kernels.
//!   Not where the default lets calls pass or leaves them to a tracer or agent, nor where the profile names none.
//! - `SCMP_ACT_KILL` is `SCMP_ACT_KILL_THREAD`.
//!
//! On x86_64 and aarch64 the kernel (5.11) recognizes calls that are allowed without a look at their arguments
//! and does not run the program for them: the native path only loads, compares and jumps, as it requires.

mod arch;
mod code;
mod condition;
mod decision;
mod multiplex;
mod profile;
#[cfg(any(target_arch = "aarch64", test))]
mod table_aarch64;
#[cfg(any(target_arch = "x86_64", test))]
mod table_x86_64;
mod tree;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::spec::seccomp::Seccomp;

use arch::Machine;

/// What seccomp(2) with `SECCOMP_SET_MODE_FILTER` takes.
#[derive(Debug)]
pub struct Program {
    /// The instructions, 1 to 4096.
    pub filter: Vec<libc::sock_filter>,
    /// `SECCOMP_FILTER_FLAG_*` bits that the profile asks for. `NEW_LISTENER` is never among them.
    pub flags: u32,
    /// Some rule is `SCMP_ACT_NOTIFY`: it needs `SECCOMP_FILTER_FLAG_NEW_LISTENER`, and somebody who answers.
    pub notifies: bool,
}

/// Translates a profile for the machine this program was built for. An error begins with the field's place in
/// the document: `linux.seccomp.syscalls[3].args[0].op: unknown operator "EQ"`.
pub fn compile(profile: &Seccomp) -> Result<Program> {
    compile_for(Machine::THIS, profile)
}

fn compile_for(machine: Machine, profile: &Seccomp) -> Result<Program> {
    let profile = profile::check(machine, profile)?;
    let filter = tree::program(machine, &profile);
    if filter.len() > MOST_INSTRUCTIONS {
        return Err(Error::new(format_args!(
            "linux.seccomp: needs {} instructions, the kernel takes at most {MOST_INSTRUCTIONS}",
            filter.len()
        )));
    }
    Ok(Program { filter, flags: profile.flags, notifies: profile.notifies })
}

/// `BPF_MAXINSNS` of linux/bpf_common.h.
const MOST_INSTRUCTIONS: usize = 4096;
