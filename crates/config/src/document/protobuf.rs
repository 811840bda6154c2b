//! A configuration that arrives as a protobuf `Struct`.
//!
//! Envoy hands a plugin's `google.protobuf.Struct` over as its raw message, while a `StringValue` arrives as its text. A whole
//! number of a Struct is a double that is read as an integer again; what JSON cannot say (NaN, infinity) is refused.

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::node::Node;

/// The tag of `Struct.fields`, the only field that the message has.
const FIELDS_TAG: u8 = 0x0a;

/// The document that these bytes are a Struct of; `None` when they are none.
///
/// The tag is also a line feed, so text may begin with it: ask only for bytes that are no JSON.
pub(super) fn read(document: &[u8]) -> Option<Node> {
    if document.first() != Some(&FIELDS_TAG) {
        return None;
    }
    let message: Struct = prost::Message::decode(document).ok()?;
    object(message)
}

fn object(message: Struct) -> Option<Node> {
    message.fields.into_iter().map(|(key, value)| Some((key, node(value)?))).collect::<Option<Vec<_>>>().map(Node::Object)
}

fn node(value: Value) -> Option<Node> {
    Some(match value.kind? {
        Kind::NullValue(_) => Node::Null,
        Kind::BoolValue(value) => Node::Boolean(value),
        Kind::NumberValue(value) => Node::Number(serde_json::Number::from_f64(value)?),
        Kind::StringValue(text) => Node::Text(text),
        Kind::ListValue(list) => Node::List(list.values.into_iter().map(node).collect::<Option<_>>()?),
        Kind::StructValue(message) => object(message)?,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::ListValue;

    use super::*;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    fn message(fields: Vec<(&str, Value)>) -> Struct {
        Struct { fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Document {
        on: bool,
        text: String,
        list: Vec<u32>,
        inner: Inner,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Inner {
        deep: String,
    }

    #[test]
    fn a_struct_reads_as_the_json_that_it_stands_for() {
        let inner = message(vec![("deep", value(Kind::StringValue("é".into())))]);
        let list = ListValue { values: vec![value(Kind::NumberValue(1.0)), value(Kind::NumberValue(2000.0))] };
        let outer = message(vec![
            ("list", value(Kind::ListValue(list))),
            ("on", value(Kind::BoolValue(true))),
            ("text", value(Kind::StringValue("a".into()))),
            ("inner", value(Kind::StructValue(inner))),
        ]);
        let json = r#"{"list": [1, 2000], "on": true, "text": "a", "inner": {"deep": "é"}}"#;
        let read = |bytes: &[u8]| crate::document::parse::<Document>(bytes).unwrap();
        assert_eq!(read(&outer.encode_to_vec()), read(json.as_bytes()));
    }

    #[test]
    fn errors_in_a_struct_name_the_place() {
        let outer = message(vec![("inner", value(Kind::StructValue(message(vec![("deep", value(Kind::NullValue(0)))]))))]);
        let error = crate::document::parse::<Document>(&outer.encode_to_vec()).unwrap_err();
        assert_eq!(error.path, "inner.deep");
    }

    #[test]
    fn reads_nothing_from_what_is_no_struct() {
        let nan = message(vec![("a", value(Kind::NumberValue(f64::NAN)))]).encode_to_vec();
        let empty_value = message(vec![("a", Value { kind: None })]).encode_to_vec();
        let whole = message(vec![("a", value(Kind::BoolValue(true)))]).encode_to_vec();
        let cut = &whole[..whole.len() - 1];
        for bytes in [&nan[..], &empty_value, cut, b"", b"\n", b"\n{\"a\":1}", b"{}", b"\xff\xfe"] {
            assert!(read(bytes).is_none(), "{bytes:?}");
        }
    }
}
