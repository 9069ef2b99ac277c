//! Why a peer's certificate is not taken, in one sentence; and what a failed handshake means.

use super::name::{Identity, MachineId, shown};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, OtherError};
use std::io;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the peer's certificate is damaged")]
    Damaged,
    #[error("the peer's certificate is of no authority that this fleet trusts")]
    OtherAuthority,
    #[error("the peer's certificate expired at {} (by this clock it is {})", at(*.not_after), at(*.now))]
    Expired { not_after: u64, now: u64 },
    #[error(
        "the peer's certificate is valid from {} on (by this clock it is {}; are both right?)",
        at(*.not_before), at(*.now)
    )]
    NotYet { not_before: u64, now: u64 },
    #[error("the certificate of {0} was revoked")]
    Revoked(Identity),
    #[error("the peer's certificate may not be used by a {0}")]
    Purpose(Side),
    #[error("the peer's certificate says not who it is of: {0}")]
    NoIdentity(String),
    #[error("the peer's certificate is of fleet {}", shown(.0))]
    OtherFleet(String),
    #[error("host {expected} was meant, and {found} answered")]
    OtherHost { expected: MachineId, found: Identity },
    #[error("{0} is not a host")]
    NotAHost(Identity),
    #[error(
        "the host does not show the certificate authority that the token names (it is another fleet, \
         somebody stands in between, or the authority was changed since: make a new token)"
    )]
    NotThePinned,
    #[error("the peer's certificate is not valid: {0}")]
    Other(String),
}

/// Which end of a connection somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who connects.
    Client,
    /// Who is connected to.
    Server,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

impl Refusal {
    /// Of webpki's check of the chain.
    pub(super) fn of_chain(error: &webpki::Error, side: Side) -> Self {
        use webpki::Error as E;
        match error {
            E::CertExpired { time, not_after } => {
                Self::Expired { not_after: not_after.as_secs(), now: time.as_secs() }
            }
            E::CertNotValidYet { time, not_before } => {
                Self::NotYet { not_before: not_before.as_secs(), now: time.as_secs() }
            }
            E::UnknownIssuer | E::InvalidSignatureForPublicKey => Self::OtherAuthority,
            E::RequiredEkuNotFoundContext(_) => Self::Purpose(side),
            E::BadDer | E::BadDerTime | E::TrailingData(_) => Self::Damaged,
            other => Self::Other(crate::sentence::cause(other)),
        }
    }
}

/// The peer is told the kind of it: the alert follows from the kind.
impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        let time = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        Self::InvalidCertificate(match refusal {
            Refusal::Damaged => CertificateError::BadEncoding,
            Refusal::OtherAuthority => CertificateError::UnknownIssuer,
            Refusal::Expired { not_after, now } => {
                CertificateError::ExpiredContext { time: time(now), not_after: time(not_after) }
            }
            Refusal::NotYet { not_before, now } => CertificateError::NotValidYetContext {
                time: time(now),
                not_before: time(not_before),
            },
            Refusal::Revoked(_) => CertificateError::Revoked,
            Refusal::Purpose(_) => CertificateError::InvalidPurpose,
            other => CertificateError::Other(OtherError(Arc::new(other))),
        })
    }
}

/// What a handshake or connection failed of, from either side: the end of a sentence.
pub fn explain(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => explain_tls(inner),
        None => crate::sentence::cause(error),
    }
}

pub fn explain_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(kind) => explain_certificate(kind),
        rustls::Error::NoCertificatesPresented => "the peer shows no certificate".to_owned(),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        other => crate::sentence::cause(other),
    }
}

fn explain_certificate(kind: &CertificateError) -> String {
    match kind {
        CertificateError::Other(OtherError(refusal)) => refusal.to_string(),
        CertificateError::BadEncoding => Refusal::Damaged.to_string(),
        CertificateError::UnknownIssuer => Refusal::OtherAuthority.to_string(),
        CertificateError::ExpiredContext { time, not_after } => {
            Refusal::Expired { not_after: not_after.as_secs(), now: time.as_secs() }.to_string()
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            Refusal::NotYet { not_before: not_before.as_secs(), now: time.as_secs() }.to_string()
        }
        CertificateError::Revoked => "the peer's certificate was revoked".to_owned(),
        CertificateError::InvalidPurpose => {
            "the peer's certificate may not be used at its end of the connection".to_owned()
        }
        other => crate::sentence::cause(other),
    }
}

/// RFC 8446, 6.2.
fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => {
            "the peer says that our certificate has expired or is not valid yet".to_owned()
        }
        AlertDescription::CertificateRevoked => {
            "the peer says that our certificate was revoked".to_owned()
        }
        AlertDescription::UnknownCA => {
            "the peer trusts no authority of our certificate (is it of another fleet?)".to_owned()
        }
        AlertDescription::UnsupportedCertificate => {
            "the peer says that our certificate is not for this use".to_owned()
        }
        AlertDescription::CertificateRequired => "the peer wants a certificate of us".to_owned(),
        AlertDescription::CertificateUnknown | AlertDescription::BadCertificate => {
            "the peer does not take our certificate (its log says why)".to_owned()
        }
        other => format!("the peer ended the connection: {other:?}"),
    }
}

pub(super) fn at(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}
