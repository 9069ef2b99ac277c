//! Makes this host match what was decided: starts, stops, adopts and cleans up.
