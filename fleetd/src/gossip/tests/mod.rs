//! Fleets in one process: virtual time, one seed, and every fault that the promises name.

mod chaos;
mod detection;
mod direct;
mod driver;
mod faults;
mod hostile;
mod measure;
mod network;
mod spreading;
mod world;
