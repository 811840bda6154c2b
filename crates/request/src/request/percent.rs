//! Reading of `application/x-www-form-urlencoded` text, as query strings have it.

/// The text that a name or value of a query stands for; a malformed escape stays as it is, bytes that are not UTF-8 are replaced.
pub(super) fn decode_form(bytes: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, crate::path::escape(after)) {
            (b'%', Some((byte, after))) => {
                decoded.push(byte);
                rest = after;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*first),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
