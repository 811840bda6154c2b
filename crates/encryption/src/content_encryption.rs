//! The algorithms that encrypt content and vouch for it at once.

/// Authenticated encryption of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentEncryption {
    /// AES-128 in GCM (RFC 7518 section 5.3).
    A128Gcm,
    /// AES-256 in GCM (RFC 7518 section 5.3).
    A256Gcm,
    /// AES-128 in CBC, then HMAC with SHA-256 cut to 16 bytes (RFC 7518 section 5.2.3).
    A128CbcHs256,
    /// The same construction with AES-256 and the whole HMAC. No RFC names it, and no JWE may use it.
    A256CbcHs256,
    /// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha). No JWE may use it here.
    Xc20P,
}

impl ContentEncryption {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::A128Gcm, Self::A256Gcm, Self::A128CbcHs256, Self::A256CbcHs256, Self::Xc20P];
    /// Those that a JWE may use.
    pub const JWE: [Self; 3] = [Self::A128Gcm, Self::A256Gcm, Self::A128CbcHs256];

    /// Its name, an `enc` of JWE where it has one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256CbcHs256 => "A256CBC-HS256",
            Self::Xc20P => "XC20P",
        }
    }

    /// The algorithm of this name, in its very letters.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The length of its keys, in bytes.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm | Self::A128CbcHs256 | Self::Xc20P => 32,
            Self::A256CbcHs256 => 64,
        }
    }

    /// The length of its nonces (initialization vectors), in bytes.
    #[must_use]
    pub const fn nonce_bytes(self) -> usize {
        match self {
            Self::A128Gcm | Self::A256Gcm => 12,
            Self::A128CbcHs256 | Self::A256CbcHs256 => 16,
            Self::Xc20P => 24,
        }
    }

    /// The length of its tags, in bytes.
    #[must_use]
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::A256CbcHs256 => 32,
            _ => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_its_very_letters_only() {
        for algorithm in ContentEncryption::ALL {
            assert_eq!(ContentEncryption::parse(algorithm.as_str()), Some(algorithm));
            assert_eq!(ContentEncryption::parse(&algorithm.as_str().to_ascii_lowercase()), None);
        }
        for other in ["", "A192GCM", "A256CBC-HS512", "A256CBC", "none", "A256GCM "] {
            assert_eq!(ContentEncryption::parse(other), None, "{other}");
        }
    }
}
