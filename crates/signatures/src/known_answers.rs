//! Signatures whose verdict is known, to find out whether a proxy tells right from wrong.
//!
//! Made once with OpenSSL 3.0 from keys that nobody kept: `openssl genrsa 2048`, `openssl ecparam -name P-256|P-384|P-521 -genkey`,
//! two of each kind; `openssl pkey -pubout -outform DER` (`.spki`, and `.other.spki` of the second, which signed nothing);
//! `printf TEXT | openssl dgst -sha256|-sha384|-sha512 -sign` (`.signature`).

use crate::algorithm::Algorithm;
use crate::hash::Hash;
use crate::signatures::NativeSignatures;

const TEXT: &[u8] = b"Portcullis asks a proxy whether it verifies signatures.";

/// A signature of [`TEXT`] by an algorithm that a proxy may verify.
struct KnownAnswer {
    algorithm: Algorithm,
    key: &'static [u8],
    other_key: &'static [u8],
    signature: &'static [u8],
}

macro_rules! known_answer {
    ($algorithm:ident, $key:literal, $signature:literal) => {
        KnownAnswer {
            algorithm: Algorithm::$algorithm,
            key: include_bytes!(concat!("known_answers/", $key, ".spki")),
            other_key: include_bytes!(concat!("known_answers/", $key, ".other.spki")),
            signature: include_bytes!(concat!("known_answers/", $signature, ".signature")),
        }
    };
}

static ANSWERS: [KnownAnswer; 6] = [
    known_answer!(Rs256, "rsa", "rs256"),
    known_answer!(Rs384, "rsa", "rs384"),
    known_answer!(Rs512, "rsa", "rs512"),
    known_answer!(Es256, "p256", "es256"),
    known_answer!(Es384, "p384", "es384"),
    known_answer!(Es512, "p521", "es512"),
];

/// The algorithms that a proxy may be trusted with.
pub(crate) fn algorithms() -> impl Iterator<Item = Algorithm> {
    ANSWERS.iter().map(|answer| answer.algorithm)
}

/// The algorithms of which the proxy says yes to what is right, and no to another text, signature, key and hash.
pub(crate) fn right_answers(proxy: &dyn NativeSignatures) -> impl Iterator<Item = Algorithm> {
    ANSWERS.iter().filter(move |answer| answer.is_known_to(proxy)).map(|answer| answer.algorithm)
}

impl KnownAnswer {
    fn is_known_to(&self, proxy: &dyn NativeSignatures) -> bool {
        let hash = self.algorithm.hash();
        let other_hash = if hash == Hash::Sha256 { Hash::Sha384 } else { Hash::Sha256 };
        let mut other_signature = self.signature.to_vec();
        // The last byte of `s`, or of the padded number that RSA signs: the form stays right.
        if let Some(last) = other_signature.last_mut() {
            *last ^= 1;
        }
        let other_text = [TEXT, b"."].concat();
        let says = |hash, key: &[u8], signature: &[u8], text: &[u8]| proxy.verify(hash, key, signature, text);
        says(hash, self.key, self.signature, TEXT) == Ok(true)
            && says(hash, self.key, self.signature, &other_text) == Ok(false)
            && says(hash, self.key, &other_signature, TEXT) == Ok(false)
            && says(hash, self.other_key, self.signature, TEXT) == Ok(false)
            && says(other_hash, self.key, self.signature, TEXT) == Ok(false)
    }
}

/// Whether this is one of the signatures, whoever signed it.
#[cfg(test)]
pub(crate) fn holds(signature: &[u8], text: &[u8]) -> bool {
    text == TEXT && ANSWERS.iter().any(|answer| answer.signature == signature)
}
