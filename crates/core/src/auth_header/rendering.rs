//! The text of a claim in a header.
//!
//! | claim | csv | json | repeat |
//! |---|---|---|---|
//! | text, number, boolean | as it is | JSON | as it is |
//! | list | its elements, joined by commas | JSON | one header each |
//! | object | JSON | JSON | JSON |
//! | absent, null, empty text | no header | no header | no header |
//!
//! An element that is itself a list or an object is written as JSON; an element that is null or empty is left out.
//!
//! Every byte outside 0x20..=0x7e, `%`, in an element of a csv list `,`, and a space at either end is percent-encoded from
//! UTF-8 (RFC 3986 section 2.1). So no claim can end a header line, and two different claims never look alike to a service
//! that trims (RFC 9110 section 5.5) or splits.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::claim_set::Claim;
use crate::config::auth_header::Format;

/// The most bytes that a header's values may have after encoding, all copies and the commas between them together.
pub const MAX_VALUE_BYTES: usize = 8 * 1024;
/// The most copies of a header that a list may become.
pub const MAX_COPIES: usize = 100;

/// The claim is too long for a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim is too long for a header")]
pub struct TooLarge;

/// The values of a header; hardly ever more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values<'a> {
    /// One.
    One(Cow<'a, str>),
    /// Any number of them.
    Many(Vec<Cow<'a, str>>),
}

impl Default for Values<'_> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<'a> IntoIterator for Values<'a> {
    type Item = Cow<'a, str>;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Cow<'a, str>>, std::vec::IntoIter<Cow<'a, str>>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::One(value) => (Some(value), Vec::new()),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many)
    }
}

/// The values of the header that carries a claim; none when the header is to be left out.
///
/// # Errors
/// [`TooLarge`] when the values are longer than [`MAX_VALUE_BYTES`], or more than [`MAX_COPIES`].
pub fn render(claim: Claim<'_>, format: Format) -> Result<Values<'_>, TooLarge> {
    let values = match (claim, format) {
        (Claim::Text(""), _) | (Claim::Value(Value::Null), _) => Values::default(),
        (Claim::Text(text), Format::Csv | Format::Repeat) => Values::One(encode(Cow::Borrowed(text))),
        (Claim::Texts(texts), Format::Csv) => Values::One(join(texts.iter().map(|text| Cow::Borrowed(text.as_str())))),
        (Claim::Value(Value::Array(elements)), Format::Csv) => Values::One(join(elements.iter().map(text))),
        (Claim::Texts(texts), Format::Repeat) => {
            Values::Many(texts.iter().map(|text| encode(Cow::Borrowed(text.as_str()))).collect())
        }
        (Claim::Value(Value::Array(elements)), Format::Repeat) => {
            Values::Many(elements.iter().map(|element| encode(text(element))).collect())
        }
        (_, Format::Json) | (Claim::Value(_), _) => Values::One(encode(json(&claim))),
    };
    within_limits(values)
}

fn within_limits(values: Values<'_>) -> Result<Values<'_>, TooLarge> {
    let (bytes, copies) = match &values {
        Values::One(value) if value.is_empty() => return Ok(Values::default()),
        Values::One(value) => (value.len(), 1),
        Values::Many(values) => {
            let filled = values.iter().filter(|value| !value.is_empty());
            (
                filled.clone().fold(0, |sum: usize, value| sum.saturating_add(value.len()).saturating_add(1)).saturating_sub(1),
                filled.count(),
            )
        }
    };
    if bytes > MAX_VALUE_BYTES || copies > MAX_COPIES {
        return Err(TooLarge);
    }
    Ok(match values {
        Values::Many(mut values) => {
            values.retain(|value| !value.is_empty());
            Values::Many(values)
        }
        one => one,
    })
}

/// Not by `Display`, which brings two more writers of JSON into the module.
fn json<'a>(value: &impl Serialize) -> Cow<'a, str> {
    serde_json::to_string(value).map_or_else(|_| Cow::Borrowed(""), Cow::Owned)
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        value => json(value),
    }
}

fn join<'a, 'b>(elements: impl Iterator<Item = Cow<'a, str>>) -> Cow<'b, str> {
    let mut list = String::new();
    for element in elements.filter(|element| !element.is_empty()) {
        if !list.is_empty() {
            list.push(',');
        }
        push_encoded(&mut list, &element, true);
    }
    Cow::Owned(list)
}

/// The text by itself; not copied where it may stand as it is.
fn encode(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_plain(&text, false) {
        return text;
    }
    let mut encoded = String::new();
    push_encoded(&mut encoded, &text, false);
    Cow::Owned(encoded)
}

fn is_plain(text: &str, in_list: bool) -> bool {
    let outer_space = text.starts_with(' ') || text.ends_with(' ');
    !outer_space && text.bytes().all(|byte| is_plain_byte(byte, in_list))
}

/// Whether a byte may stand as it is, but for a space at either end.
const fn is_plain_byte(byte: u8, in_list: bool) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'%' && (byte != b',' || !in_list)
}

fn push_encoded(encoded: &mut String, text: &str, in_list: bool) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    encoded.reserve(text.len());
    if is_plain(text, in_list) {
        encoded.push_str(text);
        return;
    }
    let last = text.len().saturating_sub(1);
    for (place, byte) in text.bytes().enumerate() {
        if is_plain_byte(byte, in_list) && (byte != b' ' || (place != 0 && place != last)) {
            encoded.push(char::from(byte));
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied();
            encoded.push('%');
            encoded.extend(digit(byte >> 4));
            encoded.extend(digit(byte & 0x0f));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(claim: &Value, format: Format) -> Result<Vec<String>, TooLarge> {
        render(claim.into(), format).map(|values| values.into_iter().map(Cow::into_owned).collect())
    }

    #[test]
    fn renders_each_kind_of_claim() {
        use Format::{Csv, Json, Repeat};
        let cases: &[(&str, Value, Format, &[&str])] = &[
            ("text", json!("alice"), Csv, &["alice"]),
            ("number", json!(42), Csv, &["42"]),
            ("fraction", json!(1.5), Csv, &["1.5"]),
            ("boolean", json!(true), Repeat, &["true"]),
            ("text as JSON", json!("[\"a\"]"), Json, &[r#""[\"a\"]""#]),
            ("number as JSON", json!(42), Json, &["42"]),
            ("null", json!(null), Csv, &[]),
            ("null as JSON", json!(null), Json, &[]),
            ("empty text", json!(""), Csv, &[]),
            ("empty text as JSON", json!(""), Json, &[]),
            ("list", json!(["ADMIN", "USER"]), Csv, &["ADMIN,USER"]),
            ("list as JSON", json!(["ADMIN", "USER"]), Json, &[r#"["ADMIN","USER"]"#]),
            ("list repeated", json!(["ADMIN", "USER"]), Repeat, &["ADMIN", "USER"]),
            ("empty list", json!([]), Csv, &[]),
            ("empty list as JSON", json!([]), Json, &["[]"]),
            ("empty list repeated", json!([]), Repeat, &[]),
            ("list with empty elements", json!(["", null, "a", 7]), Csv, &["a,7"]),
            ("list with empty elements repeated", json!(["", null, "a", false]), Repeat, &["a", "false"]),
            ("list in a list", json!(["a", ["b", "c"]]), Csv, &[r#"a,["b"%2C"c"]"#]),
            ("object", json!({"a": 1, "b": 2}), Csv, &[r#"{"a":1,"b":2}"#]),
            ("object repeated", json!({"a": 1}), Repeat, &[r#"{"a":1}"#]),
        ];
        for (case, claim, format, expected) in cases {
            assert_eq!(rendered(claim, *format).unwrap(), *expected, "{case}");
        }
    }

    #[test]
    fn encodes_claim_with_cr_lf_nul_and_non_ascii() {
        let cases: &[(&str, Value, Format, &str)] = &[
            ("CR LF", json!("a\r\nx-admin: 1"), Format::Csv, "a%0D%0Ax-admin: 1"),
            ("NUL and DEL", json!("a\0b\x7f"), Format::Csv, "a%00b%7F"),
            ("UTF-8", json!("José 日"), Format::Csv, "Jos%C3%A9 %E6%97%A5"),
            ("percent", json!("100%0A"), Format::Csv, "100%250A"),
            ("comma outside a list", json!("Doe, Jane"), Format::Csv, "Doe, Jane"),
            ("comma in a list", json!(["a,ADMIN", "b"]), Format::Csv, "a%2CADMIN,b"),
            ("comma in a repeated list", json!(["Doe, Jane"]), Format::Repeat, "Doe, Jane"),
            ("spaces at the ends", json!(" admin "), Format::Csv, "%20admin%20"),
            ("a space before it", json!(" admin"), Format::Csv, "%20admin"),
            ("a space behind it", json!("admin "), Format::Csv, "admin%20"),
            ("one space", json!(" "), Format::Csv, "%20"),
            ("spaces at the ends of an element", json!(["a", " b "]), Format::Csv, "a,%20b%20"),
            ("control in JSON", json!({"a": "\r\né"}), Format::Json, r#"{"a":"\r\n%C3%A9"}"#),
        ];
        for (case, claim, format, expected) in cases {
            assert_eq!(rendered(claim, *format).unwrap(), [*expected], "{case}");
        }
    }

    #[test]
    fn refuses_claim_that_is_too_large() {
        let cases = [
            ("at the limit", json!("a".repeat(MAX_VALUE_BYTES)), Format::Csv, true),
            ("over the limit", json!("a".repeat(MAX_VALUE_BYTES + 1)), Format::Csv, false),
            ("over the limit by encoding", json!("é".repeat(MAX_VALUE_BYTES / 6 + 1)), Format::Csv, false),
            ("a megabyte", json!("\n".repeat(1 << 20)), Format::Csv, false),
            ("a long list", json!(vec!["aaaaaaa"; MAX_VALUE_BYTES / 8]), Format::Csv, true),
            ("a longer list", json!(vec!["aaaaaaaa"; MAX_VALUE_BYTES / 8]), Format::Csv, false),
            ("long copies", json!(vec!["a".repeat(1000); 9]), Format::Repeat, false),
            ("many copies", json!(vec!["a"; MAX_COPIES]), Format::Repeat, true),
            ("too many copies", json!(vec!["a"; MAX_COPIES + 1]), Format::Repeat, false),
        ];
        for (case, claim, format, fits) in cases {
            assert_eq!(rendered(&claim, format).is_ok(), fits, "{case}");
        }
    }
}
