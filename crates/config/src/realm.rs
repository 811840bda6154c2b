//! The protection space that a challenge names (RFC 9110 section 11.5).

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// A realm: visible ASCII and spaces, without `"` and `\`, so that it can be quoted as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(String);

impl Realm {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Realm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.is_empty() {
            Err(D::Error::custom("is empty; leave it out if there is no realm"))
        } else if text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(D::Error::custom("holds a character that a challenge cannot quote; use visible ASCII without `\"` and `\\`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        realm: Realm,
    }

    #[test]
    fn takes_only_what_a_challenge_can_quote() {
        let read = |realm: &str| {
            let document = serde_json::json!({"realm": realm}).to_string();
            crate::document::parse::<Holder>(document.as_bytes())
                .map(|holder| holder.realm.as_str().to_owned())
                .map_err(|error| error.to_string())
        };
        for realm in ["orders", "Orders and more!", "~"] {
            assert_eq!(read(realm).as_deref(), Ok(realm));
        }
        let unfit = "realm: holds a character that a challenge cannot quote; use visible ASCII without `\"` and `\\`";
        for realm in ["a\"b", "a\\b", "a\r\nb", "\u{e9}", "a\tb", "\u{7f}"] {
            assert_eq!(read(realm), Err(unfit.to_owned()), "{realm:?}");
        }
        assert_eq!(read(""), Err("realm: is empty; leave it out if there is no realm".to_owned()));
    }
}
