//! `ocirun supervise`: monitor and runtime of one container, in one process.
