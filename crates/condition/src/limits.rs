//! How long, deep and large a condition may be.

/// The longest condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 4_096;
/// The deepest nesting: of brackets, of `?:` within `?:`, and of operators that stand in a row. Each is a level of
/// recursion, in the parser and in all that walks its tree: a bracket takes 15 KiB of stack in a debug build.
pub const MAX_CONDITION_NESTING: usize = 24;

/// The most nodes of a formula once its macros are spelled out.
pub const MAX_FORMULA_NODES: usize = 20_000;

/// The most faults that are told of one condition.
pub const MAX_CONDITION_FAULTS: usize = 100;
