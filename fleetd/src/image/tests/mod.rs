//! The store as its callers see it: what is on disk and inside the mounts. Needs root.

mod archives;
mod attacks;
mod crash;
mod fixture;
mod mounts;
mod pulls;
mod speed;
mod unpacking;
