//! What was decided: unit files and desired states.
