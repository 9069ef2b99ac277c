//! The tables of numbers against what the C library of the build machine knows.

use crate::seccomp::arch::{Machine, NONE};

#[test]
fn names_are_sorted() {
    for machine in [Machine::X86_64, Machine::Aarch64] {
        assert!(machine.rows().is_sorted_by(|a, b| a.0 < b.0));
    }
}

#[test]
fn an_abi_has_each_number_once() {
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for column in 0..machine.abis().len() {
            let mut rows: Vec<(u32, &str)> =
                machine.rows().iter().map(|row| (row.1[column], row.0)).collect();
            rows.retain(|row| row.0 != NONE);
            rows.sort_unstable();
            // ARM has one call under two names.
            rows.retain(|row| row.1 != "arm_sync_file_range");
            assert!(rows.is_sorted_by(|a, b| a.0 < b.0));
        }
    }
}

#[test]
fn numbers_are_those_of_the_c_library() {
    macro_rules! numbers {
        ($($constant:ident $name:literal),*) => { [$(($name, libc::$constant)),*] };
    }
    let known = numbers!(
        SYS_read "read", SYS_write "write", SYS_openat "openat", SYS_close "close",
        SYS_mmap "mmap", SYS_rt_sigaction "rt_sigaction", SYS_ioctl "ioctl", SYS_clone "clone",
        SYS_clone3 "clone3", SYS_execve "execve", SYS_execveat "execveat", SYS_wait4 "wait4",
        SYS_ptrace "ptrace", SYS_socket "socket", SYS_setns "setns", SYS_unshare "unshare",
        SYS_bpf "bpf", SYS_seccomp "seccomp", SYS_openat2 "openat2", SYS_statx "statx",
        SYS_mount "mount", SYS_umount2 "umount2", SYS_pivot_root "pivot_root",
        SYS_move_mount "move_mount", SYS_open_tree "open_tree", SYS_fsopen "fsopen",
        SYS_mount_setattr "mount_setattr", SYS_close_range "close_range",
        SYS_pidfd_open "pidfd_open", SYS_pidfd_getfd "pidfd_getfd", SYS_keyctl "keyctl",
        SYS_kexec_load "kexec_load", SYS_init_module "init_module", SYS_reboot "reboot",
        SYS_io_uring_setup "io_uring_setup", SYS_userfaultfd "userfaultfd",
        SYS_perf_event_open "perf_event_open", SYS_personality "personality",
        SYS_set_mempolicy_home_node "set_mempolicy_home_node"
    );
    for (name, number) in known {
        let numbers = Machine::THIS.numbers(name).unwrap();
        assert_eq!(i64::from(numbers[0]), number, "{name}");
    }
}
