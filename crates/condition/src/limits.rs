//! Limits on the length, nesting and size of a condition.

/// The maximum length of a condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 4_096;
/// The maximum nesting depth of a condition.
///
/// The limit applies to brackets, to `?:` within `?:`, and to chains of operators such as `1 + 1 + 1`. Each level is a
/// level of recursion in the parser and in every function that walks the syntax tree. A bracket takes 15 KiB of stack
/// where the crates `cel` and `antlr4rust` are compiled with optimisation level 1 or more, so that a thread with a
/// stack of 2 MiB can parse every permitted condition. Without optimisation a bracket takes up to 340 KiB, which
/// overflows such a stack. This workspace therefore optimises both crates in every profile. A program that embeds this
/// crate must do the same, or read conditions on a thread with a stack of 16 MiB.
pub const MAX_CONDITION_NESTING: usize = 24;

/// The maximum number of nodes of a condition after its macros (`exists`, `all`, `exists_one`) are expanded.
pub const MAX_FORMULA_NODES: usize = 20_000;

/// The maximum number of faults reported for one condition.
pub const MAX_CONDITION_FAULTS: usize = 100;
