//! Keys, certificates and tokens, generated for each test.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use detente::access::{JwtAlgorithm, JwtRules};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SanType,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const ISSUER: &str = "https://issuer.test";
pub const AUDIENCE: &str = "detente";

/// A key pair for signing tokens, and the name by which tokens refer to its public key.
pub struct Signer {
    pub name: String,
    pub algorithm: Algorithm,
    pub pair: KeyPair,
    key: EncodingKey,
}

impl Signer {
    pub fn new(name: &str, algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &PKCS_ED25519,
            _ => &PKCS_RSA_SHA256,
        };
        let pair = KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
            Algorithm::EdDSA => EncodingKey::from_ed_der(pair.serialized_der()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
        };
        Self { name: name.to_owned(), algorithm, pair, key }
    }

    /// The public key as a JWKS lists it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match self.algorithm {
            Algorithm::EdDSA => {
                let x = BASE64URL_NOPAD.encode(self.pair.public_key_raw());
                json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x})
            }
            algorithm => serde_json::to_value(Jwk::from_encoding_key(&self.key, algorithm).unwrap()).unwrap(),
        };
        jwk["kid"] = json!(self.name);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&Header { kid: Some(self.name.clone()), ..Header::new(self.algorithm) }, claims)
    }

    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key).unwrap()
    }
}

pub fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

pub fn rules(algorithms: &[&str]) -> JwtRules {
    let algorithms = algorithms.iter().map(|name| name.parse::<JwtAlgorithm>().unwrap()).collect();
    JwtRules { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned(), algorithms }
}

pub fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims that are accepted for ten minutes from `now`.
pub fn claims(now: SystemTime) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "service-a", "exp": seconds(now) + 600, "detente_role": "analyst"
    })
}

/// A token's entry in a token file. `more` is added after the other keys.
pub fn entry(caller: &str, token: &str, role: &str, more: &str) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(token.as_bytes()));
    let more = if more.is_empty() { ", scenarios: all" } else { more };
    format!("  - {{caller: {caller}, sha256: {hash}, role: {role}{more}}}\n")
}

/// A certificate authority.
pub struct Authorities {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: Certificate,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authorities {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for a server on localhost, valid until the given time.
    pub fn server_until(&self, until: SystemTime) -> Identity {
        self.server_between(until - Duration::from_secs(100_000), until)
    }

    /// A certificate for a server on localhost, valid between the given times.
    pub fn server_between(&self, from: SystemTime, until: SystemTime) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = from.into();
        params.not_after = until.into();
        self.sign(params)
    }

    pub fn server(&self) -> Identity {
        self.server_until(SystemTime::now() + Duration::from_secs(3_600))
    }

    pub fn client(&self, name: &str) -> Identity {
        self.client_until(name, SystemTime::now() + Duration::from_secs(3_600))
    }

    /// A certificate for a client, valid until the given time.
    pub fn client_until(&self, name: &str, until: SystemTime) -> Identity {
        self.client_between(name, until - Duration::from_secs(100_000), until)
    }

    /// A certificate for a client, valid between the given times.
    pub fn client_between(&self, name: &str, from: SystemTime, until: SystemTime) -> Identity {
        let mut params = CertificateParams::default();
        params.not_before = from.into();
        params.not_after = until.into();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
