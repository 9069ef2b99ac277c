//! Machines, the ABIs through which their kernels accept calls, and the numbers of the calls in each.

/// A call's name and its number in each ABI of a machine, in the order of [`Machine::abis`].
pub(super) type Row = (&'static str, [u32; 3]);

/// The number of a call that an ABI does not have.
pub(super) const NONE: u32 = u32::MAX;

/// The bit in a number that makes it a call of the x32 ABI (`__X32_SYSCALL_BIT`).
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// Where the private calls of 32-bit ARM begin (`__ARM_NR_BASE`).
const ARM_PRIVATE: u32 = 0xf_0000;

/// What a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    #[cfg(any(target_arch = "x86_64", test))]
    X86_64,
    #[cfg(any(target_arch = "aarch64", test))]
    Aarch64,
}

/// One set of call numbers.
#[cfg_attr(not(test), expect(dead_code, reason = "each machine has its own few"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

impl Machine {
    #[cfg(target_arch = "x86_64")]
    pub(super) const THIS: Machine = Machine::X86_64;
    #[cfg(target_arch = "aarch64")]
    pub(super) const THIS: Machine = Machine::Aarch64;

    /// What the kernel of this machine can be called through; its own ABI comes first.
    pub(super) fn abis(self) -> &'static [Abi] {
        match self {
            #[cfg(any(target_arch = "x86_64", test))]
            Machine::X86_64 => &[Abi::X86_64, Abi::X86, Abi::X32],
            #[cfg(any(target_arch = "aarch64", test))]
            Machine::Aarch64 => &[Abi::Aarch64, Abi::Arm],
        }
    }

    pub(super) fn rows(self) -> &'static [Row] {
        match self {
            #[cfg(any(target_arch = "x86_64", test))]
            Machine::X86_64 => super::table_x86_64::ROWS,
            #[cfg(any(target_arch = "aarch64", test))]
            Machine::Aarch64 => super::table_aarch64::ROWS,
        }
    }

    /// The numbers of a call, one an ABI, `NONE` where it does not exist.
    pub(super) fn numbers(self, name: &str) -> Option<[u32; 3]> {
        let rows = self.rows();
        rows.binary_search_by(|row| row.0.cmp(name)).ok().map(|at| rows[at].1)
    }
}

impl Abi {
    /// The profile's word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Abi::X86_64 => "SCMP_ARCH_X86_64",
            Abi::X86 => "SCMP_ARCH_X86",
            Abi::X32 => "SCMP_ARCH_X32",
            Abi::Aarch64 => "SCMP_ARCH_AARCH64",
            Abi::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// `AUDIT_ARCH_*` of linux/audit.h, which `seccomp_data.arch` holds. x32 shares x86_64's.
    pub(super) fn audit(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => 0xc000_003e,
            Abi::X86 => 0x4000_0003,
            Abi::Aarch64 => 0xc000_00b7,
            Abi::Arm => 0x4000_0028,
        }
    }

    /// Numbers from here on are not assigned in order, so they say nothing about a call's age.
    pub(super) fn end_of_ordered_numbers(self) -> u32 {
        if self == Abi::Arm { ARM_PRIVATE } else { u32::MAX }
    }
}

/// Every architecture of the specification. Those of other machines are valid and without effect.
pub(super) const NAMES: &[&str] = &[
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
];
