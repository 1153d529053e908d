//! Authentication: bearer tokens from a file, JSON Web Tokens with every kind of defect, and certificates.

mod callers;
mod json_web_tokens;
mod token_files;

use crate::support::credentials::{Signer, jwks, rules};
use detente::access::{Keys, Tokens};
use serde_json::Value;

fn keys(signers: &[&Signer], algorithms: &[&str]) -> Keys {
    let listed: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    Keys::read(&jwks(&listed), rules(algorithms)).unwrap()
}

fn tokens(entries: &[String]) -> Tokens {
    Tokens::read(&format!("tokens:\n{}", entries.concat())).unwrap()
}
