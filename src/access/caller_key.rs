//! What identifies a caller, for everything that is counted or shared by caller.
//!
//! Must not know what is counted.

use std::net::IpAddr;
use std::sync::Arc;

/// How a caller was identified. Equal names of different kinds are different callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// Not at all.
    Anonymous,
    /// By a token of the tokens file.
    Token,
    /// By a JSON Web Token.
    Jwt,
    /// By the certificate of its connection.
    Certificate,
}

impl CallerKind {
    /// The value of `caller_kind` in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            CallerKind::Anonymous => "anonymous",
            CallerKind::Token => "token",
            CallerKind::Jwt => "jwt",
            CallerKind::Certificate => "certificate",
        }
    }
}

/// What identifies a caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// A caller with credentials: their kind and the name in them.
    Known(CallerKind, Arc<str>),
    /// The callers of one address.
    Host(IpAddr),
    /// The callers of one /48 network.
    Site(IpAddr),
    /// The callers that found no room in the table.
    Others,
}
