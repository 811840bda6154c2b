//! The key that two agree upon (NIST SP 800-56A section 5.8.1 as RFC 7518 section 4.6.2 profiles it).

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::undecryptable::Undecryptable;

/// The longest key that one hash is long enough for. No algorithm here needs more.
const MAX_KEY_BYTES: usize = 32;

/// The key of `key_bytes` for the algorithm of this name, out of what both parties know.
pub(crate) fn derive(
    shared: &[u8],
    algorithm: &str,
    apu: &[u8],
    apv: &[u8],
    key_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    if key_bytes > MAX_KEY_BYTES {
        return Err(Undecryptable);
    }
    let number = |value: usize| u32::try_from(value).map(u32::to_be_bytes).map_err(|_| Undecryptable);
    let mut hash = Sha256::new().chain_update(1_u32.to_be_bytes()).chain_update(shared);
    for part in [algorithm.as_bytes(), apu, apv] {
        hash.update(number(part.len())?);
        hash.update(part);
    }
    hash.update(number(key_bytes.saturating_mul(8))?);
    let mut key = Zeroizing::new(hash.finalize().to_vec());
    key.truncate(key_bytes);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_makes_another_key() {
        let derived = |shared: &[u8], algorithm, apu: &[u8], apv: &[u8], size| derive(shared, algorithm, apu, apv, size).unwrap();
        let one = derived(b"z", "A128GCM", b"Alice", b"Bob", 16);
        assert_eq!((one.len(), &one), (16, &derived(b"z", "A128GCM", b"Alice", b"Bob", 16)));
        for other in [
            derived(b"y", "A128GCM", b"Alice", b"Bob", 16),
            derived(b"z", "A256GCM", b"Alice", b"Bob", 16),
            derived(b"z", "A128GCM", b"AliceB", b"ob", 16),
            derived(b"z", "A128GCM", b"Bob", b"Alice", 16),
            derived(b"z", "A128GCM", b"", b"", 16),
        ] {
            assert_ne!(other, one);
        }
        assert!(!derived(b"z", "A128GCM", b"Alice", b"Bob", 32).starts_with(&one));
        assert!(derive(b"z", "A128GCM", b"", b"", 33).is_err());
    }
}
