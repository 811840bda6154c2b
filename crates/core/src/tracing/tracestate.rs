//! The header `tracestate` (W3C Trace Context, level 2): a list of what others know of the trace, each under a key of its own.
//!
//! It may come in several lines, which are one list. One member that is malformed, or one too many, and none of them is believed.

/// The name of the header.
pub const TRACESTATE: &str = "tracestate";

const MAX_MEMBERS: usize = 32;
const MAX_LENGTH: usize = 256;

/// All lines as one list; empty when nothing stands in them, `None` when it is malformed.
#[must_use]
pub fn combine(lines: &[&[u8]]) -> Option<String> {
    let members = lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).map(trim).filter(|member| !member.is_empty());
    let mut list: Vec<u8> = Vec::new();
    for (place, member) in members.enumerate() {
        if place >= MAX_MEMBERS || !is_member(member) {
            return None;
        }
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(member);
    }
    String::from_utf8(list).ok()
}

/// Without the optional white space around it (RFC 9110 section 5.6.3).
fn trim(member: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = member.iter().position(|byte| !is_white(byte)).unwrap_or(member.len());
    let end = member.iter().rposition(|byte| !is_white(byte)).map_or(start, |last| last.saturating_add(1));
    member.get(start..end).unwrap_or_default()
}

fn is_member(member: &[u8]) -> bool {
    let Some(sign) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = member.split_at(sign);
    is_key(key) && value.split_first().is_some_and(|(_, value)| is_value(value))
}

fn is_key(key: &[u8]) -> bool {
    let is_first = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let is_other = |byte: &u8| is_first(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= MAX_LENGTH && key.split_first().is_some_and(|(first, rest)| is_first(first) && rest.iter().all(is_other))
}

/// The white space at its end is trimmed already.
fn is_value(value: &[u8]) -> bool {
    let is_printed = |byte: &u8| matches!(byte, b' '..=b'+' | b'-'..=b'<' | b'>'..=b'~');
    !value.is_empty() && value.len() <= MAX_LENGTH && value.iter().all(is_printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_list_without_what_is_empty_and_without_white_space() {
        for (lines, expected) in [
            (&[][..], Some("")),
            (&[""], Some("")),
            (&[" ,\t, "], Some("")),
            (&["foo=1"], Some("foo=1")),
            (&["foo=1 , \tbar=2", "", "baz=a b"], Some("foo=1,bar=2,baz=a b")),
            (&["foo=1", "foo=2"], Some("foo=1,foo=2")),
            (&["a@b=!~"], Some("a@b=!~")),
            (&["foo"], None),
            (&["=1"], None),
            (&["foo="], None),
            (&["foo =1"], None),
            (&["foo=1=2"], None),
            (&["Foo=1"], None),
            (&["@foo=1"], None),
            (&["foo=\u{e4}"], None),
            (&["foo=1\t2"], None),
            (&["foo=1", "BAR=2"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(combine(&lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_list_ends_where_the_specification_ends_it() {
        let list = |members: usize| (0..members).map(|place| format!("k{place}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(combine(&[list(MAX_MEMBERS).as_bytes()]), Some(list(MAX_MEMBERS)));
        assert_eq!(combine(&[list(MAX_MEMBERS + 1).as_bytes()]), None);
        for (key, value, is_valid) in [(256, 256, true), (257, 1, false), (1, 257, false)] {
            let member = format!("{}={}", "k".repeat(key), "v".repeat(value));
            assert_eq!(combine(&[member.as_bytes()]).is_some(), is_valid, "{key} {value}");
        }
    }
}
