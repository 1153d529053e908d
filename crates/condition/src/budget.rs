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

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), ComplexityError> {
        let left = self.steps_left.checked_sub(steps);
        // An exceeded budget stays at zero, so that a cheaper operation after the failed one fails, too.
        self.steps_left = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(ComplexityError::Work { limit: self.max_steps }) }
    }

    pub(super) fn pairs_left(&mut self) -> &mut usize {
        &mut self.pairs_left
    }

    /// Checks that a set of prime implicants has at most the maximum number of cubes.
    pub(super) fn admit(&self, cubes: usize) -> Result<(), ComplexityError> {
        if cubes > self.max_cubes { Err(ComplexityError::Cubes { limit: self.max_cubes }) } else { Ok(()) }
    }
}

impl Default for WorkBudget {
    fn default() -> Self {
        Self::new(Self::MAX_CUBES, Self::MAX_STEPS)
    }
}
