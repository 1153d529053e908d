//! Searches over the packages of a scenario: amendments, passing packages, impasses and robustness.
//!
//! Owns the form of a question that solvers work on: red lines, constraints and the goal as sets of cubes. A package
//! crosses no red line if it breaks every cube, and "this cube is broken" is a clause. A SAT solver finds what must be
//! found one by one (nearest packages, minimal conflicts and concessions); folds over a decision diagram count, weigh
//! and rank. Must not know of the wire, async runtimes, clocks or files. The [`Budget`] of each question says whether
//! there is time left.

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
pub use budget::{Bounds, Budget, SearchLimit, SearchPhase, SearchProgress};
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
