//! JSON Web Tokens (RFC 7519), verified with the public keys of a JWKS file (RFC 7517).
//!
//! What RFC 8725 advises: which algorithms may be is the server's choice, never the token's; a key is for the algorithm
//! that it names or, without one, for those of its kind; issuer, audience, expiry and subject are required; no key is
//! taken from the token.

use crate::access::{AuthenticationError, Caller, Role, Unusable};
use data_encoding::BASE64URL_NOPAD;
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

/// The largest file, in bytes, and the most keys in it.
const MAX_FILE_BYTES: usize = 1024 * 1024;
const MAX_KEYS: usize = 100;
/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the clocks of who issues and who verifies may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// The latest day that is told from others, in seconds since 1970: the end of the year 9999.
const LATEST: f64 = 253_402_300_799.0;
/// The longest name of a caller, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// How many tokens are remembered that were verified: to verify one takes longer than an evaluation.
const REMEMBERED: usize = 4_096;
/// Of how many keys that are not used an error tells why.
const TOLD: usize = 5;
/// What keys of RSA may have for signatures to be verified with them.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;
/// What only the owner of a key may have.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// An algorithm by which a token may be signed: none in which whoever verifies could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwtAlgorithm(Algorithm);

impl FromStr for JwtAlgorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match Algorithm::from_str(name) {
            Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
                Err("give some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA".to_owned())
            }
            Ok(algorithm) => Ok(Self(algorithm)),
        }
    }
}

/// What a token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtRules {
    /// Who issued it.
    pub issuer: String,
    /// Whom it is for.
    pub audience: String,
    /// How it may be signed.
    pub algorithms: Vec<JwtAlgorithm>,
}

/// The keys with which tokens are verified.
pub struct Keys {
    rules: JwtRules,
    keys: Vec<Key>,
    passed_over: Vec<String>,
    verified: Cache<[u8; 32], Caller>,
}

struct Key {
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
    #[serde(default, deserialize_with = "crate::access::listed")]
    detente_scenarios: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Keys {
    /// Reads a JWKS. Keys of kinds not known here, and those that could verify nothing, are passed over, as RFC 7517
    /// (section 5) advises: who issues tokens may list what others need.
    ///
    /// # Errors
    /// The first fault: no key that can be used, a key with a private part, two of one name.
    pub fn read(text: &str, rules: JwtRules) -> Result<Self, Unusable> {
        let fault = |text: &str| Err(Unusable(text.to_owned()));
        if text.len() > MAX_FILE_BYTES {
            return Err(Unusable(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let Ok(Value::Object(mut file)) = serde_json::from_str(text) else { return fault("it is not a JSON object") };
        let Some(Value::Array(listed)) = file.remove("keys") else {
            return fault("it is not a JWKS: there is no list `keys`");
        };
        if listed.len() > MAX_KEYS {
            return Err(Unusable(format!("it has {} keys; at most {MAX_KEYS} are read", listed.len())));
        }
        let (mut keys, mut passed_over, mut names) = (Vec::<Key>::new(), Vec::new(), BTreeSet::new());
        for (at, value) in listed.into_iter().enumerate() {
            let place = at + 1;
            if PRIVATE.iter().any(|part| value.get(part).is_some()) {
                return Err(Unusable(format!(
                    "key {place} has a private or a symmetric part: only public keys belong here. Replace the key"
                )));
            }
            let allowed = |algorithm: &Algorithm| rules.algorithms.contains(&JwtAlgorithm(*algorithm));
            let key = match usable(value, allowed) {
                Ok(key) => key,
                Err(why) => {
                    passed_over.push(format!("key {place} {why}"));
                    continue;
                }
            };
            if let Some(name) = &key.jwk.common.key_id
                && !names.insert(name.clone())
            {
                return Err(Unusable(format!("key {place} has the same name (`kid`) as one before")));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            let each = passed_over.iter().take(TOLD).map(|why| format!("; {why}")).collect::<String>();
            return Err(Unusable(format!("it has no key that can be used{each}")));
        }
        Ok(Self { rules, keys, passed_over, verified: Cache::new(REMEMBERED) })
    }

    /// Which keys of the file are not used, and why.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Caller, AuthenticationError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthenticationError::TooLong);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(caller) = self.verified.get(&hash) {
            return if caller.stands(now) { Ok(caller) } else { Err(AuthenticationError::Expired) };
        }
        let caller = self.verify_anew(token, now)?;
        self.verified.insert(hash, caller.clone());
        Ok(caller)
    }

    fn verify_anew(&self, token: &str, now: SystemTime) -> Result<Caller, AuthenticationError> {
        // An algorithm that there isn't, `none` above all, is no header.
        let header = decode_header(token).map_err(|_| AuthenticationError::Malformed)?;
        if !self.rules.algorithms.contains(&JwtAlgorithm(header.alg)) {
            return Err(AuthenticationError::AlgorithmNotAllowed);
        }
        if header.crit.is_some() {
            return Err(AuthenticationError::NotUnderstood);
        }
        let key = match &header.kid {
            Some(name) => self.keys.iter().find(|key| key.jwk.common.key_id.as_ref() == Some(name)),
            // Without a name only one may be meant.
            None => match self.keys.iter().filter(|key| key.algorithms.contains(&header.alg)).collect::<Vec<_>>()[..] {
                [only] => Some(only),
                _ => None,
            },
        };
        let key = key.ok_or(AuthenticationError::UnknownKey)?;
        if !key.algorithms.contains(&header.alg) {
            return Err(AuthenticationError::WrongKey);
        }
        // The library's clock is the system's, and what it checks of claims is checked here.
        let mut validation = Validation::new(header.alg);
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        let claims = decode::<Claims>(token, &key.decoding, &validation).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => AuthenticationError::BadSignature,
            _ => AuthenticationError::Malformed,
        })?;
        self.check(claims.claims, now, key)
    }

    fn check(&self, claims: Claims, now: SystemTime, key: &Key) -> Result<Caller, AuthenticationError> {
        let at = |seconds: f64| {
            let fit = (0.0..=LATEST).contains(&seconds);
            fit.then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds)).ok_or(AuthenticationError::Malformed)
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
        let is_for_us = match &claims.aud {
            Audience::One(audience) => *audience == self.rules.audience,
            Audience::Several(audiences) => audiences.contains(&self.rules.audience),
        };
        if !is_for_us {
            return Err(AuthenticationError::WrongAudience);
        }
        // It is written into logs.
        let sub = &claims.sub;
        if !(1..=MAX_NAME_BYTES).contains(&sub.len()) || !sub.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthenticationError::NoSubject);
        }
        let role = match claims.detente_role {
            None => Role::Reader,
            Some(role) => serde_json::from_value(role).map_err(|_| AuthenticationError::UnknownRole)?,
        };
        let scenarios = claims
            .detente_scenarios
            .map(|ids| crate::access::confined(&ids).ok_or(AuthenticationError::Malformed))
            .transpose()?;
        Ok(Caller::signed(sub, role, scenarios, Some(until), key.revoked.clone()))
    }

    /// The same keys, in place of `before`: what was signed by a key that is gone is good no more.
    pub(super) fn instead_of(mut self, before: &Self) -> Self {
        for old in &before.keys {
            match self.keys.iter_mut().find(|new| new.jwk == old.jwk) {
                Some(new) => new.revoked = old.revoked.clone(),
                None => old.revoked.store(true, Relaxed),
            }
        }
        self
    }
}

/// A key that could verify a token; else why it could not.
fn usable(key: Value, allowed: impl Fn(&Algorithm) -> bool) -> Result<Key, String> {
    let jwk: Jwk = serde_json::from_value(key).map_err(|_| "is no JWK".to_owned())?;
    if !is_for_signatures(&jwk) {
        return Err("is not for signatures (`use`, `key_ops`)".to_owned());
    }
    let algorithms: Vec<_> = algorithms(&jwk).into_iter().filter(allowed).collect();
    if algorithms.is_empty() {
        return Err("is for no algorithm that is allowed (--jwt-algorithms), or not whole".to_owned());
    }
    if let AlgorithmParameters::RSA(key) = &jwk.algorithm
        && let Ok(modulus) = BASE64URL_NOPAD.decode(key.n.as_bytes())
        && let bits = bits(&modulus)
        && !RSA_BITS.contains(&bits)
    {
        let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
        return Err(format!("is one of RSA with {bits} bits: give one with {least} to {most}"));
    }
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|error| format!("is none that can be read ({error})"))?;
    Ok(Key { jwk, decoding, algorithms, revoked: Arc::default() })
}

/// How long a number is, without the zeros before it.
fn bits(number: &[u8]) -> usize {
    let number: Vec<_> = number.iter().skip_while(|byte| **byte == 0).collect();
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Whether a key may verify signatures, by the two ways in which a key says what it is for.
fn is_for_signatures(jwk: &Jwk) -> bool {
    let used = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    used && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// What a key is for: the algorithm that it names, if that is of its kind; else all of its kind.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_kind: &[(Algorithm, KeyAlgorithm)] = match &jwk.algorithm {
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
    of_kind
        .iter()
        .filter(|(_, name)| named.is_none_or(|named| named == name))
        .map(|(algorithm, _)| *algorithm)
        .collect()
}
