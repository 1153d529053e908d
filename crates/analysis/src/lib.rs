//! The questions beyond one proposal: what passes, what is nearest to it, why nothing does, how sure it is.
//!
//! Owns the solver's view of a scenario's cubes. "Not crossed" is every cube broken, and a broken cube is a clause: what
//! must be found one by one (nearest packages, minimal conflicts and concessions) is asked of a SAT solver, what must
//! be counted, weighed or ranked is folded over a decision diagram. Pure: must not know of the wire, of async runtimes,
//! of clocks or of files. Whether there is time left is asked of the [`Budget`] that comes with each question.

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
mod diverse;
mod encoding;
mod first;
mod fold;
mod frontier;
mod impasse;
mod order;
mod package;
mod packages;
mod problem;
mod robust;
mod solver;
mod utilities;

pub use amend::{Amended, Amendments, Distance, MAX_AMENDMENTS, Step, StepKind};
pub use budget::{Bounds, Budget, CutShort};
pub use impasse::{Impasse, MAX_IMPASSE_RESULTS};
pub use package::Package;
pub use packages::{Bargaining, Efficient, Found, MAX_PACKAGES, MAX_SOLUTIONS, NotFound, Order, Wanted};
pub use problem::{Aim, Blame, CountedLine, Goal, Problem, ProblemError, Question};
pub use robust::{Best, Importance, Probabilities, Range, Robustness};
pub use utilities::NotExactError;
