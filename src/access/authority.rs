//! Who is accepted now.

use crate::access::{AuthenticationError, Caller, Keys, Tokens};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::time::SystemTime;

/// The scheme of the `authorization` header.
const SCHEME: &[u8] = b"bearer";

/// The tokens and keys in force.
#[derive(Debug, Default)]
pub struct Authority {
    tokens: ArcSwapOption<Tokens>,
    keys: ArcSwapOption<Keys>,
}

impl Authority {
    /// Callers are not asked who they are.
    pub fn none() -> Self {
        Self::default()
    }

    /// They are, by these tokens, or these keys, or either.
    pub fn new(tokens: Option<Tokens>, keys: Option<Keys>) -> Self {
        let (tokens, keys) = (tokens.map(Arc::new), keys.map(Arc::new));
        Self { tokens: ArcSwapOption::from(tokens), keys: ArcSwapOption::from(keys) }
    }

    /// Whether callers are asked who they are.
    pub fn is_needed(&self) -> bool {
        self.tokens.load().is_some() || self.keys.load().is_some()
    }

    /// Who calls with this `authorization` header.
    ///
    /// # Errors
    /// Why nobody does who is known.
    pub fn identify(&self, authorization: Option<&[u8]>, now: SystemTime) -> Result<Caller, AuthenticationError> {
        let given = authorization.ok_or(AuthenticationError::NoCredentials)?;
        let (scheme, rest) = given.split_at_checked(SCHEME.len()).ok_or(AuthenticationError::NotBearer)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first() != Some(&b' ') {
            return Err(AuthenticationError::NotBearer);
        }
        let token = rest.trim_ascii();
        // What has a JWT's form is one, where there are keys for it: a token of the file can't have that form there.
        match (&*self.keys.load(), &*self.tokens.load()) {
            (Some(keys), _) if has_jwt_form(token) => {
                keys.verify(std::str::from_utf8(token).map_err(|_| AuthenticationError::Malformed)?, now)
            }
            (_, Some(tokens)) => tokens.find(token).ok_or(AuthenticationError::UnknownToken),
            (_, None) => Err(AuthenticationError::UnknownToken),
        }
    }

    /// These tokens from now on.
    pub fn replace_tokens(&self, tokens: Tokens) {
        let tokens = match &*self.tokens.load() {
            Some(before) => tokens.instead_of(before),
            None => tokens,
        };
        self.tokens.store(Some(Arc::new(tokens)));
    }

    /// These keys from now on.
    pub fn replace_keys(&self, keys: Keys) {
        let keys = match &*self.keys.load() {
            Some(before) => keys.instead_of(before),
            None => keys,
        };
        self.keys.store(Some(Arc::new(keys)));
    }
}

/// Three parts, of which the first is a JSON object in base64.
fn has_jwt_form(token: &[u8]) -> bool {
    token.starts_with(b"eyJ") && token.iter().filter(|byte| **byte == b'.').count() == 2
}
