//! What is answered while a full disk keeps fleetd from opening its database.

use super::problem::Answer;
use crate::core::disk::FULL;
use crate::sys::file;
use axum::Router;
use fleetd_api::{Problem, ProblemKind};
use std::path::{Path, PathBuf};

/// Every request gets the same answer.
pub fn router(state_dir: PathBuf) -> Router {
    Router::new().fallback(move || std::future::ready(Answer(problem(&state_dir))))
}

/// Whether the disk is full.
pub fn waits_for_space(state_dir: &Path) -> bool {
    file::free_space(state_dir).is_ok_and(|free| free < FULL)
}

fn problem(state_dir: &Path) -> Problem {
    let of = state_dir.display();
    if waits_for_space(state_dir) {
        let text = format!(
            "ask fleetd: the disk of {of} is full, and the reserve is used up; what runs goes on, and \
             fleetd waits for space"
        );
        let hint = "make some room there: fleetd goes on by itself";
        return Problem::new(ProblemKind::NoSpace, text).hint(hint);
    }
    Problem::new(ProblemKind::Unavailable, "ask fleetd: it is about to start")
}
