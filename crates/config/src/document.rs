//! From the bytes of a configuration to its types, with errors that name the place.
//!
//! A document is JSON text, or a protobuf `Struct` where the proxy hands that over as it is.
//!
//! In this order it refuses: no bytes at all, bytes that are not UTF-8, text that is not JSON, JSON that is not an object;
//! then, while the types are filled, a key given twice, an unknown key, a missing key, `null`, and a value of another kind than
//! wanted. No error repeats a value of the document, because it may be a secret; keys are named.

mod canonical;
mod deserializer;
mod misfit;
mod node;
mod protobuf;
mod words;

use serde::de::DeserializeOwned;

pub use self::canonical::canonical;
use self::deserializer::NodeDeserializer;
use self::node::Node;
pub use self::words::key_in_path;
use crate::ConfigError;
use crate::audit_log::AuditLogConfig;
use crate::auth_header::AuthHeaderConfig;
use crate::bundle::BundleConfig;
use crate::jwt_auth::JwtAuthConfig;
use crate::matching::MatchConfig;
use crate::metrics::MetricsConfig;
use crate::require::RequireConfig;

/// Gives types a function that reads a document of theirs. Not one for all types: that would be compiled where it is called.
macro_rules! documents {
    ($($document:ty),+ $(,)?) => {
        $(impl $document {
            /// Read a document that holds this and nothing else.
            ///
            /// # Errors
            /// A [`ConfigError`] with the path of the first thing that is wrong.
            pub fn parse(document: &[u8]) -> Result<Self, ConfigError> {
                parse(document)
            }
        })+
    };
}

documents!(JwtAuthConfig, AuthHeaderConfig, AuditLogConfig, MetricsConfig, BundleConfig, MatchConfig, RequireConfig);

pub(crate) fn parse<T: DeserializeOwned>(document: &[u8]) -> Result<T, ConfigError> {
    let node = match json(document) {
        Ok(node) => node,
        Err(error) => protobuf::read(document).ok_or(error)?,
    };
    if !matches!(node, Node::Object(_)) {
        return Err(ConfigError::new("", format!("the configuration must be a JSON object, not {}", node.kind())));
    }
    Ok(T::deserialize(NodeDeserializer::new(node))?)
}

fn json(document: &[u8]) -> Result<Node, ConfigError> {
    let text = std::str::from_utf8(document).map_err(|error| {
        ConfigError::new("", format!("the configuration is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })?;
    if text.trim().is_empty() {
        return Err(ConfigError::new("", "the configuration is empty").hint("give the plugin its configuration as a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| {
        let problem = ConfigError::new("", format!("the configuration is not JSON: {error}"));
        if text.trim_start().starts_with('{') {
            problem
        } else {
            problem.hint("it must be a JSON object; YAML is taken where the proxy turns it into one (a Struct, pluginConfig)")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Green,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Leaf {
        #[serde(alias = "leaf_name")]
        leaf_name: String,
        count: Option<u32>,
        colour: Option<Colour>,
        on: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Tree {
        leaves: Vec<Leaf>,
        free: Option<BTreeMap<String, serde_json::Value>>,
    }

    #[test]
    fn errors_name_the_place_and_never_the_value() {
        for (name, document, expected) in [
            ("missing", &b""[..], "the configuration is empty; give the plugin its configuration as a JSON object"),
            ("blank", b" \n", "the configuration is empty; give the plugin its configuration as a JSON object"),
            ("not utf-8", b"{\"a\":\"\xff\"}", "the configuration is not UTF-8: byte 6 is wrong"),
            ("half", b"{\"leaves\":\n [", "the configuration is not JSON: EOF while parsing a list at line 2 column 2"),
            (
                "yaml",
                b"leaves: []",
                "the configuration is not JSON: expected value at line 1 column 1; it must be a JSON object; YAML is taken where the \
                 proxy turns it into one (a Struct, pluginConfig)",
            ),
            ("a list", b"[]", "the configuration must be a JSON object, not a list"),
            ("null", b"null", "the configuration must be a JSON object, not null"),
            ("two documents", b"{} {}", "the configuration is not JSON: trailing characters at line 1 column 4"),
            ("unknown, near", b"{\"leafs\":[]}", "leafs: unknown key; did you mean `leaves`?"),
            ("unknown, far", b"{\"x\":\"S3CRET\"}", "x: unknown key; known keys: `leaves`, `free`"),
            (
                "unknown, deep",
                b"{\"leaves\":[{\"leafName\":\"S3CRET\"},{\"leafName\":\"\",\"leaf-nam\":\"S3CRET\"}]}",
                "leaves[1].leaf-nam: unknown key; did you mean `leafName`?",
            ),
            ("missing key", b"{\"leaves\":[{}]}", "leaves[0].leafName: is missing"),
            ("missing at the top", b"{}", "leaves: is missing"),
            ("string", b"{\"leaves\":[{\"leafName\":7}]}", "leaves[0].leafName: must be a string, not a number"),
            ("list", b"{\"leaves\":\"S3CRET\"}", "leaves: must be a list, not a string"),
            ("object", b"{\"leaves\":[\"S3CRET\"]}", "leaves[0]: must be an object, not a string"),
            (
                "boolean",
                b"{\"leaves\":[{\"leafName\":\"\",\"on\":\"S3CRET\"}]}",
                "leaves[0].on: must be true or false, not a string",
            ),
            (
                "number",
                b"{\"leaves\":[{\"leafName\":\"\",\"count\":\"S3CRET\"}]}",
                "leaves[0].count: must be a whole number, not a string",
            ),
            (
                "negative",
                b"{\"leaves\":[{\"leafName\":\"\",\"count\":-1}]}",
                "leaves[0].count: must be a whole number of at least 0",
            ),
            (
                "fraction",
                b"{\"leaves\":[{\"leafName\":\"\",\"count\":1.5}]}",
                "leaves[0].count: must be a whole number of at least 0",
            ),
            ("huge", b"{\"leaves\":[{\"leafName\":\"\",\"count\":1e300}]}", "leaves[0].count: is too large"),
            ("large", b"{\"leaves\":[{\"leafName\":\"\",\"count\":4294967296}]}", "leaves[0].count: is too large"),
            (
                "variant",
                b"{\"leaves\":[{\"leafName\":\"\",\"colour\":\"S3CRET\"}]}",
                "leaves[0].colour: is none of the values allowed here; allowed: `red`, `green`",
            ),
            (
                "near variant",
                b"{\"leaves\":[{\"leafName\":\"\",\"colour\":\"Gren\"}]}",
                "leaves[0].colour: is none of the values allowed here; did you mean `green`?",
            ),
            (
                "variant kind",
                b"{\"leaves\":[{\"leafName\":\"\",\"colour\":{}}]}",
                "leaves[0].colour: must be a string, not an object; allowed: `red`, `green`",
            ),
            (
                "null value",
                b"{\"leaves\":[{\"leafName\":\"\",\"on\":null}]}",
                "leaves[0].on: is null; give it a value or leave the key out",
            ),
            ("null list", b"{\"leaves\":null}", "leaves: is null; give it a value or leave the key out"),
            ("twice", b"{\"leaves\":[{\"leafName\":\"\",\"leafName\":\"\"}]}", "leaves[0].leafName: is given twice"),
            ("alias twice", b"{\"leaves\":[{\"leafName\":\"\",\"leaf_name\":\"\"}]}", "leaves[0].leafName: is given twice"),
            ("twice in a free value", b"{\"leaves\":[],\"free\":{\"a\":{\"b\":1,\"b\":2}}}", "free.a.b: is given twice"),
            ("empty key", b"{\"leaves\":[],\"free\":{\"\":{\"b\":1,\"b\":2}}}", "free.\"\".b: is given twice"),
            ("hostile key", b"{\"a\\nb\":1}", "a\\nb: unknown key; known keys: `leaves`, `free`"),
        ] {
            let error = parse::<Tree>(document).unwrap_err().to_string();
            assert_eq!(error, expected, "{name}");
            assert!(!error.contains("S3CRET"), "{name}");
        }
    }

    #[test]
    fn reads_what_is_right() {
        let document = br#"{"leaves":[{"leaf_name":"a","count":3,"colour":"green","on":true},{"leafName":"b","count":2000.0}],
            "free":{"x":[1,"2",null,{"y":-1.5}]}}"#;
        let tree: Tree = parse(document).unwrap();
        let [first, second] = &tree.leaves[..] else { panic!("two leaves") };
        assert_eq!((first.leaf_name.as_str(), first.count, first.on), ("a", Some(3), Some(true)));
        assert!(matches!(first.colour, Some(Colour::Green)));
        assert_eq!(second.count, Some(2000), "a Struct of the proxy holds every number as a double");
        assert_eq!(tree.free.unwrap()["x"], serde_json::json!([1, "2", null, {"y": -1.5}]));
        assert!(matches!(
            parse::<Tree>(br#"{"leaves":[{"leafName":"","colour":"red"}]}"#).unwrap().leaves[0].colour,
            Some(Colour::Red)
        ));
    }

    #[test]
    fn refuses_a_document_that_is_nested_too_deep() {
        let document = format!("{{\"free\":{}", "[".repeat(100_000));
        let error = parse::<Tree>(document.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the configuration is not JSON: recursion limit exceeded"), "{error}");
    }

    #[test]
    fn cuts_a_key_that_is_too_long_to_print() {
        let document = format!("{{\"{}\":1}}", "k".repeat(10_000));
        assert!(parse::<Tree>(document.as_bytes()).unwrap_err().to_string().len() < 200);
    }
}
