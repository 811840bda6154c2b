//! One way to write a document, so that a configuration is recognised however it was written down or sent.
//!
//! It is JSON without spaces, with the keys of each object in the order of their bytes and whole numbers without a fraction: what
//! `jq -cjS 'del(..|.inline?)'` makes of it. Secrets that stand in the document (`inline`) are left out: a weak one could be guessed by
//! whoever knows the rest and what is made of the whole.

use super::node::Node;
use super::{json, protobuf};

/// The key of a secret that stands in the document.
const SECRET: &str = "inline";

/// The document in its one way; nothing when it cannot be read.
#[must_use]
pub fn canonical(document: &[u8]) -> Vec<u8> {
    let Some(node) = json(document).ok().or_else(|| protobuf::read(document)) else { return Vec::new() };
    let mut out = Vec::with_capacity(document.len());
    write(node, &mut out);
    out
}

fn write(node: Node, out: &mut Vec<u8>) {
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
            write_each(list, out, write);
            out.push(b']');
        }
        Node::Object(mut object) => {
            object.retain(|(key, _)| key != SECRET);
            object.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            write_each(object, out, |(key, value), out| {
                write_text(key, out);
                out.push(b':');
                write(value, out);
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
    fn a_struct_is_written_as_its_json() {
        let value = |kind| Value { kind: Some(kind) };
        let list = ListValue { values: vec![value(Kind::NumberValue(2000.0)), value(Kind::NumberValue(0.25))] };
        let fields = [("b", value(Kind::ListValue(list))), ("a", value(Kind::StringValue("5m".to_owned())))];
        let message = Struct { fields: fields.map(|(key, value)| (key.to_owned(), value)).into() };
        assert_eq!(String::from_utf8(canonical(&message.encode_to_vec())).unwrap(), r#"{"a":"5m","b":[2000,0.25]}"#);
    }
}
