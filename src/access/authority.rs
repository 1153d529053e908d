//! The credentials that are accepted now, by which callers are identified.
//!
//! Must not know where the credentials come from.

use crate::access::{AuthenticationError, Caller, Keys, Tokens};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::time::SystemTime;

/// The scheme of the `authorization` header, in lower case.
const SCHEME: &[u8] = b"bearer";

/// The tokens and keys that are accepted now. Reloads of their files replace them.
#[derive(Debug, Default)]
pub struct Authority {
    tokens: ArcSwapOption<Tokens>,
    keys: ArcSwapOption<Keys>,
}

impl Authority {
    /// Creates an authority that requires no credentials.
    pub fn none() -> Self {
        Self::default()
    }

    /// Creates an authority that accepts these tokens, the JWTs signed with these keys, or both.
    pub fn new(tokens: Option<Tokens>, keys: Option<Keys>) -> Self {
        let (tokens, keys) = (tokens.map(Arc::new), keys.map(Arc::new));
        Self { tokens: ArcSwapOption::from(tokens), keys: ArcSwapOption::from(keys) }
    }

    /// Whether credentials are needed to call the server.
    pub fn is_needed(&self) -> bool {
        self.tokens.load().is_some() || self.keys.load().is_some()
    }

    /// Identifies the caller by the `authorization` header.
    ///
    /// # Errors
    /// Why the credentials are rejected.
    pub fn identify(&self, authorization: Option<&[u8]>, now: SystemTime) -> Result<Caller, AuthenticationError> {
        let token = bearer_token(authorization)?;
        // With keys configured, a token in the form of a JWT is verified as a JWT, never looked up in the token file.
        match (&*self.keys.load(), &*self.tokens.load()) {
            (Some(keys), _) if has_jwt_form(token) => {
                keys.verify(std::str::from_utf8(token).map_err(|_| AuthenticationError::Malformed)?, now)
            }
            (_, Some(tokens)) => tokens.find(token).ok_or(AuthenticationError::UnknownToken),
            (_, None) => Err(AuthenticationError::UnknownToken),
        }
    }

    /// Whether the server would have to verify the signature of a token that it does not know, which takes longer than
    /// all other checks together.
    pub fn must_verify(&self, authorization: Option<&[u8]>) -> bool {
        let Ok(token) = bearer_token(authorization) else { return false };
        let token = std::str::from_utf8(token).ok().filter(|token| has_jwt_form(token.as_bytes()));
        token.is_some_and(|token| self.keys.load().as_ref().is_some_and(|keys| keys.must_verify(token)))
    }

    /// Replaces the active tokens, and revokes callers whose token is gone or whose rights have changed.
    pub fn replace_tokens(&self, tokens: Tokens) {
        let tokens = match &*self.tokens.load() {
            Some(before) => tokens.replacing(before),
            None => tokens,
        };
        self.tokens.store(Some(Arc::new(tokens)));
    }

    /// Replaces the active keys, and revokes the callers whose tokens were signed with keys that are gone.
    pub fn replace_keys(&self, keys: Keys) {
        let keys = match &*self.keys.load() {
            Some(before) => keys.replacing(before),
            None => keys,
        };
        self.keys.store(Some(Arc::new(keys)));
    }
}

/// Returns the token of the `authorization` header.
///
/// # Errors
/// If there is none.
fn bearer_token(authorization: Option<&[u8]>) -> Result<&[u8], AuthenticationError> {
    let header = authorization.ok_or(AuthenticationError::NoCredentials)?;
    let (scheme, rest) = header.split_at_checked(SCHEME.len()).ok_or(AuthenticationError::NotBearer)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first() != Some(&b' ') {
        return Err(AuthenticationError::NotBearer);
    }
    Ok(rest.trim_ascii())
}

/// Whether a token has three parts, of which the first is a JSON object in Base64.
fn has_jwt_form(token: &[u8]) -> bool {
    token.starts_with(b"eyJ") && token.iter().filter(|byte| **byte == b'.').count() == 2
}
