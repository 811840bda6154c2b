//! The text of a claim in a header.
//!
//! | claim | csv | json | repeat |
//! |---|---|---|---|
//! | text, number, boolean | as it is | JSON | as it is |
//! | list | its elements, joined by commas | JSON | one header each |
//! | object | JSON | JSON | JSON |
//! | absent, null, empty text | no header | no header | no header |
//!
//! An element that is itself a list or an object is written as JSON; an element that is null or empty is left out. What a header
//! cannot hold is written as [`Escaper`] says.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::escaper::{Escaper, Unfit, whole};
use crate::claim_set::Claim;
use crate::config::auth_header::{Format, ValueEncoding};

/// The most bytes that a header's values may have after encoding, all copies and the commas between them together.
pub const MAX_VALUE_BYTES: usize = 8 * 1024;
/// The most copies of a header that a list may become.
pub const MAX_COPIES: usize = 100;

/// The values of a header; hardly ever more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values<'a> {
    /// One.
    One(Cow<'a, str>),
    /// Any number of them.
    Many(Vec<Cow<'a, str>>),
}

impl Values<'_> {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Many(values) if values.is_empty())
    }

    /// The same values, of their own.
    #[must_use]
    pub fn into_owned(self) -> Values<'static> {
        let own = |value: Cow<'_, str>| Cow::Owned(value.into_owned());
        match self {
            Self::One(value) => Values::One(own(value)),
            Self::Many(values) => Values::Many(values.into_iter().map(own).collect()),
        }
    }
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

/// How a value becomes text, and how long that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendering {
    /// What becomes of lists and objects.
    pub format: Format,
    /// What becomes of bytes that a header cannot hold.
    pub encoding: ValueEncoding,
    /// The most bytes of all values together; at most [`MAX_VALUE_BYTES`].
    pub max_bytes: usize,
}

impl Rendering {
    /// In a format, with everything else as it is by default.
    #[must_use]
    pub const fn of(format: Format) -> Self {
        Self { format, encoding: ValueEncoding::Percent, max_bytes: MAX_VALUE_BYTES }
    }

    /// The values of the header that carries a claim; none when the header is to be left out.
    ///
    /// # Errors
    /// [`Unfit::TooLarge`] when the values are longer than the limit, or more than [`MAX_COPIES`]; [`Unfit::NotPlain`] when they
    /// would have to be encoded and may not be.
    pub fn render<'a>(&self, claim: Claim<'a>) -> Result<Values<'a>, Unfit> {
        let texts = |texts: &'a [String]| texts.iter().map(|text| Cow::Borrowed(text.as_str()));
        match (claim, self.format) {
            (Claim::Text(""), _) | (Claim::Value(Value::Null), _) => Ok(Values::default()),
            (Claim::Text(text), Format::Csv | Format::Repeat) => self.one(Cow::Borrowed(text)),
            (Claim::Texts(list), Format::Csv) => self.join(texts(list)),
            (Claim::Value(Value::Array(elements)), Format::Csv) => self.join(elements.iter().map(text)),
            (Claim::Texts(list), Format::Repeat) => self.many(texts(list)),
            (Claim::Value(Value::Array(elements)), Format::Repeat) => self.many(elements.iter().map(text)),
            (_, Format::Json) | (Claim::Value(_), _) => self.one(json(&claim)),
        }
    }

    /// The header's one value.
    fn one<'a>(&self, text: Cow<'a, str>) -> Result<Values<'a>, Unfit> {
        let value = self.encode(text)?;
        if value.is_empty() {
            return Ok(Values::default());
        }
        self.check(value.len(), 1)?;
        Ok(Values::One(value))
    }

    fn join<'a, 'b>(&self, elements: impl Iterator<Item = Cow<'a, str>>) -> Result<Values<'b>, Unfit> {
        self.finished(join(elements, self.encoding)?)
    }

    fn many<'a>(&self, elements: impl Iterator<Item = Cow<'a, str>>) -> Result<Values<'a>, Unfit> {
        let filled = elements.filter(|element| !element.is_empty());
        let values: Vec<_> = filled.map(|element| self.encode(element)).collect::<Result<_, _>>()?;
        let bytes = values.iter().fold(0, |sum: usize, value| sum.saturating_add(value.len()).saturating_add(1));
        self.check(bytes.saturating_sub(1), values.len())?;
        Ok(Values::Many(values))
    }

    /// The header's one value, made of a text in which everything is escaped already.
    pub(super) fn finished<'b>(&self, escaped: String) -> Result<Values<'b>, Unfit> {
        if escaped.is_empty() {
            return Ok(Values::default());
        }
        let value = whole(self.encoding, Cow::Owned(escaped));
        self.check(value.len(), 1)?;
        Ok(Values::One(value))
    }

    /// The text by itself; not copied where it may stand as it is.
    fn encode<'a>(&self, text: Cow<'a, str>) -> Result<Cow<'a, str>, Unfit> {
        let escaper = Escaper { encoding: self.encoding, separators: b"" };
        if escaper.is_plain(&text) {
            return Ok(whole(self.encoding, text));
        }
        let mut escaped = String::new();
        escaper.push(&mut escaped, &text)?;
        Ok(whole(self.encoding, Cow::Owned(escaped)))
    }

    const fn check(&self, bytes: usize, copies: usize) -> Result<(), Unfit> {
        if bytes > self.max_bytes || copies > MAX_COPIES { Err(Unfit::TooLarge) } else { Ok(()) }
    }
}

/// A claim as one text that no header has to hold. Of a list, an element's commas are percent-encoded.
pub(super) fn plain_text(claim: Claim<'_>) -> Cow<'_, str> {
    // With this encoding, whatever has to be is encoded later: nothing here can be refused.
    let list = |elements: &mut dyn Iterator<Item = Cow<'_, str>>| join(elements, ValueEncoding::Base64).unwrap_or_default();
    match claim {
        Claim::Text(text) => Cow::Borrowed(text),
        Claim::Texts(texts) => Cow::Owned(list(&mut texts.iter().map(|text| Cow::Borrowed(text.as_str())))),
        Claim::Value(Value::Array(elements)) => Cow::Owned(list(&mut elements.iter().map(text))),
        Claim::Value(value) => text(value),
    }
}

fn join<'a>(elements: impl Iterator<Item = Cow<'a, str>>, encoding: ValueEncoding) -> Result<String, Unfit> {
    let escaper = Escaper { encoding, separators: b"," };
    let mut list = String::new();
    for element in elements.filter(|element| !element.is_empty()) {
        if !list.is_empty() {
            list.push(',');
        }
        escaper.push(&mut list, &element)?;
    }
    Ok(list)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(claim: &Value, format: Format) -> Result<Vec<String>, Unfit> {
        Rendering::of(format).render(claim.into()).map(|values| values.into_iter().map(Cow::into_owned).collect())
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
