//! A child that borrows this process's memory until it executes a program or ends, as vfork(2) has it: nothing is
//! copied, neither page tables now nor pages at the next writes. Of a daemon with 30 MB that copy takes longer than
//! all else about a start.

use std::arch::asm;
use std::ffi::c_void;
use std::io;

/// `struct clone_args` (clone(2)), up to the field `cgroup` of Linux 5.7.
#[repr(C)]
#[derive(Default)]
pub(super) struct CloneArgs {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

/// linux/sched.h
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// In units of 16 bytes, to which a stack is aligned: 32 KiB.
const STACK: usize = 2048;

/// clone3(2) with `CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND`. The child calls `work` on a stack of its own; this
/// thread, and no other one, stands still until the child has executed a program or ended. Gives the child's id.
///
/// # Safety
///
/// `work` makes system calls only: it neither allocates nor takes a lock, since other threads run on in the same
/// memory. It never returns nor unwinds. `argument` lives until this returns, and nobody else uses what it points to.
pub(super) unsafe fn clone_borrowing(
    args: CloneArgs,
    work: unsafe extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> io::Result<i32> {
    let mut stack = vec![0_u128; STACK];
    let args = CloneArgs {
        flags: args.flags | libc::CLONE_VM as u64 | libc::CLONE_VFORK as u64 | CLONE_CLEAR_SIGHAND,
        stack: stack.as_mut_ptr() as u64,
        stack_size: size_of_val(stack.as_slice()) as u64,
        ..args
    };
    let result: i64;
    // SAFETY: the structure is as clone3 defines it, and it, the stack and what `argument` points to outlive the call,
    // for which this thread waits until the child is out of this memory. The child begins with a copy of these
    // registers, on its own stack, and leaves the block by `work` alone, which does not return; so nothing of
    // this function's frame is touched twice. No handler of ours runs in it: it begins without any.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &raw const args,
            in("rsi") size_of::<CloneArgs>(),
            in("r8") work,
            in("r9") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") &raw const args => result,
            in("x1") size_of::<CloneArgs>(),
            in("x9") work,
            in("x10") argument,
        );
    }
    match i32::try_from(result).map_err(io::Error::other)? {
        pid @ 1.. => Ok(pid),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::Pid;

    unsafe extern "C" fn write_and_end(argument: *mut c_void) -> ! {
        // SAFETY: the test gives a number that lives; _exit runs nothing of this process.
        unsafe {
            *argument.cast::<i32>() = 42;
            libc::_exit(7)
        }
    }

    #[test]
    fn a_child_writes_to_this_memory_and_is_gone_when_the_call_returns() {
        let mut word = 0_i32;
        let args = CloneArgs { exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
        let argument = (&raw mut word).cast();
        // SAFETY: the child makes one system call, and the number outlives it.
        let pid = unsafe { clone_borrowing(args, write_and_end, argument) }.unwrap();
        assert_eq!(word, 42);
        let pid = Pid::from_raw(pid);
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 7)));
    }

    #[test]
    fn what_the_kernel_refuses_is_an_error() {
        // Threads belong together with handlers of signals (clone(2), EINVAL).
        let args = CloneArgs { flags: libc::CLONE_THREAD as u64, ..CloneArgs::default() };
        let mut word = 0_i32;
        // SAFETY: as above.
        let result = unsafe { clone_borrowing(args, write_and_end, (&raw mut word).cast()) };
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(word, 0);
    }
}
