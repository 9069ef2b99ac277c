//! A small seeded generator: of numbers, of arguments near what rules compare with, and of profiles.

use crate::seccomp::arch::Machine;
use crate::spec::seccomp::{ArgumentCondition, Seccomp, SyscallRule};

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Numbers at which 64-bit comparisons go wrong, and their neighbours.
    pub(super) fn value(&mut self) -> u64 {
        let edge =
            self.of(&[0, 1, 2, 40, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 1 << 63]);
        match self.below(5) {
            0 => edge,
            1 => edge.wrapping_sub(1),
            2 => edge.wrapping_add(self.next() % 3),
            3 => edge | (self.next() % 4) << 32,
            _ => self.next() >> self.below(64),
        }
    }

    /// `compared` are the values that a profile's rules compare with.
    pub(super) fn arguments(&mut self, compared: &[u64]) -> [u64; 6] {
        std::array::from_fn(|_| {
            if compared.is_empty() || self.one_in(3) {
                return self.value();
            }
            let near = self.of(compared);
            match self.below(6) {
                0 => near.wrapping_sub(1),
                1 => near.wrapping_add(1),
                2 => near ^ 1 << self.below(64),
                3 => near & 0xffff_ffff,
                _ => near,
            }
        })
    }

    pub(super) fn profile(&mut self, machine: Machine) -> Seccomp {
        let (default_action, default_errno_ret) = self.action();
        let architectures: Vec<String> = crate::seccomp::arch::NAMES
            .iter()
            .filter(|_| !self.one_in(3))
            .map(|name| name.to_string())
            .collect();
        let rules = self.below(12);
        Seccomp {
            default_action,
            default_errno_ret,
            architectures: Some(architectures),
            syscalls: Some((0..rules).map(|_| self.rule(machine)).collect()),
            ..Seccomp::default()
        }
    }

    fn rule(&mut self, machine: Machine) -> SyscallRule {
        let rows = machine.rows();
        let few = ["socket", "socketcall", "ipc", "semop", "recv", "clone", "read", "no_such_call"];
        let count = 1 + if self.one_in(3) { self.below(200) } else { self.below(4) };
        let names = (0..count)
            .map(|_| if self.one_in(4) { self.of(&few) } else { self.of(rows).0 }.to_owned())
            .collect();
        let (action, errno_ret) = self.action();
        let args = if self.one_in(2) { 0 } else { self.below(4) };
        let args = Some((0..args).map(|_| self.condition()).collect());
        SyscallRule { names, action, errno_ret, args }
    }

    #[rustfmt::skip]
    fn action(&mut self) -> (String, Option<u32>) {
        let action = self.of(&[
            "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
            "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW",
            "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
        ]);
        let takes_errno = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(&action);
        let errno = (takes_errno && self.one_in(2)).then(|| self.below(4096) as u32);
        (action.to_owned(), errno)
    }

    #[rustfmt::skip]
    fn condition(&mut self) -> ArgumentCondition {
        let op = self.of(&[
            "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
            "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
        ]);
        ArgumentCondition {
            index: self.below(6) as u32,
            value: self.value(),
            value_two: (!self.one_in(4)).then(|| self.value()),
            op: op.to_owned(),
        }
    }
}
