//! Hosts and users that speak over real sockets.

mod access;
mod client;
mod closing;
mod deadlines;
mod entry;
mod fixture;
mod forward;
mod local;
mod measure;
mod raft;
mod routes;
