//! The five sets of capabilities(7), from names to bits.

use crate::error::{Error, Result};
use crate::spec::process::Capabilities;

/// By number, as in linux/capability.h.
pub const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Bit N stands for the capability number N.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
}

/// The number of a capability's name.
pub fn number(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).and_then(|index| u32::try_from(index).ok())
}

impl CapabilitySets {
    /// Refuses an unknown name: a typing error must not silently weaken or strengthen a container.
    pub fn of(capabilities: &Capabilities) -> Result<Self> {
        Ok(Self {
            bounding: bits("bounding", &capabilities.bounding)?,
            effective: bits("effective", &capabilities.effective)?,
            inheritable: bits("inheritable", &capabilities.inheritable)?,
            permitted: bits("permitted", &capabilities.permitted)?,
            ambient: bits("ambient", &capabilities.ambient)?,
        })
    }

    /// Leaves out what cannot be granted: `held` by the caller, and the kernel's own rules that
    /// effective lies in permitted, and ambient in permitted and inheritable.
    #[must_use]
    pub fn grantable(self, held: u64) -> Self {
        let permitted = self.permitted & held;
        let inheritable = self.inheritable & held;
        Self {
            bounding: self.bounding & held,
            effective: self.effective & permitted,
            inheritable,
            permitted,
            ambient: self.ambient & permitted & inheritable,
        }
    }

    /// The names of what is in any set and not in `held`.
    pub fn not_in(self, held: u64) -> Vec<&'static str> {
        let Self { bounding, effective, inheritable, permitted, ambient } = self;
        names((bounding | effective | inheritable | permitted | ambient) & !held)
    }

    /// The names of what the kernel never lets be ambient: it must be permitted and inheritable.
    pub fn ambient_in_vain(self) -> Vec<&'static str> {
        names(self.ambient & !(self.permitted & self.inheritable))
    }
}

fn names(bits: u64) -> Vec<&'static str> {
    (0..NAMES.len()).filter(|bit| bits >> bit & 1 == 1).map(|bit| NAMES[bit]).collect()
}

fn bits(set: &str, names: &[String]) -> Result<u64> {
    names.iter().enumerate().try_fold(0, |bits, (index, name)| {
        let number = number(name).ok_or_else(|| {
            Error::new(format_args!(
                "process.capabilities.{set}[{index}]: unknown capability {name:?}"
            ))
        })?;
        Ok(bits | 1 << number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_of_the_kernel() {
        assert_eq!(number("CAP_CHOWN"), Some(0));
        assert_eq!(number("CAP_SYS_ADMIN"), Some(21));
        assert_eq!(number("CAP_CHECKPOINT_RESTORE"), Some(40));
    }

    #[test]
    fn an_unknown_name_is_an_error_with_its_place() {
        let capabilities =
            Capabilities { bounding: vec!["CAP_KILL".into(), "KILL".into()], ..Default::default() };
        let error = CapabilitySets::of(&capabilities).unwrap_err().to_string();
        assert_eq!(error, "process.capabilities.bounding[1]: unknown capability \"KILL\"");
    }

    #[test]
    fn what_the_caller_does_not_hold_is_left_out_and_named() {
        let wanted = CapabilitySets { permitted: 0b111, effective: 0b110, ..Default::default() };
        let granted = wanted.grantable(0b011);
        assert_eq!((granted.permitted, granted.effective), (0b011, 0b010));
        assert_eq!(wanted.not_in(0b011), ["CAP_DAC_READ_SEARCH"]);
        let vain = CapabilitySets { ambient: 0b11, permitted: 0b11, inheritable: 0b1, ..wanted };
        assert_eq!(vain.ambient_in_vain(), ["CAP_DAC_OVERRIDE"]);
    }
}
