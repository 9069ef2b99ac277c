//! Values that more than one key takes: booleans, time spans, sizes, percentages, signals.
//!
//! Every error is the sentence on what is allowed, to stand after `KEY=VALUE: `.

use std::time::Duration;

pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
        _ => Err("it takes yes or no".to_owned()),
    }
}

pub fn number(text: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| "it takes a whole number".to_owned())
}

/// systemd.time(7)'s units in microseconds, each name once; a number without one is seconds.
const TIME_UNITS: &[(&[&str], u64)] = &[
    (&["us", "usec", "µs", "μs"], 1),
    (&["ms", "msec"], 1_000),
    (&["", "s", "sec", "second", "seconds"], 1_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
    (&["M", "month", "months"], 2_629_800_000_000),
    (&["y", "year", "years"], 31_557_600_000_000),
];

/// A span of time, `1min 30s` or `1.5h`. None is `infinity`.
pub fn time_span(text: &str) -> Result<Option<Duration>, String> {
    if text == "infinity" {
        return Ok(None);
    }
    let wrong = || "it takes a time such as 30, 1min 30s, 500ms or infinity".to_owned();
    let mut micros: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(wrong)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale = TIME_UNITS.iter().find(|(names, _)| names.contains(&unit)).ok_or_else(wrong)?.1;
        let part = number.scaled(scale).ok_or_else(wrong)?;
        micros = micros.checked_add(part).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Ok(Some(Duration::from_micros(micros)))
}

/// A decimal number: the digits before the point and those after it.
struct Decimal<'a> {
    whole: u64,
    fraction: &'a str,
}

impl Decimal<'_> {
    /// The number times `scale`, rounded down.
    fn scaled(&self, scale: u64) -> Option<u64> {
        // More than 18 places do not show in any unit there is.
        let fraction = &self.fraction[..self.fraction.len().min(18)];
        let (mut part, mut base) = (0, 1);
        for digit in fraction.bytes() {
            part = part * 10 + u128::from(digit - b'0');
            base *= 10;
        }
        let part = u64::try_from(part * u128::from(scale) / base).ok()?;
        self.whole.checked_mul(scale)?.checked_add(part)
    }
}

/// Splits a decimal number off the front of a text.
fn split_number(text: &str) -> Option<(Decimal<'_>, &str)> {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let whole = whole.parse().ok()?;
    match rest.strip_prefix('.') {
        None => Some((Decimal { whole, fraction: "" }, rest)),
        Some(rest) => match rest.split_at(digits(rest)) {
            ("", _) => None,
            (fraction, rest) => Some((Decimal { whole, fraction }, rest)),
        },
    }
}

/// Bytes with a suffix of base 1024: `512M`, `1.5G`. A lower-case suffix and a `b` behind it,
/// which podman knows, are taken too.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "it takes bytes such as 1048576, 512M or 1.5G".to_owned();
    let (number, suffix) = split_number(text).ok_or_else(wrong)?;
    let power = match suffix.trim_start().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 1,
        "M" | "MB" => 2,
        "G" | "GB" => 3,
        "T" | "TB" => 4,
        "P" | "PB" => 5,
        "E" | "EB" => 6,
        _ => return Err(wrong()),
    };
    number.scaled(1 << (10 * power)).ok_or_else(wrong)
}

/// `12.5%` as hundredths of a percent: 1250. There is no upper bound.
pub fn percent(text: &str) -> Result<u64, String> {
    let wrong = || "it takes a percentage such as 50%".to_owned();
    let (number, rest) = split_number(text).ok_or_else(wrong)?;
    match rest.trim_start() {
        "%" if number.fraction.len() <= 2 => number.scaled(100).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// Linux' signals 1 to 31 (signal(7), the same on x86 and ARM).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// What libc calls SIGRTMIN and SIGRTMAX: it keeps the kernel's first two for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// A signal by name, with or without `SIG`, or by number: `SIGTERM`, `INT`, `RTMIN+3`, `15`.
pub fn signal(text: &str) -> Result<i32, String> {
    let wrong = || "it takes a signal such as SIGTERM, SIGRTMIN+3 or 15".to_owned();
    if let Ok(number) = number(text) {
        return i32::try_from(number).ok().filter(|n| (1..=RTMAX).contains(n)).ok_or_else(wrong);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(position) = SIGNALS.iter().position(|known| *known == name) {
        return i32::try_from(position + 1).map_err(|_| wrong());
    }
    let offset = |t: &str, sign: char| match t {
        "" => Some(0),
        t => t.strip_prefix(sign).and_then(|n| number(n).ok()).and_then(|n| i32::try_from(n).ok()),
    };
    let from_min = name.strip_prefix("RTMIN").and_then(|t| offset(t, '+'));
    let from_max = name.strip_prefix("RTMAX").and_then(|t| offset(t, '-'));
    let number = match (from_min, from_max) {
        (Some(n), _) => RTMIN.checked_add(n),
        (_, Some(n)) => RTMAX.checked_sub(n),
        _ => None,
    };
    number.filter(|n| (RTMIN..=RTMAX).contains(n)).ok_or_else(wrong)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
