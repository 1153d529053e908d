//! Bounds.
/// The most issues.
pub const MAX_ISSUES: usize = 500;
