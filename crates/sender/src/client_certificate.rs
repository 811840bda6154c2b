//! The SHA-256 of the certificate that the client holds: as the proxy has seen it, or as a proxy before it says.

use crate::Digest;
use portcullis_request::headers::Headers;

/// The header in which a proxy tells the next one of the client's certificate.
const FORWARDED: &str = "x-forwarded-client-cert";

/// The digest that is written in these hexadecimal digits.
#[must_use]
pub fn from_hex(digits: &[u8]) -> Option<Digest> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| if let [high, low] = pair { Some(digit(high)?.checked_mul(16)? | digit(low)?) } else { None };
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The digest in the header `x-forwarded-client-cert` (Envoy, "HTTP header manipulation"): that of the last element but `hops`.
/// `None` when there is none, or the header is malformed.
///
/// Every proxy adds its element at the end, so that what a client has sent itself, should a proxy let it through, stands before.
#[must_use]
pub fn forwarded(headers: &Headers, hops: u8) -> Option<Digest> {
    let value = headers.single(FORWARDED).ok()??;
    let elements: Vec<&[u8]> = split(value, b',')?;
    let element = elements.iter().rev().nth(usize::from(hops))?;
    let mut hashes = split(element, b';')?.into_iter().filter_map(hash_of);
    let hash = hashes.next()?;
    if hashes.next().is_some() { None } else { from_hex(hash) }
}

/// The value of a pair whose key is `Hash`, which has no case.
fn hash_of(pair: &[u8]) -> Option<&[u8]> {
    let (key, value) = pair.trim_ascii().split_first_chunk::<5>()?;
    key.eq_ignore_ascii_case(b"hash=").then_some(value)
}

/// What stands between separators outside of double quotes; `None` when a quote is left open.
fn split(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts: Vec<&[u8]> = text
        .split(|byte| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match byte {
                b'"' if !was_escaped => is_quoted = !is_quoted,
                b'\\' if is_quoted && !was_escaped => is_escaped = true,
                _ => {}
            }
            *byte == separator && !is_quoted
        })
        .collect();
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hexadecimal_digits_of_the_right_number() {
        assert_eq!(from_hex("0fF0".repeat(16).as_bytes()), Some([[0x0f, 0xf0]; 16].concat().try_into().unwrap()));
        for digits in ["", "0f", &"0f".repeat(31), &"0f".repeat(33), &format!("{}0", "0f".repeat(31)), &"0g".repeat(32)] {
            assert_eq!(from_hex(digits.as_bytes()), None, "{digits}");
        }
    }

    #[test]
    fn takes_the_element_of_the_proxy_that_is_trusted() {
        let (a, b) = ("aa".repeat(32), "bb".repeat(32));
        let found = |value: &str, hops| forwarded(&Headers::from_pairs([(FORWARDED, value)]), hops).map(|digest| digest[0]);
        for (value, hops, expected) in [
            (format!("Hash={a}"), 0, Some(0xaa)),
            (format!("By=spiffe://x;Hash={a};Subject=\"CN=c,O=o;Hash={b}\";URI=spiffe://y"), 0, Some(0xaa)),
            (format!("hash={a}"), 0, Some(0xaa)),
            (format!("Hash={b},By=x;Hash={a}"), 0, Some(0xaa)),
            (format!("Hash={b}, Hash={a}"), 0, Some(0xaa)),
            (format!("Hash={b},Hash={a}"), 1, Some(0xbb)),
            (format!("Hash={b},Hash={a}"), 2, None),
            (format!("Hash={b},By=x"), 0, None),
            (format!("Hash={b},"), 0, None),
            (format!("Hash={a};Hash={b}"), 0, None),
            (format!("Hash={a};Hash={a}"), 0, None),
            (format!("Subject=\"a\\\",Hash={b},\";Hash={a}"), 0, Some(0xaa)),
            (format!("Subject=\"a\\\\\";Hash={a}"), 0, Some(0xaa)),
            (format!("Subject=\"open;Hash={a}"), 0, None),
            (format!("Subject=\"open,Hash={a}"), 0, None),
            (format!("Hash=\"{a}\""), 0, None),
            (format!("XHash={a}"), 0, None),
            (format!("Hash=a{}", "aa".repeat(31)), 0, None),
            (String::new(), 0, None),
        ] {
            assert_eq!(found(&value, hops), expected, "{value} {hops}");
        }
        let twice = Headers::from_pairs([(FORWARDED, format!("Hash={a}")), (FORWARDED, format!("Hash={a}"))]);
        assert_eq!(forwarded(&twice, 0), None);
        assert_eq!(forwarded(&Headers::default(), 0), None);
    }
}
