//! Errors as answers: a [`Problem`] with its status code.

use crate::{consensus, image};
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleetd_api::{Problem, ProblemKind};

pub(super) struct Answer(pub Problem);

pub(super) type Result<T> = std::result::Result<T, Answer>;

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(self.0)).into_response()
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<consensus::Error> for Answer {
    fn from(error: consensus::Error) -> Self {
        use crate::core::decided::Refusal;
        let text = error.to_string();
        Self(match error {
            consensus::Error::Refused(Refusal::Unknown { .. }) => {
                Problem::new(ProblemKind::NotFound, text).hint("fleetctl list-unit-files")
            }
            consensus::Error::Refused(Refusal::UnknownMachine { .. }) => {
                Problem::new(ProblemKind::NotFound, text).hint("fleetctl list-machines")
            }
            consensus::Error::Refused(Refusal::Newer { .. }) => {
                Problem::new(ProblemKind::Conflict, text)
            }
            consensus::Error::Refused(Refusal::Differs { .. }) => {
                Problem::new(ProblemKind::Conflict, text).hint("--replace puts yours in its place")
            }
            consensus::Error::Store(error) if error.no_space() => {
                Problem::new(ProblemKind::NoSpace, text)
            }
            consensus::Error::Full(_) => Problem::new(ProblemKind::NoSpace, text)
                .hint("fleetctl list-machines shows which disks are full"),
            consensus::Error::Store(_) => Problem::new(ProblemKind::Internal, text),
            consensus::Error::Refused(Refusal::UnknownToken { .. }) => {
                Problem::new(ProblemKind::NotFound, text).hint("fleetctl token list")
            }
            consensus::Error::Refused(Refusal::SpentToken { .. }) => {
                Problem::new(ProblemKind::Denied, text).hint("fleetctl token create")
            }
            consensus::Error::Refused(Refusal::InFleet { .. }) => {
                Problem::new(ProblemKind::Conflict, text)
            }
            consensus::Error::Refused(Refusal::UnknownSecret { .. }) => {
                Problem::new(ProblemKind::NotFound, text).hint("fleetctl secret list")
            }
            consensus::Error::Refused(Refusal::SecretInUse { .. }) => {
                Problem::new(ProblemKind::Conflict, text).hint("--force removes it in any case")
            }
            consensus::Error::Refused(Refusal::UnknownUser { .. }) => {
                Problem::new(ProblemKind::NotFound, text).hint("fleetctl user list")
            }
            consensus::Error::Refused(Refusal::UserThere { .. }) => {
                Problem::new(ProblemKind::Conflict, text).hint("fleetctl user revoke first")
            }
            consensus::Error::Refused(
                Refusal::ManyUsers
                | Refusal::ManySecrets
                | Refusal::ManyCertificates { .. }
                | Refusal::Keys { .. }
                | Refusal::EarlierKeys,
            ) => Problem::new(ProblemKind::Conflict, text),
            consensus::Error::Refused(Refusal::Rotates) => {
                Problem::new(ProblemKind::Conflict, text).hint("fleetctl fleet shows how far it is")
            }
            consensus::Error::Refused(Refusal::NoFleet) => {
                Problem::new(ProblemKind::Conflict, text).hint("fleetctl init")
            }
            consensus::Error::NotLeader(_) => Problem::new(ProblemKind::NotLeader, text),
            consensus::Error::NoQuorum => Problem::new(ProblemKind::Unavailable, text),
            consensus::Error::Ending => Problem::new(ProblemKind::Unavailable, text),
        })
    }
}

impl From<image::Error> for Answer {
    fn from(error: image::Error) -> Self {
        let kind = match &error {
            image::Error::NotFound(_) => ProblemKind::NotFound,
            image::Error::InUse { .. } => ProblemKind::Conflict,
            image::Error::Ambiguous { .. }
            | image::Error::Reference { .. }
            | image::Error::Document { .. }
            | image::Error::Unpack { .. } => ProblemKind::Invalid,
            image::Error::Registry { .. } => ProblemKind::Unavailable,
            image::Error::Io { cause, .. } if cause.kind() == std::io::ErrorKind::StorageFull => {
                ProblemKind::NoSpace
            }
            _ => ProblemKind::Internal,
        };
        Self(Problem::new(kind, error.to_string()))
    }
}

impl From<JsonRejection> for Answer {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::BytesRejection(bytes) => bytes.into(),
            other => Self(Problem::new(
                ProblemKind::Invalid,
                format!("read request: {}", other.body_text()),
            )),
        }
    }
}

impl From<BytesRejection> for Answer {
    fn from(rejection: BytesRejection) -> Self {
        let text = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            format!(
                "read request: it is too long; a unit file has at most {} bytes",
                fleetd_api::MAX_UNIT_FILE
            )
        } else {
            format!("read request: {}", rejection.body_text())
        };
        Self(Problem::new(ProblemKind::Invalid, text))
    }
}

impl From<QueryRejection> for Answer {
    fn from(rejection: QueryRejection) -> Self {
        let text = format!("read query: {}", rejection.body_text());
        Self(Problem::new(ProblemKind::Invalid, text))
    }
}

pub(super) fn internal(text: impl std::fmt::Display) -> Answer {
    Answer(Problem::new(ProblemKind::Internal, text.to_string()))
}
