//! The database: one change, one index.
