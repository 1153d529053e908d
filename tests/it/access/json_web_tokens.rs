//! JSON Web Tokens with every kind of defect, and files of keys.

use super::keys;
use crate::support::credentials::{Signer, claims, jwks, rules, seconds};
use data_encoding::BASE64URL_NOPAD;
use detente::access::{AuthenticationError, CallerKind, CallerRole, Keys, MAX_JWKS_BYTES};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

fn base64(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

#[test]
fn a_complete_token_is_accepted_with_each_algorithm() {
    let now = SystemTime::now();
    for (algorithm, name) in [
        (Algorithm::ES256, "ES256"),
        (Algorithm::EdDSA, "EdDSA"),
        (Algorithm::RS256, "RS256"),
        (Algorithm::PS384, "PS384"),
    ] {
        let signer = Signer::new("a", algorithm);
        let caller = keys(&[&signer], &[name]).verify(&signer.sign(&claims(now)), now).unwrap();
        assert_eq!((caller.name(), caller.role()), ("service-a", CallerRole::Analyst), "{name}");
        assert!(caller.may_see("anything") && caller.kind() == CallerKind::Jwt);
    }
}

#[test]
fn each_claim_is_checked() {
    let now = SystemTime::now();
    let at = seconds(now);
    let signer = Signer::new("a", Algorithm::ES256);
    let keys = keys(&[&signer], &["ES256"]);
    let with = |name: &str, value: Value| {
        let mut claims = claims(now);
        claims[name] = value;
        keys.verify(&signer.sign(&claims), now)
    };
    let without = |name: &str| {
        let mut claims = claims(now);
        claims.as_object_mut().unwrap().remove(name);
        keys.verify(&signer.sign(&claims), now).unwrap_err()
    };
    for name in ["iss", "aud", "sub", "exp"] {
        assert_eq!(without(name), AuthenticationError::Malformed, "{name}");
    }
    for (name, value, denied) in [
        ("exp", json!(at - 31), AuthenticationError::Expired),
        ("exp", json!(at - 600), AuthenticationError::Expired),
        ("exp", json!(0), AuthenticationError::Expired),
        ("exp", json!(-1), AuthenticationError::Malformed),
        ("exp", json!("4102444800"), AuthenticationError::Malformed),
        ("exp", json!(1e300), AuthenticationError::Malformed),
        ("exp", json!(1e18), AuthenticationError::Malformed),
        ("exp", json!(253_402_300_800_u64), AuthenticationError::Malformed),
        ("exp", json!(u64::MAX), AuthenticationError::Malformed),
        ("exp", json!(null), AuthenticationError::Malformed),
        ("nbf", json!(at + 60), AuthenticationError::NotYetValid),
        ("nbf", json!("soon"), AuthenticationError::Malformed),
        ("iss", json!("https://issuer.test.evil"), AuthenticationError::WrongIssuer),
        ("iss", json!(["https://issuer.test"]), AuthenticationError::Malformed),
        ("aud", json!("detente-staging"), AuthenticationError::WrongAudience),
        ("aud", json!(["other", "another"]), AuthenticationError::WrongAudience),
        ("aud", json!([]), AuthenticationError::WrongAudience),
        ("sub", json!(""), AuthenticationError::NoSubject),
        ("sub", json!("a\nb"), AuthenticationError::NoSubject),
        ("sub", json!("x".repeat(129)), AuthenticationError::NoSubject),
        ("detente_role", json!("admin"), AuthenticationError::UnknownRole),
        ("detente_role", json!(["analyst"]), AuthenticationError::UnknownRole),
        ("detente_role", json!({"analyst": null}), AuthenticationError::UnknownRole),
        ("detente_role", json!({"reader": null}), AuthenticationError::UnknownRole),
        ("detente_role", json!(1), AuthenticationError::UnknownRole),
        ("detente_role", json!(true), AuthenticationError::UnknownRole),
        ("detente_role", json!("Analyst"), AuthenticationError::UnknownRole),
        ("detente_scenarios", json!("ukraine-2025"), AuthenticationError::Malformed),
        ("detente_scenarios", json!(vec!["x"; 1_001]), AuthenticationError::Malformed),
        ("detente_scenarios", json!(null), AuthenticationError::Malformed),
        ("detente_scenarios", json!(["*"]), AuthenticationError::Malformed),
        ("detente_scenarios", json!(["all"]), AuthenticationError::Malformed),
        ("detente_scenarios", json!("all"), AuthenticationError::Malformed),
    ] {
        assert_eq!(with(name, value.clone()).unwrap_err(), denied, "{name}: {value}");
    }
    for (name, value) in [
        ("exp", json!(at - 29)),
        ("exp", json!(at as f64 + 0.5)),
        ("nbf", json!(at + 29)),
        ("aud", json!(["other", "detente"])),
        ("detente_scenarios", json!(vec!["x"; 1_000])),
    ] {
        assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
    }
    assert_eq!(with("detente_role", json!(null)).unwrap().role(), CallerRole::Reader);
    let confined = with("detente_scenarios", json!(["one", "two"])).unwrap();
    assert!(confined.may_see("one") && confined.may_see("two") && !confined.may_see("three"));
    assert!(!with("detente_scenarios", json!([])).unwrap().may_see("one"));
}

#[test]
fn only_the_algorithm_of_the_key_is_accepted() {
    let now = SystemTime::now();
    let (rsa, ec) = (Signer::new("rsa", Algorithm::RS256), Signer::new("ec", Algorithm::ES256));
    let all = keys(&[&rsa, &ec], &["RS256", "PS256", "ES256"]);
    let claims = claims(now);
    let body = base64(&claims.to_string());

    // Unsigned tokens are rejected, however the algorithm `none` is spelt.
    for none in ["none", "None", "NONE", "nOnE"] {
        for name in [json!({"alg": none}), json!({"alg": none, "kid": "rsa", "typ": "JWT"})] {
            let header = base64(&name.to_string());
            assert_eq!(all.verify(&format!("{header}.{body}."), now).unwrap_err(), AuthenticationError::Malformed);
            assert_eq!(all.verify(&format!("{header}.{body}.AAAA"), now).unwrap_err(), AuthenticationError::Malformed);
        }
    }
    // An HMAC signature made with the public key, which everybody has, is rejected.
    for secret in
        [rsa.pair.public_key_pem().into_bytes(), rsa.pair.subject_public_key_info(), rsa.jwk().to_string().into_bytes()]
    {
        let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
        let forged = encode(&header, &claims, &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(all.verify(&forged, now).unwrap_err(), AuthenticationError::AlgorithmNotAllowed);
    }
    // A token is rejected if it names a key that is for a different algorithm from its own.
    let padded = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::PS256) };
    assert_eq!(all.verify(&rsa.sign_with(&padded, &claims), now).unwrap_err(), AuthenticationError::WrongKey);
    let renamed = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::ES256) };
    assert_eq!(all.verify(&ec.sign_with(&renamed, &claims), now).unwrap_err(), AuthenticationError::WrongKey);
    // A token is rejected if its algorithm uses a different curve from that of the key.
    let larger = Keys::read(&jwks(&[ec.jwk()]), rules(&["ES256", "ES384"])).unwrap();
    let mut plain = ec.jwk();
    plain.as_object_mut().unwrap().remove("alg");
    let unnamed = Keys::read(&jwks(&[plain]), rules(&["ES256", "ES384"])).unwrap();
    let header = base64(&json!({"alg": "ES384", "kid": "ec"}).to_string());
    for keys in [larger, unnamed] {
        assert_eq!(keys.verify(&format!("{header}.{body}.AAAA"), now).unwrap_err(), AuthenticationError::WrongKey);
    }
    // A valid token is rejected if its algorithm is not on the list of allowed ones.
    let only_ec = Keys::read(&jwks(&[rsa.jwk(), ec.jwk()]), rules(&["ES256"])).unwrap();
    assert_eq!(only_ec.verify(&rsa.sign(&claims), now).unwrap_err(), AuthenticationError::AlgorithmNotAllowed);
    assert!(only_ec.verify(&ec.sign(&claims), now).is_ok());
}

#[test]
fn a_token_that_omits_the_key_id_is_tried_with_the_keys_of_its_algorithm() {
    let now = SystemTime::now();
    let (one, two) = (Signer::new("one", Algorithm::ES256), Signer::new("two", Algorithm::ES256));
    let nameless = Header::new(Algorithm::ES256);
    let alone = keys(&[&one], &["ES256"]);
    assert!(alone.verify(&one.sign_with(&nameless, &claims(now)), now).is_ok());
    let both = keys(&[&one, &two], &["ES256"]);
    assert!(both.verify(&one.sign_with(&nameless, &claims(now)), now).is_ok());
    assert!(both.verify(&two.sign_with(&nameless, &claims(now)), now).is_ok());
    let forged = Signer::new("one", Algorithm::ES256).sign_with(&nameless, &claims(now));
    assert_eq!(both.verify(&forged, now).unwrap_err(), AuthenticationError::BadSignature);
    let other = Header::new(Algorithm::EdDSA);
    let edwards = Signer::new("one", Algorithm::EdDSA).sign_with(&other, &claims(now));
    let all = Keys::read(&jwks(&[one.jwk(), two.jwk()]), rules(&["ES256", "EdDSA"])).unwrap();
    assert_eq!(all.verify(&edwards, now).unwrap_err(), AuthenticationError::UnknownKey);
    let unknown = Header { kid: Some("three".to_owned()), ..nameless.clone() };
    assert_eq!(both.verify(&one.sign_with(&unknown, &claims(now)), now).unwrap_err(), AuthenticationError::UnknownKey);
    let other = Header { kid: Some("two".to_owned()), ..nameless.clone() };
    assert_eq!(both.verify(&one.sign_with(&other, &claims(now)), now).unwrap_err(), AuthenticationError::BadSignature);
    // A key that a token carries in its own header is ignored.
    let jwk = serde_json::from_value(one.jwk()).unwrap();
    let stranger = Signer::new("stranger", Algorithm::ES256);
    let brought = Header { kid: Some("one".to_owned()), jwk: Some(jwk), ..nameless.clone() };
    assert_eq!(
        both.verify(&stranger.sign_with(&brought, &claims(now)), now).unwrap_err(),
        AuthenticationError::BadSignature
    );
    let critical = Header { kid: Some("one".to_owned()), crit: Some(vec!["exp".to_owned()]), ..nameless };
    assert_eq!(
        both.verify(&one.sign_with(&critical, &claims(now)), now).unwrap_err(),
        AuthenticationError::NotUnderstood
    );
}

#[test]
fn modified_tokens_are_rejected() {
    let now = SystemTime::now();
    let signer = Signer::new("a", Algorithm::ES256);
    let keys = keys(&[&signer], &["ES256"]);
    let token = signer.sign(&claims(now));
    let parts: Vec<&str> = token.split('.').collect();
    let mut more = claims(now);
    more["sub"] = json!("somebody-else");
    let changed = format!("{}.{}.{}", parts[0], base64(&more.to_string()), parts[2]);
    assert_eq!(keys.verify(&changed, now).unwrap_err(), AuthenticationError::BadSignature);
    let twice = claims(now).to_string().replacen('{', "{\"sub\":\"root\",", 1);
    // A duplicate claim is rejected even if the signature is valid.
    let message = format!("{}.{}", parts[0], base64(&twice));
    let key = EncodingKey::from_ec_pem(signer.pair.serialize_pem().as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap();
    let signed_twice = format!("{message}.{signature}");
    assert_eq!(keys.verify(&signed_twice, now).unwrap_err(), AuthenticationError::Malformed);
    for broken in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}.{}", parts[2]),
        format!("{}.{}.{}", parts[0], base64("no claims"), parts[2]),
        format!("{}.{}.{}", base64("no header"), parts[1], parts[2]),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(keys.verify(&broken, now).is_err(), "{broken}");
    }
    assert_eq!(keys.verify(&"x".repeat(8 * 1024 + 1), now).unwrap_err(), AuthenticationError::TooLong);
    assert_eq!(keys.verify(&"x".repeat(8 * 1024), now).unwrap_err(), AuthenticationError::Malformed);
}

#[test]
fn the_cache_of_verified_tokens_compares_the_whole_token() {
    let now = SystemTime::now();
    let (signer, stranger) = (Signer::new("a", Algorithm::ES256), Signer::new("a", Algorithm::ES256));
    let keys = keys(&[&signer], &["ES256"]);
    let token = signer.sign(&claims(now));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let forged = stranger.sign(&claims(now));
    let forged_signature = forged.rsplit_once('.').unwrap().1;
    // The same claims with another signature are the forged token.
    assert_eq!(format!("{message}.{forged_signature}"), forged);
    for denied in [AuthenticationError::BadSignature, AuthenticationError::RefusedBefore] {
        assert!(keys.verify(&token, now).is_ok());
        assert_eq!(keys.verify(&forged, now).unwrap_err(), denied);
        for written in
            [format!("{message}.{signature}="), format!("{message}."), format!("{token} "), format!(" {token}")]
        {
            assert!(keys.verify(&written, now).is_err(), "{written}");
        }
    }
}

#[test]
fn token_times_are_compared_to_the_second() {
    let now = std::time::UNIX_EPOCH + Duration::from_secs(seconds(SystemTime::now()));
    let signer = Signer::new("a", Algorithm::ES256);
    let keys = keys(&[&signer], &["ES256"]);
    for (name, at, denied) in [
        ("exp", seconds(now) - 30, Some(AuthenticationError::Expired)),
        ("exp", seconds(now) - 29, None),
        ("nbf", seconds(now) + 30, None),
        ("nbf", seconds(now) + 31, Some(AuthenticationError::NotYetValid)),
        ("exp", 253_402_300_799, None),
    ] {
        let mut claims = claims(now);
        claims[name] = json!(at);
        assert_eq!(keys.verify(&signer.sign(&claims), now).err(), denied, "{name}: {at}");
    }
}

#[test]
fn a_cached_token_still_expires() {
    let now = SystemTime::now();
    let signer = Signer::new("a", Algorithm::ES256);
    let keys = keys(&[&signer], &["ES256"]);
    let token = signer.sign(&claims(now));
    let caller = keys.verify(&token, now).unwrap();
    assert!(keys.verify(&token, now + Duration::from_secs(600)).is_ok());
    assert!(caller.is_valid_at(now + Duration::from_secs(629)));
    let later = now + Duration::from_secs(631);
    assert_eq!(keys.verify(&token, later).unwrap_err(), AuthenticationError::Expired);
    assert!(!caller.is_valid_at(later));
}

#[test]
fn invalid_key_files_are_rejected_with_the_reason() {
    let (one, rsa) = (Signer::new("one", Algorithm::ES256), Signer::new("rsa", Algorithm::RS256));
    let refused = |text: &str| Keys::read(text, rules(&["ES256", "RS256"])).unwrap_err().to_string();
    assert!(refused("keys").contains("not a JSON object"));
    assert!(refused("{}").contains("no list `keys`"));
    assert!(refused("{\"keys\": []}").contains("no usable key"));
    let padded = |bytes: usize| {
        let text = jwks(&[one.jwk()]);
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    assert!(Keys::read(&padded(MAX_JWKS_BYTES), rules(&["ES256"])).is_ok());
    assert!(refused(&padded(MAX_JWKS_BYTES + 1)).contains("exceeds the limit of 524288 bytes"));
    // Values are counted before they are parsed. Without the last key, the file has the number of values at the end.
    let many = |values: usize| {
        let text = jwks(&[one.jwk()]);
        let own = 1 + text.matches([',', ':', '[', '{']).count();
        text.replacen('{', &format!("{{\"other\":[{}],", vec!["0"; values - own - 2].join(",")), 1)
    };
    assert!(Keys::read(&many(10_000), rules(&["ES256"])).is_ok());
    assert!(refused(&many(10_001)).contains("about 10001 values; the limit is 10000"), "{}", refused(&many(10_001)));
    assert!(refused(&jwks(&[one.jwk(), one.jwk()])).contains("key 2 has the same name"));
    for part in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        let mut private = one.jwk();
        private[part] = json!("AAAA");
        assert!(refused(&jwks(&[rsa.jwk(), private])).contains("key 2 contains a private"), "{part}");
    }
    assert!(refused(&jwks(&[json!({"kty": "oct", "k": "AAAA", "alg": "HS256"})])).contains("key 1 contains a private"));
    assert!(refused(&jwks(&vec![json!({"kty": "RSA"}); 101])).contains("limit is 100"));
    let mut sealing = one.jwk();
    sealing["use"] = json!("enc");
    assert!(refused(&jwks(&[sealing.clone()])).contains("no usable key"));
    let mut deriving = one.jwk();
    deriving["key_ops"] = json!(["deriveKey"]);
    assert!(refused(&jwks(&[deriving.clone()])).contains("no usable key"));
    deriving["key_ops"] = json!(["verify"]);
    assert!(Keys::read(&jwks(&[deriving]), rules(&["ES256"])).is_ok());
    // A key is not used if its type or its algorithm is not allowed.
    assert!(
        Keys::read(&jwks(&[rsa.jwk()]), rules(&["ES256", "PS256"])).unwrap_err().to_string().contains("no usable key")
    );
    assert!(Keys::read(&jwks(&[sealing, rsa.jwk(), json!({"kty": "new"})]), rules(&["RS256"])).is_ok());
    for (bits, fits) in [(1_024_usize, false), (2_047, false), (2_048, true), (8_192, true), (8_193, false)] {
        // The first bit that is set gives the length of the key.
        let (bytes, first) = (bits.div_ceil(8), 1 << ((bits - 1) % 8));
        let modulus = [&[first][..], &vec![0xff; bytes - 1]].concat();
        let key = json!({"kty": "RSA", "n": BASE64URL_NOPAD.encode(&modulus), "e": "AQAB"});
        let read = Keys::read(&jwks(&[key]), rules(&["RS256"])).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(read.is_ok(), fits, "{bits}: {read:?}");
        assert!(fits || read.unwrap_err().contains(&format!("key 1 is an RSA key of {bits} bits")), "{bits}");
    }
    // Numbers that are not a public key can verify nothing, so a file of such keys has no usable key.
    let edwards = Signer::new("edwards", Algorithm::EdDSA);
    for (key, member, number) in [
        (&one, "x", "AAAA".to_owned()),
        (&one, "y", BASE64URL_NOPAD.encode(&[7; 32])),
        (&rsa, "e", "AA".to_owned()),
        (&rsa, "e", "AQ".to_owned()),
        (&rsa, "e", "AQAA".to_owned()),
        (&rsa, "e", BASE64URL_NOPAD.encode(&[2, 0, 0, 0, 1])),
        (&rsa, "n", BASE64URL_NOPAD.encode(&[&[0, 0x80][..], &[0xff; 255]].concat())),
        (&rsa, "n", BASE64URL_NOPAD.encode(&[&[0x80][..], &[0; 255]].concat())),
        (&edwards, "x", "AAAA".to_owned()),
    ] {
        let read = |key: Value| Keys::read(&jwks(&[key]), rules(&["ES256", "RS256", "EdDSA"])).map(|_| ());
        assert_eq!(read(key.jwk()), Ok(()));
        let mut wrong = key.jwk();
        wrong[member] = json!(number);
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains("no usable key; key 1 is not a public key"), "{member}: {error}");
    }
    // A key that the program cannot read does not invalidate the other keys of the file.
    let strange = [
        json!({"kty": "RSA"}),
        json!({"kty": "RSA", "n": "\n", "e": "AQAB"}),
        json!({"kty": "n".repeat(1_000)}),
        json!(7),
    ];
    let keys = Keys::read(&jwks(&[&strange[..], &[rsa.jwk()]].concat()), rules(&["RS256"])).unwrap();
    assert_eq!(keys.skipped_keys().len(), strange.len(), "{:?}", keys.skipped_keys());
    assert!(keys.skipped_keys()[0].ends_with("or is incomplete") && keys.skipped_keys()[3] == "key 4 is not a JWK");
    assert!(refused(&jwks(&vec![json!({"kty": "RSA"}); 100])).len() < 1_000);
    for name in ["HS256", "none", "RS1", ""] {
        assert!(name.parse::<detente::access::JwtAlgorithm>().is_err(), "{name}");
    }
}

/// The public key without its name (`kid`).
fn without_name(signer: &Signer) -> Value {
    let mut jwk = signer.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    jwk
}

#[test]
fn keys_without_a_name_are_tried_by_algorithm() {
    let now = SystemTime::now();
    let signers: Vec<Signer> = (0..6).map(|at| Signer::new(&at.to_string(), Algorithm::ES256)).collect();
    let nameless = Header::new(Algorithm::ES256);
    let read = |list: &[Value]| Keys::read(&jwks(list), rules(&["ES256", "RS256"])).unwrap();
    let verify =
        |keys: &Keys, signer: &Signer, header: &Header| keys.verify(&signer.sign_with(header, &claims(now)), now);
    // Two keys without a name, as during a rotation, whether the token names its key or not.
    let two = read(&[without_name(&signers[0]), without_name(&signers[1])]);
    for signer in &signers[..2] {
        assert!(verify(&two, signer, &nameless).is_ok());
        assert!(two.verify(&signer.sign(&claims(now)), now).is_ok());
    }
    assert_eq!(verify(&two, &signers[2], &nameless).unwrap_err(), AuthenticationError::BadSignature);
    // A name that a key has is the only one that is tried, also beside keys without a name.
    let mixed = read(&[without_name(&signers[0]), signers[1].jwk()]);
    let named = Header { kid: Some("1".to_owned()), ..nameless.clone() };
    assert_eq!(verify(&mixed, &signers[0], &named).unwrap_err(), AuthenticationError::BadSignature);
    assert!(verify(&mixed, &signers[1], &named).is_ok());
    // A name that no key has leads to keys without a name only.
    let unknown = Header { kid: Some("x".to_owned()), ..nameless.clone() };
    assert!(verify(&mixed, &signers[0], &unknown).is_ok());
    assert_eq!(verify(&mixed, &signers[1], &unknown).unwrap_err(), AuthenticationError::BadSignature);
    // A token is tried with four keys. A fifth one without a name could verify nothing, so it is skipped.
    let five: Vec<Value> = signers[..5].iter().map(without_name).collect();
    let keys = read(&five);
    assert!(keys.skipped_keys()[0].starts_with("key 5 has no name"), "{:?}", keys.skipped_keys());
    assert!(verify(&keys, &signers[3], &nameless).is_ok());
    assert_eq!(verify(&keys, &signers[4], &nameless).unwrap_err(), AuthenticationError::BadSignature);
    assert!(read(&five[..4]).skipped_keys().is_empty());
    // Keys without a name come first, so that keys with a name never keep a token from being tried with them.
    let mut list: Vec<Value> = signers[..5].iter().map(Signer::jwk).collect();
    list.push(without_name(&signers[5]));
    let keys = read(&list);
    assert!(verify(&keys, &signers[5], &nameless).is_ok() && verify(&keys, &signers[2], &nameless).is_ok());
    assert_eq!(verify(&keys, &signers[3], &nameless).unwrap_err(), AuthenticationError::BadSignature);
}
