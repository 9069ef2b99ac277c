//! Amounts of cpu, memory and tasks as text.

/// `512 MiB`, `1.5 GiB`; exact where a whole number of a unit is.
pub(super) fn bytes(amount: i64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut whole, mut rest, mut unit) = (amount, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (whole, rest, unit) = (whole / 1024, whole % 1024, unit + 1);
    }
    match rest * 10 / 1024 {
        0 => format!("{whole} {}", UNITS[unit]),
        tenths => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

/// `0.25 CPUs` of thousandths.
pub(super) fn cpus(amount: i64) -> String {
    let text = format!("{}.{:03}", amount / 1000, amount % 1000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} CPU{}", if amount == 1000 { "" } else { "s" })
}

/// Of the resource with this index.
pub(super) fn of(kind: usize, amount: i64) -> String {
    match kind {
        0 => cpus(amount),
        1 => bytes(amount),
        _ => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!(bytes(512 << 20), "512 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(cpus(250), "0.25 CPUs");
        assert_eq!(cpus(1000), "1 CPU");
        assert_eq!(cpus(12000), "12 CPUs");
    }
}
