//! Reasons for which a caller is rejected.
//!
//! The log contains the reason; the caller learns only whether credentials were missing. Must not know how credentials
//! are verified.

use thiserror::Error;

/// Why a caller is rejected. The text is safe to send to a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.message())]
pub enum AuthenticationError {
    /// The request has no `authorization` header, or more than one.
    NoCredentials,
    /// The scheme is not `Bearer`.
    NotBearer,
    /// The token is not in the token file.
    UnknownToken,
    /// The token is not a JWT, or has invalid claims.
    Malformed,
    /// The token exceeds the maximum length.
    TooLong,
    /// The token is unsigned, or its algorithm is not allowed.
    AlgorithmNotAllowed,
    /// The token has a critical header extension (`crit`) that this server does not support.
    NotUnderstood,
    /// The token names a key that is not in the JWKS file, or names none, and the file has no key of its algorithm.
    UnknownKey,
    /// The token's algorithm is not one of its key's algorithms.
    WrongKey,
    /// The signature does not match.
    BadSignature,
    /// The server remembers that the signature of the same token did not match.
    RefusedBefore,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// The token has another issuer.
    WrongIssuer,
    /// The token is for another audience.
    WrongAudience,
    /// The token has no usable subject.
    NoSubject,
    /// The token has an unknown role.
    UnknownRole,
}

impl AuthenticationError {
    /// Returns the reason as the log names it.
    pub fn cause(self) -> &'static str {
        match self {
            AuthenticationError::NoCredentials => "no_credentials",
            AuthenticationError::NotBearer => "not_bearer",
            AuthenticationError::UnknownToken => "unknown_token",
            AuthenticationError::Malformed => "malformed",
            AuthenticationError::TooLong => "too_long",
            AuthenticationError::AlgorithmNotAllowed => "algorithm_not_allowed",
            AuthenticationError::NotUnderstood => "not_understood",
            AuthenticationError::UnknownKey => "unknown_key",
            AuthenticationError::WrongKey => "wrong_key",
            AuthenticationError::BadSignature => "bad_signature",
            AuthenticationError::RefusedBefore => "refused_before",
            AuthenticationError::Expired => "expired",
            AuthenticationError::NotYetValid => "not_yet_valid",
            AuthenticationError::WrongIssuer => "wrong_issuer",
            AuthenticationError::WrongAudience => "wrong_audience",
            AuthenticationError::NoSubject => "no_subject",
            AuthenticationError::UnknownRole => "unknown_role",
        }
    }

    /// Returns the message for the caller, from which a stranger learns nothing about the credentials.
    fn message(self) -> &'static str {
        match self {
            AuthenticationError::NoCredentials | AuthenticationError::NotBearer => {
                "credentials required; send exactly one header `authorization: Bearer <token>`"
            }
            _ => "the credentials are not accepted",
        }
    }
}
