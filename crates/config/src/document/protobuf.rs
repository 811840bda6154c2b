//! A configuration that arrives as a protobuf `Struct`.
//!
//! Envoy hands a plugin's `google.protobuf.Struct` over as its raw message, while a `StringValue` arrives as its text. A whole
//! number of a Struct is a double that is read as an integer again; what JSON cannot say (NaN, infinity) is refused. So is what
//! nothing that writes a Struct writes: a field that a Struct does not have, and two values in the place of one.
//!
//! The three messages are read here and not by a protobuf library, which would take several times the room in a module.

use super::node::Node;

/// The tag of `Struct.fields`, the only field that the message has.
const FIELDS_TAG: u8 = 0x0a;

/// How deep messages may stand in each other. An object takes three levels (the message, its entry, the value), a list two.
const MAX_DEPTH: u8 = 100;

/// The number of a field and its wire type, as one number stands for both on the wire.
const fn tag(field: u64, wire_type: u64) -> u64 {
    (field << 3) | wire_type
}

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const DELIMITED: u64 = 2;

/// `Struct.fields`, `ListValue.values`, and the key of an entry.
const FIRST: u64 = tag(1, DELIMITED);
const ENTRY_VALUE: u64 = tag(2, DELIMITED);
const NULL_VALUE: u64 = tag(1, VARINT);
const NUMBER_VALUE: u64 = tag(2, EIGHT_BYTES);
const STRING_VALUE: u64 = tag(3, DELIMITED);
const BOOL_VALUE: u64 = tag(4, VARINT);
const STRUCT_VALUE: u64 = tag(5, DELIMITED);
const LIST_VALUE: u64 = tag(6, DELIMITED);

/// The document that these bytes are a Struct of; `None` when they are none.
///
/// The tag is also a line feed, so text may begin with it: ask only for bytes that are no JSON.
pub(super) fn read(document: &[u8]) -> Option<Node> {
    if document.first() != Some(&FIELDS_TAG) {
        return None;
    }
    Message { rest: document, levels: MAX_DEPTH }.object().map(Node::Object)
}

/// What is left of a message, and how many levels of messages may stand in it.
struct Message<'a> {
    rest: &'a [u8],
    levels: u8,
}

impl<'a> Message<'a> {
    /// A Struct: its entries in the order of their keys, because a writer may put them in any.
    fn object(mut self) -> Option<Vec<(String, Node)>> {
        let mut object = Vec::new();
        while !self.rest.is_empty() {
            let (key, node) = self.repeated()?.entry()?;
            let place = object.partition_point(|(before, _)| *before <= key);
            object.insert(place, (key, node));
        }
        Some(object)
    }

    /// An entry of `Struct.fields`. A writer may leave an empty key out.
    fn entry(mut self) -> Option<(String, Node)> {
        let (mut key, mut node) = (None, None);
        while !self.rest.is_empty() {
            match self.varint()? {
                FIRST if key.is_none() => key = Some(self.text()?),
                ENTRY_VALUE if node.is_none() => node = Some(self.message()?.value()?),
                _ => return None,
            }
        }
        Some((key.unwrap_or_default(), node?))
    }

    /// A Value.
    fn value(mut self) -> Option<Node> {
        let node = match self.varint()? {
            NULL_VALUE => self.varint().map(|_| Node::Null)?,
            NUMBER_VALUE => Node::Number(serde_json::Number::from_f64(self.double()?)?),
            STRING_VALUE => Node::Text(self.text()?),
            BOOL_VALUE => Node::Boolean(self.varint()? != 0),
            STRUCT_VALUE => Node::Object(self.message()?.object()?),
            LIST_VALUE => Node::List(self.message()?.list()?),
            _ => return None,
        };
        self.rest.is_empty().then_some(node)
    }

    /// A ListValue.
    fn list(mut self) -> Option<Vec<Node>> {
        let mut list = Vec::new();
        while !self.rest.is_empty() {
            list.push(self.repeated()?.value()?);
        }
        Some(list)
    }

    /// The next message of the only field that this one has.
    fn repeated(&mut self) -> Option<Message<'a>> {
        if self.varint()? == FIRST { self.message() } else { None }
    }

    fn message(&mut self) -> Option<Message<'a>> {
        let levels = self.levels.checked_sub(1)?;
        Some(Message { rest: self.delimited()?, levels })
    }

    fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.delimited()?).ok().map(str::to_owned)
    }

    fn delimited(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    /// A number of seven bits in each byte, the lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if number >> shift != bits {
                return None;
            }
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_types::value::Kind;
    use prost_types::{ListValue, Struct, Value};

    use super::*;

    /// What a protobuf library reads from the same bytes.
    fn by_library(document: &[u8]) -> Option<Node> {
        library_object(Struct::decode(document).ok()?)
    }

    fn library_object(message: Struct) -> Option<Node> {
        message.fields.into_iter().map(|(key, value)| Some((key, library_node(value)?))).collect::<Option<_>>().map(Node::Object)
    }

    fn library_node(value: Value) -> Option<Node> {
        Some(match value.kind? {
            Kind::NullValue(_) => Node::Null,
            Kind::BoolValue(value) => Node::Boolean(value),
            Kind::NumberValue(value) => Node::Number(serde_json::Number::from_f64(value)?),
            Kind::StringValue(text) => Node::Text(text),
            Kind::ListValue(list) => Node::List(list.values.into_iter().map(library_node).collect::<Option<_>>()?),
            Kind::StructValue(message) => library_object(message)?,
        })
    }

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

    /// A value of every kind, and one in the other.
    fn sample() -> Vec<u8> {
        let inner = message(vec![("", value(Kind::StringValue("é".into()))), ("none", value(Kind::NullValue(0)))]);
        let list = ListValue { values: vec![value(Kind::NumberValue(-1.5)), value(Kind::BoolValue(false))] };
        message(vec![
            ("empty", value(Kind::ListValue(ListValue { values: Vec::new() }))),
            ("inner", value(Kind::StructValue(inner))),
            ("list", value(Kind::ListValue(list))),
            ("on", value(Kind::BoolValue(true))),
        ])
        .encode_to_vec()
    }

    #[test]
    fn reads_no_more_than_a_library_from_a_struct_that_was_cut_or_changed() {
        let whole = sample();
        assert_eq!(read(&whole), by_library(&whole));
        assert!(read(&whole).is_some());
        for at in 0..whole.len() {
            let cut = &whole[..at];
            assert_eq!(read(cut), if at == 0 { None } else { by_library(cut) }, "cut at {at}");
            for byte in 0..=u8::MAX {
                let mut changed = whole.clone();
                changed[at] = byte;
                let node = read(&changed);
                assert!(node.is_none() || node == by_library(&changed), "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn reads_as_deep_as_a_library_and_no_deeper() {
        let mut nested = value(Kind::NullValue(0));
        let mut depths = [0, 0];
        for depth in 1..60 {
            nested = match depth % 2 {
                0 => value(Kind::StructValue(message(vec![("a", nested)]))),
                _ => value(Kind::ListValue(ListValue { values: vec![nested] })),
            };
            let bytes = message(vec![("a", nested.clone())]).encode_to_vec();
            depths[0] += usize::from(read(&bytes).is_some());
            depths[1] += usize::from(by_library(&bytes).is_some());
        }
        assert_eq!(depths[0], depths[1]);
        assert!((30..50).contains(&depths[0]), "{depths:?}");
    }

    #[test]
    fn refuses_what_no_writer_writes() {
        let entry = |value: &[u8]| [&[0x0a, value.len() as u8 + 5, 0x0a, 1, b'a', 0x12, value.len() as u8], value].concat();
        assert!(read(&entry(&[0x20, 1])).is_some(), "the entry that the others differ from");
        for (name, bytes) in [
            ("an unknown field of the Struct", [&entry(&[0x20, 1])[..], &[0x10, 1]].concat()),
            ("an unknown field of an entry", vec![0x0a, 6, 0x12, 2, 0x20, 1, 0x18, 1]),
            ("an unknown field of a value", entry(&[0x38, 1])),
            ("a value of two kinds", entry(&[0x20, 1, 0x20, 1])),
            ("a group", entry(&[0x23, 0x24])),
            ("two keys of one entry", vec![0x0a, 8, 0x0a, 0, 0x0a, 0, 0x12, 2, 0x20, 1]),
            ("two values of one entry", vec![0x0a, 8, 0x12, 2, 0x20, 1, 0x12, 2, 0x20, 1]),
            ("a number of more than 64 bits", entry(&[0x20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2])),
            ("a number without an end", entry(&[0x20, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0])),
            ("a length beyond the end", vec![0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0]),
            ("a text that is not UTF-8", entry(&[0x1a, 1, 0xff])),
        ] {
            assert!(read(&bytes).is_none(), "{name}");
        }
    }

    #[test]
    fn a_key_given_twice_is_refused_by_name() {
        let twice = message(vec![("a", value(Kind::BoolValue(true)))]).encode_to_vec().repeat(2);
        let error = crate::document::parse::<Document>(&twice).unwrap_err();
        assert_eq!(error.to_string(), "a: is given twice");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Kind::NullValue(0)),
            any::<bool>().prop_map(Kind::BoolValue),
            any::<f64>().prop_map(Kind::NumberValue),
            any::<String>().prop_map(Kind::StringValue),
        ];
        leaf.prop_map(value).prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|values| value(Kind::ListValue(ListValue { values }))),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|fields| value(Kind::StructValue(Struct { fields }))),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_a_library_reads(fields in prop::collection::btree_map(any::<String>(), any_value(), 1..4)) {
            let bytes = Struct { fields }.encode_to_vec();
            prop_assert_eq!(read(&bytes), by_library(&bytes));
        }

        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&[FIELDS_TAG], &bytes[..]].concat();
            let node = read(&bytes);
            prop_assert!(node.is_none() || node == by_library(&bytes));
        }
    }
}
