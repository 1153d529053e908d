//! Authentication: bearer tokens from a file, JSON Web Tokens with every kind of defect, and certificates.

use crate::support::credentials::{Signer, claims, entry, jwks, rules, seconds};
use data_encoding::BASE64URL_NOPAD;
use detente::access::{AuthenticationError, Authority, Caller, CallerRole, Keys, Tokens};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

fn keys(signers: &[&Signer], algorithms: &[&str]) -> Keys {
    let listed: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    Keys::read(&jwks(&listed), rules(algorithms)).unwrap()
}

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
        assert!(caller.may_see("anything") && caller.is_known());
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
        ("detente_scenarios", json!("ukraine-2025"), AuthenticationError::Malformed),
        ("detente_scenarios", json!(vec!["x"; 1_001]), AuthenticationError::Malformed),
        ("detente_scenarios", json!(null), AuthenticationError::Malformed),
        ("detente_scenarios", json!(["*"]), AuthenticationError::Malformed),
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
    // A token whose algorithm is not the one of the key it names is rejected.
    let padded = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::PS256) };
    assert_eq!(all.verify(&rsa.sign_with(&padded, &claims), now).unwrap_err(), AuthenticationError::WrongKey);
    let renamed = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::ES256) };
    assert_eq!(all.verify(&ec.sign_with(&renamed, &claims), now).unwrap_err(), AuthenticationError::WrongKey);
    // A token for another curve than the key's is rejected.
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
fn a_token_may_omit_the_key_id_only_if_there_is_one_key() {
    let now = SystemTime::now();
    let (one, two) = (Signer::new("one", Algorithm::ES256), Signer::new("two", Algorithm::ES256));
    let nameless = Header::new(Algorithm::ES256);
    let alone = keys(&[&one], &["ES256"]);
    assert!(alone.verify(&one.sign_with(&nameless, &claims(now)), now).is_ok());
    let both = keys(&[&one, &two], &["ES256"]);
    assert_eq!(both.verify(&one.sign_with(&nameless, &claims(now)), now).unwrap_err(), AuthenticationError::UnknownKey);
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
    for _ in 0..2 {
        assert!(keys.verify(&token, now).is_ok());
        assert_eq!(
            keys.verify(&format!("{message}.{forged_signature}"), now).unwrap_err(),
            AuthenticationError::BadSignature
        );
        assert_eq!(keys.verify(&forged, now).unwrap_err(), AuthenticationError::BadSignature);
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
    assert!(refused(&" ".repeat(1024 * 1024 + 1)).contains("exceeds"));
    assert!(refused(&jwks(&[one.jwk(), one.jwk()])).contains("key 2 has the same name"));
    for part in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        let mut private = one.jwk();
        private[part] = json!("AAAA");
        assert!(refused(&jwks(&[rsa.jwk(), private])).contains("key 2 has a private"), "{part}");
    }
    assert!(refused(&jwks(&[json!({"kty": "oct", "k": "AAAA", "alg": "HS256"})])).contains("key 1 has a private"));
    assert!(refused(&jwks(&vec![json!({"kty": "RSA"}); 101])).contains("limit is 100"));
    let mut sealing = one.jwk();
    sealing["use"] = json!("enc");
    assert!(refused(&jwks(&[sealing.clone()])).contains("no usable key"));
    let mut deriving = one.jwk();
    deriving["key_ops"] = json!(["deriveKey"]);
    assert!(refused(&jwks(&[deriving.clone()])).contains("no usable key"));
    deriving["key_ops"] = json!(["verify"]);
    assert!(Keys::read(&jwks(&[deriving]), rules(&["ES256"])).is_ok());
    // Keys of types, or for algorithms, that are not allowed are rejected.
    assert!(
        Keys::read(&jwks(&[rsa.jwk()]), rules(&["ES256", "PS256"])).unwrap_err().to_string().contains("no usable key")
    );
    assert!(Keys::read(&jwks(&[sealing, rsa.jwk(), json!({"kty": "new"})]), rules(&["RS256"])).is_ok());
    for (bits, fits) in [(1_024_usize, false), (2_047, false), (2_048, true), (8_192, true), (8_193, false)] {
        // The highest bit of the key, and leading zeros, which do not make a key longer.
        let (bytes, first) = (bits.div_ceil(8), 1 << ((bits - 1) % 8));
        let modulus = [&[0, first][..], &vec![0xff; bytes - 1]].concat();
        let key = json!({"kty": "RSA", "n": BASE64URL_NOPAD.encode(&modulus), "e": "AQAB"});
        let read = Keys::read(&jwks(&[key]), rules(&["RS256"])).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(read.is_ok(), fits, "{bits}: {read:?}");
        assert!(fits || read.unwrap_err().contains(&format!("key 1 is an RSA key of {bits} bits")), "{bits}");
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

fn tokens(entries: &[String]) -> Tokens {
    Tokens::read(&format!("tokens:\n{}", entries.concat())).unwrap()
}

#[test]
fn a_token_is_found_by_its_hash() {
    let read = tokens(&[
        entry("dashboards", "secret-1", "reader", ", scenarios: [one, two]"),
        entry("desk", "secret-2", "analyst", ""),
        // One caller may have two tokens, so that tokens can be rotated.
        entry("desk", "secret-3", "analyst", ""),
    ]);
    assert_eq!(read.len(), 3);
    let dashboards = read.find(b"secret-1").unwrap();
    assert_eq!((dashboards.name(), dashboards.role()), ("dashboards", CallerRole::Reader));
    assert!(dashboards.may_see("one") && !dashboards.may_see("three"));
    assert_eq!(read.find(b"secret-2").unwrap().name(), read.find(b"secret-3").unwrap().name());
    for unknown in [&b"secret-4"[..], b"", b"secret-1 ", b"SECRET-1"] {
        assert!(read.find(unknown).is_none());
    }
    // A token file may also be JSON, which is a subset of YAML.
    let json = json!({"tokens": [{"caller": "a", "sha256": "0".repeat(64), "role": "reader", "scenarios": "all"}]});
    assert_eq!(Tokens::read(&json.to_string()).unwrap().len(), 1);
}

#[test]
fn errors_of_token_files_give_the_reason_and_quote_no_content() {
    let secret = "a-token-in-plain-text-by-mistake";
    let good = entry("a", "x", "reader", "");
    for (text, wanted) in [
        (String::new(), "`tokens`"),
        ("tokens: []".to_owned(), "no token"),
        (format!("tokens:\n{good}{good}"), "token 2 (a): an earlier entry has the same token"),
        // This is the hash of the empty token: it would authenticate a bare `Bearer`.
        (format!("tokens:\n{}", entry("a", "", "reader", "")), "token 1 (a): `sha256` is the hash of an empty token"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: all, expires: 2030-01-01")),
            "invalid token file",
        ),
        // Entries that contradict each other are all rejected.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: all, role: analyst")), "invalid token file"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [one], scenarios: [two]")),
            "invalid token file",
        ),
        (format!("tokens:\n{good}callers: []\n"), "invalid token file"),
        (format!("tokens:\n{good}tokens:\n{good}"), "invalid token file"),
        (format!("tokens:\n{good}---\ntokens:\n{good}"), "invalid token file"),
        (format!("tokens:\n{}", good.replace(", role: reader", "")), "invalid token file"),
        (format!("tokens:\n{}", good.replace("sha256: ", "sha256: 0x")), "64 hexadecimal"),
        (format!("tokens:\n{}", good.replace("sha256: ", "sha256: 00")), "64 hexadecimal"),
        (
            format!("tokens:\n  - {{caller: a, sha256: '{}', role: reader, scenarios: all}}\n", "+f".repeat(32)),
            "64 hexadecimal",
        ),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ['']")), "ids, such as"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: {one: two}")), "invalid token file"),
        (format!("tokens:\n{}", entry("''", "x", "reader", "")), "1 to 64"),
        (format!("tokens:\n{}", entry("A B", "x", "reader", "")), "token 1: `caller` is not"),
        (format!("tokens:\n{}", entry(&"a".repeat(65), "x", "reader", "")), "1 to 64"),
        (format!("tokens:\n{}", entry("a", "x", "admin", "")), "line 2: invalid token file"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: []")),
            "`scenarios` is neither `all` nor a list",
        ),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: none")),
            "`scenarios` is neither `all` nor a list",
        ),
        // A truncated entry must not grant more than the complete entry.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenario: x").replace(", scenario: x", "")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenario: one")), "invalid token file"),
        // A list of scenarios whose entries are all commented out must not grant access to all scenarios.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: null")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ~")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ['*']")), "ids, such as"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [scenarios/one]")), "ids, such as"),
        (format!("tokens:\n  - {{caller: a, sha256: {secret}, role: reader, scenarios: all}}\n"), "64 hexadecimal"),
        (format!("tokens:\n  - {{caller: a, token: {secret}, role: reader}}\n"), "invalid token file"),
        (format!("{secret}: ]["), "invalid token file"),
        (format!("tokens:\n{}", good.repeat(10_001)), "limit is 10000"),
        ("#".repeat(4 * 1024 * 1024 + 1), "exceeds"),
    ] {
        let message = Tokens::read(&text).unwrap_err().to_string();
        assert!(message.contains(wanted), "{}: {message}", text.get(..80).unwrap_or(&text));
        assert!(!message.contains(secret), "{message}");
    }
}

/// Token files with the same two entries, each file with another key last: `secret-1` for an analyst who may see all
/// scenarios, and `secret-2` for a reader of two.
fn token_files() -> Vec<String> {
    let one = ["caller: desk-2", "role: analyst", "scenarios: all"].map(str::to_owned);
    let two = ["caller: dashboards", "role: reader", "scenarios: [one-2025, two-2025]"].map(str::to_owned);
    let hash =
        |token| entry("a", token, "reader", "").split([' ', ',']).find(|word| word.len() == 64).unwrap().to_owned();
    let mut files = Vec::new();
    for last in 0..4 {
        let mut entries = [(&one, "secret-1"), (&two, "secret-2")].map(|(keys, token)| {
            let mut keys = [&keys[..], &[format!("sha256: {}", hash(token))]].concat();
            keys.rotate_left(last);
            keys
        });
        for _ in 0..2 {
            entries.reverse();
            let flow = entries.each_ref().map(|keys| format!("{{{}}}", keys.join(", "))).join(",\n  ");
            let items = entries.each_ref().map(|keys| format!("  - {}\n", keys.join("\n    "))).concat();
            let block = items.replace("[one-2025, two-2025]", "\n      - one-2025\n      - two-2025");
            let quoted = block.replace(": all", ": 'all'").replace("- two-2025", "- \"two-2025\"");
            let commented = items.replace('\n', " # a comment\n");
            files.extend([
                format!("tokens: [\n  {flow}\n]\n"),
                format!("tokens:\n{items}"),
                format!("tokens:\n{block}"),
                format!("---\ntokens:\n{quoted}...\n"),
                format!("tokens:\n{commented}"),
                format!("tokens:\n{block}").replace('\n', "\r\n"),
            ]);
        }
    }
    files.push(
        json!({"tokens": [
            {"caller": "desk-2", "role": "analyst", "sha256": hash("secret-1"), "scenarios": "all"},
            {"scenarios": ["one-2025", "two-2025"], "sha256": hash("secret-2"), "role": "reader", "caller": "dashboards"},
        ]})
        .to_string(),
    );
    files
}

#[test]
fn a_token_file_cut_off_at_any_byte_never_widens_rights() {
    let ids = ["one-2025", "two-2025", "three"];
    let ids: Vec<&str> = ids.iter().flat_map(|id| (1..=id.len()).map(|end| &id[..end])).collect();
    let mut narrower = 0;
    for file in token_files() {
        let whole = Tokens::read(&file).unwrap_or_else(|error| panic!("{error}:\n{file}"));
        assert_eq!(whole.len(), 2, "{file}");
        for end in 0..file.len() {
            let Ok(part) = Tokens::read(&file[..end]) else { continue };
            narrower += usize::from(part.len() < whole.len());
            for token in ["secret-1", "secret-2", ""] {
                let Some(caller) = part.find(token.as_bytes()) else { continue };
                let known = whole.find(token.as_bytes()).unwrap();
                assert_eq!((caller.name(), caller.role()), (known.name(), known.role()), "{}", &file[..end]);
                assert!(!caller.sees_all() || known.sees_all(), "{}", &file[..end]);
                for id in &ids {
                    assert!(!caller.may_see(id) || known.may_see(id), "{id} is granted by\n{}", &file[..end]);
                }
            }
        }
    }
    assert!(narrower > 100, "too few truncated files were accepted for the test to be meaningful");
}

#[test]
fn a_token_file_is_plain_yaml_without_anchors_or_tags() {
    let hash = "0123456789abcdef".repeat(4);
    let entry = |keys: &str| format!("tokens:\n- {}\n", keys.replace("HASH", &hash));
    let plain = "{caller: a, sha256: HASH, role: reader, scenarios: [one]}";
    let read = |text: &str| Tokens::read(text).map(|tokens| tokens.len()).map_err(|error| error.to_string());
    assert_eq!(read(&entry(plain)), Ok(1));
    for (from, to) in [
        ("[one]", "&here [one]"),
        ("[one]", "[&here one, *here]"),
        ("[one]", "*here"),
        ("[one]", "! [one]"),
        ("[one]", "!!seq [one]"),
        ("[one]", "!!set {one}"),
        ("[one]", "!!str all"),
        ("[one]", "!all"),
        ("[one]", "{one: null}"),
        ("[one]", "{all}"),
        ("[one]", "[[one]]"),
        ("[one]", "[one, null]"),
        ("[one]", "[one, ~]"),
        ("[one]", "[one, '']"),
        ("[one]", "[one, 2025]"),
        ("[one]", "[one, 1_000]"),
        ("[one]", "[one, 0x1f]"),
        ("[one]", "[one, 1e3]"),
        ("[one]", "[one, true]"),
        ("[one]", "[one, on]"),
        ("[one]", "[one, No]"),
        ("[one]", "[one, y]"),
        ("[one]", "[all, '*']"),
        ("[one]", "['one two']"),
        ("[one]", "true"),
        ("[one]", "yes"),
        ("[one]", "All"),
        ("[one]", "ALL"),
        ("[one]", "' all'"),
        ("[one]", "\"all\\n\""),
        ("[one]", "\"all\\0\""),
        ("[one]", "null"),
        ("[one]", "~"),
        ("[one]", "''"),
        ("[one]", ""),
        ("[one]", "[one], scenarios: all"),
        ("[one]", "[one], \"scenarios\": all"),
        ("[one]", "[one], \"scen\\x61rios\": all"),
        ("[one]", "[one], ? scenarios : all"),
        ("[one]", "[one], <<: {scenarios: all}"),
        ("role:", "role\n  :"),
        ("role:", "? role\n  :"),
        ("[one]", "[one], << : [{scenarios: all}]"),
        ("[one]", "[one], ? [scenarios] : all"),
        ("[one]", "[one], Scenarios: all"),
        ("[one]", "[one], null: all"),
        ("[one]", "[one], ''"),
        ("reader", "Reader"),
        ("reader", "ANALYST"),
        ("reader", "'analyst '"),
        ("reader", "[reader]"),
        ("reader", "{reader: null}"),
        ("reader", "!reader"),
        ("reader", "!analyst reader"),
        ("reader", "!!binary YW5hbHlzdA=="),
        ("reader", "1"),
        ("reader", "null"),
        ("reader", "reader, role: analyst"),
        ("reader", "reader, role: reader"),
        ("caller: a", "caller: null"),
        ("caller: a", "caller: ~"),
        ("caller: a", "caller: [a]"),
        ("caller: a", "caller: !!str a"),
        ("caller: a", "caller: &name a"),
        ("caller: a", "caller: !!binary YQ=="),
        ("HASH", "null"),
        ("HASH", "[HASH]"),
        ("HASH", "!!binary HASH"),
        ("HASH", "HASH, sha256: HASH"),
    ] {
        let keys = plain.replace(from, to);
        assert!(keys != plain && read(&entry(&keys)).is_err(), "{keys}");
    }
    let good = entry(plain);
    let more = good.replace(&hash, &hash.replace('0', "f"));
    for text in [
        format!("{good}---\n{more}"),
        format!("{good}...\n{more}"),
        format!("{good}---\n"),
        format!("---\n---\n{good}"),
        format!("{good}]"),
        format!("{good}}}"),
        format!("{good}trailing\n"),
        format!("{good}{more}"),
        format!("{good}- {{}}\n"),
        format!("{good}tokens: []\n"),
        format!("{good}'tokens': []\n"),
        format!("{good}\0"),
        format!("{good}# \x1b[2J"),
        format!("{good}# \x7f"),
        format!("%YAML 1.1\n%TAG ! tag:example.com,2000:\n---\n{}", good.replace("reader", "!analyst reader")),
        format!("base: &base {{role: analyst}}\n{good}"),
        format!("- {good}"),
        format!("tokens: {{{}}}\n", good.trim()),
        "tokens: all\n".to_owned(),
        "tokens:\n".to_owned(),
        "null\n".to_owned(),
        "[]\n".to_owned(),
        "{}\n".to_owned(),
        "# tokens:\n".to_owned(),
        format!("{}x{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("tokens: [{}]", "[],".repeat(300_000)),
    ] {
        assert!(read(&text).is_err(), "{}", text.get(..200).unwrap_or(&text));
    }
    // A different spelling of the same value is accepted.
    for text in [
        format!("---\n{good}"),
        format!("--- # now\n{good}...\n"),
        format!("\n\n# a comment\n{good}# the end"),
        good.replace("[one]", "[one,]"),
        good.replace("reader", "  analyst  "),
        good.replace("[one]", "[\"one\", 'two']"),
        good.replace("[one]", "['2025', \"true\"]"),
        good.replace("[one]", "\"all\""),
        good.replace("caller: a", "caller: 2025"),
        good.replace("caller: a", "caller: \"a\""),
        good.replace("caller: a", "\"caller\": 'a'"),
        good.replace("caller: a", "? caller : a"),
        good.replace(&hash, &hash.to_uppercase()),
        good.replace(&hash, &"1".repeat(64)),
        good.replace('\n', "\r\n"),
    ] {
        assert_eq!(read(&text), Ok(1), "{text}");
    }
}

#[test]
fn a_certificate_caller_is_valid_until_the_certificate_expires() {
    let now = SystemTime::now();
    let desk = Caller::with_certificate("desk", now);
    assert_eq!((desk.name(), desk.role(), desk.is_known()), ("desk", CallerRole::Analyst, true));
    assert!(desk.may_see("anything") && desk.is_valid_at(now - Duration::from_secs(1)) && !desk.is_valid_at(now));
    let anyone = Caller::anonymous();
    assert_eq!((anyone.name(), anyone.role(), anyone.is_known()), ("anonymous", CallerRole::Analyst, false));
    assert!(anyone.may_see("anything") && anyone.is_valid_at(now));
}

#[test]
fn a_caller_removed_from_the_token_file_is_revoked() {
    let now = SystemTime::now();
    let authority = Authority::new(
        Some(tokens(&[
            entry("stays", "1", "reader", ""),
            entry("leaves", "2", "reader", ""),
            entry("rises", "3", "reader", ""),
            entry("widens", "4", "reader", ", scenarios: [one]"),
            entry("narrows", "5", "reader", ""),
            entry("changes-hands", "6", "reader", ""),
        ])),
        None,
    );
    let identify = |token: &str| authority.identify(Some(format!("Bearer {token}").as_bytes()), now);
    let [stays, leaves, rises] = ["1", "2", "3"].map(|token| identify(token).unwrap());
    let others = ["4", "5", "6"].map(|token| identify(token).unwrap());
    authority.replace_tokens(tokens(&[
        entry("stays", "1", "reader", ""),
        entry("rises", "3", "analyst", ""),
        entry("widens", "4", "reader", ""),
        entry("narrows", "5", "reader", ", scenarios: [one]"),
        entry("has-changed-hands", "6", "reader", ""),
    ]));
    for before in others {
        assert!(
            !before.is_valid_at(now),
            "{} is still valid, although its token now belongs to another caller",
            before.name()
        );
    }
    assert!(identify("4").unwrap().may_see("two") && !identify("5").unwrap().may_see("two"));
    assert_eq!(identify("6").unwrap().name(), "has-changed-hands");
    assert!(stays.is_valid_at(now) && identify("1").unwrap().is_valid_at(now));
    assert!(!leaves.is_valid_at(now), "a revoked token is still valid");
    assert_eq!(identify("2").unwrap_err(), AuthenticationError::UnknownToken);
    assert!(!rises.is_valid_at(now), "a caller with changed rights is still valid");
    assert_eq!(identify("3").unwrap().role(), CallerRole::Analyst);
    // Replace the file once more: an identity carried over by the first replacement is revoked by the second.
    authority.replace_tokens(tokens(&[entry("rises", "3", "analyst", "")]));
    assert!(!stays.is_valid_at(now));
}

#[test]
fn removing_a_key_revokes_the_tokens_it_signed() {
    let now = SystemTime::now();
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let authority = Authority::new(None, Some(keys(&[&old], &["ES256"])));
    let identify = |token: &str| authority.identify(Some(format!("Bearer {token}").as_bytes()), now);
    let by_old = old.sign(&claims(now));
    let before = identify(&by_old).unwrap();
    authority.replace_keys(keys(&[&old, &new], &["ES256"]));
    assert!(before.is_valid_at(now));
    assert!(identify(&by_old).is_ok() && identify(&new.sign(&claims(now))).is_ok());
    authority.replace_keys(keys(&[&new], &["ES256"]));
    assert!(!before.is_valid_at(now));
    assert_eq!(identify(&by_old).unwrap_err(), AuthenticationError::UnknownKey);
    // A different key under a name that was used before revokes the tokens of the earlier key.
    let before = identify(&new.sign(&claims(now))).unwrap();
    let renewed = Signer::new("new", Algorithm::ES256);
    authority.replace_keys(keys(&[&renewed], &["ES256"]));
    assert!(!before.is_valid_at(now) && identify(&renewed.sign(&claims(now))).is_ok());
    assert_eq!(identify(&new.sign(&claims(now))).unwrap_err(), AuthenticationError::BadSignature);
}

#[test]
fn the_authorization_header_is_parsed_strictly() {
    let now = SystemTime::now();
    let signer = Signer::new("a", Algorithm::ES256);
    let jwt = signer.sign(&claims(now));
    // Two of the listed tokens resemble a JWT but do not have its form.
    let listed = ["secret", "eyJsecret", "a.secret.b"].map(|token| entry("a", token, "reader", ""));
    let both = Authority::new(Some(tokens(&listed)), Some(keys(&[&signer], &["ES256"])));
    let identify = |header: &str| both.identify(Some(header.as_bytes()), now).map(|caller| caller.name().to_owned());
    for accepted in
        ["Bearer secret", "bearer secret", "BEARER  secret", "Bearer secret ", "Bearer eyJsecret", "Bearer a.secret.b"]
    {
        assert_eq!(identify(accepted).as_deref(), Ok("a"), "{accepted}");
    }
    assert_eq!(identify(&format!("Bearer {jwt}")).as_deref(), Ok("service-a"));
    for refused in ["Basic secret", "Digest secret", "secret", "Bearersecret", "", "Bearer", "Token secret"] {
        assert_eq!(identify(refused).unwrap_err(), AuthenticationError::NotBearer, "{refused}");
    }
    assert_eq!(identify("Bearer ").unwrap_err(), AuthenticationError::UnknownToken);
    assert_eq!(both.identify(None, now).unwrap_err(), AuthenticationError::NoCredentials);
    assert!(both.is_needed() && !Authority::none().is_needed());
    // Neither `Debug` output nor error messages contain a secret or distinguish one refusal from another.
    let shown = format!("{both:?}");
    assert!(!shown.contains("secret") && !shown.contains("2bb80d53"), "{shown}");
    let messages: std::collections::BTreeSet<String> = [
        AuthenticationError::UnknownToken,
        AuthenticationError::Expired,
        AuthenticationError::BadSignature,
        AuthenticationError::WrongIssuer,
        AuthenticationError::UnknownKey,
    ]
    .map(|denied| denied.to_string())
    .into();
    assert_eq!(messages.len(), 1, "{messages:?}");
}

proptest! {
    #[test]
    fn nothing_panics_whatever_the_header(header in prop::collection::vec(any::<u8>(), 0..200), jwt in "eyJ[ -~]{0,40}\\.[ -~]{0,40}\\.[ -~]{0,40}") {
        let signer = Signer::new("a", Algorithm::EdDSA);
        let authority = Authority::new(None, Some(keys(&[&signer], &["EdDSA"])));
        prop_assert!(authority.identify(Some(&header), SystemTime::now()).is_err());
        let bearer = format!("Bearer {jwt}");
        prop_assert!(authority.identify(Some(bearer.as_bytes()), SystemTime::now()).is_err());
    }
}
