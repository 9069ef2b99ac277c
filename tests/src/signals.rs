//! Signals of a process, as `/proc/PID/status` tells of them (proc(5)).

/// The signals that a line `SigIgn:` names, without two that are of no interest: the C library of the
/// one that started the process may ignore 32 and 33, its own.
pub fn ignored_signals(line: &str) -> u64 {
    let hex = line.strip_prefix("SigIgn:").unwrap_or_else(|| panic!("no SigIgn: {line:?}"));
    let set = u64::from_str_radix(hex.trim(), 16).unwrap_or_else(|e| panic!("{line:?}: {e}"));
    set & !(0b11 << 31)
}
