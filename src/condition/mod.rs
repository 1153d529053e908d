//! Conditions: CEL text over finite domains, compiled to the complete sets of prime implicants of its truth and of
//! its falsehood.
//!
//! Owns the domains of inputs, the typed [`Formula`], and [`Cubes`]. Must not know of parties, proposals, red lines,
//! dates or files: an input is whatever a [`Vocabulary`] names.

mod call;
mod comparison;
mod cubes;
mod decision;
mod domain;
mod formula;
mod nearest;
mod parse;
mod space;
mod typing;

pub use call::{CallConditions, CallFault, compile_for_call};
pub use cubes::{Cube, Cubes, Literal};
pub use decision::{Decision, TooComplex, WorkBudget};
pub use domain::{Answer, Domain, InputId, MAX_ENTRIES, Value};
pub use formula::{Atom, Formula, Numbers};
pub use nearest::nearest;
pub use parse::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING};
pub use space::{Axis, MAX_INTERVALS, Space, TooManyCuts};
pub use typing::{ConditionFault, ConditionFaultKind, MAX_FORMULA_NODES, Vocabulary, read};

#[cfg(test)]
mod tests;
