//! One way to write a document, so that a configuration is recognised however it was written down or sent.
//!
//! It is JSON without spaces, with the keys of each object in the order of their bytes, whole numbers without a fraction, and a key set
//! that is written as text (`jwks`) as the object that it is. What is secret in it, or stands for a secret, is left out: a weak one could
//! be guessed by whoever knows the rest and what is made of the whole. It is what `jq -cjS` makes of it with the filter in
//! `docs/observability.md`.

use super::node::Node;
use super::{json, protobuf};
use crate::secret::PRIVATE_MEMBERS;

/// The keys of secrets that stand in the document, and of what a secret can be recognised by.
const SECRETS: [&str; 2] = ["inline", "sha256"];
/// The key of a key set.
const KEY_SET: &str = "jwks";
/// What a symmetric key in it consists of (RFC 7518 section 6.4).
const SYMMETRIC_KEY: &str = "k";

/// The document in its one way; nothing when it cannot be read.
#[must_use]
pub fn canonical(document: &[u8]) -> Vec<u8> {
    let Some(node) = json(document).ok().or_else(|| protobuf::read(document)) else { return Vec::new() };
    let mut out = Vec::with_capacity(document.len());
    write(node, false, &mut out);
    out
}

fn write(node: Node, is_key_set: bool, out: &mut Vec<u8>) {
    match node {
        Node::Null => out.extend(b"null"),
        Node::Boolean(true) => out.extend(b"true"),
        Node::Boolean(false) => out.extend(b"false"),
        Node::Number(number) => {
            let text = number.to_string();
            // A Struct holds every number as a double.
            out.extend(text.strip_suffix(".0").unwrap_or(&text).bytes());
        }
        Node::Text(text) => write_text(text, out),
        Node::List(list) => {
            out.push(b'[');
            write_each(list, out, |node, out| write(node, is_key_set, out));
            out.push(b']');
        }
        Node::Object(mut object) => {
            let is_secret =
                |key: &str| SECRETS.contains(&key) || (is_key_set && (key == SYMMETRIC_KEY || PRIVATE_MEMBERS.contains(&key)));
            object.retain(|(key, _)| !is_secret(key));
            object.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            write_each(object, out, |(key, value), out| {
                write_text(key.clone(), out);
                out.push(b':');
                match value {
                    // One that cannot be read is a secret as a whole.
                    Node::Text(text) if !is_key_set && key == KEY_SET => {
                        write(json(text.as_bytes()).unwrap_or(Node::Null), true, out)
                    }
                    value => write(value, is_key_set || key == KEY_SET, out),
                }
            });
            out.push(b'}');
        }
    }
}

fn write_each<T>(items: Vec<T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
}

fn write_text(text: String, out: &mut Vec<u8>) {
    out.extend(serde_json::Value::String(text).to_string().bytes());
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::value::Kind;
    use prost_types::{ListValue, Struct, Value};

    use super::*;

    fn text(document: &str) -> String {
        String::from_utf8(canonical(document.as_bytes())).unwrap()
    }

    #[test]
    fn the_same_configuration_is_written_in_one_way() {
        let expected = r#"{"a":[1,-2,0.5,true,false,null,"x\"\n"],"b":{"c":{},"d":[]}}"#;
        for document in
            [expected, " {\n\"b\" : { \"d\":[ ], \"c\" : {}}, \"a\":[1.0,-2,5e-1, true,false,null,\"x\\u0022\\n\"]}\n"]
        {
            assert_eq!(text(document), expected, "{document}");
        }
        for other in [r#"{"a":"1"}"#, r#"{"a":[1]}"#, r#"{"a":{"1":1}}"#, r#"{"b":1}"#, r#"{"a":2}"#] {
            assert_ne!(text(other), text(r#"{"a":1}"#), "{other}");
        }
        assert_eq!(text("no JSON"), "");
    }

    #[test]
    fn secrets_are_left_out() {
        let document = r#"{"a":[{"secret":{"inline":"x","encoding":"hex"}}],"inline":"y"}"#;
        assert_eq!(text(document), r#"{"a":[{"secret":{"encoding":"hex"}}]}"#);
    }

    #[test]
    fn what_can_be_recognised_of_a_key_is_left_out_also_where_the_set_is_text() {
        let key =
            r#"{"kty":"oct","kid":"a","k":"x","d":"x","p":"x","q":"x","dp":"x","dq":"x","qi":"x","oth":[{"r":"x"}],"n":"y"}"#;
        let set = format!(r#"{{"keys":[{key}]}}"#);
        let as_text = serde_json::Value::String(format!(" {set}\n"));
        let expected = r#"{"jwks":{"keys":[{"kid":"a","kty":"oct","n":"y"}]}}"#;
        assert_eq!(text(&format!(r#"{{"jwks":{set}}}"#)), expected);
        assert_eq!(text(&format!(r#"{{"jwks":{as_text}}}"#)), expected, "the same set, written otherwise");
        assert_eq!(text(r#"{"jwks":"S3CRET"}"#), r#"{"jwks":null}"#);
        assert_eq!(
            text(r#"{"keys":[{"subject":"a","sha256":"x"}],"labels":{"k":"b"}}"#),
            r#"{"keys":[{"subject":"a"}],"labels":{"k":"b"}}"#
        );
    }

    #[test]
    fn a_struct_is_written_as_its_json() {
        let value = |kind| Value { kind: Some(kind) };
        let list = ListValue { values: vec![value(Kind::NumberValue(2000.0)), value(Kind::NumberValue(0.25))] };
        let fields = [("b", value(Kind::ListValue(list))), ("a", value(Kind::StringValue("5m".to_owned())))];
        let message = Struct { fields: fields.map(|(key, value)| (key.to_owned(), value)).into() };
        assert_eq!(String::from_utf8(canonical(&message.encode_to_vec())).unwrap(), r#"{"a":"5m","b":[2000,0.25]}"#);
    }
}
