//! Conditions over finite domains, written in CEL (Common Expression Language) and compiled to all their prime
//! implicants.
//!
//! A prime implicant of a statement is a conjunction of tests on inputs that makes the statement true, and no longer
//! does so if any of its tests is dropped or weakened. A compiled condition ([`Decision`]) has two complete sets of
//! them: those of "the condition is true" and those of "the condition is false".
//!
//! Owns the domains of inputs, the typed [`Formula`], and [`Cubes`]. Must not know of parties, proposals, red lines,
//! dates or files: an input is any name that a [`Vocabulary`] maps to a domain.
//!
//! # Stack
//! The parser is recursive. The documentation of [`MAX_CONDITION_NESTING`] says how much stack the parser needs, and
//! with which optimisation it must be compiled.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::too_many_lines,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod budget;
mod call;
mod comparison;
mod cubes;
mod decision;
mod domain;
mod fault;
mod formula;
mod limits;
mod nearest;
mod operand;
mod parse;
mod scan;
mod space;
mod typing;
mod vocabulary;

pub use budget::{ComplexityError, WorkBudget};
pub use call::{CallConditionError, CallConditions, compile_for_call, compile_for_call_within};
pub use cubes::{Cube, Cubes, Literal};
pub use decision::Decision;
pub use domain::{Answer, Domain, EntryIndex, InputIndex, MAX_ENTRIES, Value};
pub use fault::{ConditionError, ConditionErrorKind};
pub use formula::{Atom, Formula, Numbers};
pub use limits::{MAX_CONDITION_BYTES, MAX_CONDITION_FAULTS, MAX_CONDITION_NESTING, MAX_FORMULA_NODES};
pub use nearest::{did_you_mean, nearest};
pub use space::{Axis, MAX_INTERVALS, Space, TooManyCutsError};
pub use typing::{read, read_within};
pub use vocabulary::Vocabulary;

#[cfg(test)]
mod tests;
