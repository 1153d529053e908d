//! Searches over the packages of a scenario: amendments, passing packages, impasses and robustness.
//!
//! A package is a deal that answers every issue on which the question depends. It passes if it meets the goal (a
//! condition) and the pins (terms that it must have) of the question, breaks no constraint, and crosses none of the red
//! lines that count for the question ([`Aim`]). Owns the form of a question that solvers work on: each red line, each
//! constraint and the goal as a set of cubes. A cube is a conjunction of tests on issues and circumstances. A package
//! breaks a cube by failing one of its tests, and passes if it breaks every cube. "This cube is broken" is a clause, so
//! a SAT solver finds nearest packages, minimal conflicts and concessions, one by one. Counts, probabilities and
//! rankings are computed by folds, which walk a decision diagram from its terminals to its root.
//!
//! Must not know of the wire, async runtimes, clocks or files. The [`Budget`] of each question says whether there is
//! time left.

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

mod amend;
mod bargain;
mod budget;
mod concessions;
mod conflicts;
mod count;
mod decimal;
mod diagram;
mod distance;
mod diverse;
mod encoding;
mod first;
mod fold;
mod frontier;
mod impasse;
mod index;
mod order;
mod package;
mod packages;
mod probabilities;
mod problem;
mod robust;
mod solver;
mod sweep;
mod utilities;

#[cfg(test)]
mod tests;

pub use amend::{Amendment, AmendmentDistance, AmendmentStep, AmendmentStepKind, Amendments, MAX_AMENDMENTS};
pub use budget::{Bounds, Budget, MAX_QUESTION_BYTES, SearchLimit, SearchPhase, SearchProgress};
pub use impasse::{Impasse, MAX_IMPASSE_RESULTS};
pub use index::CountedLineIndex;
pub use package::Package;
pub use packages::{
    BargainingSolutions, EfficientPackage, MAX_PACKAGES, MAX_SOLUTIONS, PackageOrder, PackageQuery, PackageResults,
    PackageSearchError,
};
pub use probabilities::{
    BindingProbability, Probability, ProbabilityOrigin, StatedProbabilities, UnstatedProbabilitiesError,
};
pub use problem::{Aim, CountedLine, Goal, Obstacle, Problem, ProblemError, SearchQuestion};
pub use robust::{BestPackage, BindingProbabilities, LineImportance, ProbabilityRange, Robustness};
pub use sweep::{MAX_SWEEP, Sweep, SweptCase, TooManyCasesError};
pub use utilities::NotExactError;
