//! Keys that sign tokens, generated at run time.

use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    ECDSAP256KeyPairLike, ECDSAP384KeyPairLike, ES256KeyPair, ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, HS256Key, HS384Key,
    HS512Key, JWTClaims, MACLike, PS256KeyPair, PS384KeyPair, PS512KeyPair, RS256KeyPair, RS384KeyPair, RS512KeyPair,
    RSAKeyPairLike,
};
use p521::ecdsa::signature::Signer;
use serde_json::{Map, Value, json};

use crate::claims::Claims;

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// Every algorithm with a public key.
    pub const ASYMMETRIC: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];
    /// Every algorithm with a shared secret.
    pub const SYMMETRIC: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The word in `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }
}

enum Material {
    Rs256(RS256KeyPair),
    Rs384(RS384KeyPair),
    Rs512(RS512KeyPair),
    Ps256(PS256KeyPair),
    Ps384(PS384KeyPair),
    Ps512(PS512KeyPair),
    Es256(ES256KeyPair),
    Es384(ES384KeyPair),
    Es512(p521::ecdsa::SigningKey),
    EdDsa(Ed25519KeyPair),
    Hs256(HS256Key),
    Hs384(HS384Key),
    Hs512(HS512Key),
}

/// A key with its `kid`.
pub struct SigningKey {
    material: Material,
    algorithm: Algorithm,
    kid: String,
}

/// The RSA keys of one process have one modulus of 2048 bits: generating one is the slowest thing here.
fn rsa_der() -> Result<&'static [u8]> {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(der) = DER.get() {
        return Ok(der);
    }
    let der = RS256KeyPair::generate(2048)?.to_der()?;
    Ok(DER.get_or_init(|| der))
}

/// A P-521 key, whose library is given the chance here: 64 bytes of it make a number below the order.
fn p521_key() -> Result<p521::ecdsa::SigningKey> {
    let mut number = vec![0; 2];
    number.extend(HS512Key::generate().to_bytes());
    Ok(p521::ecdsa::SigningKey::from_slice(&number)?)
}

impl SigningKey {
    /// A new key. RSA keys of one process share their numbers; the others are fresh.
    ///
    /// # Errors
    /// When the key cannot be generated.
    pub fn generate(algorithm: Algorithm, kid: &str) -> Result<Self> {
        let material = match algorithm {
            Algorithm::Rs256 => Material::Rs256(RS256KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Rs384 => Material::Rs384(RS384KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Rs512 => Material::Rs512(RS512KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Ps256 => Material::Ps256(PS256KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Ps384 => Material::Ps384(PS384KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Ps512 => Material::Ps512(PS512KeyPair::from_der(rsa_der()?)?.with_key_id(kid)),
            Algorithm::Es256 => Material::Es256(ES256KeyPair::generate().with_key_id(kid)),
            Algorithm::Es384 => Material::Es384(ES384KeyPair::generate().with_key_id(kid)),
            Algorithm::Es512 => Material::Es512(p521_key()?),
            Algorithm::EdDsa => Material::EdDsa(Ed25519KeyPair::generate().with_key_id(kid)),
            Algorithm::Hs256 => Material::Hs256(HS256Key::generate().with_key_id(kid)),
            Algorithm::Hs384 => Material::Hs384(HS384Key::generate().with_key_id(kid)),
            Algorithm::Hs512 => Material::Hs512(HS512Key::generate().with_key_id(kid)),
        };
        Ok(Self { material, algorithm, kid: kid.to_owned() })
    }

    /// An HMAC key out of these bytes.
    ///
    /// # Errors
    /// When the algorithm has no shared secret.
    pub fn from_secret(algorithm: Algorithm, kid: &str, secret: &[u8]) -> Result<Self> {
        let material = match algorithm {
            Algorithm::Hs256 => Material::Hs256(HS256Key::from_bytes(secret).with_key_id(kid)),
            Algorithm::Hs384 => Material::Hs384(HS384Key::from_bytes(secret).with_key_id(kid)),
            Algorithm::Hs512 => Material::Hs512(HS512Key::from_bytes(secret).with_key_id(kid)),
            _ => bail!("{} has no shared secret", algorithm.as_str()),
        };
        Ok(Self { material, algorithm, kid: kid.to_owned() })
    }

    /// A token in compact form with `alg`, `typ: JWT` and `kid`.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        let claims = to_jwt_claims(claims);
        match &self.material {
            Material::Rs256(key) => key.sign(claims),
            Material::Rs384(key) => key.sign(claims),
            Material::Rs512(key) => key.sign(claims),
            Material::Ps256(key) => key.sign(claims),
            Material::Ps384(key) => key.sign(claims),
            Material::Ps512(key) => key.sign(claims),
            Material::Es256(key) => key.sign(claims),
            Material::Es384(key) => key.sign(claims),
            Material::Es512(key) => return self.sign_es512(key, &claims),
            Material::EdDsa(key) => key.sign(claims),
            Material::Hs256(key) => key.authenticate(claims),
            Material::Hs384(key) => key.authenticate(claims),
            Material::Hs512(key) => key.authenticate(claims),
        }
        .context("signing failed")
    }

    fn sign_es512(&self, key: &p521::ecdsa::SigningKey, claims: &JWTClaims<Map<String, Value>>) -> Result<String> {
        let header = json!({"alg": "ES512", "typ": "JWT", "kid": self.kid}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(serde_json::to_string(claims)?));
        let signature: p521::ecdsa::Signature = key.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
    }

    /// A token whose header and payload are these texts, whatever they say, under a true HMAC.
    ///
    /// # Errors
    /// When the key is not an HMAC key.
    pub fn sign_text(&self, header: &str, payload: &str) -> Result<String> {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let tag = match &self.material {
            Material::Hs256(key) => key.authentication_tag(signed.as_bytes()),
            Material::Hs384(key) => key.authentication_tag(signed.as_bytes()),
            Material::Hs512(key) => key.authentication_tag(signed.as_bytes()),
            _ => bail!("{} cannot sign any text", self.algorithm.as_str()),
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }

    /// What the issuer publishes: the public key, or the secret of an HMAC key.
    ///
    /// # Errors
    /// When the key cannot be written.
    pub fn jwk(&self) -> Result<Value> {
        let public = match &self.material {
            Material::Rs256(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Rs384(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Rs512(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Ps256(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Ps384(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Ps512(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Es256(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Es384(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Es512(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let [x, y] = [point.x(), point.y()].map(|number| number.map(|number| URL_SAFE_NO_PAD.encode(number)));
                return Ok(json!({"kty": "EC", "crv": "P-521", "kid": self.kid, "alg": "ES512", "x": x, "y": y}));
            }
            Material::EdDsa(key) => key.public_key().with_key_id(&self.kid).to_jwk(),
            Material::Hs256(_) | Material::Hs384(_) | Material::Hs512(_) => {
                let secret = URL_SAFE_NO_PAD.encode(self.secret()?);
                return Ok(json!({"kty": "oct", "kid": self.kid, "alg": self.algorithm.as_str(), "k": secret}));
            }
        };
        Ok(serde_json::from_str(&public)?)
    }

    /// The bytes of an HMAC key.
    ///
    /// # Errors
    /// When the key is another one.
    pub fn secret(&self) -> Result<Vec<u8>> {
        match &self.material {
            Material::Hs256(key) => Ok(key.to_bytes()),
            Material::Hs384(key) => Ok(key.to_bytes()),
            Material::Hs512(key) => Ok(key.to_bytes()),
            _ => bail!("{} has no shared secret", self.algorithm.as_str()),
        }
    }

    /// The public key of an RS256 key as PEM: what a forger of the algorithm takes for an HMAC secret.
    ///
    /// # Errors
    /// When the key is another one.
    pub fn public_pem(&self) -> Result<String> {
        match &self.material {
            Material::Rs256(key) => key.public_key().to_pem(),
            _ => bail!("{} is not RS256", self.algorithm.as_str()),
        }
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Everything goes through the custom claims, so that any value of any claim can be signed.
fn to_jwt_claims(claims: &Claims) -> JWTClaims<Map<String, Value>> {
    JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom: claims.as_map().clone(),
    }
}
