//! Words for times, sizes and errors.

use fleetd_api::StepTime;
use std::io;
use std::time::Duration;

/// The cause of an error as one short phrase, without "(os error 2)".
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// A text from outside that cannot move the cursor or change colours: control characters other
/// than the tab are shown as U+FFFD.
pub(crate) fn plain(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// An id as tables show it: its first 8 characters.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// `0.4 ms`, `21 ms`, `1.25 s`, `2 min 3 s`.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{:.2} s", micros as f64 / 1e6),
        _ => format!("{} min {} s", micros / 60_000_000, micros / 1_000_000 % 60),
    }
}

pub(crate) fn elapsed(time: Duration) -> String {
    duration(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// `512 B`, `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = units[0];
    for larger in &units[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// [`time`] of seconds since the epoch.
pub(crate) fn seconds(time: u64) -> String {
    self::time(time.saturating_mul(1_000_000))
}

/// `2025-11-20 19:22:06 UTC` of microseconds since the epoch.
pub(crate) fn time(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(|m| jiff::Timestamp::from_microsecond(m).ok());
    time.map_or_else(|| "-".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The same with milliseconds: `2025-11-20 19:22:06.123 UTC`.
pub(crate) fn time_to_the_millisecond(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(|m| jiff::Timestamp::from_microsecond(m).ok());
    time.map_or_else(|| "-".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S.%3f UTC").to_string())
}

/// Seconds of `30m`, `1h`, `7d`, `90s` or `90`: more than none.
pub(crate) fn parse_seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("it takes a time such as 30m, 1h or 7d, or seconds".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(0) => Err("it takes more than no time".to_owned()),
        Some(seconds) => Ok(seconds),
        None if number.is_empty() => Err("it takes a time such as 30m, 1h or 7d".to_owned()),
        None => Err("it is too long".to_owned()),
    }
}

/// `3 min ago`, by the largest unit.
pub(crate) fn ago(since: u64, now: u64) -> String {
    let seconds = now.saturating_sub(since) / 1_000_000;
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{count} {unit} ago")
}

/// Microseconds since the epoch.
pub(crate) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}

/// `image 0.4 ms, create 3.9 ms`: the steps themselves, not what they consist of.
pub(crate) fn split(steps: &[StepTime]) -> String {
    list(steps.iter().filter(|step| !step.step.contains('/')))
}

/// The same with the parts of each step, which are named `create/clone`, behind it:
/// `create 3.9 ms (clone 0.2 ms, exec 1.5 ms)`.
pub(crate) fn split_in_full(steps: &[StepTime]) -> String {
    let whole = |step: &StepTime| {
        let parts = steps.iter().filter_map(|part| {
            let name = part.step.strip_prefix(&step.step)?.strip_prefix('/')?;
            Some(StepTime { step: name.to_owned(), micros: part.micros })
        });
        let parts: Vec<StepTime> = parts.collect();
        let whole = list(std::iter::once(step));
        if parts.is_empty() { whole } else { format!("{whole} ({})", list(parts.iter())) }
    };
    let steps = steps.iter().filter(|step| !step.step.contains('/'));
    steps.map(whole).collect::<Vec<_>>().join(", ")
}

/// What the steps took together.
pub(crate) fn total(steps: &[StepTime]) -> u64 {
    steps.iter().filter(|step| !step.step.contains('/')).map(|step| step.micros).sum()
}

fn list<'s>(steps: impl Iterator<Item = &'s StepTime>) -> String {
    let step = |s: &StepTime| format!("{} {}", plain(&s.step), duration(s.micros));
    steps.map(step).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(duration(400), "0.4 ms");
        assert_eq!(duration(21_499), "21 ms");
        assert_eq!(duration(1_250_000), "1.25 s");
        assert_eq!(duration(123_000_000), "2 min 3 s");
        assert_eq!((size(512), size(1_572_864)), ("512 B".to_owned(), "1.5 MiB".to_owned()));
        assert_eq!(time(1_763_666_526_000_000), "2025-11-20 19:22:06 UTC");
        assert_eq!(ago(0, 7_300_000_000), "2 h ago");
    }

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        for (text, seconds) in [("30m", 1_800), ("1h", 3_600), ("7d", 604_800), ("90", 90)] {
            assert_eq!(parse_seconds(text), Ok(seconds));
        }
        for (text, word) in [
            ("", "such as"),
            ("h", "such as"),
            ("1w", "such as"),
            ("-1h", "such as"),
            ("1h30m", "such as"),
            ("1.5h", "such as"),
            ("0d", "no time"),
            ("99999999999999999999", "too long"),
            ("999999999999999999d", "too long"),
        ] {
            let error = parse_seconds(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn parts_of_a_step_stand_behind_it_and_count_once() {
        let step = |step: &str, micros| StepTime { step: step.to_owned(), micros };
        let steps = [
            step("image", 400),
            step("create/clone", 200),
            step("create/exec", 1_500),
            step("create", 3_900),
        ];
        assert_eq!(split(&steps), "image 0.4 ms, create 3.9 ms");
        let full = "image 0.4 ms, create 3.9 ms (clone 0.2 ms, exec 1.5 ms)";
        assert_eq!((split_in_full(&steps).as_str(), total(&steps)), (full, 4_300));
    }

    #[test]
    fn a_text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\r\nc"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
    }

    #[test]
    fn an_errors_cause_is_one_lower_case_phrase() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(cause(&error), "no such file or directory");
    }
}
