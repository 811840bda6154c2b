use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::encryption::{ContentEncryption, ContentKey, KeyManagement, Undecryptable};
use crate::jose::MAX_TOKEN_BYTES;
use crate::rejection::Rejection;

/// A key set with one symmetric key, and the same for `dir` with A256GCM.
pub(crate) const DIRECT_KEY: [u8; 32] = [7; 32];

pub(crate) fn oct(key: &[u8]) -> Value {
    json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(key)})
}

/// An encrypted token with this header and [`DIRECT_KEY`], whatever the header says.
pub(crate) fn sealed(header: &str, content: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let key = ContentKey::new(ContentEncryption::A256Gcm, &DIRECT_KEY).unwrap();
    let (ciphertext, tag) = key.seal(&[1; 12], header.as_bytes(), content).unwrap();
    let [nonce, ciphertext, tag] = [&[1; 12][..], &ciphertext, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{ciphertext}.{tag}")
}

fn keys(jwks: &Value) -> DecryptionKeys {
    DecryptionKeys::from_jwks(jwks.to_string().as_bytes()).unwrap().0
}

fn opened(keys: &DecryptionKeys, token: &str) -> Result<String, Undecryptable> {
    let content = keys.open(&EncryptedToken::read(token.as_bytes()).unwrap())?;
    Ok(String::from_utf8(content.to_vec()).unwrap())
}

/// What jwcrypto made, a library that we did not write.
fn made_elsewhere() -> Value {
    serde_json::from_str(include_str!("tests/jwcrypto.json")).unwrap()
}

#[test]
fn opens_what_another_library_made() {
    let made = made_elsewhere();
    let all = keys(&made);
    let tokens = made["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 18);
    for token in tokens {
        let [alg, enc, text] = ["alg", "enc", "token"].map(|name| token[name].as_str().unwrap());
        assert_eq!(opened(&all, text).as_deref(), Ok(&*format!("content for {alg} {enc}")), "{alg} {enc}");
        // The other keys alone open nothing.
        for key in made["keys"].as_array().unwrap() {
            let mut key = key.clone();
            let is_meant = EncryptedToken::read(text.as_bytes()).unwrap().key_id() == key["kid"].as_str();
            assert_eq!(opened(&keys(&json!({"keys": [key]})), text).is_ok(), is_meant, "{alg} {enc}");
            // Nor do they without a name, unless they are of the right kind and so the one that is meant.
            key.as_object_mut().unwrap().remove("kid");
            assert_eq!(opened(&keys(&json!({"keys": [key]})), text).is_ok(), is_meant, "{alg} {enc}");
        }
    }
}

#[test]
fn opens_nothing_of_which_any_part_differs() {
    let made = made_elsewhere();
    let all = keys(&made);
    for token in made["tokens"].as_array().unwrap() {
        let text = token["token"].as_str().unwrap();
        let parts: Vec<&str> = text.split('.').collect();
        let refused = |parts: &[String], what: &str| {
            let text = parts.join(".");
            let is_open = EncryptedToken::read(text.as_bytes()).is_ok_and(|token| all.open(&token).is_ok());
            assert!(!is_open, "{what} of {}", token["alg"]);
        };
        for index in 0..5 {
            let Ok(bytes) = URL_SAFE_NO_PAD.decode(parts[index]) else { continue };
            let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            for change in [
                |bytes: &mut Vec<u8>| bytes.push(0),
                |bytes: &mut Vec<u8>| bytes.truncate(bytes.len().saturating_sub(1)),
                |bytes: &mut Vec<u8>| bytes.clear(),
                |bytes: &mut Vec<u8>| bytes.iter_mut().for_each(|byte| *byte ^= 1),
                |bytes: &mut Vec<u8>| bytes.last_mut().into_iter().for_each(|byte| *byte ^= 0x80),
                |bytes: &mut Vec<u8>| bytes.reverse(),
            ] {
                let mut other = bytes.clone();
                change(&mut other);
                if other != bytes {
                    changed[index] = URL_SAFE_NO_PAD.encode(&other);
                    refused(&changed, &format!("part {index}"));
                }
            }
        }
        // The header says the same in other letters: it is vouched for as it stands.
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        let mut spaced: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        spaced[0] = URL_SAFE_NO_PAD.encode(header.replacen('{', "{ ", 1));
        refused(&spaced, "a space in the header");
    }
}

/// RFC 7516 appendix A.3 and RFC 7520 section 5.6.
#[test]
fn opens_the_examples_of_the_rfcs() {
    let a3 = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.\
              AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";
    let a3_key = json!({"keys": [{"kty": "oct", "k": "GawgguFyGrWKav7AX4VKUg"}]});
    assert_eq!(opened(&keys(&a3_key), a3).as_deref(), Ok("Live long and prosper."));
    let cookbook = "eyJhbGciOiJkaXIiLCJraWQiOiI3N2M3ZTJiOC02ZTEzLTQ1Y2YtODY3Mi02MTdiNWI0NTI0M2EiLCJlbmMiOiJBMTI4R0NNIn0..\
        refa467QzzKx6QAB.JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23XJoBcW29rHP8yZOZG7YhLpT1bjFuvZPjQS-m0IFtVcXkZXdH_lr_FrdYt9\
        HRUYkshtrMmIUAyGmUnd9zMDB2n0cRDIHAzFVeJUDxkUwVAE7_YGRPdcqMyiBoCO-FBdE-Nceb4h3-FtBP-c_BIwCPTjb9o0SbdcdREEMJMyZBH8ySWMV\
        i1gPD9yxi-aQpGbSv_F9N4IZAxscj5g-NJsUPbjk29-s7LJAGb15wEBtXphVCgyy53CoIKLHHeJHXex45Uz9aKZSRSInZI-wjsY0yu3cT4_aQ3i1o-tiE\
        -F8Ios61EKgyIQ4CWao8PFMj8TTnp.vbb32Xvllea2OtmHAdccRQ";
    let key = json!({"keys": [{"kty": "oct", "kid": "77c7e2b8-6e13-45cf-8672-617b5b45243a", "use": "enc", "alg": "A128GCM",
                               "k": "XctOhJAkA-pD9Lh7ZgW_2A"}]});
    assert!(opened(&keys(&key), cookbook).unwrap().starts_with("You can trust us to stick with you through thick and thin"));
}

fn outcome(header: &str) -> Result<(), Malformed> {
    EncryptedToken::read(sealed(header, b"content").as_bytes()).map(drop)
}

/// Case 39: how a key is encrypted is refused by name, whatever else the header says; `p2c` is not looked at.
#[test]
fn case_39_refuses_rsa1_5_and_pbes2_by_name() {
    for (alg, name) in
        [("RSA1_5", "RSA1_5"), ("PBES2-HS256+A128KW", "PBES2"), ("PBES2-HS512+A256KW", "PBES2"), ("PBES2-HS999+A1KW", "PBES2")]
    {
        for p2c in ["", r#","p2c":2147483647,"p2s":"c2FsdA""#, r#","p2c":1e308"#, r#","p2c":"x""#] {
            let error = outcome(&format!(r#"{{"alg":"{alg}","enc":"A256GCM"{p2c}}}"#)).unwrap_err();
            assert!(matches!(error, Malformed::AlgorithmUnsafe(found, _) if found == name), "{error}");
            assert_eq!(error.rejection(), Rejection::AlgorithmNotAllowed);
        }
    }
}

#[test]
fn holds_headers_to_their_form() {
    let epk = r#""epk":{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}"#;
    let ecdh = |members: &str| format!(r#"{{"alg":"ECDH-ES","enc":"A256GCM"{members}}}"#);
    let dir = |members: &str| format!(r#"{{"alg":"dir","enc":"A256GCM"{members}}}"#);
    let of = |name| Err(Malformed::ParameterType(name));
    let cases = [
        (dir(""), Ok(())),
        (dir(r#","cty":"JWT","typ":"JWT","kid":"../../etc/passwd'; DROP""#), Ok(())),
        (dir(r#","cty":"application/jwt""#), Ok(())),
        (dir(r#","jku":"https://evil.example","x5u":"https://evil.example","x5c":["MII"],"jwk":{"kty":"oct"},"epk":7"#), Ok(())),
        (ecdh(&format!(",{epk}")), Ok(())),
        (ecdh(&format!(r#",{epk},"apu":"QQ","apv":"""#)), Ok(())),
        (dir(r#","cty":"text/plain""#), of("cty")),
        (dir(r#","cty":7"#), of("cty")),
        (dir(r#","kid":7"#), of("kid")),
        (dir(r#","typ":["JWT"]"#), of("typ")),
        (dir(r#","zip":"DEF""#), Err(Malformed::Parameter("zip"))),
        (dir(r#","zip":null"#), Err(Malformed::Parameter("zip"))),
        (dir(r#","crit":["exp"],"exp":1"#), Err(Malformed::Parameter("crit"))),
        (dir(r#","crit":[]"#), Err(Malformed::Parameter("crit"))),
        (dir(r#","b64":true"#), Err(Malformed::Parameter("b64"))),
        (dir(r#","enc":"A128GCM""#), Err(Malformed::Header)),
        (dir(r#","\u0061lg":"A256KW""#), Err(Malformed::Header)),
        (dir(r#","x":[{"a":1,"a":1}]"#), Err(Malformed::Header)),
        (r#"{"enc":"A256GCM"}"#.to_owned(), of("alg")),
        (r#"{"alg":"dir"}"#.to_owned(), of("enc")),
        (r#"{"alg":null,"enc":"A256GCM"}"#.to_owned(), of("alg")),
        (r#"{"alg":["dir"],"enc":"A256GCM"}"#.to_owned(), of("alg")),
        (r#"{"alg":"none","enc":"A256GCM"}"#.to_owned(), Err(Malformed::AlgorithmUnknown)),
        (r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#.to_owned(), Err(Malformed::AlgorithmUnknown)),
        (r#"{"alg":"DIR","enc":"A256GCM"}"#.to_owned(), Err(Malformed::AlgorithmUnknown)),
        (r#"{"alg":"RS256","enc":"A256GCM"}"#.to_owned(), Err(Malformed::AlgorithmUnknown)),
        (r#"{"alg":"dir","enc":"none"}"#.to_owned(), Err(Malformed::EncryptionUnknown)),
        (r#"{"alg":"dir","enc":"XC20P"}"#.to_owned(), Err(Malformed::EncryptionUnknown)),
        (r#"{"alg":"dir","enc":"A256CBC-HS256"}"#.to_owned(), Err(Malformed::EncryptionUnknown)),
        (r#"{"alg":"dir","enc":"A192GCM"}"#.to_owned(), Err(Malformed::EncryptionUnknown)),
        (ecdh(""), of("epk")),
        (ecdh(r#","epk":"x""#), of("epk")),
        (ecdh(r#","epk":{"kty":"EC","crv":"P-384","x":"AQ","y":"AQ"}"#), of("epk")),
        (ecdh(r#","epk":{"kty":"OKP","crv":"X25519","x":"AQ"}"#), of("epk")),
        (ecdh(r#","epk":{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","d":"AQ"}"#), of("epk")),
        (ecdh(r#","epk":{"kty":"EC","crv":"P-256","x":"AQ==","y":"AQ"}"#), of("epk")),
        (ecdh(r#","epk":{"kty":"EC","crv":"P-256","x":"AQ"}"#), of("epk")),
        (ecdh(&format!(r#",{epk},"apu":"A""#)), of("apu")),
        (ecdh(&format!(r#",{epk},"apv":7"#)), of("apv")),
        ("[]".to_owned(), Err(Malformed::Header)),
        ("{".to_owned(), Err(Malformed::Header)),
    ];
    for (header, expected) in cases {
        assert_eq!(outcome(&header), expected, "{header}");
    }
    assert_eq!(EncryptedToken::read(sealed("", b"content").as_bytes()).err(), Some(Malformed::Empty(Part::Header)));
}

#[test]
fn holds_the_compact_form_to_its_letter() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let read = |rest: &str| EncryptedToken::read(format!("{header}.{rest}").as_bytes()).map(drop);
    assert_eq!(read(".AQ.AQ.AQ"), Ok(()));
    assert_eq!(read("AQ.AQ.AQ.AQ"), Ok(()));
    for rest in ["", ".", "AQ.AQ.AQ", ".AQ.AQ.AQ.", "....", ".AQ.AQ.AQ.AQ.AQ"] {
        assert_eq!(read(rest), Err(Malformed::Parts), "{rest}");
    }
    for (rest, part) in [("..AQ.AQ", Part::Nonce), (".AQ..AQ", Part::Ciphertext), (".AQ.AQ.", Part::Tag)] {
        assert_eq!(read(rest), Err(Malformed::Empty(part)), "{rest}");
    }
    for (rest, part) in [
        ("A.AQ.AQ.AQ", Part::EncryptedKey),
        ("AQ=.AQ.AQ.AQ", Part::EncryptedKey),
        (".AR.AQ.AQ", Part::Nonce),
        (".AQ.A+==.AQ", Part::Ciphertext),
        (".AQ.AQ.AQ\n", Part::Tag),
        (".AQ.AQ.\u{e9}", Part::Tag),
    ] {
        assert_eq!(read(rest), Err(Malformed::Encoding(part)), "{rest}");
    }
    assert_eq!(EncryptedToken::read(&vec![b'.'; MAX_TOKEN_BYTES]).err(), Some(Malformed::Parts));
    let long = EncryptedToken::read(&vec![b'.'; MAX_TOKEN_BYTES + 1]).err();
    assert_eq!(long.map(|error| error.rejection()), Some(Rejection::TokenTooLarge));
}

#[test]
fn tries_the_one_key_that_is_meant() {
    let named = |key: &[u8], id: &str| {
        let mut key = oct(key);
        key["kid"] = json!(id);
        key
    };
    let (right, wrong) = (oct(&DIRECT_KEY), oct(&[8; 32]));
    let (a, b) = (named(&DIRECT_KEY, "a"), named(&[8; 32], "b"));
    let rsa = made_elsewhere()["keys"][0].clone();
    for (case, set, kid, opens) in [
        ("the only key", json!([right]), None, true),
        ("the only key, whatever the name", json!([right]), Some("z"), true),
        ("the key of this name", json!([b, a]), Some("a"), true),
        ("another key of this name", json!([b, a]), Some("b"), false),
        ("no key of this name", json!([a]), Some("z"), false),
        ("a key without a name, as no other has this one", json!([b, right]), Some("a"), true),
        ("two keys, and no name", json!([a, b]), None, false),
        ("two keys without a name", json!([right, wrong]), Some("a"), false),
        ("two keys of one name", json!([a, named(&[8; 32], "a")]), Some("a"), false),
        ("one key of the right kind", json!([rsa, a]), None, true),
        ("a key of another length", json!([oct(&[7; 16])]), None, false),
    ] {
        let kid = kid.map(|kid| format!(r#","kid":"{kid}""#)).unwrap_or_default();
        let token = sealed(&format!(r#"{{"alg":"dir","enc":"A256GCM"{kid}}}"#), b"content");
        assert_eq!(opened(&keys(&json!({"keys": set})), &token).is_ok(), opens, "{case}");
    }
}

#[test]
fn a_key_is_used_for_what_it_says_only() {
    let made = made_elsewhere();
    let (rsa, ec) = (&made["keys"][0], &made["keys"][1]);
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let without = |key: &Value, name: &str| {
        let mut key = key.clone();
        key.as_object_mut().unwrap().remove(name);
        key
    };
    let key = oct(&DIRECT_KEY);
    let reason = |key: &Value| match DecryptionKeys::from_jwks(json!({"keys": [key]}).to_string().as_bytes()) {
        Err(KeysError::NoUsable(reason)) => Some(reason),
        other => other.map(|_| None).unwrap(),
    };
    for (key, expected) in [
        (json!("text"), SkipReason::NotAnObject),
        (with(&key, "kid", json!(7)), SkipReason::KeyIdNotText),
        (with(&key, "use", json!("sig")), SkipReason::NotForEncryption),
        (with(&key, "key_ops", json!(["encrypt"])), SkipReason::NotForDecrypting),
        (with(&key, "key_ops", json!("decrypt")), SkipReason::NotForDecrypting),
        (with(&key, "alg", json!("RSA-OAEP-256")), SkipReason::AlgorithmUnsupported),
        (with(&key, "alg", json!("A128GCM")), SkipReason::AlgorithmUnsupported),
        (with(&key, "alg", json!("HS256")), SkipReason::AlgorithmUnsupported),
        (with(&key, "alg", json!(null)), SkipReason::AlgorithmUnsupported),
        (with(rsa, "alg", json!("RSA1_5")), SkipReason::AlgorithmUnsupported),
        (with(&key, "kty", json!("OKP")), SkipReason::TypeUnsupported),
        (with(ec, "crv", json!("P-384")), SkipReason::TypeUnsupported),
        (with(rsa, "oth", json!([])), SkipReason::TypeUnsupported),
        (without(rsa, "d"), SkipReason::Public),
        (without(ec, "d"), SkipReason::Public),
        (without(rsa, "p"), SkipReason::MemberMalformed),
        (with(&key, "k", json!("AQ==")), SkipReason::MemberMalformed),
        (with(&key, "k", json!("AQ")), SkipReason::Key(crate::encryption::KeyError::NoSuchLength(1))),
        (with(ec, "x", ec["y"].clone()), SkipReason::Key(crate::encryption::KeyError::NotAKey)),
        (with(rsa, "d", json!("AQAB")), SkipReason::Key(crate::encryption::KeyError::NotAKey)),
    ] {
        assert_eq!(reason(&key), Some(expected), "{expected}");
    }
    for (name, value) in
        [("use", json!("enc")), ("alg", json!("dir")), ("alg", json!("A256GCM")), ("key_ops", json!(["decrypt"]))]
    {
        let keys = keys(&json!({"keys": [with(&key, name, value)]}));
        assert!(opened(&keys, &sealed(r#"{"alg":"dir","enc":"A256GCM"}"#, b"c")).is_ok());
    }
    let wrapping = keys(&json!({"keys": [with(&key, "alg", json!("A256KW"))]}));
    assert!(wrapping.serve(KeyManagement::A256Kw) && !wrapping.serve(KeyManagement::Dir));
    assert!(opened(&wrapping, &sealed(r#"{"alg":"dir","enc":"A256GCM"}"#, b"c")).is_err());
    let (some, skipped) = DecryptionKeys::from_jwks(json!({"keys": [7, key]}).to_string().as_bytes()).unwrap();
    assert_eq!((skipped, format!("{some:?}")), (vec![(0, SkipReason::NotAnObject)], "[DecryptionKey(oct)]".to_owned()));
    for (document, expected) in [
        ("{", KeysError::NotJson),
        ("{}", KeysError::NoKeys),
        (r#"{"keys":[]}"#, KeysError::NoKeys),
        (r#"{"keys":[],"keys":[]}"#, KeysError::NotJson),
    ] {
        assert_eq!(DecryptionKeys::from_jwks(document.as_bytes()).err(), Some(expected));
    }
    let many = json!({"keys": vec![key; 21]}).to_string();
    assert_eq!(DecryptionKeys::from_jwks(many.as_bytes()).err(), Some(KeysError::TooMany));
}

#[test]
fn does_not_show_a_credential() {
    let token = sealed(r#"{"alg":"dir","enc":"A256GCM","kid":"k"}"#, b"content");
    let shown = format!("{:?}", EncryptedToken::read(token.as_bytes()).unwrap());
    assert_eq!(shown, "EncryptedToken { alg: Dir, enc: A256Gcm, .. }");
}
