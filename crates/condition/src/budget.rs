//! The work budget for reading and compiling conditions, and the error of a condition that exceeds the budget.
//!
//! Must not know of clocks: work is counted in steps, so that a budget means the same on every machine.

use super::nearest::MAX_PAIRS;
use thiserror::Error;

/// A condition exceeded a limit while it was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ComplexityError {
    /// The condition has too many prime implicants at some stage of compilation.
    #[error("the condition has more than {limit} cases; split or simplify it")]
    Cubes {
        /// The maximum number of prime implicants, each of which is stored as a cube.
        limit: usize,
    },
    /// The prime implicants of the condition have too many literals (tests on one input) at some stage of compilation.
    #[error("the cases of the condition have more than {limit} tests together; split or simplify it")]
    Literals {
        /// The maximum number of literals of all prime implicants together.
        limit: usize,
    },
    /// Reading or compiling takes too many steps.
    #[error("compiling the condition takes more than {limit} steps; split or simplify it")]
    Work {
        /// The maximum number of steps.
        limit: u64,
    },
}

/// The work that may be spent on reading and compiling conditions.
///
/// The unit is a step: comparing two literals (tests on one input), or any operation that takes as long (one or two
/// nanoseconds). Writing a literal costs several steps, so that the budget also bounds memory.
#[derive(Clone, Debug)]
pub struct WorkBudget {
    max_cubes: usize,
    max_steps: u64,
    steps_left: u64,
    /// The number of pairs of characters that may still be compared in the search for suggestions for unknown names.
    pairs_left: usize,
}

impl WorkBudget {
    /// The default maximum number of prime implicants for each result of a condition (true, false).
    ///
    /// It applies at every stage of compilation, and therefore also to each part of the condition.
    pub const MAX_CUBES: usize = 1_024;
    /// The maximum number of literals of the prime implicants for each result of a condition (true, false).
    ///
    /// It bounds the memory of one condition while it is compiled: a literal takes 32 bytes, and some sets of prime
    /// implicants exist at a time.
    pub const MAX_LITERALS: usize = 65_536;
    /// The default maximum number of steps for reading or compiling one condition: some tens of milliseconds.
    pub const MAX_STEPS: u64 = 32_000_000;

    /// The maximum number of prime implicants for each result (true, false) of a condition that a call supplies.
    pub const MAX_CUBES_OF_CALL: usize = 512;
    /// The maximum number of steps for all conditions of one call together.
    pub const MAX_STEPS_OF_CALL: u64 = 16_000_000;

    /// Creates a budget of `max_steps` steps.
    ///
    /// A condition may have up to `max_cubes` prime implicants for each of its results (true, false).
    pub fn new(max_cubes: usize, max_steps: u64) -> Self {
        Self { max_cubes, max_steps, steps_left: max_steps, pairs_left: MAX_PAIRS }
    }

    /// Creates the budget that all conditions of one call share.
    pub fn for_call() -> Self {
        Self::new(Self::MAX_CUBES_OF_CALL, Self::MAX_STEPS_OF_CALL)
    }

    /// Returns the number of steps spent so far, at most the budget's maximum.
    pub fn spent(&self) -> u64 {
        self.max_steps - self.steps_left
    }

    /// Whether all steps are spent.
    pub fn is_exhausted(&self) -> bool {
        self.steps_left == 0
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), ComplexityError> {
        let left = self.steps_left.checked_sub(steps);
        // An exceeded budget stays at zero, so that a cheaper operation after the failed one fails, too.
        self.steps_left = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(ComplexityError::Work { limit: self.max_steps }) }
    }

    pub(super) fn pairs_left(&mut self) -> &mut usize {
        &mut self.pairs_left
    }

    /// Checks that a set of prime implicants has at most the maximum number of cubes, and these at most the maximum
    /// number of literals together.
    pub(super) fn admit(&self, cubes: usize, literals: usize) -> Result<(), ComplexityError> {
        match (cubes, literals) {
            (cubes, _) if cubes > self.max_cubes => Err(ComplexityError::Cubes { limit: self.max_cubes }),
            (_, literals) if literals > Self::MAX_LITERALS => {
                Err(ComplexityError::Literals { limit: Self::MAX_LITERALS })
            }
            _ => Ok(()),
        }
    }
}

impl Default for WorkBudget {
    fn default() -> Self {
        Self::new(Self::MAX_CUBES, Self::MAX_STEPS)
    }
}
