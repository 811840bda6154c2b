use super::*;

/// A published case: its name, the algorithm, key, nonce, additional data, content, ciphertext, tag.
type Case = (&'static str, ContentEncryption, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn published() -> Vec<Case> {
    let gcm = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let gcm_aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    vec![
        (
            "RFC 7518 appendix B.1",
            ContentEncryption::A128CbcHs256,
            (0..32).collect(),
            hex("1af38c2dc2b96ffdd86694092341bc04"),
            b"The second principle of Auguste Kerckhoffs".to_vec(),
            b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy \
              without inconvenience"
                .to_vec(),
            hex("c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2
                 fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b
                 384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db"),
            hex("652c3fa36b0a7c5b3219fab3a30bc1c4"),
        ),
        (
            "The Galois/Counter Mode of Operation, test case 4",
            ContentEncryption::A128Gcm,
            hex("feffe9928665731c6d6a8f9467308308"),
            hex("cafebabefacedbaddecaf888"),
            hex(gcm_aad),
            hex(gcm),
            hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"),
            hex("5bc94fbc3221a5db94fae95ae7121a47"),
        ),
        (
            "The Galois/Counter Mode of Operation, test case 16",
            ContentEncryption::A256Gcm,
            hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
            hex("cafebabefacedbaddecaf888"),
            hex(gcm_aad),
            hex(gcm),
            hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"),
            hex("76fc6ece0f4e1768cddf8853bb2d551b"),
        ),
        (
            "draft-irtf-cfrg-xchacha-03 appendix A.3.1",
            ContentEncryption::Xc20P,
            (0x80..0xa0).collect(),
            (0x40..0x58).collect(),
            hex("50515253c0c1c2c3c4c5c6c7"),
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen \
              would be it."
                .to_vec(),
            hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39
                 ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
                 21f9664c97637da9768812f615c68b13b52e"),
            hex("c0875924c1c7987947deafd8780acf49"),
        ),
        (
            "made with another library",
            ContentEncryption::A256CbcHs256,
            (0..64).collect(),
            (0x30..0x40).collect(),
            b"https://issuer.example.com|alice".to_vec(),
            b"member-4711".to_vec(),
            hex("ab661d8951a94ab1248c32d2294d29d5"),
            hex("e9fbab2d8a4d2f7631b8a2be46e41d1a4ad21f37bea494b562695a5525489b39"),
        ),
    ]
}

#[test]
fn seals_and_opens_as_published() {
    for (name, algorithm, key, nonce, aad, content, ciphertext, tag) in published() {
        let key = ContentKey::new(algorithm, &key).unwrap();
        assert_eq!(key.seal(&nonce, &aad, &content), Ok((ciphertext.clone(), tag.clone())), "{name}");
        let opened = key.open(&Sealed { nonce: &nonce, aad: &aad, ciphertext: &ciphertext, tag: &tag });
        assert_eq!(opened.map(|content| content.to_vec()), Ok(content), "{name}");
    }
}

#[test]
fn opens_nothing_of_which_any_bit_or_any_length_differs() {
    for (name, algorithm, key, nonce, aad, _, ciphertext, tag) in published() {
        let good = ContentKey::new(algorithm, &key).unwrap();
        let opens = |key: &ContentKey, parts: &[Vec<u8>; 4]| {
            let [nonce, aad, ciphertext, tag] = parts;
            key.open(&Sealed { nonce, aad, ciphertext, tag }).is_ok()
        };
        let parts = [nonce, aad, ciphertext, tag];
        assert!(opens(&good, &parts), "{name}");
        for part in 0..parts.len() {
            for at in 0..parts[part].len() {
                let mut changed = parts.clone();
                changed[part][at] ^= 1 << (at % 8);
                assert!(!opens(&good, &changed), "{name}: byte {at} of part {part}");
            }
            for change in [
                |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1),
                |bytes: &mut Vec<u8>| bytes.clear(),
                |bytes: &mut Vec<u8>| bytes.push(0),
                |bytes: &mut Vec<u8>| bytes.extend([0; 16]),
                |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
                |bytes: &mut Vec<u8>| bytes.rotate_left(1),
            ] {
                let mut changed = parts.clone();
                change(&mut changed[part]);
                assert!(!opens(&good, &changed), "{name}: length of part {part}");
            }
        }
        // What moves from one part to another is as long together.
        let mut moved = parts.clone();
        let first = moved[2].remove(0);
        moved[1].push(first);
        assert!(!opens(&good, &moved), "{name}: moved");
        for at in 0..key.len() {
            let mut other = key.clone();
            other[at] ^= 1;
            assert!(!opens(&ContentKey::new(algorithm, &other).unwrap(), &parts), "{name}: byte {at} of the key");
        }
    }
}

/// The padding is looked at behind the tag only: with a right tag over a wrong padding the answer is the same as with a wrong tag.
#[test]
fn a_wrong_padding_is_told_like_a_wrong_tag() {
    use hmac::{Hmac, Mac};
    let key: Vec<u8> = (0..32).collect();
    let content_key = ContentKey::new(ContentEncryption::A128CbcHs256, &key).unwrap();
    let nonce = [3; 16];
    for length in [0, 15, 16, 17, 32] {
        let ciphertext = vec![5; length];
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key[..16]).unwrap();
        mac.update(&nonce);
        mac.update(&ciphertext);
        mac.update(&[0; 8]);
        let tag = mac.finalize().into_bytes()[..16].to_vec();
        let sealed = Sealed { nonce: &nonce, aad: b"", ciphertext: &ciphertext, tag: &tag };
        assert_eq!(content_key.open(&sealed).err(), Some(Undecryptable), "{length}");
        assert_eq!(content_key.open(&Sealed { tag: &[0; 16], ..sealed }).err(), Some(Undecryptable), "{length}");
    }
}

#[test]
fn a_tag_of_nothing_opens_nothing() {
    for algorithm in ContentEncryption::ALL {
        let key = ContentKey::new(algorithm, &vec![1; algorithm.key_bytes()]).unwrap();
        let nonce = vec![2; algorithm.nonce_bytes()];
        let (ciphertext, tag) = key.seal(&nonce, b"", b"").unwrap();
        let sealed = Sealed { nonce: &nonce, aad: b"", ciphertext: &ciphertext, tag: &tag };
        assert_eq!(key.open(&sealed).map(|content| content.len()), Ok(0));
        for length in (0..tag.len()).chain([tag.len() + 1]) {
            let short = [&tag[..], &[0]].concat();
            assert!(key.open(&Sealed { tag: &short[..length], ..sealed }).is_err(), "{algorithm:?} {length}");
        }
        assert!(key.seal(b"", b"", b"").is_err());
    }
}

#[test]
fn a_key_has_the_length_of_its_algorithm_and_is_not_shown() {
    for algorithm in ContentEncryption::ALL {
        let needed = algorithm.key_bytes();
        for found in [0, needed - 1, needed + 1] {
            let expected = KeyError::Length { algorithm: algorithm.as_str(), needed, found };
            assert_eq!(ContentKey::new(algorithm, &vec![1; found]).err(), Some(expected));
        }
    }
    let key = ContentKey::new(ContentEncryption::A128Gcm, b"0123456789abcdef").unwrap();
    assert_eq!(format!("{key:?}"), "ContentKey { algorithm: A128Gcm, .. }");
    let sealed = Sealed { nonce: b"n", aad: b"a", ciphertext: b"secret", tag: b"t" };
    assert_eq!(format!("{sealed:?}"), "Sealed { bytes: 6, .. }");
}
