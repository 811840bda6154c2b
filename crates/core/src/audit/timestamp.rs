//! A point in time as RFC 3339 text, in UTC with milliseconds: `2024-02-29T12:34:56.789Z`.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::time::UnixTime;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;
const DAYS_FROM_MARCH_0000_TO_1970: u64 = 719_468;
const DAYS_IN_400_YEARS: u64 = 146_097;

/// A point in time as text; what lies after the year 9999 is written as the end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub UnixTime);

impl Timestamp {
    /// Its text, which is always so long.
    #[must_use]
    pub fn text(self) -> [u8; 24] {
        let since_epoch = self.0.since_epoch().min(Duration::new(LAST_SECOND, 999_999_999));
        let seconds = since_epoch.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = u64::from(since_epoch.subsec_millis());
        let ([y1, y2, y3, y4], [_, _, mo1, mo2], [_, _, d1, d2]) = (digits(year), digits(month), digits(day));
        let ([_, _, h1, h2], [_, _, mi1, mi2], [_, _, s1, s2]) = (digits(hour), digits(minute), digits(second));
        let [_, f1, f2, f3] = digits(millis);
        [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'.', f1, f2, f3, b'Z']
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// The last four digits of a number.
fn digits(number: u64) -> [u8; 4] {
    [1000, 100, 10, 1].map(|place: u64| {
        b'0'.saturating_add(u8::try_from(number.checked_div(place).unwrap_or_default() % 10).unwrap_or_default())
    })
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The year, month and day of a day since 1970-01-01, in the Gregorian calendar.
///
/// Years are taken to begin in March, so that the leap day is their last (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
const fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch.saturating_add(DAYS_FROM_MARCH_0000_TO_1970);
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let leap_days = (day / 1460).saturating_add(day / 146_096).saturating_sub(day / 36_524);
    let year = day.saturating_sub(leap_days) / 365;
    let days_before_year = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day_of_year = day.saturating_sub(days_before_year);
    // Months since March have 31, 30, 31, 30, 31 days, again and again: 153 in five.
    let months_since_march = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let days_before_month = months_since_march.saturating_mul(153).saturating_add(2) / 5;
    let day_of_month = day_of_year.saturating_sub(days_before_month).saturating_add(1);
    let (month, next_year) = if months_since_march < 10 {
        (months_since_march.saturating_add(3), 0)
    } else {
        (months_since_march.saturating_sub(9), 1)
    };
    (era.saturating_mul(400).saturating_add(year).saturating_add(next_year), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_rfc_3339() {
        let cases = [
            (UnixTime::from_secs(0), "1970-01-01T00:00:00.000Z"),
            (UnixTime::from_nanos(1_709_210_096_789_999_999), "2024-02-29T12:34:56.789Z"),
            (UnixTime::from_secs(951_782_400), "2000-02-29T00:00:00.000Z"),
            (UnixTime::from_secs(4_107_542_399), "2100-02-28T23:59:59.000Z"),
            (UnixTime::from_secs(4_107_542_400), "2100-03-01T00:00:00.000Z"),
            (UnixTime::from_nanos(u64::MAX), "2554-07-21T23:34:33.709Z"),
            (UnixTime::from_secs(LAST_SECOND), "9999-12-31T23:59:59.000Z"),
            (UnixTime::from_secs(u64::MAX), "9999-12-31T23:59:59.999Z"),
        ];
        for (time, expected) in cases {
            assert_eq!(Timestamp(time).to_string(), expected);
        }
    }

    #[test]
    fn agrees_with_a_calendar_turned_day_by_day() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(date(days), (year, month, day), "day {days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }
}
