//! What can go wrong with keys and certificates at hand, each as one sentence: verb, object, cause.
//! What is wrong with a peer's is a [`super::Refusal`].

use crate::sentence::Sentence;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{action}: {}", Sentence(cause))]
    Io { action: String, cause: io::Error },
    /// A certificate, key or request that is none, or not one for us.
    #[error("read {what}: {cause}")]
    Read { what: &'static str, cause: String },
    #[error("issue a certificate for {whom}: {cause}")]
    Issue { whom: String, cause: String },
    #[error("make {what}: {cause}")]
    Make { what: &'static str, cause: String },
    #[error("change what the fleet trusts: {0}")]
    Bundle(String),
}

impl Error {
    pub(super) fn read(what: &'static str) -> impl FnOnce(String) -> Self {
        move |cause| Self::Read { what, cause }
    }

    pub(super) fn make(what: &'static str) -> impl FnOnce(rcgen::Error) -> Self {
        move |error| Self::Make { what, cause: crate::sentence::cause(error) }
    }
}
