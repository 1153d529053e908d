//! Limits on the length, nesting and size of a condition.

/// The maximum length of a condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 4_096;
/// The maximum nesting depth of a condition.
///
/// The limit applies to brackets, to `?:` within `?:`, and to operators that follow one another. Each level is a level
/// of recursion in the parser and in every function that walks the syntax tree. A bracket takes 15 KiB of stack where
/// the crates `cel` and `antlr4rust` are compiled with optimisation level 1 or more, so that a condition fits in a
/// thread of 2 MiB. Without optimisation it takes up to 340 KiB, which overflows such a thread. This workspace therefore
/// optimises both crates in every profile. A program that embeds this crate must do the same, or read conditions on a
/// thread of 16 MiB.
pub const MAX_CONDITION_NESTING: usize = 24;

/// The maximum number of nodes of a formula after macro expansion.
pub const MAX_FORMULA_NODES: usize = 20_000;

/// The maximum number of faults reported for one condition.
pub const MAX_CONDITION_FAULTS: usize = 100;
