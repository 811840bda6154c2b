use std::sync::OnceLock;

use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use super::*;

/// RFC 7518 appendix C: Alice's ephemeral key and Bob's key, as `d`, `x`, `y`.
const ALICE: [&str; 3] = [
    "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
    "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
];
const BOB: [&str; 3] = [
    "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
];

fn bytes(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn p256([d, x, y]: [&str; 3]) -> DecryptionKey {
    DecryptionKey::P256(P256Key::new(&bytes(d), &bytes(x), &bytes(y)).unwrap())
}

/// Whether the content key that is found has these bytes.
fn is_key(found: &ContentKey, expected: &[u8]) -> bool {
    let algorithm = found.algorithm();
    let nonce = vec![0; algorithm.nonce_bytes()];
    let expected = ContentKey::new(algorithm, expected).unwrap();
    found.seal(&nonce, b"", b"content") == expected.seal(&nonce, b"", b"content")
}

const fn plain(management: KeyManagement, encryption: ContentEncryption, bytes: &[u8]) -> EncryptedKey<'_> {
    EncryptedKey { management, encryption, bytes, agreement: None }
}

#[test]
fn agrees_as_rfc_7518_appendix_c() {
    let expected = bytes("VqqN6vgjbSBcIijNcacQGg");
    for (own, other) in [(BOB, ALICE), (ALICE, BOB)] {
        let (x, y) = (bytes(other[1]), bytes(other[2]));
        let agreement = Agreement { x: &x, y: &y, apu: b"Alice", apv: b"Bob" };
        let encrypted =
            EncryptedKey { agreement: Some(agreement), ..plain(KeyManagement::EcdhEs, ContentEncryption::A128Gcm, b"") };
        let found = p256(own).content_key(&encrypted).unwrap();
        assert!(is_key(&found, &expected));
        let swapped = Agreement { apu: b"Bob", apv: b"Alice", ..agreement };
        let found = p256(own).content_key(&EncryptedKey { agreement: Some(swapped), ..encrypted }).unwrap();
        assert!(!is_key(&found, &expected));
    }
}

#[test]
fn refuses_points_off_the_curve() {
    let (x, y) = (bytes(ALICE[1]), bytes(ALICE[2]));
    // The number of the field.
    let p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let mut off = y.clone();
    off[31] ^= 1;
    let zero = vec![0; 32];
    for (name, x, y) in [
        ("another y", &x, &off),
        ("swapped", &y, &x),
        ("the origin", &zero, &zero),
        ("x is p", &p, &y),
        ("y is p", &x, &p),
        ("short", &x[1..].to_vec(), &y),
        ("long", &[&[0], &x[..]].concat(), &y),
        ("empty", &Vec::new(), &Vec::new()),
    ] {
        for management in [KeyManagement::EcdhEs, KeyManagement::EcdhEsA256Kw] {
            let agreement = Some(Agreement { x, y, apu: b"", apv: b"" });
            let wrapped: &[u8] = if management.has_encrypted_key() { &[0; 40] } else { b"" };
            let encrypted = EncryptedKey { agreement, ..plain(management, ContentEncryption::A256Gcm, wrapped) };
            assert_eq!(p256(BOB).content_key(&encrypted).err(), Some(Undecryptable), "{name}");
        }
        assert!(P256Key::new(&bytes(BOB[0]), x, y).is_err(), "{name}");
    }
    assert!(P256Key::new(&zero, &bytes(BOB[1]), &bytes(BOB[2])).is_err(), "no private number");
    assert!(P256Key::new(&bytes(ALICE[0]), &bytes(BOB[1]), &bytes(BOB[2])).is_err(), "another's point");
    assert!(P256Key::new(&[&[0], &bytes(BOB[0])[..]].concat(), &bytes(BOB[1]), &bytes(BOB[2])).is_err(), "a long number");
}

/// RFC 3394 sections 4.1 and 4.6.
#[test]
fn unwraps_as_rfc_3394() {
    let cases = [
        (
            KeyManagement::A128Kw,
            ContentEncryption::A128Gcm,
            (0..16).collect::<Vec<u8>>(),
            "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
            "00112233445566778899aabbccddeeff",
        ),
        (
            KeyManagement::A256Kw,
            ContentEncryption::A256Gcm,
            (0..32).collect(),
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
            "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
        ),
    ];
    for (management, encryption, wrapping, wrapped, expected) in cases {
        let key = DecryptionKey::secret(&wrapping).unwrap();
        let wrapped = hex(wrapped);
        assert!(is_key(&key.content_key(&plain(management, encryption, &wrapped)).unwrap(), &hex(expected)));
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 0x80;
            assert!(key.content_key(&plain(management, encryption, &changed)).is_err(), "byte {at}");
        }
        for length in 0..wrapped.len() {
            assert!(key.content_key(&plain(management, encryption, &wrapped[..length])).is_err(), "{length} bytes");
        }
        let other =
            if encryption == ContentEncryption::A128Gcm { ContentEncryption::A256Gcm } else { ContentEncryption::A128Gcm };
        assert!(key.content_key(&plain(management, other, &wrapped)).is_err(), "a key of another length");
    }
}

fn rsa_key() -> &'static (rsa::PrivateKey, DecryptionKey) {
    static KEY: OnceLock<(rsa::PrivateKey, DecryptionKey)> = OnceLock::new();
    KEY.get_or_init(|| {
        let key = rsa::PrivateKey::new(&mut getrandom::SysRng, 2048).unwrap();
        let own = RsaKey::new(
            &key.n().to_be_bytes(),
            &key.e().to_be_bytes(),
            &key.d().to_be_bytes(),
            &key.primes()[0].to_be_bytes(),
            &key.primes()[1].to_be_bytes(),
        );
        (key, DecryptionKey::Rsa(own.unwrap()))
    })
}

#[test]
fn what_rsa_does_not_decrypt_is_replaced_by_chance() {
    let (key, own) = rsa_key();
    let encrypt =
        |content: &[u8]| key.as_public_key().oaep_encrypt_with_rng::<sha2::Sha256, _>(&mut getrandom::SysRng, content).unwrap();
    let found = |bytes: &[u8]| own.content_key(&plain(KeyManagement::RsaOaep256, ContentEncryption::A256Gcm, bytes));
    let cek: Vec<u8> = (0..32).collect();
    let good = encrypt(&cek);
    assert!(is_key(&found(&good).unwrap(), &cek));
    let sha512 = rsa::Oaep::<sha2::Sha512>::new();
    let other_hash = key.as_public_key().encrypt(&mut getrandom::SysRng, sha512, &cek).unwrap();
    let mut changed = good.clone();
    changed[17] ^= 1;
    let cases = [
        ("a short key", encrypt(&cek[..16])),
        ("a long key", encrypt(&[&cek[..], &[0]].concat())),
        ("no key", encrypt(b"")),
        ("another hash", other_hash),
        ("a changed byte", changed),
        ("a byte less", good[1..].to_vec()),
        ("zero", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
        ("more than the modulus", vec![0xff; 256]),
        ("one byte", vec![7]),
        ("a megabyte", vec![7; 1 << 20]),
    ];
    for (name, bytes) in cases {
        let (one, other) = (found(&bytes).unwrap(), found(&bytes).unwrap());
        assert!(!is_key(&one, &cek) && !is_key(&one, &[0; 32]), "{name}");
        let nonce = [0; 12];
        assert_ne!(one.seal(&nonce, b"", b"content"), other.seal(&nonce, b"", b"content"), "{name}: chance is never the same");
    }
}

#[test]
fn numbers_that_do_not_belong_together_are_no_rsa_key() {
    let (key, _) = rsa_key();
    let [n, e, d] = [key.n().to_be_bytes(), key.e().to_be_bytes(), key.d().to_be_bytes()].map(|bytes| bytes.to_vec());
    let [p, q] = [0, 1].map(|index: usize| key.primes()[index].to_be_bytes().to_vec());
    let made = |n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]| RsaKey::new(n, e, d, p, q).err();
    assert_eq!(made(&[&[0], &n[..]].concat(), &e, &d, &p, &q), None, "a leading zero is no other number");
    let mut other = d.clone();
    other[100] ^= 2;
    assert_eq!(made(&n, &e, &other, &p, &q), Some(KeyError::NotAKey));
    assert_eq!(made(&n, &e, &d, &p, &p), Some(KeyError::NotAKey));
    assert_eq!(made(&n, &e, &d, &[1], &n), Some(KeyError::NotAKey));
    assert_eq!(made(&n, &e, &d, b"", b""), Some(KeyError::NotAKey));
    assert_eq!(made(&n, &[3], &d, &p, &q), Some(KeyError::NotAKey));
    assert_eq!(made(&n, b"", &d, &p, &q), Some(KeyError::NotAKey));
    assert_eq!(made(&n[..128], &e, &d, &p, &q), Some(KeyError::ModulusSize));
    assert_eq!(made(b"", &e, &d, &p, &q), Some(KeyError::ModulusSize));
    assert_eq!(made(&vec![0xff; 513], &e, &d, &p, &q), Some(KeyError::ModulusSize));
}

#[test]
fn a_key_serves_the_algorithms_of_its_kind_only() {
    use ContentEncryption::{A128CbcHs256, A128Gcm, A256Gcm};
    let short = DecryptionKey::secret(&[1; 16]).unwrap();
    let long = DecryptionKey::secret(&[1; 32]).unwrap();
    let served = |key: &DecryptionKey| -> Vec<_> {
        let pairs = KeyManagement::ALL.into_iter().flat_map(|one| ContentEncryption::JWE.map(|other| (one, other)));
        pairs.filter(|(management, encryption)| key.serves(*management, *encryption)).collect()
    };
    let all = |management| ContentEncryption::JWE.map(|encryption| (management, encryption));
    assert_eq!(served(&short), [vec![(KeyManagement::Dir, A128Gcm)], all(KeyManagement::A128Kw).to_vec()].concat());
    let direct = vec![(KeyManagement::Dir, A256Gcm), (KeyManagement::Dir, A128CbcHs256)];
    assert_eq!(served(&long), [direct, all(KeyManagement::A256Kw).to_vec()].concat());
    assert_eq!(served(&p256(BOB)), [all(KeyManagement::EcdhEs), all(KeyManagement::EcdhEsA256Kw)].concat());
    assert_eq!(served(&rsa_key().1), all(KeyManagement::RsaOaep256));
    for length in [0, 15, 24, 33, 64] {
        assert_eq!(DecryptionKey::secret(&vec![1; length]).err(), Some(KeyError::NoSuchLength(length)));
    }
}

#[test]
fn refuses_parts_that_an_algorithm_has_not() {
    let long = DecryptionKey::secret(&[1; 32]).unwrap();
    let (x, y) = (bytes(ALICE[1]), bytes(ALICE[2]));
    let agreement = Some(Agreement { x: &x, y: &y, apu: b"", apv: b"" });
    let direct = plain(KeyManagement::Dir, ContentEncryption::A256Gcm, b"");
    assert!(is_key(&long.content_key(&direct).unwrap(), &[1; 32]));
    assert!(long.content_key(&EncryptedKey { bytes: b"x", ..direct }).is_err());
    assert!(long.content_key(&EncryptedKey { agreement, ..direct }).is_err());
    assert!(long.content_key(&plain(KeyManagement::A256Kw, ContentEncryption::A256Gcm, b"")).is_err());
    assert!(long.content_key(&plain(KeyManagement::A128Kw, ContentEncryption::A256Gcm, &[0; 40])).is_err());
    assert!(p256(BOB).content_key(&plain(KeyManagement::EcdhEs, ContentEncryption::A256Gcm, b"")).is_err());
    let wrapped = EncryptedKey { agreement, ..plain(KeyManagement::EcdhEs, ContentEncryption::A256Gcm, &[0; 40]) };
    assert!(p256(BOB).content_key(&wrapped).is_err());
    assert!(p256(BOB).content_key(&EncryptedKey { management: KeyManagement::EcdhEsA256Kw, ..wrapped }).is_err());
    assert!(rsa_key().1.content_key(&plain(KeyManagement::RsaOaep256, ContentEncryption::A256Gcm, b"")).is_err());
}

#[test]
fn shows_no_secret() {
    let shown = format!("{:?} {:?} {:?}", DecryptionKey::secret(&[0x41; 16]).unwrap(), p256(BOB), rsa_key().1);
    assert_eq!(shown, "DecryptionKey(oct) DecryptionKey(P-256) DecryptionKey(RSA)");
}
