//! The result of `detente diff`.
//!
//! Must not know how it is printed.

use crate::cli::commands::diff::verdicts::Verdicts;
use crate::cli::commands::diff::version::Version;
use detente_core::scenario::diff::Change;

/// The two versions, their differences, and the effect on the reference proposals.
pub(super) struct Difference {
    pub(super) before: Version,
    pub(super) after: Version,
    pub(super) changes: Vec<Change>,
    pub(super) verdicts: Verdicts,
}
