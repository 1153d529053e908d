//! Access control: callers, their roles and their scenarios.
//!
//! Callers are identified by bearer tokens from a file, by signed JSON Web Tokens, or by a client certificate.
//!
//! Owns callers, their rights, and the rules for their credentials. Must not know about the protocol, the file system
//! (files arrive as text) or the clock (the time is an argument). No token and no hash of a token appears in any
//! output.

mod authentication_error;
mod authority;
mod caller;
mod caller_key;
mod credential_file_error;
mod keys;
mod scenario_ids;
mod tokens;

pub use authentication_error::AuthenticationError;
pub use authority::Authority;
pub use caller::{Caller, CallerRole};
pub use caller_key::{CallerKey, CallerKind};
pub use credential_file_error::CredentialFileError;
pub use keys::{JwtAlgorithm, JwtRules, Keys, MAX_JWKS_BYTES};
pub use tokens::{MAX_TOKEN_FILE_BYTES, Tokens};
