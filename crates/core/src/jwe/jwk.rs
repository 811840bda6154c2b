//! One JSON Web Key (RFC 7517) as a key that decrypts, or the reason why it does not.
//!
//! A key serves the algorithm that its `alg` names (a content encryption stands for `dir`), or all that fit its type. Skipped: keys
//! for something else than decrypting, public keys, numbers that are no private key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_encryption::{ContentEncryption, DecryptionKey, KeyError, KeyManagement, P256Key, RsaKey, Zeroizing};
use serde_json::{Map, Value};

/// What a key may be used for that finds content keys.
const OPERATIONS: [&str; 4] = ["decrypt", "unwrapKey", "deriveKey", "deriveBits"];

/// Why a key of a key set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is not a JSON object.
    #[error("it is not an object")]
    NotAnObject,
    /// Its `kid` is not text.
    #[error("its `kid` is not a string")]
    KeyIdNotText,
    /// Its `alg` does not exist here, or does not fit the key.
    #[error("its `alg` is not supported, or does not fit its type")]
    AlgorithmUnsupported,
    /// It is not for encryption.
    #[error("its `use` is not `enc`")]
    NotForEncryption,
    /// It is not for decrypting.
    #[error("its `key_ops` hold nothing that decrypts")]
    NotForDecrypting,
    /// Its type does not exist here.
    #[error("its type decrypts nothing here; known are `oct`, `RSA`, and `EC` on P-256")]
    TypeUnsupported,
    /// What only the recipient may know is not in it.
    #[error("it is a public key, which decrypts nothing")]
    Public,
    /// A member that it needs is missing, or is not base64url.
    #[error("a member that its type needs is missing or is not unpadded base64url")]
    MemberMalformed,
    /// It is no key that decrypts here.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A key, with what it is for.
pub(super) struct Jwk {
    /// `kid`.
    pub id: Option<String>,
    /// The algorithms that its `alg` restricts it to.
    alg: Option<Alg>,
    pub key: DecryptionKey,
}

/// What an `alg` of a key names.
#[derive(Clone, Copy)]
enum Alg {
    Management(KeyManagement),
    Direct(ContentEncryption),
}

impl Jwk {
    /// Read a member of `keys`.
    ///
    /// # Errors
    /// The reason why it cannot be used.
    pub fn read(jwk: &Value) -> Result<Self, SkipReason> {
        let jwk = jwk.as_object().ok_or(SkipReason::NotAnObject)?;
        let id = jwk.get("kid").map(|id| id.as_str().map(str::to_owned).ok_or(SkipReason::KeyIdNotText)).transpose()?;
        if jwk.get("use").is_some_and(|purpose| purpose != "enc") {
            return Err(SkipReason::NotForEncryption);
        }
        let decrypts = |all: &Value| {
            let mut all = all.as_array().into_iter().flatten().filter_map(Value::as_str);
            all.any(|operation| OPERATIONS.contains(&operation))
        };
        if jwk.get("key_ops").is_some_and(|operations| !decrypts(operations)) {
            return Err(SkipReason::NotForDecrypting);
        }
        let bytes = |name| member(jwk, name);
        let key = match jwk.get("kty").and_then(Value::as_str) {
            Some("oct") => DecryptionKey::secret(&bytes("k")?)?,
            Some("RSA" | "EC") if !jwk.contains_key("d") => return Err(SkipReason::Public),
            Some("RSA") if !jwk.contains_key("oth") => {
                DecryptionKey::Rsa(RsaKey::new(&bytes("n")?, &bytes("e")?, &bytes("d")?, &bytes("p")?, &bytes("q")?)?)
            }
            Some("EC") if jwk.get("crv").is_some_and(|curve| curve == "P-256") => {
                DecryptionKey::P256(P256Key::new(&bytes("d")?, &bytes("x")?, &bytes("y")?)?)
            }
            _ => return Err(SkipReason::TypeUnsupported),
        };
        let alg = jwk.get("alg").map(|name| name.as_str().and_then(Alg::parse).ok_or(SkipReason::AlgorithmUnsupported));
        let jwk = Self { id, alg: alg.transpose()?, key };
        let fits = |management| ContentEncryption::JWE.into_iter().any(|encryption| jwk.serves(management, encryption));
        if KeyManagement::ALL.into_iter().any(fits) { Ok(jwk) } else { Err(SkipReason::AlgorithmUnsupported) }
    }

    /// Whether the key may find content keys for this encryption in this way.
    pub fn serves(&self, management: KeyManagement, encryption: ContentEncryption) -> bool {
        let is_meant = match self.alg {
            None => true,
            Some(Alg::Management(only)) => only == management,
            Some(Alg::Direct(only)) => management == KeyManagement::Dir && only == encryption,
        };
        is_meant && self.key.serves(management, encryption)
    }
}

impl Alg {
    fn parse(name: &str) -> Option<Self> {
        let direct = ContentEncryption::JWE.into_iter().find(|encryption| encryption.as_str() == name);
        KeyManagement::parse(name).map(Self::Management).or(direct.map(Self::Direct))
    }
}

fn member(jwk: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, SkipReason> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(SkipReason::MemberMalformed)?;
    URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| SkipReason::MemberMalformed)
}
