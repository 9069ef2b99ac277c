//! The child's side of a start: turns the fresh process into the container's first one, step by
//! step, and executes the program.
