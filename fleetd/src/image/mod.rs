//! The images of one host: names, manifests, and layers unpacked once and shared.

pub mod error;
pub mod store;
pub mod unpack;

pub use error::Error;
pub use store::{Config, Image, ImageInfo, LayerId, Progress, PullOptions, Store};
