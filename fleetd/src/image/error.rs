//! What can go wrong with images, each as one sentence: verb, object, cause.

pub use crate::sentence::Sentence;

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory of the store, or the stream that was handed in.
    #[error("{action}: {}", Sentence(cause))]
    Io { action: String, cause: io::Error },
    /// The layer could not be unpacked; nothing of it is left.
    #[error("unpack layer {layer}: {cause}")]
    Unpack { layer: String, cause: super::unpack::Error },
    #[error("find image {0}: not on this host; pull or import it first (fleetctl image list)")]
    NotFound(String),
    /// A digest prefix that several images share.
    #[error("find image {reference}: {count} images begin with this, give more digits")]
    Ambiguous { reference: String, count: usize },
    #[error("remove image {reference}: unit {} runs from it; stop it first", units.join(", "))]
    InUse { reference: String, units: Vec<String> },
    /// A name or digest that cannot be one.
    #[error("read image reference `{reference}`: {cause}")]
    Reference { reference: String, cause: String },
    /// A manifest, index, config or archive that breaks the image specification or our limits.
    #[error("read {what}: {cause}")]
    Document { what: String, cause: String },
    /// The registry's answer, or that there was none.
    #[error("pull {reference}: {cause}")]
    Registry { reference: String, cause: String },
    #[error("mount image {digest}: {cause}")]
    Mount { digest: String, cause: String },
}

impl Error {
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |cause| Self::Io { action, cause }
    }
}
