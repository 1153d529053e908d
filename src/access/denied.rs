//! Why a caller is not let in: told whole in the log, and to the caller no more than whether there were credentials.

use thiserror::Error;

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.message())]
pub enum Denied {
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

impl Denied {
    /// The cause, for logs.
    pub fn cause(self) -> &'static str {
        match self {
            Denied::NoCredentials => "no_credentials",
            Denied::NotBearer => "not_bearer",
            Denied::UnknownToken => "unknown_token",
            Denied::Malformed => "malformed",
            Denied::TooLong => "too_long",
            Denied::AlgorithmNotAllowed => "algorithm_not_allowed",
            Denied::NotUnderstood => "not_understood",
            Denied::UnknownKey => "unknown_key",
            Denied::WrongKey => "wrong_key",
            Denied::BadSignature => "bad_signature",
            Denied::Expired => "expired",
            Denied::NotYetValid => "not_yet_valid",
            Denied::WrongIssuer => "wrong_issuer",
            Denied::WrongAudience => "wrong_audience",
            Denied::NoSubject => "no_subject",
            Denied::UnknownRole => "unknown_role",
        }
    }

    /// What the caller is told: a stranger learns nothing from it.
    fn message(self) -> &'static str {
        match self {
            Denied::NoCredentials | Denied::NotBearer => {
                "this server knows its callers: send one header `authorization: Bearer <token>`"
            }
            _ => "the credentials are not accepted",
        }
    }
}
