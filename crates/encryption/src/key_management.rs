//! How the content key of a JWE reaches its recipient.

/// A key management algorithm of JWE (RFC 7518 section 4). There is neither RSA with PKCS #1 padding (`RSA1_5`), whose padding
/// tells too much, nor a password (`PBES2-…`), whose cost the sender would choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyManagement {
    /// The recipient's key is the content key.
    Dir,
    /// AES-128 key wrap.
    A128Kw,
    /// AES-256 key wrap.
    A256Kw,
    /// RSA with OAEP, SHA-256 and MGF1 with SHA-256.
    RsaOaep256,
    /// Agreed upon with an ephemeral key of the sender.
    EcdhEs,
    /// AES-256 key wrap with a key so agreed upon.
    EcdhEsA256Kw,
}

impl KeyManagement {
    /// Every algorithm.
    pub const ALL: [Self; 6] = [Self::Dir, Self::A128Kw, Self::A256Kw, Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA256Kw];

    /// Its `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::A128Kw => "A128KW",
            Self::A256Kw => "A256KW",
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    /// The algorithm of this name, in its very letters.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether the sender brings an ephemeral key.
    #[must_use]
    pub const fn is_agreement(self) -> bool {
        matches!(self, Self::EcdhEs | Self::EcdhEsA256Kw)
    }

    /// Whether a JWE holds an encrypted key.
    #[must_use]
    pub const fn has_encrypted_key(self) -> bool {
        !matches!(self, Self::Dir | Self::EcdhEs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_too_much_or_costs_too_much_does_not_exist() {
        for algorithm in KeyManagement::ALL {
            assert_eq!(KeyManagement::parse(algorithm.as_str()), Some(algorithm));
        }
        for other in ["RSA1_5", "RSA-OAEP", "PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "DIR", "none", "", "A128GCMKW"] {
            assert_eq!(KeyManagement::parse(other), None, "{other}");
        }
    }
}
