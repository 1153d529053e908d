//! JSON Web Tokens (RFC 7519), verified with the public keys of a JWKS file (RFC 7517).
//!
//! Must not know how tokens arrive.
//!
//! The rules follow RFC 8725: the server, and never the token, chooses the allowed algorithms; a key verifies only the
//! algorithm that it names or, if it names none, the algorithms of its type; issuer, audience, expiry and subject are
//! required; a token cannot supply a key.

use crate::access::scenario_ids::parse_scenario_ids;
use crate::access::{AuthenticationError, Caller, CallerRole, CredentialFileError};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest JWKS file, in bytes: room for a hundred keys, each with a chain of certificates (`x5c`).
pub const MAX_JWKS_BYTES: usize = 512 * 1024;
/// Maximum number of keys in a JWKS file.
const MAX_KEYS: usize = 100;
/// Maximum number of JSON values and names of members in a JWKS file, which has about 25 for each key.
///
/// A parsed value takes up to a hundred times the memory of its text, so that they are counted before they are parsed.
const MAX_VALUES: usize = 10_000;
/// Longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Allowed difference between the clocks of the issuer and the server.
const LEEWAY: Duration = Duration::from_secs(30);
/// Latest timestamp accepted in a claim, in seconds since 1970: the end of the year 9999.
const MAX_TIMESTAMP: f64 = 253_402_300_799.0;
/// Longest name of a caller, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// Number of verified tokens that are cached, because verifying a signature takes longer than an evaluation.
const CACHED_TOKENS: usize = 4_096;
/// Number of keys without a name (`kid`) that are kept for one algorithm, and of keys with which a token is tried that
/// does not name its key.
///
/// Two keys suffice to rotate them. Every further key is one more signature that a stranger's token costs.
const MAX_TRIED_KEYS: usize = 4;
/// Number of tokens with a wrong signature that are remembered, so that a client that sends one again and again does not
/// cost a verification each time.
///
/// A client that signs each of its tokens anew costs a verification each time. The middleware limits them by address
/// ([`Authority::must_verify`](crate::access::Authority::must_verify)).
const REFUSED_TOKENS: usize = 1_024;
/// If a file has no usable key, the error lists at most this number of the skipped keys.
const MAX_LISTED_KEYS: usize = 5;
/// Sizes, in bits, of the RSA keys with which the library can verify signatures.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;
/// Sizes, in bits, of the exponents of RSA keys with which the library can verify signatures.
const RSA_EXPONENT: RangeInclusive<usize> = 2..=33;
/// The byte with which a point of a curve begins if both of its coordinates follow (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;
/// The JSON members of a JWK that contain a secret, which a file of public keys must not have.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// A signature algorithm for tokens; always asymmetric, so that a verifier cannot sign tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwtAlgorithm(Algorithm);

impl FromStr for JwtAlgorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match Algorithm::from_str(name) {
            Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
                Err("expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA".to_owned())
            }
            Ok(algorithm) => Ok(Self(algorithm)),
        }
    }
}

/// Requirements that every token must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtRules {
    /// Required issuer (`iss`).
    pub issuer: String,
    /// Required audience (`aud`).
    pub audience: String,
    /// Allowed signature algorithms.
    pub algorithms: Vec<JwtAlgorithm>,
}

/// The public keys with which tokens are verified, and caches of verified tokens and of those with a wrong signature.
pub struct Keys {
    rules: JwtRules,
    keys: Vec<PublicKey>,
    skipped: Vec<String>,
    verified: Cache<[u8; 32], Caller>,
    refused: Cache<[u8; 32], ()>,
}

struct PublicKey {
    jwk: Jwk,
    decoding: DecodingKey,
    algorithms: Vec<Algorithm>,
    revoked: Arc<AtomicBool>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    sub: String,
    detente_role: Option<Value>,
    #[serde(default, deserialize_with = "crate::access::scenario_ids::non_null_list")]
    detente_scenarios: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Keys {
    /// Parses a JWKS.
    ///
    /// Keys of unknown types, and keys that cannot verify any allowed token, are skipped, as RFC 7517 (section 5)
    /// advises: the issuer may publish keys that other services need.
    ///
    /// # Errors
    /// The first fault: no usable key, a key with a private member, or two keys with one name.
    pub fn read(text: &str, rules: JwtRules) -> Result<Self, CredentialFileError> {
        let fault = |text: &str| Err(CredentialFileError(text.to_owned()));
        if text.len() > MAX_JWKS_BYTES {
            return Err(CredentialFileError(format!("the file exceeds the limit of {MAX_JWKS_BYTES} bytes")));
        }
        // One of these bytes precedes every value and every name of a member, except the outermost value. Those within
        // texts are counted, too: there are few in a JWKS.
        let values = 1 + text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
        if values > MAX_VALUES {
            return Err(CredentialFileError(format!("the file has about {values} values; the limit is {MAX_VALUES}")));
        }
        let Ok(Value::Object(mut file)) = serde_json::from_str(text) else {
            return fault("the file is not a JSON object");
        };
        let Some(Value::Array(list)) = file.remove("keys") else {
            return fault("the file is not a JWKS: it has no list `keys`");
        };
        if list.len() > MAX_KEYS {
            return Err(CredentialFileError(format!("the file has {} keys; the limit is {MAX_KEYS}", list.len())));
        }
        let (mut keys, mut skipped, mut names) = (Vec::<PublicKey>::new(), Vec::new(), BTreeSet::new());
        for (at, value) in list.into_iter().enumerate() {
            let place = at + 1;
            if PRIVATE_MEMBERS.iter().any(|part| value.get(part).is_some()) {
                return Err(CredentialFileError(format!(
                    "key {place} contains a private or symmetric key; list public keys only, and replace this key"
                )));
            }
            let allowed = |algorithm: &Algorithm| rules.algorithms.contains(&JwtAlgorithm(*algorithm));
            let key = match parse_key(value, allowed) {
                Ok(key) => leave_out_full(key, &keys),
                Err(why) => Err(why),
            };
            let key = match key {
                Ok(key) => key,
                Err(why) => {
                    skipped.push(format!("key {place} {why}"));
                    continue;
                }
            };
            if let Some(name) = key.name()
                && !names.insert(name.to_owned())
            {
                return Err(CredentialFileError(format!("key {place} has the same name (`kid`) as an earlier key")));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            let each = skipped.iter().take(MAX_LISTED_KEYS).map(|why| format!("; {why}")).collect::<String>();
            return Err(CredentialFileError(format!("the file has no usable key{each}")));
        }
        Ok(Self { rules, keys, skipped, verified: Cache::new(CACHED_TOKENS), refused: Cache::new(REFUSED_TOKENS) })
    }

    /// Returns which keys of the file are not used, and why.
    pub fn skipped_keys(&self) -> &[String] {
        &self.skipped
    }

    /// Verifies a token and returns its caller.
    ///
    /// # Errors
    /// Why the token is rejected.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Caller, AuthenticationError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthenticationError::TooLong);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(caller) = self.verified.get(&hash) {
            return if caller.is_valid_at(now) { Ok(caller) } else { Err(AuthenticationError::Expired) };
        }
        if self.refused.get(&hash).is_some() {
            return Err(AuthenticationError::RefusedBefore);
        }
        let verified = self.verify_uncached(token, now);
        match &verified {
            Ok(caller) => self.verified.insert(hash, caller.clone()),
            // With these keys, the signature stays wrong. Other errors depend on the time, or cost little.
            Err(AuthenticationError::BadSignature) => self.refused.insert(hash, ()),
            Err(_) => {}
        }
        verified
    }

    /// Whether the caches do not have a token, so that [`Keys::verify`] verifies its signature.
    pub(super) fn must_verify(&self, token: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        token.len() <= MAX_TOKEN_BYTES && self.verified.get(&hash).is_none() && self.refused.get(&hash).is_none()
    }

    fn verify_uncached(&self, token: &str, now: SystemTime) -> Result<Caller, AuthenticationError> {
        // The header fails to parse if its algorithm is unknown, `none` in particular.
        let header = decode_header(token).map_err(|_| AuthenticationError::Malformed)?;
        if !self.rules.algorithms.contains(&JwtAlgorithm(header.alg)) {
            return Err(AuthenticationError::AlgorithmNotAllowed);
        }
        if header.crit.is_some() {
            return Err(AuthenticationError::NotUnderstood);
        }
        let keys = self.candidates(header.kid.as_deref(), header.alg)?;
        // The library checks the signature only. `check` verifies the claims, because the library would compare them
        // with the system clock instead of `now`.
        let mut validation = Validation::new(header.alg);
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        for key in keys {
            match decode::<Claims>(token, &key.decoding, &validation) {
                Ok(claims) => return self.check(claims.claims, now, key),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(_) => return Err(AuthenticationError::Malformed),
            }
        }
        Err(AuthenticationError::BadSignature)
    }

    /// Returns the keys of which one must have signed a token: at least one, and at most [`MAX_TRIED_KEYS`].
    ///
    /// A key that the token names is the only one. A token that names no key, or one that no key of the file has, is
    /// tried with the keys of its algorithm that have no name, which a token cannot name. A token that names no key is
    /// also tried with the keys that have a name.
    fn candidates(&self, name: Option<&str>, algorithm: Algorithm) -> Result<Vec<&PublicKey>, AuthenticationError> {
        if let Some(name) = name
            && let Some(named) = self.keys.iter().find(|key| key.name() == Some(name))
        {
            return match named.algorithms.contains(&algorithm) {
                true => Ok(vec![named]),
                false => Err(AuthenticationError::WrongKey),
            };
        }
        let of_algorithm = || self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        let nameless = of_algorithm().filter(|key| key.name().is_none());
        let named = of_algorithm().filter(|key| key.name().is_some() && name.is_none());
        let keys: Vec<_> = nameless.chain(named).take(MAX_TRIED_KEYS).collect();
        if keys.is_empty() { Err(AuthenticationError::UnknownKey) } else { Ok(keys) }
    }

    fn check(&self, claims: Claims, now: SystemTime, key: &PublicKey) -> Result<Caller, AuthenticationError> {
        let at = |seconds: f64| {
            let is_in_range = (0.0..=MAX_TIMESTAMP).contains(&seconds);
            is_in_range.then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds)).ok_or(AuthenticationError::Malformed)
        };
        let until = at(claims.exp)? + LEEWAY;
        if now >= until {
            return Err(AuthenticationError::Expired);
        }
        if let Some(from) = claims.nbf
            && now + LEEWAY < at(from)?
        {
            return Err(AuthenticationError::NotYetValid);
        }
        if claims.iss != self.rules.issuer {
            return Err(AuthenticationError::WrongIssuer);
        }
        let has_audience = match &claims.aud {
            Audience::One(audience) => *audience == self.rules.audience,
            Audience::Several(audiences) => audiences.contains(&self.rules.audience),
        };
        if !has_audience {
            return Err(AuthenticationError::WrongAudience);
        }
        // Logs contain the subject, so it may have printable characters only.
        let sub = &claims.sub;
        if !(1..=MAX_NAME_BYTES).contains(&sub.len()) || !sub.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthenticationError::NoSubject);
        }
        let role = match claims.detente_role {
            None => CallerRole::Reader,
            // serde would also read the object `{"analyst": null}` as a role.
            Some(role @ Value::String(_)) => {
                serde_json::from_value(role).map_err(|_| AuthenticationError::UnknownRole)?
            }
            Some(_) => return Err(AuthenticationError::UnknownRole),
        };
        let scenarios = claims
            .detente_scenarios
            .map(|ids| parse_scenario_ids(&ids).ok_or(AuthenticationError::Malformed))
            .transpose()?;
        Ok(Caller::with_jwt(sub, role, scenarios, until, key.revoked.clone()))
    }

    /// Prepares these keys to replace `before`: revokes the callers whose tokens were signed with keys that are gone.
    pub(super) fn replacing(mut self, before: &Self) -> Self {
        for old in &before.keys {
            match self.keys.iter_mut().find(|new| new.jwk == old.jwk) {
                Some(new) => new.revoked = old.revoked.clone(),
                None => old.revoked.store(true, Relaxed),
            }
        }
        self
    }
}

impl PublicKey {
    /// Returns the name (`kid`) by which a token can name the key.
    fn name(&self) -> Option<&str> {
        self.jwk.common.key_id.as_deref()
    }
}

/// Leaves out the algorithms of a key without a name for which `earlier` has enough such keys, because no token would
/// be tried with it.
///
/// # Errors
/// If no algorithm is left.
fn leave_out_full(mut key: PublicKey, earlier: &[PublicKey]) -> Result<PublicKey, String> {
    if key.name().is_none() {
        let nameless = |algorithm: &Algorithm| {
            earlier.iter().filter(|key| key.name().is_none() && key.algorithms.contains(algorithm)).count()
        };
        key.algorithms.retain(|algorithm| nameless(algorithm) < MAX_TRIED_KEYS);
    }
    match key.algorithms.is_empty() {
        true => Err(format!(
            "has no name (`kid`), like {MAX_TRIED_KEYS} earlier keys of its algorithm, which are as many as a token is \
             tried with; give every key a name"
        )),
        false => Ok(key),
    }
}

/// Parses a key that can verify tokens.
///
/// # Errors
/// Why the key cannot verify any token.
fn parse_key(key: Value, allowed: impl Fn(&Algorithm) -> bool) -> Result<PublicKey, String> {
    let jwk: Jwk = serde_json::from_value(key).map_err(|_| "is not a JWK".to_owned())?;
    if !is_for_signatures(&jwk) {
        return Err("is not for signatures (`use`, `key_ops`)".to_owned());
    }
    let algorithms: Vec<_> = algorithms(&jwk).into_iter().filter(allowed).collect();
    if algorithms.is_empty() {
        return Err("has no algorithm that --jwt-algorithms allows, or is incomplete".to_owned());
    }
    if let AlgorithmParameters::RSA(key) = &jwk.algorithm
        && let Ok(modulus) = BASE64URL_NOPAD.decode(key.n.as_bytes())
        && let bits = bits(&modulus)
        && !RSA_BITS.contains(&bits)
    {
        let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
        return Err(format!("is an RSA key of {bits} bits; use a key of {least} to {most} bits"));
    }
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|error| format!("cannot be read: {error}"))?;
    if !is_public_key(&jwk) {
        return Err(
            "is not a public key, or one of its numbers begins with a zero byte: it verifies no signature".into()
        );
    }
    Ok(PublicKey { jwk, decoding, algorithms, revoked: Arc::default() })
}

/// Whether the numbers of a key are a public key, such as a point on its curve.
///
/// [`DecodingKey`] accepts any numbers, and then rejects every signature: a file of such keys would lock all callers out.
fn is_public_key(jwk: &Jwk) -> bool {
    let number = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
    let is_point = |algorithm, bytes: Vec<u8>| UnparsedPublicKey::new(algorithm, bytes).parse().is_ok();
    let point = |x: &str, y: &str| [&[UNCOMPRESSED][..], &number(x), &number(y)].concat();
    match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            // The library rejects every signature if a number begins with a zero byte, or if the exponent is not one.
            let (n, e) = (number(&key.n), number(&key.e));
            let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
            [&n, &e].iter().all(|number| is_odd(number) && number.first() != Some(&0))
                && RSA_EXPONENT.contains(&bits(&e))
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => is_point(&ECDSA_P256_SHA256_FIXED, point(&key.x, &key.y)),
            EllipticCurve::P384 => is_point(&ECDSA_P384_SHA384_FIXED, point(&key.x, &key.y)),
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => is_point(&ED25519, number(&key.x)),
        _ => false,
    }
}

/// Returns the number of bits of a big-endian number, without leading zeros.
fn bits(number: &[u8]) -> usize {
    let number: Vec<_> = number.iter().skip_while(|byte| **byte == 0).collect();
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Whether a key may verify signatures, according to both `use` and `key_ops`.
fn is_for_signatures(jwk: &Jwk) -> bool {
    let used = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    used && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// Returns the algorithms that a key can verify.
///
/// A key that names an algorithm can verify only that one, if its type supports it. A key that names none can verify
/// every algorithm of its type.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_type: &[(Algorithm, KeyAlgorithm)] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            (RS256, KeyAlgorithm::RS256),
            (RS384, KeyAlgorithm::RS384),
            (RS512, KeyAlgorithm::RS512),
            (PS256, KeyAlgorithm::PS256),
            (PS384, KeyAlgorithm::PS384),
            (PS512, KeyAlgorithm::PS512),
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[(ES256, KeyAlgorithm::ES256)],
            EllipticCurve::P384 => &[(ES384, KeyAlgorithm::ES384)],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[(EdDSA, KeyAlgorithm::EdDSA)]
        }
        _ => &[],
    };
    let named = jwk.common.key_algorithm.as_ref();
    of_type
        .iter()
        .filter(|(_, name)| named.is_none_or(|named| named == name))
        .map(|(algorithm, _)| *algorithm)
        .collect()
}
