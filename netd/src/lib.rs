//! The network of a host's containers.
//!
//! | Room | Owns |
//! |---|---|
//! | `cli`, `commands/` | the command line |
//! | `server` | the socket: lines, descriptors, who may ask |
//! | `engine/` | the one writer: each request in order, from decision to kernel |
//! | `core/` | pure decisions: endpoints, addresses, operations, the ruleset |
//! | `pool` | ready network namespaces |
//! | `link/`, `nft/`, `conntrack` | the kernel's links, tables and connections, by `netlink/` |
//! | `dns/`, `proxy/` | what netd serves itself: names, and ports on 127.0.0.1 |
//! | `store`, `lock` | the journal; one netd for each |
//! | `notify` | the service manager |
//! | `findings` | what stands in the way on this host |
//! | `sysctl`, `sys/` | kernel parameters; system calls |
//!
//! Two kinds of threads: one runs tokio (socket, names, ports) and never waits for the kernel's
//! locks; the others (engine, pool, reaper, watchers) do nothing but wait for the kernel.

pub mod cli;
pub mod commands;
pub mod conntrack;
pub mod core;
pub mod dns;
pub mod engine;
pub mod findings;
pub mod link;
pub mod lock;
pub mod netlink;
pub mod nft;
pub mod notify;
pub mod pool;
pub mod proxy;
pub mod say;
pub mod server;
pub mod store;
pub mod sys;
pub mod sysctl;
