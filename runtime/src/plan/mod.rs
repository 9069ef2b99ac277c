//! Pure decisions: from `config.json` to flags, numbers and lists. No file, clock or system call.

pub mod capabilities;
pub mod container_id;
pub mod devices;
pub mod environment;
pub mod limits;
pub mod mount_options;
pub mod namespaces;
pub mod rlimits;
pub mod signals;
pub mod sysctl;
pub mod user;
