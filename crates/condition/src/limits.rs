//! Limits on the length, nesting and size of a condition.

/// The maximum length of a condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 4_096;
/// The maximum nesting depth of a condition.
///
/// The limit applies to brackets, to `?:` within `?:`, and to operators that follow one another. Each level is a level
/// of recursion in the parser and in every function that walks the syntax tree; a bracket takes 15 KiB of stack in a
/// debug build.
pub const MAX_CONDITION_NESTING: usize = 24;

/// The maximum number of nodes of a formula after macro expansion.
pub const MAX_FORMULA_NODES: usize = 20_000;

/// The maximum number of faults reported for one condition.
pub const MAX_CONDITION_FAULTS: usize = 100;
