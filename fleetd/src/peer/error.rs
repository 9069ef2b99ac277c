//! What goes wrong with another host, each as one sentence.

use crate::pki::MachineId;
use crate::pki::refusal::explain;
use fleetd_api::ProblemKind;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Which host, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct To {
    pub machine: MachineId,
    /// `ADDRESS:PORT`.
    pub address: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("connect to {to}: {cause}")]
    Connect { to: To, cause: String },
    #[error("connect to {to}: all {most} connections to it are in use")]
    Busy { to: To, most: usize },
    /// It may have done what it was asked to, unless the cause says otherwise.
    #[error("ask {to}: {cause}")]
    Ask { to: To, cause: String },
    #[error("ask {to}: there is no answer after {seconds} s")]
    Late { to: To, seconds: u64 },
    #[error("ask {to}: the answer is longer than {most} bytes")]
    Long { to: To, most: usize },
    /// It has answered, with another status than was wanted.
    #[error("ask {to}: {cause}")]
    Refused { to: To, kind: ProblemKind, cause: String },
    #[error("hand a request on to {to}: {hops} hosts have handed it on already")]
    Loop { to: To, hops: u8 },
    /// A user with a certificate asks the other host himself.
    #[error("hand a request on to {to}: {who} asks, who has to ask it himself")]
    NotOurs { to: To, who: String },
}

impl Error {
    pub fn kind(&self) -> ProblemKind {
        match self {
            Self::Refused { kind, .. } => *kind,
            Self::NotOurs { .. } => ProblemKind::Denied,
            _ => ProblemKind::Unavailable,
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {} at {}", self.machine, self.address)
    }
}

/// What HTTP or TLS failed of: the end of a sentence. HTTP's errors wrap TLS's.
pub(super) fn explain_http(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    loop {
        if let Some(error) = last.downcast_ref::<io::Error>() {
            return explain_io(error);
        }
        match last.source() {
            Some(source) => last = source,
            None => return crate::sentence::cause(last),
        }
    }
}

pub(super) fn explain_io(error: &io::Error) -> String {
    match error.kind() {
        // TLS would say how it should have been closed.
        io::ErrorKind::UnexpectedEof => "the host closed the connection".to_owned(),
        _ => explain(error),
    }
}
