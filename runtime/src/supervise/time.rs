//! Clock readings as text. Pure: the caller reads the clock.

use std::time::Duration;

/// RFC 3339 in UTC with nine digits, such as `2025-11-20T19:30:34.000000123Z`, from the time since
/// the epoch.
pub(super) fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let nanos = since_epoch.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// Year, month (1-12) and day (1-31) of the Gregorian calendar, from days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year; 146,097 days are the
    // 400 years after which the calendar repeats.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on the months have 31, 30, 31, 30, 31 days, again and again: 153 in five.
    let months_after_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_after_march + 2) / 5 + 1;
    let month =
        if months_after_march < 10 { months_after_march + 3 } else { months_after_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_are_written_as_in_the_rfc() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (951_868_799, 999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.000000000Z"),
            (1_763_667_034, 123, "2025-11-20T19:30:34.000000123Z"),
            (1_767_225_599, 0, "2025-12-31T23:59:59.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
        ];
        for (seconds, nanos, text) in cases {
            assert_eq!(rfc3339(Duration::new(seconds, nanos)), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut last = (1970, 1, 1);
        for day in 1..146_097 {
            let (year, month, date) = civil(day);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let (before_year, before_month, before_date) = last;
            if date == 1 {
                let length = match before_month {
                    2 if before_year % 4 == 0
                        && (before_year % 100 != 0 || before_year % 400 == 0) =>
                    {
                        29
                    }
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                assert_eq!(before_date, length, "{last:?}");
                assert_eq!(
                    (year, month),
                    if before_month == 12 {
                        (before_year + 1, 1)
                    } else {
                        (before_year, before_month + 1)
                    }
                );
            } else {
                assert_eq!((year, month, date), (before_year, before_month, before_date + 1));
                assert!(leap || month != 2 || date < 29);
            }
            last = (year, month, date);
        }
    }
}
