//! Points in time as people write and read them.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use portcullis_core::time::UnixTime;

/// What `--at` accepts.
pub const AT_FORMS: &str = "RFC 3339 (2026-11-25T20:00:00Z), seconds since 1970, or a distance from now (-10m, +2h)";

/// The time on this machine's clock.
#[allow(clippy::disallowed_methods, reason = "the command line stands where the host does: it gives the decisions their time")]
pub fn now() -> UnixTime {
    UnixTime::from_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// The point that the text of `--at` names.
///
/// # Errors
/// What would be right.
pub fn parse(text: &str) -> Result<UnixTime, String> {
    let wrong = || format!("is not a time; write {AT_FORMS}");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(UnixTime::from_secs).map_err(|_| wrong());
    }
    if let Some(distance) = text.strip_prefix('+') {
        return Ok(now().saturating_add(duration(distance).ok_or_else(wrong)?));
    }
    if let Some(distance) = text.strip_prefix('-') {
        return Ok(now().saturating_sub(duration(distance).ok_or_else(wrong)?));
    }
    let timestamp: Timestamp = text.parse().map_err(|_| wrong())?;
    Duration::try_from(timestamp.duration_since(Timestamp::UNIX_EPOCH)).map(UnixTime::from_epoch).map_err(|_| wrong())
}

fn duration(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>().ok().and_then(|distance| Duration::try_from(distance).ok())
}

/// The point in UTC, to the second: `2026-11-25T20:00:00Z`.
pub fn utc(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.map_or_else(|| "the end of the year 9999 or later".to_owned(), |timestamp| timestamp.to_string())
}

/// How far a point is from now: `3 minutes ago`, `in 2 hours`.
pub fn distance(time: UnixTime, now: UnixTime) -> String {
    if time > now {
        format!("in {}", length(time.since(now)))
    } else {
        match now.since(time) {
            elapsed if elapsed.as_secs() == 0 => "now".to_owned(),
            elapsed => format!("{} ago", length(elapsed)),
        }
    }
}

/// A length of time in its largest unit that says enough.
pub fn length(duration: Duration) -> String {
    const UNITS: [(u64, u64, &str); 4] =
        [(2 * 365 * 86_400, 365 * 86_400, "year"), (2 * 86_400, 86_400, "day"), (2 * 3600, 3600, "hour"), (2 * 60, 60, "minute")];
    let seconds = duration.as_secs();
    let unit = UNITS.iter().find(|(least, _, _)| seconds >= *least);
    let (count, name) = unit.map_or((seconds, "second"), |(_, unit, name)| (seconds / unit, *name));
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_time() {
        for (text, expected) in [
            ("1700000000", Some(1_700_000_000)),
            ("0", Some(0)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000)),
            ("2023-11-14T23:13:20+01:00", Some(1_700_000_000)),
            ("yesterday", None),
            ("1969-12-31T00:00:00Z", None),
            ("2023-11-14", None),
            ("99999999999999999999", None),
            ("+x", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok().map(UnixTime::as_secs), expected, "{text}");
        }
        let (earlier, later) = (parse("-10m").unwrap(), parse("+2h").unwrap());
        assert!(later.since(earlier) >= Duration::from_secs(7800));
    }

    #[test]
    fn tells_distances_in_words() {
        let now = UnixTime::from_secs(1_700_000_000);
        for (seconds, expected) in [
            (-200_000_000_i64, "6 years ago"),
            (-172_800, "2 days ago"),
            (-100_000, "27 hours ago"),
            (-180, "3 minutes ago"),
            (-90, "90 seconds ago"),
            (-1, "1 second ago"),
            (0, "now"),
            (119, "in 119 seconds"),
            (7200, "in 2 hours"),
        ] {
            let time = UnixTime::from_secs(1_700_000_000_u64.saturating_add_signed(seconds));
            assert_eq!(distance(time, now), expected);
        }
    }

    #[test]
    fn writes_utc_and_survives_the_end_of_time() {
        assert_eq!(utc(UnixTime::from_secs(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(utc(UnixTime::from_secs(253_402_300_799)), "the end of the year 9999 or later");
        assert_eq!(utc(UnixTime::from_epoch(Duration::MAX)), "the end of the year 9999 or later");
    }
}
