//! `linux.seccomp` of the runtime specification 1.3 (config-linux.md, "Seccomp").
//!
//! Only the shape. Names stay strings here, so that whoever gives them a meaning (`crate::seccomp`) can say
//! where in the document a wrong one stands.

use serde::{Deserialize, Serialize};

/// The whole object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// What happens to a call that no rule matches: `SCMP_ACT_*`.
    pub default_action: String,
    /// The errno of the default action. Only with `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// `SCMP_ARCH_*` beside the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<String>>,
    /// `SECCOMP_FILTER_FLAG_*` for seccomp(2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// The unix socket that is sent the descriptor on which `SCMP_ACT_NOTIFY` is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Opaque data for the program behind `listener_path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syscalls: Option<Vec<SyscallRule>>,
}

/// One action for some calls, under conditions or always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyscallRule {
    /// Names of system calls, at least one.
    pub names: Vec<String>,
    /// `SCMP_ACT_*`
    pub action: String,
    /// The errno of the action. Only with `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on the arguments. None: the action holds for every such call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<ArgumentCondition>>,
}

/// A comparison of one argument of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentCondition {
    /// Which argument, 0 to 5.
    pub index: u32,
    /// What it is compared with; the mask for `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// What the masked argument is compared with. Only read for `SCMP_CMP_MASKED_EQ`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_two: Option<u64>,
    /// `SCMP_CMP_*`
    pub op: String,
}
