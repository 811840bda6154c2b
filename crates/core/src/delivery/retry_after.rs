//! `Retry-After`: when a server wants to be asked again (RFC 9110 section 10.2.3).

use std::time::Duration;

use crate::headers::Headers;
use crate::time::UnixTime;

/// How long after now a server wants to be asked again: a number of seconds, or a date in the form that RFC 9110 wants senders to use.
/// `None` when it does not say, or not in a way that can be read.
#[must_use]
pub fn retry_after(headers: &Headers, now: UnixTime) -> Option<Duration> {
    let text = std::str::from_utf8(headers.single("retry-after").ok()??).ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // An empty text is no number; one that is too great stands for a very long time.
        return (!text.is_empty()).then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))));
    }
    Some(date(text)?.since(now))
}

/// The time of a date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
fn date(text: &str) -> Option<UnixTime> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<_> = rest.split(' ').collect();
    let [day, month, year, clock, "GMT"] = parts.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)?;
    let (year, day) = (number(year, 4)?, number(day, 2)?);
    let clock: Vec<_> = clock.split(':').map(|part| number(part, 2)).collect::<Option<_>>()?;
    let [hour, minute, second] = *clock.as_slice() else { return None };
    if year < 1970 || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_before_year(year).checked_sub(days_before_year(1970))?;
    let days = days.checked_add(days_before_month(month, is_leap(year)))?.checked_add(day.checked_sub(1)?)?;
    let seconds = days.checked_mul(86_400)?.checked_add(hour.checked_mul(3600)?)?;
    Some(UnixTime::from_secs(seconds.checked_add(minute.checked_mul(60)?)?.checked_add(second)?))
}

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The days from the beginning of year 1 to that of another year.
const fn days_before_year(year: u64) -> u64 {
    let years = year.saturating_sub(1);
    let leap_days = (years / 4).saturating_sub(years / 100).saturating_add(years / 400);
    years.saturating_mul(365).saturating_add(leap_days)
}

fn days_before_month(month: usize, is_leap: bool) -> u64 {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days: u64 = DAYS.iter().take(month).sum();
    days.saturating_add(u64::from(is_leap && month > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds_and_dates() {
        let now = UnixTime::from_secs(784_111_777);
        for (text, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(86_400)),
            ("Thu, 29 Feb 1996 08:49:37 GMT", Some(480 * 86_400)),
            ("Fri, 01 Mar 1996 08:49:37 GMT", Some(481 * 86_400)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 8:49:37 GMT", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 9999999999999999999 08:49:37 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            let headers = Headers::from_pairs([("retry-after", text)]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&Headers::from_pairs([("x", "1")]), now), None);
        let twice = Headers::from_pairs([("retry-after", "1"), ("retry-after", "2")]);
        assert_eq!(retry_after(&twice, now), None);
    }
}
