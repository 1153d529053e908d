//! The error of a file of tokens or keys.
//!
//! Must not know what such a file contains.

use thiserror::Error;

/// Why a file of tokens or keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CredentialFileError(pub(super) String);
