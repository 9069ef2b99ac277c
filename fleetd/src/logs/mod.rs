//! Reads the log files that supervisors write.
