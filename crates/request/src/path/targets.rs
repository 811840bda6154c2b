//! Request targets for tests.

use proptest::prelude::*;

/// Targets made of what matters to a path, and of any bytes.
pub fn targets() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        ["/", "//", ".", "..", "%2e", "%2f", "%25", "%5c", "%00", "\\", ";", "a", "b", "%61", "%", "2", "f", "?", "#", "\u{e9}"];
    let piece = prop_oneof![
        8 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| [b"/".to_vec(), pieces.concat()].concat())
}
