//! Envoy's foreign function `verify_signature`: BoringSSL behind one call.
//!
//! Its argument is a message of Protocol Buffers, `{1: hash_function, 2: public_key (DER SubjectPublicKeyInfo), 3: signature,
//! 4: text}`, written here by hand into one buffer that is used again. The answer is `{1: result, 2: error}`: exactly the two bytes
//! `08 01` for a right signature; for a wrong one the reason alone, since a field that is false is left out. Whatever else comes
//! is no answer.

use std::cell::RefCell;

use portcullis_core::jose::{Hash, NativeSignatures, NoAnswer};

use crate::hostcalls;

/// `{1: true}`.
const RIGHT: &[u8] = &[0x08, 0x01];
/// The first byte of `{2: …}`.
const REASON: u8 = 0x12;

/// The wire type of a length-delimited field (Protocol Buffers, "Message Structure").
const LENGTH_DELIMITED: u8 = 2;

/// The proxy's verification of signatures.
#[derive(Debug, Default)]
pub struct VerifySignature {
    arguments: RefCell<Vec<u8>>,
}

impl NativeSignatures for VerifySignature {
    fn verify(&self, hash: Hash, key: &[u8], signature: &[u8], text: &[u8]) -> Result<bool, NoAnswer> {
        // A proxy that calls back while it is asked gets no second question.
        let mut arguments = self.arguments.try_borrow_mut().map_err(|_| NoAnswer)?;
        arguments.clear();
        for (number, value) in (1..).zip([name(hash).as_bytes(), key, signature, text]) {
            push_field(&mut arguments, number, value);
        }
        let answer = hostcalls::call_foreign_function("verify_signature", &arguments).map_err(|_| NoAnswer)?;
        read(&answer)
    }
}

fn read(answer: &[u8]) -> Result<bool, NoAnswer> {
    match answer {
        RIGHT => Ok(true),
        [REASON, ..] => Ok(false),
        _ => Err(NoAnswer),
    }
}

/// What Envoy calls a hash function.
const fn name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha256 => "sha256",
        Hash::Sha384 => "sha384",
        Hash::Sha512 => "sha512",
    }
}

fn push_field(message: &mut Vec<u8>, number: u8, value: &[u8]) {
    message.push(number << 3 | LENGTH_DELIMITED);
    let mut length = value.len();
    while length >= 0x80 {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_fields_as_protocol_buffers_do() {
        let cases: [(usize, &[u8]); 5] =
            [(0, &[0x1a, 0]), (3, &[0x1a, 3]), (127, &[0x1a, 0x7f]), (128, &[0x1a, 0x80, 1]), (16_384, &[0x1a, 0x80, 0x80, 1])];
        for (length, expected) in cases {
            let mut message = Vec::new();
            push_field(&mut message, 3, &vec![7; length]);
            assert_eq!(message, [expected, &vec![7; length]].concat(), "{length}");
        }
    }

    #[test]
    fn takes_exactly_one_answer_for_a_yes() {
        let cases: [(&[u8], Result<bool, NoAnswer>); 8] = [
            (&[8, 1], Ok(true)),
            (b"\x12\x06reason", Ok(false)),
            (b"\x12\x00", Ok(false)),
            (b"\x12\x06reason\x08\x01", Ok(false)),
            (&[], Err(NoAnswer)),
            (&[8, 2], Err(NoAnswer)),
            (&[8, 1, 0], Err(NoAnswer)),
            (&[8, 0x81, 0], Err(NoAnswer)),
        ];
        for (answer, expected) in cases {
            assert_eq!(read(answer), expected, "{answer:x?}");
        }
    }

    #[test]
    fn without_a_proxy_there_is_no_answer() {
        let native = VerifySignature::default();
        assert_eq!(native.verify(Hash::Sha256, b"key", b"signature", b"text"), Err(NoAnswer));
        let arguments = [b"\x0a\x06sha256\x12\x03key\x1a\x09signature\x22\x04text".as_slice()].concat();
        assert_eq!(*native.arguments.borrow(), arguments);
    }

    #[test]
    fn a_question_within_a_question_is_not_asked() {
        let native = VerifySignature::default();
        let _asking = native.arguments.borrow_mut();
        assert_eq!(native.verify(Hash::Sha256, b"", b"", b""), Err(NoAnswer));
    }
}
