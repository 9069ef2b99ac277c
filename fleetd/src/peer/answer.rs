//! Refusals as answers: a [`Problem`] with its status code.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleetd_api::{Problem, ProblemKind};

pub(super) fn refuse(kind: ProblemKind, text: impl Into<String>) -> Response {
    answer(Problem::new(kind, text))
}

pub(super) fn answer(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.kind.status());
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), axum::Json(problem)).into_response()
}
