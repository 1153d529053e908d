//! Why a caller is not let in: told whole in the log, and to the caller no more than whether there were credentials.

use thiserror::Error;

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.message())]
pub enum AuthenticationError {
    /// There are none, or more than one.
    NoCredentials,
    /// Another scheme than `Bearer`.
    NotBearer,
    /// Not one of the tokens.
    UnknownToken,
    /// Not a JWT, or one with claims that can't be read.
    Malformed,
    /// Longer than any JWT has to be.
    TooLong,
    /// Signed with what is not allowed, or not at all.
    AlgorithmNotAllowed,
    /// It asks for something to be understood that is not (`crit`).
    NotUnderstood,
    /// Signed with a key that is not there, or it is not said which.
    UnknownKey,
    /// Signed with another kind of algorithm than its key is for.
    WrongKey,
    /// Not signed by its key.
    BadSignature,
    /// It has expired.
    Expired,
    /// It is not good yet.
    NotYetValid,
    /// Issued by somebody else.
    WrongIssuer,
    /// Meant for somebody else.
    WrongAudience,
    /// Without a name that can be used.
    NoSubject,
    /// With a role that there isn't.
    UnknownRole,
}

impl AuthenticationError {
    /// The cause, for logs.
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
            AuthenticationError::Expired => "expired",
            AuthenticationError::NotYetValid => "not_yet_valid",
            AuthenticationError::WrongIssuer => "wrong_issuer",
            AuthenticationError::WrongAudience => "wrong_audience",
            AuthenticationError::NoSubject => "no_subject",
            AuthenticationError::UnknownRole => "unknown_role",
        }
    }

    /// What the caller is told: a stranger learns nothing from it.
    fn message(self) -> &'static str {
        match self {
            AuthenticationError::NoCredentials | AuthenticationError::NotBearer => {
                "this server knows its callers: send one header `authorization: Bearer <token>`"
            }
            _ => "the credentials are not accepted",
        }
    }
}
