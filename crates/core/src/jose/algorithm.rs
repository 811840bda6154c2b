//! The signature algorithms that exist here (RFC 7518 section 3.1, RFC 8037). `none` is not one of them.

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: [Self; 9] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Es256, Self::Es384, Self::Hs256, Self::Hs384, Self::Hs512, Self::EdDsa];

    /// The algorithm with this `alg` name; names are compared exactly (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Its `alg` name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether the key that verifies can also sign.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Rs256 => 1,
            Self::Rs384 => 1 << 1,
            Self::Rs512 => 1 << 2,
            Self::Es256 => 1 << 3,
            Self::Es384 => 1 << 4,
            Self::Hs256 => 1 << 5,
            Self::Hs384 => 1 << 6,
            Self::Hs512 => 1 << 7,
            Self::EdDsa => 1 << 8,
        }
    }
}

/// A set of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// Whether the set holds the algorithm.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The algorithms that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The algorithms of the set, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        Self(algorithms.into_iter().fold(0, |bits, algorithm| bits | algorithm.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_and_none_does_not_exist() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for name in ["none", "None", "NONE", "", "rs256", "RS256 ", "PS256", "ES256K", "ES512", "HS1", "EDDSA", "RSA-OAEP"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for algorithm in Algorithm::ALL {
            let set = AlgorithmSet::from_iter([algorithm]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [algorithm]);
        }
        let (left, right) = ([Algorithm::Rs256, Algorithm::Es256], [Algorithm::Es256, Algorithm::EdDsa]);
        let both = AlgorithmSet::from_iter(left).intersection(AlgorithmSet::from_iter(right));
        assert_eq!(both.iter().collect::<Vec<_>>(), [Algorithm::Es256]);
        assert!(AlgorithmSet::default().is_empty());
        assert!(!both.is_empty());
    }
}
